"""Sealed secrets open with the key and the label that they were sealed with, and nothing else; keys come from where they are said to."""

import base64
import os
import pickle
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgw.snapshot.load import ConfigError, parse
from fastgw.snapshot.opening import open_first
from fastgw.snapshot.seal import KEY_FILE, SealError, Vault, installation_keys, label_of, open_vault

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
LABEL = "integrations:main:api_key"


@settings(max_examples=50, deadline=None)
@given(text=st.text(), label=st.text())
def test_what_is_sealed_opens_as_it_was(text: str, label: str) -> None:
    """Any text under any label comes back, sealed differently each time, and never stands in the sealed form."""
    vault = Vault([OLD])
    sealed = vault.seal(text, label)
    assert vault.open(sealed, label) == text and sealed != vault.seal(text, label)
    assert sealed.startswith(f"sealed:v1:{vault.key_id}:") and sealed.isascii() and "=" not in sealed


def test_sealed_text_opens_nowhere_else() -> None:
    """Another label, another key, and any changed character are refused, without a word of the text."""
    vault = Vault([OLD])
    sealed = vault.seal("sk-very-secret", LABEL)
    attempts = [(vault, sealed, "integrations:other:api_key"), (Vault([NEW]), sealed, LABEL)]
    attempts += [(vault, sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :], LABEL) for at in range(len(sealed) - 1)]
    attempts += [(vault, text, LABEL) for text in ("sealed:", "sealed:v1:00000000:", sealed[:-20], sealed + "A", sealed + "\n", "")]
    for one, text, label in attempts:
        with pytest.raises(SealError) as caught:
            one.open(text, label)
        assert "secret" not in str(caught.value).replace("secrets", "")


def test_key_is_rotated_by_putting_another_before_it() -> None:
    """The first key seals, all open, and what an old one has sealed can be told."""
    sealed = Vault([OLD]).seal("text", LABEL)
    both = Vault([NEW, OLD])
    assert both.open(sealed, LABEL) == "text" and not both.is_latest(sealed)
    again = both.seal("text", LABEL)
    assert both.is_latest(again) and Vault([NEW]).open(again, LABEL) == "text"


def test_vault_shows_nothing() -> None:
    """Neither its repr nor a pickle has a key."""
    vault = Vault([OLD])
    assert repr(vault) == f"<Vault of {vault.key_id}>"
    with pytest.raises(TypeError):
        pickle.dumps(vault)
    for keys in ([], [b"short"]):
        with pytest.raises(SealError, match="each of 32 bytes"):
            Vault(keys)


def test_labels_of_different_places_differ() -> None:
    """A name with colons in it cannot be read as a longer place."""
    assert label_of(("integrations", "main", "api_key")) == LABEL
    assert label_of(("integrations", "a", "headers", "api_key")) != label_of(("integrations", "a:headers", "api_key"))
    assert label_of(("integrations", "a%3Ab")) != label_of(("integrations", "a:b"))


def test_key_file_is_made_once_for_its_owner(tmp_path: Path) -> None:
    """A file that is not there is made with a random key that nobody else can read; the next start finds it."""
    source = f"file:{tmp_path / 'inner' / 'key'}"
    keys = installation_keys(source, {})
    assert len(keys) == 1 and len(keys[0]) == 32 and installation_keys(source, {}) == keys
    assert stat.S_IMODE((tmp_path / "inner" / "key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "inner") == ["key"]
    with pytest.raises(SealError, match="expected a key file at"):
        installation_keys(f"file:{tmp_path / 'other'}", {}, makes=False)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Wider modes than 0600 are refused, and the message says which was found."""
    path = tmp_path / "key"
    path.write_bytes(OLD)
    path.chmod(mode)
    with pytest.raises(SealError, match=f"expected mode 0600 or less of .*, found 0{mode:o}"):
        installation_keys(f"file:{path}", {})


@pytest.mark.parametrize(
    "text", [OLD.hex(), base64.b64encode(OLD).decode(), base64.urlsafe_b64encode(OLD).decode().rstrip("="), f"\n{OLD.hex().upper()}\n"]
)
def test_keys_are_read_in_each_form(text: str, tmp_path: Path) -> None:
    """Hexadecimal and base64 give the key, from a variable and from a command; several are kept in their order."""
    assert installation_keys("env:KEY", {"KEY": text}) == (OLD,)
    assert installation_keys(f"command:printf %s '{text}'", {}) == (OLD,)
    assert installation_keys("env:KEY", {"KEY": f"{NEW.hex()}, {text}"}) == (NEW, OLD)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("env:NONE", "variable NONE .* found it is not set"),
        ("env:BAD", "expected keys of 32 bytes"),
        ("command:false", "exit status 0 .* found 1"),
        ("command:/no/such/program", "can be run, found FileNotFoundError"),
        ("command:", "can be run"),
        ("command:'", "can be run, found ValueError"),
        ("command:printf x", "expected keys of 32 bytes"),
        ("vault:x", "as the source of the key"),
    ],
)
def test_source_without_a_key_is_explained(source: str, message: str) -> None:
    """Each source says what it was to give, and never what it gave."""
    with pytest.raises(SealError, match=message) as caught:
        installation_keys(source, {"BAD": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_command_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command has its time and no more."""
    monkeypatch.setattr("fastgw.snapshot.seal.COMMAND_SECONDS", 0.05)
    with pytest.raises(SealError, match="to end within"):
        installation_keys("command:sleep 5", {})


def test_nothing_is_made_where_nothing_is_sealed(tmp_path: Path) -> None:
    """Without a source and without a key file there is no vault, and no file comes to be."""
    assert open_vault(None, tmp_path, {}) is None and not list(tmp_path.iterdir())
    installation_keys(f"file:{tmp_path / KEY_FILE}", {})
    assert open_vault(None, tmp_path, {}) is not None


def document(sealed: str) -> str:
    return f'[integrations.main]\nprovider = "openai"\napi_key = "{sealed}"\n'


def test_configuration_with_sealed_secrets_is_read() -> None:
    """A sealed secret of the file opens under the label of its place; its origin shows no more than that."""
    vault = Vault([OLD])
    key = parse(document(vault.seal("sk-sealed", LABEL)), {}, vault=vault).config.integrations["main"].api_key
    assert key is not None and key.reveal() == "sk-sealed" and repr(key) == "Secret(sealed)"


@pytest.mark.parametrize(
    ("vault", "label", "message"),
    [
        (None, LABEL, "found sealed text, and no key of this installation"),
        (Vault([NEW]), LABEL, "found one sealed with key"),
        (Vault([OLD]), "integrations:other:api_key", f"expected a text sealed as {LABEL}"),
    ],
)
def test_sealed_secret_that_does_not_open_is_a_problem(vault: Vault | None, label: str, message: str) -> None:
    """Without the key, with another one and in another place, the configuration is refused at the line."""
    with pytest.raises(ConfigError, match=message) as caught:
        parse(document(Vault([OLD]).seal("sk-sealed", label)), {}, "f.toml", vault=vault)
    assert str(caught.value).startswith("f.toml:3: integrations.main.api_key: ")


def test_text_that_opens_to_a_reference_is_taken_as_it_stands() -> None:
    """What was sealed is the secret itself, whatever it looks like."""
    vault = Vault([OLD])
    key = parse(document(vault.seal("env:HOME", LABEL)), {"HOME": "x"}, vault=vault).config.integrations["main"].api_key
    assert key is not None and key.reveal() == "env:HOME"


def test_start_says_what_is_wrong_with_the_key(tmp_path: Path) -> None:
    """A key that cannot be had is a problem of the file's gateway.secrets_key."""
    config = tmp_path / "fastgw.toml"
    config.write_text(f'[gateway]\nstate = "{tmp_path}"\nsecrets_key = "env:NONE"\n')
    with pytest.raises(ConfigError, match="gateway.secrets_key: expected environment variable NONE"):
        open_first(config, {})
    config.write_text(f'[gateway]\nstate = "{tmp_path}"\nsecrets_key = "file:{tmp_path / "key"}"\n')
    assert open_first(config, {})[1] is not None and (tmp_path / "key").exists()
