"""test_regressions_client.py - what clients and launchers once could do to a server.

Each test stands for a defect that was met once and mended; the defect is said where the
test's name does not say it.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness import procs
from harness.fetchd import Config, Fetchd, shop
from harness.mariadb import MariaDB
from harness.wait import BINARY, slow, wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]

# freed memory would be kept for hundreds of MB otherwise
LITTLE_QUARANTINE = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=1"}
PINGS = 30_000_000 // len(b"ping\n")
GROWTH_KIB = 20 * 1024


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short name, for sockets and pid files."""
    with tempfile.TemporaryDirectory(prefix="ftd-") as name:
        yield Path(name)


def narrow(db: MariaDB, **limits: int | str) -> Config:
    """One worker that holds little unread output."""
    config = shop(db.socket, workers=1)
    config.limits = {"output_soft": "4K", **limits}
    return config


# --- clients


def ping_for_ever(client: Client, requests: int) -> Iterator[None]:
    """Sends as fast as it can and reads as it comes; yields now and then."""
    data = memoryview(b"ping\n" * 50_000)
    to_send, to_read = requests * len(b"ping\n"), requests * len(b"PONG\r\n")
    sent = turns = 0
    client.sock.setblocking(False)
    while to_read > 0:
        wanted = [client.sock] if sent < to_send else []
        readable, writable, _ = select.select([client.sock], wanted, [], slow(10))
        assert readable or writable, f"silence with {to_read} bytes of answers to come"
        if writable:
            at = sent % len(data)
            sent += client.sock.send(data[at : at + to_send - sent])
        if readable:
            got = client.sock.recv(1 << 16)
            assert got, f"closed with {to_read} bytes of answers to come"
            to_read -= len(got)
        turns += 1
        if turns % 50 == 0:
            yield


@pytest.mark.timeout(120)
def test_thirty_megabytes_of_pipelined_pings_do_not_grow_the_worker(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    """Input was read on while earlier input still waited to be parsed."""
    server = start_fetchd(shop(shop_db.socket, workers=1), env=LITTLE_QUARANTINE)
    client, pid = server.client(), server.worker_pids()[0]
    assert client.ask(b"ping") == b"PONG"
    before = procs.rss_kib(pid)
    for _ in ping_for_ever(client, PINGS):
        grown = procs.rss_kib(pid) - before
        assert grown < GROWTH_KIB, f"the worker grew by {grown} KiB"
    client.sock.settimeout(slow(5))
    assert client.ask(b"ping") == b"PONG"


def test_tagged_answers_beyond_the_soft_output_bound_all_come(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    """They stayed where they were until the client sent something more."""
    client = start_fetchd(narrow(shop_db)).client(timeout=5)
    tags = [b"#t%d" % n for n in range(8)]
    client.send(b"".join(tag + b" fetch big:4\r\n" for tag in tags))
    seen = []
    for _ in tags:
        line = client.line()
        tag = line.split(b" ", 1)[0]
        done = client.line()
        assert line.startswith(tag + b" ITEM big:4 {")
        assert done.startswith(tag + b" DONE 1 0 0 ")
        seen.append(tag)
    assert sorted(seen) == tags


def test_requests_not_yet_parsed_when_a_client_half_closes_are_answered(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    """The connection was closed once the parsed ones were answered."""
    server = start_fetchd(narrow(shop_db, ids=10))  # the ids of one request
    client, watcher = server.client(timeout=5, rcvbuf=1 << 16), server.client()
    keys = [b"big:7"] * 9 + [b"1"]
    client.send((b"fetch " + b" ".join(keys) + b"\r\n") * 12)
    client.half_close()
    # The first answer, sent in part or as a whole, fills the way to a client that does not
    # read yet, and most of its requests are not even parsed.
    watcher.wait_stat("requests", 1)
    watcher.wait_stat("queued_ids", 0)
    assert watcher.stats()["requests"] < 12
    for _ in range(12):
        assert client.read_answer(keys).items == 10
    assert client.rest() == b""


# --- whoever starts it


def full_fifo(path: Path) -> int:
    """A named pipe that holds all it can; the descriptor keeps it open and unread."""
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(fd, b"?" * 4096)
    return fd


def answers(path: Path) -> bool:
    """Does somebody serve items at this socket?"""
    try:
        with Client(str(path), timeout=1) as client:
            return client.fetch(1).items == 1
    except OSError:
        return False


def test_a_standard_error_that_nobody_reads_stops_nobody(
    shop_db: MariaDB, start_fetchd: Start, home: Path
) -> None:
    fifo = full_fifo(home / "fifo")
    try:
        wrapper = ["/bin/sh", "-c", 'exec "$@" 2>"$0"', str(home / "fifo")]
        config = shop(shop_db.socket, listen=f"{home}/s", log_level="debug")
        server = start_fetchd(config, ready=False, wrapper=wrapper)
        wait_until(lambda: answers(home / "s"), 5, "a server that serves")
        for n in range(1000):
            with Client(f"{home}/s", timeout=5) as client:
                assert client.fetch(n + 1).items == 1
        assert server.stop() == 0
    finally:
        os.close(fifo)


@contextlib.contextmanager
def master_of(home: Path) -> Iterator[int]:
    """The daemon whose pid file is in 'home', ended afterwards."""
    master = int((home / "pid").read_text())
    try:
        yield master
    finally:
        os.kill(master, signal.SIGTERM)
        wait_until(lambda: not procs.alive(master), 10, "the daemon to end")


def end_whatever_started(home: Path) -> None:
    """After a launcher that never came back."""
    with contextlib.suppress(OSError, ValueError):
        procs.kill_if_alive(int((home / "pid").read_text()))


def launch_daemon(
    db: MariaDB, home: Path, wrapper: list[str], stderr: int
) -> tuple[int, bytes]:
    """fetchd -d; its exit code and all that came out of its standard output."""
    config = shop(db.socket, workers=1, listen=f"{home}/s", pid_file=f"{home}/pid")
    (home / "conf").write_text(config.text())
    with subprocess.Popen(
        [*wrapper, BINARY, "-c", str(home / "conf"), "-d"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=home,
    ) as launcher:
        try:
            launcher.wait(timeout=slow(5))
            out, _ = launcher.communicate(timeout=slow(1))
        except subprocess.TimeoutExpired:
            launcher.kill()
            end_whatever_started(home)
            raise
    return launcher.returncode, out


@pytest.mark.parametrize(
    "stderr",
    [
        pytest.param(subprocess.DEVNULL, id="stdout"),
        pytest.param(subprocess.PIPE, id="stdout and stderr"),
    ],
)
def test_d_lets_go_of_pipes_that_its_launcher_reads(
    shop_db: MariaDB, home: Path, stderr: int
) -> None:
    """Reading them to their end lasted as long as the daemon."""
    code, out = launch_daemon(shop_db, home, [], stderr)
    assert (code, out) == (0, b"")
    with master_of(home):
        assert answers(home / "s")


def test_d_with_closed_standard_descriptors_serves(shop_db: MariaDB, home: Path) -> None:
    wrapper = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    code, _ = launch_daemon(shop_db, home, wrapper, subprocess.DEVNULL)
    assert code == 0
    with master_of(home) as master:
        assert answers(home / "s")
        for pid in [master, *procs.children(master)]:
            assert procs.fd_names(pid)[:3] == [f"{fd}=/dev/null" for fd in range(3)]


def kinds(pid: int) -> Counter[str]:
    """What a process holds above standard error, kind by kind."""
    names = [name.split("=", 1) for name in procs.fd_names(pid)]
    return Counter(re.sub(r"[0-9]+", "", what) for fd, what in names if int(fd) > 2)


def test_a_daemons_workers_hold_what_any_worker_holds(
    shop_db: MariaDB, start_fetchd: Start, home: Path
) -> None:
    """They held the pipe on which the launcher waits for the master's word."""
    config = shop(shop_db.socket, workers=1, listen=f"{home}/plain")
    plain = start_fetchd(config, ready=False)
    plain.wait_log(r" ready workers=")
    quiet = ["/bin/sh", "-c", 'exec "$@" >/dev/null', "sh"]
    code, _ = launch_daemon(shop_db, home, quiet, subprocess.DEVNULL)
    assert code == 0
    with master_of(home) as master:
        [of_daemon], [of_plain] = procs.children(master), plain.worker_pids()
        # The lock beside its pid file, and the log's own way to its standard error.
        own = Counter({re.sub(r"[0-9]+", "", f"{home}/pid.lock"): 1, "/dev/null": 1})
        wait_until(
            lambda: kinds(of_daemon) == kinds(of_plain) + own, 2, "equal descriptors"
        )
