"""Change the key of the installation: put a further one in front, seal everything in the store with it, drop the ones before."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import select, update

from fastgw.control.api.table import RESOURCES
from fastgw.control.api.written import decode, encode
from fastgw.control.store.engine import StoreUnavailable, open_store
from fastgw.snapshot.load import ConfigError, explain
from fastgw.snapshot.names import Place
from fastgw.snapshot.opening import settings_of, whole
from fastgw.snapshot.published import published_path
from fastgw.snapshot.seal import KEY_BYTES, KEY_FILE, SEALED, SealError, Vault, installation_keys, key_id, label_of, replace_key_file

FILE: Final = "file:"


class CannotRotate(Exception):
    """The key is not changed; the message says why and what to do."""


def rotate_key(config: Path, environ: Mapping[str, str], state: Path | None = None, *, drops: bool = False) -> Iterator[str]:
    """Do it, and say line by line what was done.

    drops   take out the keys that nothing is sealed with any more, instead of making another
    raises  CannotRotate
    """
    stated, named = settings_of(config)
    directory = state or Path(stated)
    source = named or f"{FILE}{directory / KEY_FILE}"
    try:
        keys = installation_keys(source, environ, makes=False)
        if not drops and source.startswith(FILE):
            keys = (os.urandom(KEY_BYTES), *keys)
            # must come before anything is sealed with it
            replace_key_file(Path(source.removeprefix(FILE)), keys)
            yield f"key {key_id(keys[0])} stands in front of {source}, before {', '.join(key_id(key) for key in keys[1:])}"
        elif not drops:
            yield f"key {key_id(keys[0])} is the first of {source.partition(':')[0]}:, where another has to be put by hand"
        vault = Vault(keys)
        count = asyncio.run(reseal(whole(config, environ, None, vault).config.control.store_url, directory, vault))
        yield f"{count} rows of the store are sealed anew with {key_id(keys[0])}"
        if drops:
            yield drop(keys, source, config, directory)
    except (SealError, StoreUnavailable, OSError) as error:
        raise CannotRotate(str(error)) from error
    except ConfigError as error:
        raise CannotRotate(explain(error.problems)) from error


async def reseal(url: str, state: Path, vault: Vault) -> int:
    """Seal with the vault's first key what an earlier one has sealed, in one transaction; return in how many rows there was some.

    raises  StoreUnavailable, SealError
    """
    store = await open_store(url, state)
    count = 0
    try:
        async with store.write() as transaction:
            for resource in (kind() for kind in RESOURCES):
                rows = (await transaction.execute(select(resource.table).where(resource.table.c.spec.contains(SEALED)))).all()
                for row in rows:
                    before = decode(row.spec.encode())
                    assert isinstance(before, dict)  # as it was written
                    after = sealed_anew(before, resource.place(before), vault)
                    if after != before:
                        values = {"spec": encode(after).decode(), "revision": await transaction.revision("config")}
                        await transaction.execute(update(resource.table).where(resource.table.c.id == row.id).values(values))
                        count += 1
    finally:
        await store.close()
    return count


def sealed_anew(value: object, place: Place, vault: Vault) -> object:
    """A document in which every sealed text is sealed with the vault's first key. raises SealError"""
    if isinstance(value, dict):
        return {name: sealed_anew(item, (*place, name), vault) for name, item in value.items()}
    if isinstance(value, list):
        return [sealed_anew(item, (*place, index), vault) for index, item in enumerate(value)]
    if isinstance(value, str) and value.startswith(SEALED) and not vault.is_latest(value):
        return vault.seal(vault.open(value, label_of(place)), label_of(place))
    return value


def drop(keys: tuple[bytes, ...], source: str, config: Path, state: Path) -> str:
    """Leave the first key alone in the file. raises CannotRotate where one of the others is needed"""
    if not source.startswith(FILE):
        raise CannotRotate("expected keys in a file, found another source: take them out by hand, nothing in the store needs them any more")
    for path in (config, published_path(state)):
        text = path.read_text() if path.exists() else ""
        needed = [key_id(key) for key in keys[1:] if f"{SEALED}v1:{key_id(key)}:" in text]
        if needed:
            what = "start the gateway for a moment, which publishes it anew" if path != config else "seal it anew by hand"
            raise CannotRotate(f"expected nothing that is sealed with {', '.join(needed)}, found some in {path}: {what}")
    replace_key_file(Path(source.removeprefix(FILE)), keys[:1])
    return f"{len(keys) - 1} keys are dropped; {key_id(keys[0])} is the only one"
