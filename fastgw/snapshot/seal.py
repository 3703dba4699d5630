"""Seal secrets for the store and the published document, and find the key of the installation that they are sealed with.

A sealed text is "sealed:v1:KEY_ID:BASE64URL", the last part nonce (12 bytes, random), ciphertext and tag of AES-256-GCM (NIST SP 800-38D),
without padding. Its label, such as "integrations:main:api_key", is authenticated with it: a text that is moved elsewhere does not open.
At most 2**32 texts may be sealed with one key, by the bound on random nonces.
"""

import base64
import binascii
import errno
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import quote

SEALED: Final = "sealed:"
KEY_FILE: Final = "secrets.key"  # in the state directory, where no other source is stated
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
COMMAND_SECONDS: Final = 10.0
MOST_SOURCE_BYTES: Final = 4096
FORM: Final = re.compile(r"sealed:v1:([0-9a-f]{8}):([A-Za-z0-9_-]+)")
WIDER: Final = 0o077  # of a file's mode


class SealError(ValueError):
    """A key of the installation, or a sealed text, is not as expected; neither is ever told."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class Vault:
    """Seals with the first of its keys and opens what any of them has sealed. raises SealError where there is none

    again   reads the keys anew, where they may become others while processes run: before something is sealed, and where a key is not known
    """

    def __init__(self, keys: Sequence[bytes], again: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._keys: dict[str, bytes] = {}
        self._again = again
        self._take(keys)

    def _take(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise SealError(f"at least one key, each of {KEY_BYTES} bytes", f"{len(keys)} keys")
        self._keys = {**self._keys, **{key_id(key): key for key in keys}}
        self.key_id = key_id(keys[0])

    def __repr__(self) -> str:
        return f"<Vault of {', '.join(self._keys)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a vault is not serialised")

    def seal(self, text: str, label: str) -> str:
        """The sealed form of a text, another one each time."""
        if self._again is not None:
            self._take(self._again())
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + cipher(self._keys[self.key_id]).encrypt(nonce, text.encode(), label.encode())
        return f"{SEALED}v1:{self.key_id}:{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"

    def open(self, sealed: str, label: str) -> str:
        """The text that was sealed under this label. raises SealError"""
        match = FORM.fullmatch(sealed)
        content = b"" if match is None else decoded(match[2])
        if match is None or len(content) < NONCE_BYTES + TAG_BYTES:
            raise SealError('"sealed:v1:KEY_ID:BASE64URL"', "another form")
        if match[1] not in self._keys and self._again is not None:
            self._take(self._again())
        key = self._keys.get(match[1])
        if key is None:
            raise SealError("a text sealed with a key of this installation", f"one sealed with key {match[1]}")
        aes = cipher(key)
        from cryptography.exceptions import InvalidTag

        try:
            return bytes(aes.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], label.encode())).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise SealError(f"a text sealed as {label}", "one that was changed, or sealed as something else") from None

    def is_latest(self, sealed: str) -> bool:
        """Whether it is sealed with the key that seals now, so that the others are not needed for it."""
        return sealed.startswith(f"{SEALED}v1:{self.key_id}:")


def cipher(key: bytes):  # type: ignore[no-untyped-def]  # of a package that is imported only where something is sealed
    """raises  SealError where the package is missing"""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise SealError('the package cryptography: pip install "fastgw[secrets]"', "none") from None
    return AESGCM(key)


def key_id(key: bytes) -> str:
    """What tells the keys of an installation apart: eight hexadecimal digits that lead nowhere else."""
    return sha256(b"fastgw key id\0" + key).hexdigest()[:8]


def label_of(place: Sequence[str | int]) -> str:
    """The label of a secret by its place: "integrations:main:api_key"; a colon of a name is written as %3A."""
    return ":".join(quote(str(step), safe="/") for step in place)


def decoded(text: str) -> bytes:
    """BASE64URL without padding; b"" where it is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return b""


def open_vault(source: str | None, state: Path, environ: Mapping[str, str], *, makes: bool = True) -> Vault | None:
    """The vault of an installation; None where no source is stated and there is no key file in the state directory yet.

    source   as `installation_keys` takes it; None: KEY_FILE in the state directory
    makes    whether a file that is stated is made where there is none
    raises   SealError
    """
    if source is None:
        if not (state / KEY_FILE).exists():
            return None
        source = f"file:{state / KEY_FILE}"
    keys = installation_keys(source, environ, makes=makes)
    return Vault(keys, partial(installation_keys, source, environ, makes=False) if source.startswith("file:") else None)


def installation_keys(source: str, environ: Mapping[str, str], *, makes: bool = True) -> tuple[bytes, ...]:
    """The keys of an installation, the one that seals first.

    source   "file:PATH", made with one random key where it is not there; "env:NAME"; or "command:ARGV", run without a shell
    content  32 raw bytes, or keys in hexadecimal or base64 with white space or commas between them
    raises   SealError
    """
    kind, _, rest = source.partition(":")
    if kind == "file":
        content = file_content(Path(rest), makes)
    elif kind == "env":
        content = environ.get(rest, "").encode()
        if not content:
            raise SealError(f"environment variable {rest} with the key of this installation", "it is not set")
    elif kind == "command":
        content = command_output(rest)
    else:
        raise SealError('"file:PATH", "env:NAME" or "command:ARGV" as the source of the key', "another form")
    if len(content) == KEY_BYTES:
        return (content,)
    words = content.decode("ascii", "replace").replace(",", " ").split()
    keys = tuple(key_in(word) for word in words)
    if not keys or not all(keys):
        raise SealError(f"keys of {KEY_BYTES} bytes, in hexadecimal or base64, from {kind}:", f"something else in {len(words)} words")
    return keys


def key_in(word: str) -> bytes:
    """The key that a word is; b"" where it is none."""
    if re.fullmatch(r"[0-9A-Fa-f]{64}", word):
        return bytes.fromhex(word)
    key = decoded(word.rstrip("=").replace("+", "-").replace("/", "_"))
    return key if len(key) == KEY_BYTES else b""


def file_content(path: Path, makes: bool) -> bytes:
    """What is in a key file that nobody else may read. raises SealError"""
    try:
        if makes and not path.exists():
            make_key_file(path)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & WIDER:
                raise SealError(f"mode 0600 or less of {path}", f"0{mode:o}")
            return file.read(MOST_SOURCE_BYTES)
    except OSError as error:
        raise SealError(f"a key file at {path}", f"{error.strerror}") from None


def make_key_file(path: Path) -> None:
    """Make a key file; of two who try at once, both find the key of one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = written_aside(path, (os.urandom(KEY_BYTES),))
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def replace_key_file(path: Path, keys: Sequence[bytes]) -> None:
    """Put a file with these keys in the place of the one that is there, at once and for good. raises OSError"""
    written_aside(path, keys).replace(path)


def written_aside(path: Path, keys: Sequence[bytes]) -> Path:
    """A file of keys that nobody else may read, beside where it is to be; none where the disk is full. raises OSError"""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        content = b"".join(base64.b64encode(key) + b"\n" for key in keys)
        if os.write(file, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    except BaseException:
        aside.unlink()
        raise
    finally:
        os.close(file)
    return aside


def command_output(command: str) -> bytes:
    """What a command says; its complaints go where the gateway's own go. raises SealError"""
    try:
        argv = shlex.split(command)
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise SealError(f"the command of secrets_key to end within {COMMAND_SECONDS:.0f} s", "it did not") from None
    except (OSError, ValueError, IndexError) as error:
        raise SealError("a command of secrets_key that can be run", f"{type(error).__name__}") from None
    if done.returncode:
        raise SealError("exit status 0 of the command of secrets_key", f"{done.returncode}")
    return done.stdout[:MOST_SOURCE_BYTES]
