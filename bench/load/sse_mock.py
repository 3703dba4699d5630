"""A provider that streams as many chunks as the request's max_tokens, each in a write of its own: as OpenAI's chat or as Anthropic's."""
import asyncio
import json
import sys
from typing import cast

import httptools
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def frame(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def chunk(delta: bytes, finish: bytes = b"null") -> bytes:
    return (b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4.1-2025-04-14",'
            b'"system_fingerprint":"fp_bench","choices":[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]}\n\n' % (delta, finish))


def named(name: bytes, rest: bytes = b"") -> bytes:
    """One of Anthropic's events."""
    return b'event: %b\ndata: {"type":"%b"%b}\n\n' % (name, name, rest)


MESSAGE = (b',"message":{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":null,'
           b'"stop_sequence":null,"usage":{"input_tokens":19,"output_tokens":1}}')


class SseMock(asyncio.Protocol):
    """One connection; the field x-gap-ms paces the chunks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""
        self.url = b""

    def on_url(self, url: bytes) -> None:
        self.url = url

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        body, self.body = self.body, b""
        if not body:
            self.transport.write(EMPTY)
            return
        request = json.loads(body)
        stream = self.stream_claude if self.url.endswith(b"/messages") else self.stream
        asyncio.get_running_loop().create_task(stream(request.get("max_tokens", 64), request.get("gap_ms", 0) / 1e3))

    async def stream(self, count: int, gap_s: float) -> None:
        self.transport.write(HEAD)
        self.transport.write(frame(chunk(b'{"role":"assistant","content":""}')))
        for number in range(count):
            if gap_s:
                await asyncio.sleep(gap_s)
            self.transport.write(frame(chunk(b'{"content":" token%d"}' % number)))
        self.transport.write(frame(chunk(b"{}", b'"stop"')))
        self.transport.write(frame(
            b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4.1-2025-04-14","choices":[],'
            b'"usage":{"prompt_tokens":19,"completion_tokens":%d,"total_tokens":%d}}\n\n' % (count, count + 19)))
        self.transport.write(frame(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    async def stream_claude(self, count: int, gap_s: float) -> None:
        self.transport.write(HEAD)
        self.transport.write(frame(named(b"message_start", MESSAGE)))
        self.transport.write(frame(named(b"content_block_start", b',"index":0,"content_block":{"type":"text","text":""}')))
        for number in range(count):
            if gap_s:
                await asyncio.sleep(gap_s)
            self.transport.write(frame(named(
                b"content_block_delta", b',"index":0,"delta":{"type":"text_delta","text":" token%d"}' % number)))
        self.transport.write(frame(named(b"content_block_stop", b',"index":0')))
        self.transport.write(frame(named(
            b"message_delta", b',"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":%d}' % count)))
        self.transport.write(frame(named(b"message_stop")) + b"0\r\n\r\n")


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(SseMock, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
