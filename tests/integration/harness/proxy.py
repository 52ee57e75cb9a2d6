"""proxy.py - a road to MariaDB on which things happen.

Owns: one listening socket (unix or TCP) in front of a unix socket, served by an event
loop in a thread of its own.  Every fault is an attribute that tests change while
traffic flows.  It also reads the client's packets and remembers each statement.

    fetchd --> [delay | hold | cut | reset | slice] --> mariadbd
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import struct
import tempfile
import threading
import time
from dataclasses import dataclass

_COM_QUERY, _COM_PREPARE, _COM_EXECUTE = 0x03, 0x16, 0x17


@dataclass
class Statement:
    """A command that fetchd sent."""

    connection: int
    at: float
    command: int
    text: bytes


class _CommandReader:
    """Cuts the client's stream into packets and keeps the commands (sequence 0)."""

    def __init__(self, proxy: "Proxy", connection: int) -> None:
        self.proxy, self.connection, self.buffer = proxy, connection, bytearray()

    def feed(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) >= 4:
            size = int.from_bytes(self.buffer[:3], "little")
            if len(self.buffer) < 4 + size:
                return
            sequence, payload = self.buffer[3], bytes(self.buffer[4 : 4 + size])
            del self.buffer[: 4 + size]
            if sequence == 0 and payload[:1] in (b"\x03", b"\x16", b"\x17"):
                self.proxy.statements.append(
                    Statement(self.connection, time.monotonic(), payload[0], payload[1:])
                )


class Proxy:
    """A switchable road.  Attributes may be set from any thread at any time."""

    def __init__(self, upstream: str, tcp: bool = False) -> None:
        self.upstream = upstream
        self.delay_s = 0.0  # each way: a round trip costs twice that
        self.hold = False  # new connections: accept, never answer
        self.frozen = False  # old ones too: bytes stay where they are
        self.refuse = False  # new connections: reset at once
        self.cut_after = (
            -1
        )  # once: reset a connection after this many more bytes from MariaDB
        self.cut_at: bytes | None = None  # reset a connection that says this
        self.greeting: bytes | None = None  # new connections: say this and hang up
        self.slice_bytes = 0  # pass this many bytes at a time
        self.connects = 0
        self.statements: list[Statement] = []
        self._dir = tempfile.mkdtemp(prefix="ftd-")
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._listener = self._listen(tcp)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def _listen(self, tcp: bool) -> socket.socket:
        if tcp:
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.port = int(listener.getsockname()[1])
            self.socket = ""
        else:
            self.port, self.socket = 0, os.path.join(self._dir, "s")
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.socket)
            listener.listen(128)
        return listener

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        serve = (
            asyncio.start_unix_server(self._serve, sock=self._listener)
            if self.socket
            else asyncio.start_server(self._serve, sock=self._listener)
        )
        self._server = self._loop.run_until_complete(serve)
        self._loop.run_forever()

    def close(self) -> None:
        """Ends it and every connection through it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        shutil.rmtree(self._dir, ignore_errors=True)

    async def _end(self) -> None:
        self._server.close()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def reset_all(self) -> None:
        """Resets every connection now."""
        self._loop.call_soon_threadsafe(
            lambda: [self._abort(w) for w in list(self._open)]
        )

    @staticmethod
    def _abort(writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        if sock is not None and sock.family == socket.AF_INET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def fetches(self, containing: bytes = b"") -> list[Statement]:
        """Statements that looked rows up since the last forget()."""
        return [
            s
            for s in list(self.statements)
            if s.command in (_COM_QUERY, _COM_EXECUTE) and containing in s.text
        ]

    def forget(self) -> None:
        """Forgets the statements seen so far."""
        self.statements.clear()

    # --- one connection, inside the loop

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connects += 1
        number = self.connects
        self._open.add(writer)
        try:
            if self.refuse:
                self._abort(writer)
            elif self.greeting is not None:
                writer.write(self.greeting)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            elif self.hold:
                await self._swallow(reader)
            else:
                await self._carry(number, reader, writer)
        except (ConnectionError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            self._abort(writer)

    @staticmethod
    async def _swallow(reader: asyncio.StreamReader) -> None:
        while await reader.read(1 << 16):
            pass

    async def _carry(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self.upstream)
        self._open.add(up_writer)
        try:
            commands = _CommandReader(self, number)
            ways = [
                asyncio.ensure_future(self._pump(reader, up_writer, commands)),
                asyncio.ensure_future(self._pump(up_reader, writer, None)),
            ]
            _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in rest:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._open.discard(up_writer)
            self._abort(up_writer)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        commands: _CommandReader | None,
    ) -> None:
        """One way.  A queue keeps the order while every chunk waits its own delay."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        collect = asyncio.ensure_future(self._collect(reader, queue, commands))
        try:
            await self._deliver(queue, writer, commands is None)
        finally:
            collect.cancel()
            await asyncio.gather(collect, return_exceptions=True)

    async def _collect(
        self,
        reader: asyncio.StreamReader,
        queue: asyncio.Queue[tuple[float, bytes]],
        commands: _CommandReader | None,
    ) -> None:
        data = b"?"
        while data:
            try:
                data = await reader.read(1 << 16)
            except (ConnectionError, OSError):
                data = b""
            if commands is not None:
                commands.feed(data)
                if self.cut_at is not None and self.cut_at in data:
                    data = b""
            queue.put_nowait((time.monotonic() + self.delay_s, data))

    async def _deliver(
        self,
        queue: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        downward: bool,
    ) -> None:
        while True:
            due, data = await queue.get()
            while (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            while self.frozen:
                await asyncio.sleep(0.005)
            if not data:
                return
            if downward and self.cut_after >= 0:
                if len(data) >= self.cut_after:
                    writer.write(data[: self.cut_after])
                    await writer.drain()
                    self.cut_after = -1
                    return
                self.cut_after -= len(data)
            step = self.slice_bytes or len(data)
            for at in range(0, len(data), step):
                writer.write(data[at : at + step])
                await writer.drain()
                if self.slice_bytes:
                    await asyncio.sleep(0)
