"""upstream.py - an HTTP API that does what a test says, byte by byte.

Owns: one listening socket, served by an event loop in a thread of its own.  What it does
with a request is a list of steps, made by 'answer', which tests change while traffic
flows: bytes are sent as they are, numbers are seconds to wait, and the marks below end
the story.  Every request is kept as it arrived.

    up.answer = lambda request: [ok({"id": request.target})]
    up.answer = lambda request: [b"HTTP/1.1 200 OK\\r\\nContent-Le", HANG]
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Sequence

HANG = "hang"  # says nothing more, keeps the connection
RESET = "reset"
CLOSE = "close"

Step = bytes | float | str


@dataclass
class Request:
    """What came, to the byte."""

    connection: int
    at: float
    head: bytes  # with the empty line
    body: bytes

    @property
    def line(self) -> bytes:
        """GET /path HTTP/1.1"""
        return self.head.split(b"\r\n", 1)[0]

    @property
    def target(self) -> str:
        """Path and query as they travelled."""
        return self.line.split(b" ")[1].decode()

    @property
    def headers(self) -> list[bytes]:
        """The lines between the first and the empty one."""
        return self.head.split(b"\r\n")[1:-2]


def raw(
    body: bytes, status: str = "200 OK", headers: Sequence[str] = (), version: str = "1.1"
) -> bytes:
    """A counted answer of any bytes."""
    lines = [f"HTTP/{version} {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def ok(item: Any) -> bytes:
    """200 with this as JSON."""
    return raw(json.dumps(item).encode())


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """200 with a chunk for each piece."""
    out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return out + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + end


def drip(data: bytes, pause: float = 0.02, size: int = 1) -> list[Step]:
    """So many bytes at a time, with pauses."""
    steps: list[Step] = []
    for at in range(0, len(data), size):
        steps += [data[at : at + size], pause]
    return steps


class Upstream:
    """One API.  Attributes may be set from any thread at any time."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.answer: Callable[[Request], Sequence[Step]] = lambda request: [ok({})]
        self.requests: list[Request] = []
        self.connects = 0
        self.open = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server((host, 0), backlog=4096)
        self.port = int(self._listener.getsockname()[1])
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.AbstractServer | None = None
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self._listener, ssl=self._tls)
        )
        self._loop.run_forever()

    def close(self) -> None:
        """Ends it and every connection."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset_all(self) -> None:
        """Resets every connection now."""
        self._loop.call_soon_threadsafe(lambda: [_abort(w) for w in list(self._writers)])

    def targets(self) -> list[str]:
        """Of the requests since the last forget()."""
        return [r.target for r in list(self.requests)]

    def forget(self) -> None:
        """Forgets the requests seen so far."""
        self.requests.clear()

    # --- one connection, inside the loop

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connects += 1
        number = self.connects
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.open += 1
        try:
            while await self._one(number, reader, writer):
                pass
        except (ConnectionError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            self._tasks.discard(task)
            self._writers.discard(writer)
            _abort(writer)

    async def _one(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = await reader.readexactly(length)
        request = Request(number, time.monotonic(), head, body)
        self.requests.append(request)
        return await self._act(self.answer(request), reader, writer)

    @staticmethod
    async def _act(
        steps: Sequence[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """False: the connection is over."""
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, float | int):
                await asyncio.sleep(step)
            elif step == HANG:
                while await reader.read(1 << 16):
                    pass
                return False
            elif step == RESET:
                _abort(writer, reset=True)
                return False
            else:
                writer.close()
                return False
        return True


def _abort(writer: asyncio.StreamWriter, reset: bool = False) -> None:
    sock = writer.get_extra_info("socket")
    if reset and sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
