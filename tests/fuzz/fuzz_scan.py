"""Fuzz the scan kernel against its oracle: python -m tests.fuzz.fuzz_scan [CORPUS_FOLDER] (needs atheris)."""

import importlib
import sys

from tests.core.test_scan import check


def main() -> None:
    atheris = importlib.import_module("atheris")
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
