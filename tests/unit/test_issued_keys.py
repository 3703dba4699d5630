"""Keys that the control process issues: found behind the file's, made callers on first use, changed and revoked for the next request."""

import logging
import time
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from fastgw._core.digest import KeyTable
from fastgw._core.keyfile import KeyFile, KeyFileWriter
from fastgw._core.ledger import Ledger
from fastgw.auth.credential import _bench_authenticate
from fastgw.auth.keys import digest_of
from fastgw.errors import GatewayError
from fastgw.snapshot.callers import CallerMaker
from fastgw.snapshot.keyring import KEYS, KeyEntry, KeyRing, KeyRow
from fastgw.snapshot.load import parse
from fastgw.snapshot.types import Caller, Snapshot

CONFIG = """
[integrations.main]
provider = "openai"
[integrations.other]
provider = "openai"
[workspaces.team]
budget = { usd = 1 }
unknown_price = "allow"
models = ["gpt-4.1", "gpt-4.1-mini"]
integrations = ["main"]
admission = "strict"
[configs.saved]
provider = "@main"
"""
ENTRY = KeyEntry(
    name="app", id="k-1", workspace="team", chain=((1, "key 'app'"),), organisation="org", user="ada",
    models=("gpt-4.1",), integrations=("main", "other"), integration="main", metadata={"team": "a"}, config="saved",
    allow_config_override=False,
)  # fmt: skip


class Desk:
    """A snapshot of the configuration above over a key ring of its own, and one key of the file."""

    def __init__(self, state: Path) -> None:
        self.ring = KeyRing(state)
        self.ledger = Ledger(state / "ledger")
        self.accounts = [self.ledger.define("workspace:team"), self.ledger.define("key:k-1")]
        self.file = KeyFile(state / KEYS)
        self.table = KeyTable()
        self.table.add(digest_of("fgw-of-the-file"), 0)
        self.renew(CONFIG)

    def renew(self, config: str) -> None:
        own = Caller("own", "default", chain=())
        self.snapshot = Snapshot(
            version=1, loaded_ns=0, origin_path="", keys=self.table, callers=[own], integrations={}, aliases={},
            resolver=lambda *asked: None, payloads=0, max_payload_bytes=0, buffer_reply_bytes=0, issued=self.file,
            maker=CallerMaker(parse(config, {}).config, self.ledger),
        )  # fmt: skip

    def caller(self, *lines: str) -> Caller:
        """The caller of a request with these fields. raises GatewayError"""
        head = "GET / HTTP/1.1\r\nhost: x\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"
        found = _bench_authenticate(self.snapshot, head.encode(), 1)
        assert found is not None
        return found

    def refusal(self, *lines: str) -> tuple[str, int, str]:
        with pytest.raises(GatewayError) as caught:
            self.caller(*lines)
        return caught.value.code, caught.value.status, caught.value.message


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def bearer(key: str) -> str:
    return f"authorization: Bearer {key}"


def test_caller_is_what_the_entry_and_its_workspace_say(desk: Desk) -> None:
    """Every field of the entry is in the caller, lists are what key and workspace have in common, and the workspace's policy holds."""
    desk.ring.put(digest_of("fgw-a"), ENTRY)
    caller = desk.caller(bearer("fgw-a"))
    assert (caller.name, caller.id, caller.workspace, caller.organisation, caller.user) == ("app", "k-1", "team", "org", "ada")
    assert caller.models == frozenset({b"gpt-4.1"}) and caller.integrations == frozenset({"main"}) and caller.passthrough == "main"
    assert caller.metadata == {"team": "a"} and caller.config == "saved" and not caller.allow_config_override
    assert caller.admission == 0 and caller.has_budget and not caller.refuse_unknown_price and caller.enabled
    assert caller.account_names == ("workspace 'team'", "key 'app'") and "2 accounts" in repr(caller)


def test_key_of_the_file_comes_first(desk: Desk) -> None:
    """A digest that is in both is the file's; a field whose key is not known does not hide the next one."""
    desk.ring.put(digest_of("fgw-of-the-file"), ENTRY)
    desk.ring.put(digest_of("fgw-a"), ENTRY)
    assert desk.caller(bearer("fgw-of-the-file")).name == "own"
    assert desk.caller(bearer("OPENAI_API_KEY"), "x-portkey-api-key: fgw-a").name == "app"
    assert desk.caller(bearer("fgw-a"), "x-api-key: fgw-of-the-file").name == "app"
    assert desk.refusal(bearer("fgw-unknown"))[:2] == ("invalid_key", 401)
    assert desk.refusal()[:2] == ("missing_key", 401)


def test_caller_is_made_once_and_again_after_a_change(desk: Desk) -> None:
    """The same object serves until its entry, the snapshot or the generation of the file is another."""
    digest = digest_of("fgw-a")
    desk.ring.put(digest, ENTRY)
    first = desk.caller(bearer("fgw-a"))
    assert desk.caller(bearer("fgw-a")) is first
    desk.ring.put(digest_of("fgw-b"), ENTRY)
    assert desk.caller(bearer("fgw-a")) is first
    desk.ring.put(digest, structs.replace(ENTRY, name="renamed"))
    second = desk.caller(bearer("fgw-a"))
    assert second.name == "renamed"
    desk.renew(CONFIG)
    third = desk.caller(bearer("fgw-a"))
    assert third is not second and third.name == "renamed"
    desk.ring.replace_all([KeyRow(digest, structs.replace(ENTRY, name="replaced"))])
    assert desk.caller(bearer("fgw-a")) is third, "until the next generation is followed"
    desk.file.refresh()
    assert desk.caller(bearer("fgw-a")).name == "replaced"
    assert desk.refusal(bearer("fgw-b"))[0] == "invalid_key"


def test_revoked_and_disabled_keys_are_refused_from_the_next_request_on(desk: Desk) -> None:
    """A key that is gone is not known; one that is disabled is told so, and may come back."""
    digest = digest_of("fgw-a")
    desk.ring.put(digest, ENTRY)
    desk.caller(bearer("fgw-a"))
    assert desk.ring.set_enabled(digest, False)
    code, status, message = desk.refusal(bearer("fgw-a"))
    assert (code, status) == ("key_disabled", 403) and "key 'app' was disabled" in message
    assert desk.ring.set_enabled(digest, True) and desk.caller(bearer("fgw-a")).enabled
    assert desk.ring.remove(digest) and desk.refusal(bearer("fgw-a"))[:2] == ("invalid_key", 401)


def test_rotated_key_overlaps_with_the_one_that_takes_its_place(desk: Desk) -> None:
    """Two digests lead to the same key and accounts; the old one is refused from its end on."""
    now = time.time_ns()
    desk.ring.put(digest_of("fgw-old"), ENTRY, until_ns=now + 3_600_000_000_000)
    desk.ring.put(digest_of("fgw-new"), ENTRY)
    old, new = desk.caller(bearer("fgw-old")), desk.caller(bearer("fgw-new"))
    assert old.id == new.id == "k-1" and old.account_names == new.account_names
    desk.ring.put(digest_of("fgw-old"), ENTRY, until_ns=now - 1)
    code, status, message = desk.refusal(bearer("fgw-old"))
    assert (code, status) == ("key_expired", 412) and "replaced by another" in message
    desk.caller(bearer("fgw-new"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (structs.replace(ENTRY, workspace="gone"), "key 'app' names workspace 'gone', which is not known here"),
        (structs.replace(ENTRY, config="gone"), "key 'app' names config 'gone', which is not known here"),
        (structs.replace(ENTRY, chain=((1, "a"), (1000, "b"))), "accounts that the ledger does not have"),
        (structs.replace(ENTRY, chain=((-1, "a"),)), "accounts that the ledger does not have"),
        (structs.replace(ENTRY, chain=((1, "a"),) * 17), "accounts, of which there may be"),
        (structs.replace(ENTRY, admission="lavish"), "cannot be read: Invalid enum value 'lavish'"),
    ],
)
def test_entry_that_leads_nowhere_refuses_its_key(desk: Desk, caplog: pytest.LogCaptureFixture, entry: KeyEntry, message: str) -> None:
    """What an entry names and is not here is told to the caller, and logged once however often the key is used."""
    desk.ring.put(digest_of("fgw-a"), entry)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            code, status, said = desk.refusal(bearer("fgw-a"))
            assert (code, status) == ("key_unusable", 403) and message in said
    assert len(caplog.records) == 1 and message in caplog.text and "fgw-a" not in caplog.text
    desk.ring.put(digest_of("fgw-a"), ENTRY)
    desk.caller(bearer("fgw-a"))


def test_key_of_a_workspace_that_comes_later_works_then(desk: Desk) -> None:
    """A refusal holds for the snapshot that has not what the entry names."""
    desk.ring.put(digest_of("fgw-a"), structs.replace(ENTRY, workspace="late"))
    assert desk.refusal(bearer("fgw-a"))[0] == "key_unusable"
    desk.renew(CONFIG + "[workspaces.late]\n")
    assert desk.caller(bearer("fgw-a")).workspace == "late"


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x91\x01", *map(msgspec.msgpack.encode, ({"name": "x"}, ["a", "b", "c"]))])
def test_entry_that_is_none_refuses_its_key(tmp_path: Path, content: bytes) -> None:
    """Bytes that no control process of this release wrote are refused, not raised."""
    with_ring = Desk(tmp_path)
    with_ring.ring.close()
    KeyFileWriter(tmp_path / KEYS).put(digest_of("fgw-a"), content)
    assert with_ring.refusal(bearer("fgw-a"))[:2] == ("key_unusable", 403)


def test_damaged_entry_refuses_its_key_and_no_other(tmp_path: Path) -> None:
    """A bit that flipped on the disk costs one key."""
    before = Desk(tmp_path)
    before.ring.put(digest_of("fgw-a"), ENTRY)
    before.ring.put(digest_of("fgw-b"), structs.replace(ENTRY, name="zebra"))
    before.ring.close()
    content = bytearray((tmp_path / KEYS).read_bytes())
    content[content.index(b"zebra")] ^= 1
    (tmp_path / KEYS).write_bytes(content)
    before.file.refresh()
    assert before.caller(bearer("fgw-a")).name == "app"
    assert before.refusal(bearer("fgw-b")) == ("key_unusable", 403, "the key's entry is damaged")


def test_callers_that_are_kept_are_bounded(desk: Desk) -> None:
    """Many more keys than are kept all work, and memory is that of those that are kept."""
    rows = [KeyRow(digest_of(f"fgw-{number}"), ENTRY) for number in range(70_000)]
    desk.ring.replace_all(rows)
    desk.file.refresh()
    used, unused = desk.caller(bearer("fgw-0")), desk.caller(bearer("fgw-1"))
    for number in range(2, 67_000):
        desk.caller(bearer(f"fgw-{number}"))
        if number % 20_000 == 0:
            assert desk.caller(bearer("fgw-0")) is used
    again = desk.caller(bearer("fgw-1"))
    assert desk.caller(bearer("fgw-0")) is used and again is not unused and again.name == "app"


def test_ring_gives_back_what_it_published(tmp_path: Path) -> None:
    """Rows are read from the file as they were put, by this process and by the next."""
    ring = KeyRing(tmp_path)
    rows = [KeyRow(digest_of("a"), ENTRY, True, 5), KeyRow(digest_of("b"), KeyEntry(name="b", id="b", workspace="w", chain=()), False)]
    assert ring.replace_all(iter(rows), 2) == len(ring) == 2
    assert sorted(ring.rows()) == sorted(rows) and repr(ring).startswith("<KeyRing of <KeyFileWriter")
    with pytest.raises(BlockingIOError):
        KeyRing(tmp_path)
    ring.sync()
    ring.close()
    assert sorted(KeyRing(tmp_path).rows()) == sorted(rows)


def test_file_that_was_begun_anew_leaves_no_caller_of_before(tmp_path: Path) -> None:
    """A ring that begins at the first generation again, with the same slots and places, changes all callers all the same."""
    desk = Desk(tmp_path)
    desk.ring.put(digest_of("fgw-a"), ENTRY)
    desk.file.refresh()
    assert desk.caller(bearer("fgw-a")).name == "app"
    before = desk.file.view(desk.file.find_digest(digest_of("fgw-a")))
    desk.ring.close()
    (tmp_path / KEYS).unlink()
    again = KeyRing(tmp_path)
    again.put(digest_of("fgw-a"), structs.replace(ENTRY, name="new"))
    assert not desk.file.is_current()
    desk.file.refresh()
    assert desk.file.view(desk.file.find_digest(digest_of("fgw-a"))).version == before.version
    assert desk.caller(bearer("fgw-a")).name == "new"
