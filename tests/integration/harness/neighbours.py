"""neighbours.py - one client that asks for much beside one that asks for little.

Owns: both of them as processes of their own (threads of one Python take turns of 5 ms at
its lock, and would measure that), and the judgement of what the one cost the other:

    python3 -m harness.neighbours probe HOST PORT LINE LAST    one LINE after the other, a
                                     little apart; "[when it was sent, milliseconds] ..."
    python3 -m harness.neighbours flood HOST PORT LINE LAST    LINE as fast as it is taken
    python3 -m harness.neighbours clock CPU     asks nobody: how late does that core wake it?

A line is answered when a line that begins with LAST came.  All say "ready" when the
first answer is there, and end with their input.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

from harness.crowd import percentile
from harness.wait import slow

APART_S = 0.001
CLOCK_S = 0.002
Times = list[tuple[float, float]]


class _Process:
    """Use as a context: it does what it does inside the with block."""

    def __init__(self, words: list[str], first: int = 0) -> None:
        self._first = first  # see go_first; 0: like everybody
        self._words = words
        self.times: Times = []

    def __enter__(self) -> "_Process":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.neighbours", *self._words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        if self._first:
            go_first(self._process.pid, self._first)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        out, _err = self._process.communicate(timeout=slow(20))
        self.times = [(at, ms) for at, ms in json.loads(out or b"[]")]
        assert self._process.returncode == 0


class Neighbour(_Process):
    """A probe or a flood."""

    def __init__(
        self, kind: str, address: tuple[str, int], line: bytes, last: bytes, first: int = 0
    ) -> None:
        words = [kind, address[0], str(address[1]), line.decode(), last.decode()]
        super().__init__(words, first)


class Clock(_Process):
    """When one core woke somebody late who comes before everybody: the machine's fault."""

    def __init__(self, cpu: int) -> None:
        super().__init__(["clock", str(cpu)], first=3)


# --- was there a core for the server?


def go_first(pid: int, rank: int = 1) -> None:
    """Gives a process a core whenever it wants one, as far as we may: the machine that runs
    the tests may be busy.  (Not for ever: the kernel keeps 5 % of each second from it.)"""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(rank))


@contextlib.contextmanager
def put_before(*pids: int) -> Iterator[None]:
    """Puts processes before all ordinary ones for a while, as far as we may, where go_first
    would change what is measured: a process without a rank (the kernel's own, which carry
    what goes over the loopback) would wait for them, and once a second they would be
    stopped for 50 ms."""
    tasks = [int(task.name) for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    with contextlib.suppress(PermissionError):
        for task in tasks:
            os.setpriority(os.PRIO_PROCESS, task, -20)
    try:
        yield
    finally:
        for task in tasks:
            with contextlib.suppress(OSError):  # it has ended
                os.setpriority(os.PRIO_PROCESS, task, 0)


@contextlib.contextmanager
def all_first(*pids: int) -> Iterator[None]:
    """The same for every thread of some processes, for a while."""
    tasks = [int(task.name) for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    for task in tasks:
        go_first(task)
    try:
        yield
    finally:
        for task in tasks:
            with contextlib.suppress(OSError):  # it has ended
                os.sched_setscheduler(task, os.SCHED_OTHER, os.sched_param(0))


def run_delay_ms(pid: int) -> float:
    """How long a process waited for a core although it could have run."""
    text = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    return int(text.split()[1]) / 1e6


def windows(pid: int, seconds: float, each_s: float = 0.02) -> Iterator[tuple[float, float, float]]:
    """Begin, end and run delay (ms) of one window after the other."""
    until = time.monotonic() + seconds
    before, start = run_delay_ms(pid), time.monotonic()
    while start < until:
        time.sleep(each_s)
        end, after = time.monotonic(), run_delay_ms(pid)
        yield start, end, after - before
        before, start = after, end


def calm(times: Times, seen: list[tuple[float, float, float]], most_ms: float) -> list[float]:
    """Those of the times that lie in windows in which the server had a core for itself."""
    good = [(start, end) for start, end, delay in seen if delay <= most_ms]
    out, at = [], 0
    for when, ms in times:
        while at < len(good) and good[at][1] < when + ms / 1000:
            at += 1
        if at < len(good) and good[at][0] <= when:
            out.append(ms)
    return out


def p99(times: list[float]) -> float:
    """What all but one of a hundred stay below."""
    return percentile(times, 0.99)


# --- the processes


class _Reader:
    """Counts answers by their last line."""

    def __init__(self, sock: socket.socket, last: bytes) -> None:
        self.sock, self.last, self.tail = sock, b"\n" + last, b"\n"

    def take(self) -> int:
        """Reads once; how many answers ended."""
        data = self.sock.recv(1 << 20)
        if not data:
            sys.exit(3)
        text = self.tail + data
        whole = text.rfind(b"\n")
        self.tail = text[whole:]
        return text.count(self.last, 0, whole)


def _ended() -> bool:
    return bool(select.select([0], [], [], 0)[0])


def _probe(sock: socket.socket, line: bytes, last: bytes) -> None:
    reader, times = _Reader(sock, last), []
    while not _ended():
        start = time.monotonic()
        sock.sendall(line)
        while reader.take() == 0:
            pass
        times.append((start, (time.monotonic() - start) * 1000))
        if len(times) == 1:
            print("ready", flush=True)
        time.sleep(APART_S)
    print(json.dumps(times))


def _flood(sock: socket.socket, line: bytes, last: bytes) -> None:
    reader, data, out, answers = _Reader(sock, last), line * max(1, (1 << 16) // len(line)), b"", 0
    sock.setblocking(False)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(sock, select.POLLIN | select.POLLOUT)
    while True:
        for fd, what in poll.poll():
            if fd == 0:
                print("[]")
                return
            if what & select.POLLIN:
                before, answers = answers, answers + reader.take()
                if before == 0 and answers > 0:
                    print("ready", flush=True)
            if what & select.POLLOUT:
                out = out or data
                out = out[sock.send(out) :]


def _clock(cpu: str) -> None:
    os.sched_setaffinity(0, {int(cpu)})
    print("ready", flush=True)
    late, now = [], time.monotonic()
    while not _ended():
        due = now + CLOCK_S
        time.sleep(due - now)
        if (now := time.monotonic()) - due > CLOCK_S / 4:
            late.append((due, (now - due) * 1000))
    print(json.dumps(late))


def _main(kind: str, host: str, port: str, line: str, last: str) -> None:
    sock = socket.create_connection((host, int(port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    talk = _probe if kind == "probe" else _flood
    talk(sock, line.encode() + b"\n", last.encode())


if __name__ == "__main__":
    if sys.argv[1] == "clock":
        _clock(sys.argv[2])
    else:
        _main(*sys.argv[1:6])
