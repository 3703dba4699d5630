"""Say how far a bench has come: on one line of a terminal, or a line a step where the output is kept."""
from __future__ import annotations

import time
from typing import TextIO

REFRESH_S = 0.2


class Progress:
    """Steps, and how far each has come; written to `out`, which is not where the results go."""

    def __init__(self, out: TextIO, *, is_quiet: bool = False) -> None:
        self._out = out
        self._is_quiet = is_quiet
        self._is_terminal = out.isatty()
        self._step = ""
        self._shown_at = 0.0
        self._width = 0

    def __repr__(self) -> str:
        return f"<Progress at {self._step!r}>"

    def step(self, name: str) -> None:
        """Begin something."""
        self._step = name
        self._shown_at = 0.0
        if self._is_terminal:
            self.at("")
        elif not self._is_quiet:
            print(f"... {name}", file=self._out, flush=True)

    def at(self, how_far: str) -> None:
        """Come along; cheap to call often."""
        now = time.monotonic()
        if self._is_quiet or not self._is_terminal or now - self._shown_at < REFRESH_S:
            return
        self._shown_at = now
        line = f"{self._step} {how_far}".rstrip()
        self._out.write("\r" + line.ljust(self._width))
        self._out.flush()
        self._width = len(line)

    def done(self) -> None:
        """Leave the line to the results."""
        if self._is_terminal and not self._is_quiet:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
