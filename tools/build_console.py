"""Build the web console into the package, where npm is there and something changed; without npm say so and go on.

Run: python -m tools.build_console
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
SOURCE: Final = ROOT / "console"
PAGE: Final = ROOT / "fastgw" / "console" / "dist" / "index.html"
# What the built files are made of; tests and tools beside it are not.
PARTS: Final = ("package-lock.json", "index.html", "vite.config.ts", "public", "src")


def sources(folder: Path) -> Iterator[Path]:
    for part in PARTS:
        path = folder / part
        yield from (one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]


def is_newer(path: Path, than: Path) -> bool:
    return not than.exists() or path.stat().st_mtime_ns > than.stat().st_mtime_ns


def run(npm: str, *arguments: str) -> None:
    subprocess.run([npm, "--prefix", str(SOURCE), *arguments], cwd=SOURCE, check=True, stdout=subprocess.DEVNULL)


def build_console(npm: str | None) -> str:
    """Install what the console's lock file names, build it, and say in a line what was done.

    npm   where it is; None where it is missing
    """
    state = "the one that was built before stays" if PAGE.exists() else "the package has none"
    if not (SOURCE / "package-lock.json").exists() or (PAGE.exists() and not any(is_newer(path, PAGE) for path in sources(SOURCE))):
        return f"console: nothing to build, {'it is up to date' if PAGE.exists() else state}"
    if npm is None:
        return f"console: npm is missing, {state}"
    try:
        if is_newer(SOURCE / "package-lock.json", SOURCE / "node_modules" / ".package-lock.json"):
            run(npm, "ci", "--no-audit", "--no-fund", "--silent")
        run(npm, "run", "build", "--silent", "--", "--logLevel", "warn")
    except subprocess.CalledProcessError as error:
        return f"console: {' '.join(map(str, error.cmd))} ended with {error.returncode}, {state}"
    return f"console: built into {PAGE.parent.relative_to(ROOT)}"


if __name__ == "__main__":
    print(build_console(shutil.which("npm")), file=sys.stderr)
