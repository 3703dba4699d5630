"""What machines without SSE2 run: the same tests of the kernels that have a faster way, with that way left out."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "fastgw" / "_core"
KERNELS = ("scan", "usage")
RUN = """
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
import pytest
for path in sys.argv[1:3]:
    name = "fastgw._core." + path.rpartition("/")[2].partition(".")[0]
    spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.__file__ == path
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[3:]]))
"""


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The kernels, built without what only some processors have."""
    directory = tmp_path_factory.mktemp("portable")
    compiler = sysconfig.get_config_var("CC").split()[0]
    built = []
    for name in KERNELS:
        source, library = CORE / f"{name}.c", directory / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-w", "-DFASTGW_PORTABLE", f"-I{CORE}", f"-I{sysconfig.get_paths()['include']}",
             str(source), "-o", str(library)], check=True)
        assert b"pmovmskb" not in subprocess.run(["objdump", "-d", str(library)], stdout=subprocess.PIPE, check=True).stdout
        built.append(library)
    return built


def test_kernels_keep_their_promises_without_sse2(portable: list[Path]) -> None:
    """The tests of scan and usage pass with kernels that look at bytes one by one."""
    tests = [f"tests/core/test_{name}.py" for name in KERNELS]
    run = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, portable), *tests], cwd=CORE.parents[1], stdout=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:]
    assert "passed" in run.stdout or "100%" in run.stdout, run.stdout
