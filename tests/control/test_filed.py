"""What the control process takes for the configuration file's own."""

from pathlib import Path

import pytest

from fastgw.control.file import file_of
from fastgw.control.options import ControlOptions
from fastgw.snapshot.opening import open_first
from fastgw.snapshot.published import publish
from fastgw.snapshot.seal import Vault


def test_what_was_published_before_is_not_the_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After a restart what the store holds can still be changed; a file that does not hold hides only its own rows."""
    path = tmp_path / "fastgw.toml"
    path.write_text(f'[gateway]\nstate = "{tmp_path}"\n[integrations.filed]\nprovider = "openai"\n')
    publish(tmp_path, {"integrations": {"stored": {"provider": "openai"}}})
    document, _ = open_first(path, {})
    assert set(document.config.integrations) == {"filed", "stored"}
    options = ControlOptions(document, tmp_path, Vault([bytes(32)]), (), "", 0)
    file = file_of(options)
    assert file is not None and set(file.integrations) == {"filed"}
    path.write_text("[integrations.filed]\nprovider = 5\n")
    assert file_of(options) is None and "does not hold" in caplog.text
