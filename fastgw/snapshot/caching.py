"""What people write about the cache of replies: where replies are kept, and which; docs/cache.md says what all of it does."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from fastgw.snapshot.secret import Secret
from fastgw.snapshot.section import Milliseconds, Section

CachedOperation = Literal["chat", "responses", "messages", "generate", "embeddings", "embed", "moderations"]
OPERATIONS: Final[tuple[CachedOperation, ...]] = ("chat", "responses", "messages", "generate", "embeddings", "embed", "moderations")
MOST_AGE_S: Final = 7_776_000
MaxAge = Annotated[int, Meta(ge=1, le=MOST_AGE_S)]
Namespace = Annotated[str, Meta(pattern=r"\A[!-~]{0,128}\Z", extra={"expected": "at most 128 visible ASCII characters"})]
Prefix = Annotated[str, Meta(pattern=r"\A[!-~]{1,64}\Z", extra={"expected": "1 to 64 visible ASCII characters"})]


class CacheTimeouts(Section, frozen=True):
    """How long Redis or Valkey may take for what, and how long one that fails is left alone."""

    connect_ms: Annotated[Milliseconds, Meta(description="to accept a connection, TLS and login included")] = 50
    operation_ms: Annotated[Milliseconds, Meta(description="to answer")] = 20
    rest_ms: Annotated[Milliseconds, Meta(description="how long it is not asked after three failures in a row")] = 5_000


class CacheSettings(Section, frozen=True):
    """Where replies are kept."""

    max_bytes: Annotated[int, Meta(ge=0, le=2**40, description="memory of a worker for replies; 0 keeps none there")] = 67_108_864
    max_entry_bytes: Annotated[int, Meta(ge=1024, le=2**26, description="a longer reply is not kept")] = 1_048_576
    max_age_s: Annotated[MaxAge, Meta(description="for how long, where a `cache` table does not say")] = 3_600
    wait_ms: Annotated[
        int, Meta(ge=0, le=600_000, description="how long a request waits for one like it that was asked before; 0: not at all")
    ] = 30_000
    redis: Annotated[
        Secret | None, Meta(description='"redis://" or "valkey://", with an s before the colon for TLS: kept there for all workers too')
    ] = None
    prefix: Annotated[Prefix, Meta(description="of the names of what is kept in Redis")] = "fastgw:cache"
    timeouts: Annotated[CacheTimeouts, Meta(description="limits of time for Redis")] = CacheTimeouts()


class Caching(Section, frozen=True):
    """Which replies are kept, for how long and for whom."""

    mode: Annotated[Literal["exact", "off"], Meta(description="exact: for requests that ask the same")] = "off"
    max_age_s: Annotated[MaxAge | None, Meta(description="for how long; by default as `[gateway.cache]` says")] = None
    scope: Annotated[Literal["workspace", "key"], Meta(description="who shares them: the keys of a workspace, or each key its own")] = (
        "workspace"
    )
    namespace: Annotated[Namespace, Meta(description="sets replies apart; another name forgets what is kept")] = ""
    operations: Annotated[tuple[CachedOperation, ...], Meta(description="of which operations")] = OPERATIONS
