"""wire.py - a client that forgives nothing.

Owns: the native dialect as a client sees it: framing (CRLF, no stray CR or LF), one
line for each position in request order, keys echoed byte for byte, counts that add up.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Iterable, Sequence

from harness import strict
from harness.wait import slow, wait_until

Address = tuple[str, int] | str  # (host, port) or the path of a unix socket

FAIL_CODES = {
    b"timeout",
    b"database",
    b"upstream",
    b"overload",
    b"badid",
    b"toobig",
    b"stale",
}
_DONE = re.compile(
    rb"DONE ([0-9]+) ([0-9]+) ([0-9]+) ms=[0-9]+(?:\.[0-9]+)?((?: [a-z_]+=\S+)*)$"
)


class Closed(AssertionError):
    """The server closed the connection where an answer was due."""


@dataclass
class Reply:
    """One position of an answer."""

    status: bytes  # ITEM, STALE, MISS or FAIL
    key: bytes
    rest: bytes  # the JSON, nothing, or the code
    age_ms: int = 0  # of a STALE one

    @property
    def item(self) -> dict[str, Any]:
        """The item through the strict parser."""
        assert self.status in (
            b"ITEM",
            b"STALE",
        ), f"{self.key!r} is {self.status!r} {self.rest[:80]!r}"
        value = strict.parse(self.rest)
        assert isinstance(value, dict)
        return value

    @property
    def short(self) -> str:
        """ "ITEM", "MISS" or "FAIL badid": what tests compare."""
        return self.status.decode() + (
            f" {self.rest.decode()}" if self.status == b"FAIL" else ""
        )


@dataclass
class Answer:
    """All positions of one request and what the closing line counted."""

    replies: list[Reply] = field(default_factory=list)
    done: bytes = b""
    items: int = 0
    misses: int = 0
    failures: int = 0

    @property
    def shorts(self) -> list[str]:
        """One short form a position."""
        return [r.short for r in self.replies]


def _untag(line: bytes, tag: bytes) -> bytes:
    if not tag:
        return line
    assert line.startswith(tag + b" "), f"line without its tag {tag!r}: {line[:80]!r}"
    return line[len(tag) + 1 :]


def parse_reply(line: bytes, key: bytes) -> Reply:
    """One answer line, checked against the key it must be about."""
    status, _, tail = line.partition(b" ")
    assert status in (b"ITEM", b"STALE", b"MISS", b"FAIL"), f"not an answer line: {line[:120]!r}"
    echoed, rest = tail[: len(key)], tail[len(key) :]
    assert echoed == key, f"asked for {key!r}, got {line[:120]!r}"
    if status == b"MISS":
        assert rest == b"", f"text after a MISS: {line[:120]!r}"
        return Reply(status, key, b"")
    assert rest[:1] == b" ", f"asked for {key!r}, got {line[:120]!r}"
    age = b"0"
    if status == b"STALE":
        age, _, rest = rest[1:].partition(b" ")
        assert age.isdigit(), f"no age: {line[:120]!r}"
        rest = b" " + rest
    if status == b"FAIL":
        assert rest[1:] in FAIL_CODES, f"unknown failure code: {line[:120]!r}"
    else:
        assert rest[1:2] == b"{" and rest[-1:] == b"}", f"not an object: {line[:120]!r}"
    return Reply(status, key, rest[1:], int(age))


def parse_answer(
    lines: Iterable[bytes], keys: Sequence[bytes], tag: bytes = b""
) -> Answer:
    """The lines of one answer, DONE included, against the keys asked."""
    answer, source = Answer(), iter(lines)
    for key in keys:
        answer.replies.append(parse_reply(_untag(next(source), tag), key))
    answer.done = _untag(next(source), tag)
    found = _DONE.match(answer.done)
    assert found, f"expected DONE after {len(keys)} keys, got {answer.done[:120]!r}"
    answer.items, answer.misses, answer.failures = (
        int(found.group(n)) for n in (1, 2, 3)
    )
    seen = [
        sum(r.status in s for r in answer.replies)
        for s in ((b"ITEM", b"STALE"), (b"MISS",), (b"FAIL",))
    ]
    assert seen == [answer.items, answer.misses, answer.failures], (seen, answer.done)
    return answer


class Client:
    """One connection."""

    def __init__(self, address: Address, timeout: float = 20.0, rcvbuf: int = 0) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(slow(timeout))
        self.sock.connect(address)
        if family == socket.AF_INET:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._at = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes politely."""
        self.sock.close()

    def reset(self) -> None:
        """Closes with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def half_close(self) -> None:
        """Says that nothing more will come, and still listens."""
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        """All of it."""
        self.sock.sendall(data)

    def send_until_refused(self, data: bytes) -> None:
        """All of it, or as much as the server takes before it closes."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def ends(self) -> tuple[str, str]:
        """Our end and the server's end of a TCP connection, as /proc/net/tcp spells them."""

        def spell(name: tuple[str, int]) -> str:
            return (
                f"{int.from_bytes(socket.inet_aton(name[0]), 'little'):08X}:{name[1]:04X}"
            )

        return spell(self.sock.getsockname()), spell(self.sock.getpeername())

    # --- reading

    def _fill(self) -> bool:
        """More bytes; False at the end.  A reset counts as the end."""
        if self._at > 1 << 20:
            del self._buffer[: self._at]
            self._at = 0
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)

    def line(self) -> bytes:
        """The next line without its CRLF."""
        while True:
            end = self._buffer.find(b"\n", self._at)
            if end >= 0:
                line = bytes(self._buffer[self._at : end + 1])
                self._at = end + 1
                assert line.endswith(b"\r\n"), f"line without CRLF: {line[-80:]!r}"
                assert b"\r" not in line[:-2], f"stray CR: {line[:120]!r}"
                return line[:-2]
            if not self._fill():
                raise Closed(
                    f"closed by the server after {bytes(self._buffer[self._at:])[:120]!r}"
                )

    def lines_until(self, last: bytes) -> list[bytes]:
        """Lines before the line 'last', which is read and dropped."""
        out = []
        while (line := self.line()) != last:
            assert not line.startswith(b"ERROR"), line
            out.append(line)
        return out

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while self._fill():
            pass
        out, self._buffer, self._at = bytes(self._buffer[self._at :]), bytearray(), 0
        return out

    def pending(self) -> bool:
        """Has something arrived that was not read?"""
        if self._at < len(self._buffer):
            return True
        self.sock.setblocking(False)
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self.sock.settimeout(slow(20))

    # --- verbs

    def ask(self, line: bytes) -> bytes:
        """One line there, one line back."""
        self.send(line + b"\r\n")
        return self.line()

    def ask_fetch(
        self, keys: Sequence[bytes | str | int], tag: bytes = b"", options: bytes = b""
    ) -> list[bytes]:
        """Sends a fetch and returns the keys as they travelled."""
        sent = [k if isinstance(k, bytes) else str(k).encode() for k in keys]
        words = [w for w in (tag, b"fetch", options, *sent) if w]
        self.send(b" ".join(words) + b"\r\n")
        return sent

    def read_answer(self, keys: Sequence[bytes], tag: bytes = b"") -> Answer:
        """The answer to a fetch of these keys."""
        return parse_answer(iter(self.line, None), keys, tag)

    def fetch(
        self, *keys: bytes | str | int, tag: bytes = b"", options: bytes = b""
    ) -> Answer:
        """One request and its answer, everything checked."""
        return self.read_answer(self.ask_fetch(keys, tag, options), tag)

    def stats(self) -> dict[str, int]:
        """The numeric counters, summed over the workers."""
        self.send(b"stats\r\n")
        out = {}
        for line in self.lines_until(b"END"):
            word, name, value = line.decode().split(" ", 2)
            assert word == "STAT", line
            assert name not in out, f"STAT {name} twice"
            out[name] = int(value) if re.fullmatch(r"-?[0-9]+", value) else -1
        return out

    def workers(self) -> list[dict[str, str]]:
        """`stats workers`: a dictionary a worker, its slot under "slot"."""
        self.send(b"stats workers\r\n")
        out = []
        for line in self.lines_until(b"END"):
            word, slot, *pairs = line.decode().split(" ")
            assert word == "WORKER", line
            out.append({"slot": slot, **dict(p.split("=", 1) for p in pairs)})
        return out

    def wait_stat(self, name: str, least: int, timeout: float = 5) -> int:
        """Waits until a counter reaches 'least'; counters are published once a turn."""
        return (
            wait_until(
                lambda: v if (v := self.stats()[name]) >= least else 0,
                timeout,
                f"stat {name} >= {least}",
            )
            if least > 0
            else self.stats()[name]
        )


def unread_by_server(client: Client) -> int:
    """Bytes that the kernel holds for the server's end of a TCP connection; 0 also when gone."""
    here, there = client.ends()
    with open("/proc/net/tcp", encoding="ascii") as table:
        for row in table:
            columns = row.split()
            if columns[1] == there and columns[2] == here:
                return int(columns[4].split(":")[1], 16)
    return 0


def wait_read_by_server(client: Client) -> None:
    """Returns when the server has taken everything sent so far."""
    end = time.monotonic() + slow(5)
    while unread_by_server(client) > 0:
        assert time.monotonic() < end, "the server does not read"
