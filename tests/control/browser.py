"""A real browser for tests: Chromium, driven by Playwright in a process of Node's."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
DRIVER = ROOT / "console" / "tools" / "drive.js"
PLAYWRIGHT = ROOT / "console" / "node_modules" / "playwright-core"
PAGE = ROOT / "fastgw" / "console" / "dist" / "index.html"
PACKED = ROOT / "build" / "npm" / "node_modules" / "@sparticuz" / "chromium" / "build" / "index.js"
UNPACKED = ROOT / "build" / "npm" / "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 812}


class Chromium(NamedTuple):
    """One that starts. libraries: where those are that the system may lack, "" where it has its own"""

    path: str
    libraries: str = ""

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "CHROMIUM": self.path, **({"LD_LIBRARY_PATH": self.libraries} if self.libraries else {})}

    def starts(self) -> bool:
        return subprocess.run([self.path, "--version", "--no-sandbox"], env=self.environ, capture_output=True, check=False).returncode == 0


@cache
def find_chromium() -> Chromium | None:
    """The system's, else the one that tests/npm names; None where neither starts."""
    paths = [path for name in NAMES if (path := shutil.which(name))]
    return next((one for one in [*map(Chromium, paths), *unpacked()] if one.starts()), None)


def unpacked() -> list[Chromium]:
    """The Chromium of the registry, with its libraries, unpacked beside it."""
    if not PACKED.exists() or shutil.which("node") is None:
        return []
    script = f"import('{PACKED.as_uri()}').then(async (it) => console.log(await it.default.executablePath()))"
    # it brings the libraries along where it believes that it is on a bare machine
    environ = {**os.environ, "TMPDIR": str(UNPACKED), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
    UNPACKED.mkdir(exist_ok=True)
    done = subprocess.run(["node", "-e", script], env=environ, capture_output=True, text=True, check=False)
    return [Chromium(path, str(UNPACKED / "al2023" / "lib")) for path in done.stdout.split()]


def why_absent() -> str:
    """What is missing for a browser to look at the console; "" where nothing is."""
    if not PAGE.exists():
        return "the console is not built: npm is missing"
    if not PLAYWRIGHT.exists():
        return "playwright-core is not installed: npm is missing"
    return "" if find_chromium() else "there is no Chromium that starts: neither the system's nor npm's"


class On:
    """A page, or something on it; what is there is waited for, as a person would."""

    def __init__(self, browser: "Browser", number: int, steps: tuple[list[object], ...] = ()) -> None:
        self.browser = browser
        self.number = number
        self.steps = steps

    def __repr__(self) -> str:
        return f"<On page {self.number}: {'.'.join(str(step) for step in self.steps)}>"

    # what to look at

    def at(self, method: str, *given: object) -> "On":
        return On(self.browser, self.number, (*self.steps, [method, *given]))

    def role(self, role: str, name: str | dict[str, str] = "", exact: bool = False) -> "On":
        return self.at("getByRole", role, {"name": name, "exact": exact} if name else {})

    def label(self, name: str, exact: bool = False) -> "On":
        return self.at("getByLabel", name, {"exact": exact})

    def text(self, text: str | dict[str, str], exact: bool = False) -> "On":
        return self.at("getByText", text, {"exact": exact})

    def css(self, selector: str, text: str = "") -> "On":
        return self.at("locator", selector, {"hasText": text} if text else {})

    def button(self, name: str) -> "On":
        return self.role("button", name).first()

    def link(self, name: str) -> "On":
        return self.role("link", name).first()

    def first(self) -> "On":
        return self.at("first")

    # what to do

    def do(self, method: str, *given: object) -> Any:
        return self.browser.ask({"page": self.number, "steps": [*self.steps, [method, *given]]})

    def go(self, url: str) -> None:
        self.do("goto", url)

    def settle(self) -> None:
        """Wait until nothing is asked of the server any more."""
        self.do("waitForLoadState", "networkidle")

    def click(self) -> None:
        self.do("click")

    def fill(self, text: str) -> None:
        self.do("fill", text)

    def choose(self, option: str) -> None:
        self.do("selectOption", option)

    def press(self, keys: str) -> None:
        """Of the keyboard, wherever the focus is."""
        self.browser.ask({"page": self.number, "steps": [["keyboard"], ["press", keys]]})

    def wait(self, state: str = "visible", timeout_ms: int | None = None) -> None:
        self.do("waitFor", {"state": state, **({"timeout": timeout_ms} if timeout_ms else {})})

    def words(self) -> str:
        """The text that is seen."""
        return str(self.do("innerText"))

    def value(self) -> str:
        return str(self.do("inputValue"))

    def count(self) -> int:
        return int(self.do("count"))

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression on the page."""
        return self.browser.ask({"page": self.number, "steps": [["evaluate", script]]})

    def focused(self) -> str:
        """What has the keyboard, by the name that a screen reader says."""
        return str(self.run(FOCUSED))

    def faults(self) -> list[str]:
        """What went wrong since this was asked last: errors and warnings of the page, and answers of 400 and more."""
        found = self.browser.ask({"page": self.number, "faults": True})
        assert isinstance(found, list)
        return found


FOCUSED = """(() => {
  const at = document.activeElement;
  return at.getAttribute("aria-label") || at.labels?.[0]?.innerText.replace("*", "").trim() || at.innerText?.trim() || at.tagName;
})()"""


class Browser:
    """One browser; every page has a profile of its own, so that different people can be signed in."""

    def __init__(self) -> None:
        self.node: subprocess.Popen[str] | None = None

    def __repr__(self) -> str:
        return f"<Browser {find_chromium()}>"

    def __enter__(self) -> Self:
        chromium = find_chromium()
        assert chromium is not None  # as why_absent has nothing to say
        self.node = subprocess.Popen(["node", str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=chromium.environ, text=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self.node is not None and self.node.stdin is not None and self.node.stdout is not None
        self.node.stdin.close()
        self.node.wait(PATIENCE_S)
        self.node.stdout.close()

    def ask(self, what: dict[str, object]) -> Any:
        assert self.node is not None and self.node.stdin is not None and self.node.stdout is not None
        self.node.stdin.write(json.dumps(what) + "\n")
        self.node.stdin.flush()
        line = self.node.stdout.readline()
        assert line, "the browser's driver has ended"
        answer = json.loads(line)
        assert "error" not in answer, f"{what}: {answer['error']}"
        return answer["value"]

    def open(self, size: dict[str, int] = WIDE, scheme: str = "light") -> On:
        """A page in a profile of its own."""
        return On(self, self.ask({"open": {"viewport": size, "colorScheme": scheme}}))
