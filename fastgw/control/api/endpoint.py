"""One row a path and method of the admin API, and the order in which each request is carried out.

limit the body > who calls > CSRF > decode > scope > replay? > run in a transaction > check what would be published > audit, commit
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from fastgw.control.access.gate import address_of, identify
from fastgw.control.access.principal import Principal
from fastgw.control.api.call import Answer, Call, lacks
from fastgw.control.api.problem import ApiError, invalid
from fastgw.control.api.written import decode, encode
from fastgw.control.ids import make_id
from fastgw.control.plane import Plane
from fastgw.control.store.engine import StoreUnavailable
from fastgw.control.store.tables import REPLAYS

MOST_BODY_BYTES: Final = 4 << 20
REPLAY_NS: Final = 24 * 3600 * 10**9
JSON: Final = "application/json"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # those that a path lacks are refused in the API's words
log = logging.getLogger("fastgw.control")

Run = Callable[[Call], Awaitable[Answer]]
Failed = Callable[[ApiError, str], Response]


class Endpoint(Struct, frozen=True, kw_only=True):
    """What is served at a path.

    scope   what a caller needs somewhere for the request to be looked at; "" is open to whoever has signed in, None to everybody
    or_scopes   what does as well
    uses    the transaction it runs in
    body, reply, query, media   types, for the OpenAPI document
    """

    method: str
    path: str
    run: Run
    summary: str
    scope: str | None
    or_scopes: tuple[str, ...] = ()
    uses: Literal["read", "write", "none"] = "read"
    status: int = 200
    body: object = None
    reply: object = None
    query: tuple[str, ...] = ()
    media: str = JSON
    tag: str = ""
    is_list: bool = False
    codes: tuple[str, ...] = ()


def route(plane: Plane, endpoints: list[Endpoint], prefix: str, failed: Failed | None = None) -> Route:
    """The Starlette route of one path with all its methods; `failed` puts errors into other words than the API's own."""
    failed = failed or failure
    by_method = {endpoint.method: endpoint for endpoint in endpoints}

    async def serve(request: Request) -> Response:
        request_id = request.headers.get("x-fastgw-request-id") or make_id()
        try:
            endpoint = by_method.get("GET" if request.method == "HEAD" else request.method)
            if endpoint is None:
                raise ApiError(
                    "method", f"expected {' or '.join(by_method)}, found {request.method}", fields={"allow": ", ".join(by_method)}
                )
            return await carry_out(plane, endpoint, request, request_id)
        except ApiError as error:
            return failed(error, request_id)
        except StoreUnavailable as error:
            log.warning("request %s: %s", request_id, error)
            return failed(ApiError("unavailable", str(error)), request_id)
        except ClientDisconnect:
            raise
        except Exception:  # the edge of a request
            log.exception("request %s: %s %s", request_id, request.method, request.url.path)
            return failed(ApiError("internal", "a fault of the gateway; its log has more under this request_id"), request_id)

    return Route(prefix + endpoints[0].path, serve, methods=list(METHODS))


async def carry_out(plane: Plane, endpoint: Endpoint, request: Request, request_id: str) -> Response:
    content = await read_body(request)
    if endpoint.scope is None:
        principal = Principal(kind="system", id="", name="", organisation_id="")
    else:
        principal = await identify(plane, request)
    call = Call(plane, request, principal, request_id, address_of(request), decode(content) if content else None)
    refuse_nul(call, content)
    if endpoint.scope and not any(principal.may(scope) or principal.reach(scope) for scope in (endpoint.scope, *endpoint.or_scopes)):
        raise lacks(endpoint.scope)
    if endpoint.uses == "none":
        return success(await endpoint.run(call), endpoint, request_id)
    if endpoint.uses == "read":
        async with plane.store.read() as call.connection:
            return success(await endpoint.run(call), endpoint, request_id)
    return await write(plane, endpoint, call, content)


def refuse_nul(call: Call, content: bytes) -> None:
    """raises ApiError for the one character that PostgreSQL does not keep, so that both stores refuse the same"""
    texts = [*call.path.values(), *(text for pair in call.query.multi_items() for text in pair)]
    found = "the path or the query" if any("\0" in text for text in texts) else "$" if has_nul(call.body, content) else ""
    if found:
        raise invalid(found, "text without the character U+0000", "one with it")


def has_nul(value: object, content: bytes) -> bool:
    """Whether a text of a document has it; only where its escape stands in the JSON is there anything to look through."""
    if b"\\u0000" not in content:
        return False
    if isinstance(value, dict):
        return any("\0" in name or has_nul(item, content) for name, item in value.items())
    if isinstance(value, list):
        return any(has_nul(item, content) for item in value)
    return isinstance(value, str) and "\0" in value


async def write(plane: Plane, endpoint: Endpoint, call: Call, content: bytes) -> Response:
    """Run an endpoint that changes the store; it is told to the data plane once it is kept."""
    replay_name = call.request.headers.get("idempotency-key", "") if endpoint.method == "POST" else ""
    try:
        async with plane.store.write() as transaction:
            call.transaction, call.connection = transaction, transaction.connection
            if replay_name and (earlier := await find_replay(call, replay_name, content)) is not None:
                return earlier
            answer = await endpoint.run(call)
            if "config" in transaction.touched:
                await plane.publisher.check(transaction)
            response = success(answer, endpoint, call.request_id)
            if replay_name:
                await keep_replay(call, replay_name, content, response)
    except IntegrityError as error:
        # two that create the same at once: the later one finds it there; the database's words name tables, not members
        log.info("request %s: %s", call.request_id, error.orig)
        raise ApiError("exists", "another one has that name, or it refers to what was taken away meanwhile; read it again") from None
    if transaction.touched:
        plane.publisher.wake()
        # so that a script may use at once what it has just made
        await plane.publisher.reached(transaction.number)
    return response


async def read_body(request: Request) -> bytes:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MOST_BODY_BYTES:
            raise ApiError(
                "too_large", f"expected a body of at most {MOST_BODY_BYTES} bytes, found a longer one", fields={"connection": "close"}
            )
    return bytes(content)


async def find_replay(call: Call, name: str, content: bytes) -> Response | None:
    """What the same request was answered before. raises ApiError where the key was another request's"""
    await call.writing.execute(delete(REPLAYS).where(REPLAYS.c.expires_ns < call.now_ns))
    found = (
        (await call.writing.execute(select(REPLAYS).where(REPLAYS.c.principal == call.principal.id, REPLAYS.c.name == name)))
        .mappings()
        .first()
    )
    if found is None:
        return None
    if found["request_digest"] != request_digest(call, content):
        raise ApiError("idempotency_mismatch", f"expected the request that Idempotency-Key {name!r} was first sent with, found another")
    return Response(
        found["reply"],
        found["status"],
        {**dict(line.split(": ", 1) for line in found["fields"].splitlines()), "idempotency-replayed": "true"},
        JSON,
    )


async def keep_replay(call: Call, name: str, content: bytes, response: Response) -> None:
    text = bytes(response.body).decode()
    for secret in call.once:
        text = text.replace(secret, "")  # shown once, and not kept
    fields = "\n".join(f"{field}: {response.headers[field]}" for field in ("location", "etag") if field in response.headers)
    await call.writing.execute(
        insert(REPLAYS).values(
            principal=call.principal.id,
            name=name[:200],
            request_digest=request_digest(call, content),
            status=response.status_code,
            fields=fields,
            reply=text,
            expires_ns=call.now_ns + REPLAY_NS,
        )
    )


def request_digest(call: Call, content: bytes) -> bytes:
    return sha256(f"{call.request.method} {call.request.url.path}\n".encode() + content).digest()


def success(answer: Answer, endpoint: Endpoint, request_id: str) -> Response:
    status = answer.status if answer.status != 200 else endpoint.status
    fields = {"x-fastgw-request-id": request_id, "cache-control": "no-store", **answer.fields}
    if isinstance(answer.body, Response):
        answer.body.headers.update(fields)
        return answer.body
    if status == 204:
        return Response(None, 204, fields)
    return Response(encode(answer.body), status, fields, JSON)


def failure(error: ApiError, request_id: str) -> Response:
    fields = {"x-fastgw-request-id": request_id, "cache-control": "no-store", **error.fields}
    return Response(encode(error.body(request_id)), error.status, fields, JSON)


async def not_found(request: Request, error: Exception) -> Response:
    """What the router itself refuses, in the API's words."""
    assert isinstance(error, HTTPException)
    request_id = request.headers.get("x-fastgw-request-id") or make_id()
    return failure(ApiError("not_found", f"nothing is served at {request.url.path}; /api/v1/openapi.json says what is"), request_id)


async def in_thread(work: Callable[[], object]) -> object:
    """Run what takes a while or waits for a disk beside the event loop."""
    return await asyncio.to_thread(work)
