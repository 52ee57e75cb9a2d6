"""resp.py - RESP on the wire, byte for byte, and a real Redis to compare with.

Owns: reading replies (RESP2 and RESP3) without believing anything, and a private
redis-server on a unix socket.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Sequence

from harness import procs
from harness.fetchd import Config, Fetchd, database, shop
from harness.mariadb import MariaDB
from harness.wait import wait_until
from harness.wire import Address, Client


class Failure(str):
    """An error reply."""


Word = bytes | str | int


def encode(*words: Word) -> bytes:
    """An array of bulk strings."""
    out = b"*%d\r\n" % len(words)
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        out += b"$%d\r\n%s\r\n" % (len(data), data)
    return out


class RespClient(Client):
    """One connection that speaks RESP."""

    def exactly(self, n: int) -> bytes:
        """The next n bytes."""
        while len(self._buffer) - self._at < n:
            assert self._fill(), "closed in the middle of a reply"
        data = bytes(self._buffer[self._at : self._at + n])
        self._at += n
        return data

    def more(self) -> bool:
        """Waits for more bytes; False: the server closed."""
        return self._fill()

    def seen(self) -> bytes:
        """What came and was not read."""
        return bytes(self._buffer[self._at :])

    def raw_reply(self) -> bytes:
        """The bytes of one whole reply."""
        line = self.line()
        kind, rest, raw = line[:1], line[1:], line + b"\r\n"
        if kind in b"+-:_#,(":
            return raw
        if kind in b"$=":
            if int(rest) < 0:
                return raw
            data = self.exactly(int(rest) + 2)
            assert data.endswith(b"\r\n"), data[-80:]
            return raw + data
        assert kind in b"*%~>", line[:80]
        count = int(rest) * (2 if kind == b"%" else 1)
        return raw + b"".join(self.raw_reply() for _ in range(count))

    def reply(self) -> Any:
        """One reply: bytes, int, None, Failure, list or dict."""
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Failure(rest.decode("utf-8", "backslashreplace"))
        if kind == b":":
            return int(rest)
        if kind == b"_" or (kind in b"$*" and rest == b"-1"):
            return None
        if kind in b"$=":
            data = self.exactly(int(rest) + 2)
            assert data.endswith(b"\r\n"), data[-80:]
            return data[:-2] if kind == b"$" else data[4:-2]
        if kind == b"%":
            return {self.reply(): self.reply() for _ in range(int(rest))}
        assert kind in b"*~", line[:80]
        return [self.reply() for _ in range(int(rest))]

    def call(self, *words: Word) -> Any:
        """One command and its reply."""
        self.send(encode(*words))
        return self.reply()


FENCE = b"the end of the conversation"


def converse(address: Address, data: bytes, fence: bool = True) -> bytes:
    """Sends it all and returns everything that comes back until the connection is closed
    or, with a fence behind it, until all of it is answered."""
    with RespClient(address) as client:
        client.send_until_refused(data + (encode("ECHO", FENCE) if fence else b""))
        end = b"$%d\r\n%s\r\n" % (len(FENCE), FENCE)
        while not client.seen().endswith(end):
            if not client.more():
                return client.seen() + b"<closed>"
        return client.seen()[: -len(end)]


class Redis:
    """A private redis-server; strings in database 0, hashes in database 1."""

    def __init__(self, *options: str) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="ftr-"))
        self.path = str(self.dir / "redis.sock")
        self._process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "",
             "--databases", "2", "--hash-max-listpack-value", "1000000", *options],
            cwd=self.dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=procs.die_with_parent,
        )
        wait_until(self._answers, 10, "redis-server to answer")

    def _answers(self) -> bool:
        assert self._process.poll() is None, "redis-server exited"
        try:
            with RespClient(self.path) as client:
                return bool(client.call("PING") == "PONG")
        except OSError:
            return False

    def fill(self, items: Sequence[tuple[Word, bytes, Sequence[Word]]]) -> None:
        """Each item as a string, and its fields as a hash."""
        with RespClient(self.path) as client:
            for key, value, _ in items:
                assert client.call("SET", key, value) == "OK"
            assert client.call("SELECT", 1) == "OK"
            for key, _, fields in items:
                if fields:
                    assert isinstance(client.call("HSET", key, *fields), int)

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


MIB = 1 << 20
HUGE = "huge:1"  # its body is HUGE_BODY
HUGE_BODY = "é" * (MIB // 2)


def shelf(db: MariaDB) -> Config:
    """The catalogue and an item with a body of 1 MiB."""
    db.sql(
        "CREATE DATABASE IF NOT EXISTS shelf CHARACTER SET utf8mb4",
        "CREATE TABLE IF NOT EXISTS shelf.huge (id INT PRIMARY KEY, body LONGTEXT)",
        f"REPLACE INTO shelf.huge VALUES (1, REPEAT('é', {MIB // 2}))",
    )
    config = shop(db.socket)
    config.databases["shelf"] = database(db.socket, "shelf")
    config.sources["huge"] = {"database": "shelf", "table": "huge", "key": "id"}
    config.limits = {"item": "2M"}
    return config


WORKER_DEATH = r"worker slot=\S+ pid=\S+ died"


def kill_workers(server: Fetchd) -> None:
    """Kills every worker and returns when the master knows."""
    server.allowed_errors.append(WORKER_DEATH)
    victims = server.worker_pids()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    for pid in victims:
        server.wait_log(rf"worker slot=\S+ pid={pid} died")
