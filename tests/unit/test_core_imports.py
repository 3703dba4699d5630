"""Without any extra, what serves can be imported, and imports nothing that is not its own: an install at the edge has no more."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.gateway.running import ROOT

# What an installation without extras has beside the standard library.
CORE = {"click", "msgspec", "prometheus_client", "typing_extensions", "uvloop"}
SERVES = ("fastgw.cli", "fastgw.launch", "fastgw.serve", "fastgw.edge", "fastgw.worker", "fastgw.asgi", "fastgw.record.daemon",
          "fastgw.record.exposition", "fastgw.record.exporters.jsonl", "fastgw.record.exporters.sqlite", "fastgw.record.exporters.otlp",
          "fastgw.dialects.loading")
CODE = """
import importlib, json, sys

class OnlyCore:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {core!r} and top != "fastgw":
            raise ModuleNotFoundError(f"{{name}} is no part of an install without extras", name=name)
        return None

sys.meta_path.insert(0, OnlyCore)
for module in {modules!r}:
    importlib.import_module(module)
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names)))
"""


def test_what_serves_needs_no_extra() -> None:
    """Every module that serves is imported where all but the core's packages are refused."""
    said = subprocess.run([sys.executable, "-c", CODE.format(core=CORE, modules=SERVES)], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert {name for name in json.loads(said.stdout) if not name.startswith(("_", "__"))} - CORE <= {"fastgw", "cython_runtime"}


def test_the_package_itself_is_imported_at_once() -> None:
    """`import fastgw` brings in nothing of what it serves by."""
    code = "import sys, fastgw; print([name for name in sys.modules if name.startswith('fastgw.') or name in ('uvloop', 'msgspec')])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"
