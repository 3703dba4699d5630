"""Build the Cython kernels, the price table and the console; FASTGW_DEBUG=1 for checks, FASTGW_ONLY=scan,ring for a few modules.

In place, each kernel is a library of its own. What is installed has all of them in one, `fastgw/_kernels`, whose link removes what
they have in common: it is a third of the size, and is mapped once (see docs/architecture.md).
"""
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
DEBUG = os.environ.get("FASTGW_DEBUG") == "1"
ONLY = {name for name in os.environ.get("FASTGW_ONLY", "").split(",") if name}
IS_IN_PLACE = bool(ONLY) or any(word in sys.argv for word in ("--inplace", "editable_wheel", "develop"))
LIBRARY = "fastgw._kernels"
# Where bytes are looked at one by one, and accounts and targets in loops: there -O2 pays, as bench/kernels shows.
HOT = {"choice", "cube", "digest", "http1", "ledger", "price", "ring", "route", "scan", "splice", "usage"}
# For the rest of what is installed. GCC knows -Oz since 12; an older one takes -Os. What Cython writes out to reach into the interpreter's
# structures pays in HOT only.
SMALL = ["-Oz", "-DCYTHON_FAST_THREAD_STATE=0", "-DCYTHON_USE_PYLONG_INTERNALS=0"]
# Of these, what Python calls: tests, tools and set-up.
PYTHON_FACE = re.compile(r"^static (PyObject \*|int )(?=__pyx_p[wf]_)", re.M)
SIZED = ["-g0", "-fno-semantic-interposition", "-fno-asynchronous-unwind-tables", "-fvisibility=hidden"]
# Without Cython's cache of where a name of the module stands, beside each use (with Python 3.12 it has none either), and without its
# compression of each module's words, which a wheel packs better.
LEAN = ["-DCYTHON_USE_DICT_VERSIONS=0", "-DCYTHON_COMPRESS_STRINGS=0"]


def kernels():
    for path in sorted(ROOT.glob("fastgw/**/*.pyx")):
        relative = path.relative_to(ROOT)
        if ONLY and relative.stem not in ONLY:
            continue
        yield Extension(
            ".".join(relative.with_suffix("").parts),
            [str(relative)],
            extra_compile_args=["-O0", "-g"] if DEBUG else ["-O2", *SIZED],
            # Symbols are half of a module's size; a debug build keeps them.
            extra_link_args=[] if DEBUG else ["-Wl,-s"],
            define_macros=[("FASTGW_DEBUG", "1")] if DEBUG else [],
        )


def one_library(extensions):
    """All kernels as one extension module; each keeps the function that the interpreter calls to make it, by its last name."""
    names = [extension.name.rpartition(".")[2] for extension in extensions]
    assert len(set(names)) == len(names), f"two kernels of one name cannot stand in one library: {sorted(names)}"
    return Extension(
        LIBRARY, [source for extension in extensions for source in extension.sources], extra_compile_args=[*SIZED, *LEAN, "-flto"],
        extra_link_args=["-Os", "-flto", "-flto-partition=none", "-Wl,-s", "-Wl,--gc-sections", "-Wl,--sort-section=name"])


class BuildKernels(build_ext):
    """Compile what is hot for speed and the rest for size, and write down what the one library holds."""

    def build_extension(self, ext):
        if ext.name == LIBRARY:
            self.small = SMALL if self.knows(SMALL[0]) else ["-Os", *SMALL[1:]]
            self.compiler.compile = self.compile_all
            names = sorted(".".join(Path(source).with_suffix("").parts) for source in ext.sources)
            listing = Path(self.build_lib, "fastgw", "_library.py")
            listing.parent.mkdir(parents=True, exist_ok=True)
            listing.write_text(f'"""The kernels that the one library holds; written by setup.py."""\nKERNELS = frozenset({names})\n')
        super().build_extension(ext)

    def knows(self, flag):
        """Whether the compiler takes this."""
        empty = [self.compiler.compiler_so[0], flag, "-x", "c", "-c", os.devnull, "-o", os.devnull]
        return subprocess.run(empty, stderr=subprocess.DEVNULL).returncode == 0

    def compile_all(self, sources, output_dir=None, macros=None, include_dirs=None, debug=0, extra_preargs=None, extra_postargs=None,
                    depends=None):
        """What the compiler's own `compile` does, on all cores and with flags by source."""
        compiler = self.compiler
        _, objects, flags, options, build = compiler._setup_compile(output_dir, macros, include_dirs, sources, depends, extra_postargs)
        arguments = compiler._get_cc_args(options, debug, extra_preargs)

        def compile_one(object_path):
            source, extension = build[object_path]
            if Path(source).stem in HOT:
                hot = ["-O2", f"-I{Path(source).parent}", *flags]
                return compiler._compile(object_path, self.with_cold_face(Path(source)), extension, arguments, hot, options)
            return compiler._compile(object_path, source, extension, arguments, [*self.small, *flags], options)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(compile_one, build))
        return objects

    def with_cold_face(self, source):
        """A copy of generated code whose Python face the compiler makes small, though the rest is made fast."""
        copy = Path(self.build_temp, source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(PYTHON_FACE.sub(r"static __attribute__((cold)) \1", source.read_text()))
        return str(copy)


def make_console():
    """Build the console where npm is there; an sdist carries the built one."""
    sys.path.insert(0, str(ROOT))
    from tools.build_console import build_console

    print(build_console(shutil.which("npm")))


class BuildWithTables(build_py):
    """Compile the price table and build the console before the package's files are collected."""

    def run(self):
        make_console()
        from tools.compile_prices import REPORT_PATH, compile_prices

        compile_prices(ROOT / "fastgw" / "meter" / "prices.json", report_path=REPORT_PATH)
        super().run()


class SdistWithConsole(sdist):
    """Build the console before the files are collected, so that a build from them needs no npm."""

    def run(self):
        make_console()
        super().run()


class SmallWheel(bdist_wheel):
    """Pack the wheel as small as a wheel can be."""

    def run(self):
        super().run()
        for *_, name in self.distribution.dist_files:
            if name.endswith(".whl"):
                loose, tight = Path(name), Path(name).with_suffix(".tight")
                with ZipFile(loose) as old, ZipFile(tight, "w", ZIP_DEFLATED, compresslevel=9) as packed:
                    for entry in old.infolist():
                        packed.writestr(entry, old.read(entry), compresslevel=9)
                tight.replace(loose)


Options.docstrings = IS_IN_PLACE or DEBUG
extensions = cythonize(
    list(kernels()),
    nthreads=os.cpu_count() or 1,
    compiler_directives={
        "language_level": 3,
        "boundscheck": DEBUG,
        "wraparound": False,
        "cdivision": True,
        "initializedcheck": DEBUG,
        # nothing asks these for their signatures, and nothing pickles them: both are a fifth of the code
        "binding": False,
        "auto_pickle": False,
        # calls of methods are unpacked by the interpreter; whoever calls a kernel's function of one argument does not name it
        "optimize.unpack_method_calls": False,
        "always_allow_keywords": False,
    },
)

setup(
    ext_modules=extensions if IS_IN_PLACE or DEBUG else [one_library(extensions)],
    cmdclass={"build_ext": BuildKernels, "build_py": BuildWithTables, "bdist_wheel": SmallWheel, "sdist": SdistWithConsole},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
