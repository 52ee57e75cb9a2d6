"""crowd.py - many clients at once: good ones that are timed, bad ones that are not.

Owns: an asyncio loop full of good clients (crowd), and abusers in a process of their own
so that they do not slow the measuring down:

    python3 -m harness.crowd drip HOST PORT COUNT      a byte now and then, never a line
    python3 -m harness.crowd deaf HOST PORT COUNT LINE  asks for ever, reads nothing

An abuser says "ready" when all are connected; at the end of its input it prints, as
JSON, how long each of its connections lived (seconds; -1: lives on).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Sequence

from harness.wait import slow


def allow_files(count: int) -> None:
    """Raises this process's soft limit of descriptors; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which 'share' of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# --- good clients


async def _good(
    address: tuple[str, int],
    until: float,
    pause_s: float,
    ids: int,
    times: list[tuple[float, float]],
) -> None:
    reader, writer = await asyncio.open_connection(*address)
    rng = random.Random(id(reader))
    while time.monotonic() < until:
        await asyncio.sleep(pause_s * rng.uniform(0.5, 1.5))
        keys = [b"%d" % rng.randrange(1, 5000) for _ in range(ids)]
        start = time.monotonic()
        writer.write(b"fetch " + b" ".join(keys) + b"\n")
        lines = [await reader.readline() for _ in range(ids + 1)]
        times.append((start, (time.monotonic() - start) * 1000.0))
        assert all(line.startswith(b"ITEM ") for line in lines[:-1]), lines
        assert lines[-1].startswith(b"DONE %d 0 0 " % ids), lines[-1]
    writer.close()


def good_times(
    address: tuple[str, int], seconds: float, clients: int = 50, ids: int = 5
) -> list[tuple[float, float]]:
    """When well-behaved clients asked, and milliseconds; every answer is checked."""

    async def run() -> list[tuple[float, float]]:
        times: list[tuple[float, float]] = []
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(_good(address, until, 0.05, ids, times) for _ in range(clients))
        )
        return times

    return asyncio.run(run())


# --- bad clients


class Abusers:
    """Use as a context: they are connected inside the with block."""

    def __init__(
        self, kind: str, address: tuple[str, int], count: int, line: str = ""
    ) -> None:
        self._words = [kind, address[0], str(address[1]), str(count), line]
        self.lived: list[float] = []

    def __enter__(self) -> "Abusers":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.crowd", *self._words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        out, _err = self._process.communicate(timeout=slow(20))
        self.lived = json.loads(out or b"[]")


class _Bad:
    """One abuser."""

    def __init__(self, address: tuple[str, int], deaf: bool) -> None:
        self.sock = socket.socket()
        if deaf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect(address)
        self.sock.setblocking(False)
        self.since = time.monotonic()
        self.lived = -1.0

    def say(self, data: bytes) -> None:
        """As much as goes."""
        if self.lived < 0:
            with contextlib.suppress(OSError):
                self.sock.send(data)


def _abuse(kind: str, host: str, port: str, count: str, line: str) -> None:
    deaf = kind == "deaf"
    allow_files(int(count) + 100)
    data = (line + "\n").encode() * 100 if deaf else b"f"
    poll = select.epoll()
    poll.register(0, select.EPOLLIN)
    everyone: dict[int, _Bad] = {}
    for _ in range(int(count)):
        bad = _Bad((host, int(port)), deaf)
        everyone[bad.sock.fileno()] = bad
        bad.say(data)
        poll.register(bad.sock, select.EPOLLRDHUP if deaf else select.EPOLLIN)
    print("ready", flush=True)
    crowd, at = list(everyone.values()), 0
    while True:
        for fd, _what in poll.poll(0.02):
            if fd == 0:
                print(json.dumps([bad.lived for bad in crowd]))
                return
            everyone[fd].lived = time.monotonic() - everyone[fd].since
            poll.unregister(fd)
        for _ in range(max(1, len(crowd) // 50)):  # each about once a second
            crowd[at].say(data)
            at = (at + 1) % len(crowd)


if __name__ == "__main__":
    _abuse(*sys.argv[1:6])
