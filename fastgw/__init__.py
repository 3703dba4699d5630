"""fastgw: an AI gateway and control plane at the CPU cost of a plain proxy."""
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

__version__ = "0.1.0"


class LibraryFinder:
    """Finds the kernels of an installed fastgw, which are in one library (see setup.py)."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.startswith("fastgw.") and name in KERNELS:
            return spec_from_file_location(name, LIBRARY, loader=ExtensionFileLoader(name, LIBRARY))
        return None


LIBRARY = next((str(path) for path in Path(__file__).parent.glob("_kernels.*.so")), "")
if LIBRARY:
    from fastgw._library import KERNELS  # type: ignore[import-not-found]  # setup.py writes it into what is installed

    sys.meta_path.insert(0, LibraryFinder)
