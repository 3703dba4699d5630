"""Build the Cython kernels, the price table and the console; FASTGW_DEBUG=1 for checks, FASTGW_ONLY=scan,ring for a few modules."""
import os
import shutil
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
DEBUG = os.environ.get("FASTGW_DEBUG") == "1"
ONLY = {name for name in os.environ.get("FASTGW_ONLY", "").split(",") if name}


def extensions():
    for path in sorted(ROOT.glob("fastgw/**/*.pyx")):
        relative = path.relative_to(ROOT)
        if ONLY and relative.stem not in ONLY:
            continue
        yield Extension(
            ".".join(relative.with_suffix("").parts),
            [str(relative)],
            extra_compile_args=["-O0", "-g"] if DEBUG else ["-O2", "-g0", "-fno-semantic-interposition"],
            # Symbols are half of a module's size; a debug build keeps them.
            extra_link_args=[] if DEBUG else ["-Wl,-s"],
            define_macros=[("FASTGW_DEBUG", "1")] if DEBUG else [],
        )


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


setup(
    ext_modules=cythonize(
        list(extensions()),
        nthreads=os.cpu_count() or 1,
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": DEBUG,
        },
    ),
    cmdclass={"build_py": BuildWithTables, "sdist": SdistWithConsole},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
