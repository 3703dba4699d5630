"""A server that answers at once, but for a stall at the beginning of each second; a program of its own, so that a test does not slow it.

usage: stalling.py [stall in milliseconds]

It prints its port. One thread, one epoll set, keep-alive; every request with a body is answered by the same JSON.
"""
import select
import socket
import sys
import time

BODY = b'{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY


def main(stall_s: float) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    due = time.monotonic() + 1
    while True:
        for number, _ in poll.poll(1):
            if stall_s and time.monotonic() >= due:
                time.sleep(stall_s)
                due = time.monotonic() + 1 - stall_s
            if number == listener.fileno():
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
                continue
            try:
                received = connections[number].recv(65536)
            except ConnectionError:
                received = b""
            if not received:
                connections.pop(number).close()
            elif received.endswith(b"}"):
                connections[number].sendall(REPLY)


if __name__ == "__main__":
    main(float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0)
