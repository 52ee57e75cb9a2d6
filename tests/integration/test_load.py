"""test_load.py - the load generator and scripts/load-test: they see what is wrong, they
count the time a server lets clients wait, and they leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import procs, resp
from harness.memcached import Memcached
from harness.wait import BINARY, REPO, slow, wait_until
from harness.wire import Client

BUILD = os.path.dirname(BINARY)
LOADGEN = os.path.join(BUILD, "loadgen")
LOAD_TEST = str(REPO / "scripts" / "load-test")
DEV_DB = str(REPO / "scripts" / "dev-db")
ROWS = 500


def loadgen(*words: object) -> tuple[int, dict[str, Any]]:
    """Exit code and the report of one run."""
    done = subprocess.run(
        [LOADGEN, "--json", *map(str, words)],
        stdout=subprocess.PIPE,
        timeout=slow(60),
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def sweep(dialect: str, address: str) -> tuple[int, dict[str, Any]]:
    """Every item asked for once."""
    where = ["--dialect", dialect, "--address", address, "--rows", ROWS]
    return loadgen("fetch", "--sweep", "--ids", 7, "--connections", 3, *where)


def flip(value: bytes) -> bytes:
    """The same with one bit of its last letter changed."""
    at = len(value) - 3
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


# --- other servers


def memcached_spoils(server: Any, key: bytes) -> None:
    with Client(server.address) as client:
        client.send(b"get %s\r\n" % key)
        client.line()
        value = client.line()
        client.line()
        wrong = flip(value)
        client.send(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(wrong), wrong))
        assert client.line() == b"STORED"


def redis_spoils(server: Any, key: bytes) -> None:
    with resp.RespClient(server.path) as client:
        client.call("SET", key, flip(client.call("GET", key)))


@pytest.mark.parametrize(
    "start, dialect, spoil",
    [
        (Memcached, "memcached", memcached_spoils),
        (resp.Redis, "resp", redis_spoils),
    ],
)
def test_one_wrong_bit_among_all_items_is_seen(
    start: Any, dialect: str, spoil: Any
) -> None:
    server = start()
    try:
        address = f"unix:{getattr(server, 'path', None) or server.address}"
        stored = ["--dialect", dialect, "--address", address, "--rows", ROWS]
        assert loadgen("store", *stored)[0] == 0
        code, report = sweep(dialect, address)
        assert code == 0 and report["wrong"] == 0
        assert report["exact"] == report["items"] >= ROWS
        spoil(server, b"123")
        code, report = sweep(dialect, address)
        assert code == 1 and report["wrong"] == 1
    finally:
        server.close()


# --- the open loop


@pytest.fixture
def echo() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server that looks nothing up: its address and its process."""
    process = subprocess.Popen(
        [LOADGEN, "echo", "--address", "127.0.0.1:0", "--rows", str(ROWS)],
        stdout=subprocess.PIPE,
        preexec_fn=procs.die_with_parent,
    )
    assert process.stdout is not None
    yield process.stdout.readline().decode().strip(), process
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()
    process.stdout.close()


def stalled_run(
    echo: tuple[str, subprocess.Popen[bytes]], stall_s: float, *words: object
) -> dict[str, Any]:
    """A run of a second whose first part the server spends stopped."""
    address, process = echo
    os.kill(process.pid, signal.SIGSTOP)
    run = subprocess.Popen(
        [LOADGEN, "fetch", "--json", "--dialect", "echo", "--address", address]
        + [*map(str, words), "--rows", str(ROWS), "--seconds", "1"],
        stdout=subprocess.PIPE,
    )
    time.sleep(stall_s)  # the stall is what is measured
    os.kill(process.pid, signal.SIGCONT)
    out, _ = run.communicate(timeout=slow(60))
    assert run.returncode == 0
    report: dict[str, Any] = json.loads(out)
    return report


def test_an_open_loop_charges_a_stall_to_every_request_that_was_due(
    echo: tuple[str, subprocess.Popen[bytes]]
) -> None:
    report = stalled_run(echo, 0.8, "--rate", 400, "--connections", 4, "--ids", 2)
    assert report["requests"] == 400
    # due evenly over a second of which some 0.7 s were lost: half waited long
    assert report["latency_us"]["p50"] > 100_000
    assert report["latency_us"]["max"] > 400_000


def test_a_closed_loop_asks_less_of_a_server_that_stalls(
    echo: tuple[str, subprocess.Popen[bytes]]
) -> None:
    report = stalled_run(echo, 0.5, "--connections", 4, "--ids", 2)
    assert report["latency_us"]["max"] > 200_000
    assert report["latency_us"]["p50"] < 100_000


def test_an_open_loop_keeps_its_rate(
    echo: tuple[str, subprocess.Popen[bytes]]
) -> None:
    words = ["--dialect", "echo", "--address", echo[0], "--rows", ROWS]
    _, report = loadgen("fetch", "--rate", 5000, "--seconds", 1, "--ids", 1, *words)
    assert report["requests"] == 5000 and report["wrong"] == 0
    assert 0.9 < report["seconds"] < slow(1.5)
    assert report["latency_us"]["p50"] < slow(20_000)  # sent when due, not later


def test_an_answer_that_turns_into_nonsense_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run = subprocess.Popen(
            [LOADGEN, "fetch", "--address", "127.0.0.1:%d" % listener.getsockname()[1]]
            + ["--rows", str(ROWS), "--connections", "1", "--ids", "1", "--requests", "9"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        peer, _ = listener.accept()
        with peer:
            peer.recv(100)
            peer.sendall(b"MISS 1\r\nDO")
            time.sleep(0.1)  # so that it is read before the rest comes
            peer.sendall(b"NUT\r\n" + b"x" * 1000)
            _, complaints = run.communicate(timeout=slow(30))
    assert run.returncode == 1
    assert b"unexpected line: DONUT" in complaints and b"framing lost" in complaints


# --- scripts/load-test


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory of dev-db that all runs share."""
    folder = tmp_path_factory.mktemp("ld")
    yield folder
    subprocess.run([DEV_DB, "stop", str(folder)], check=False, stdout=subprocess.DEVNULL)


def load_test(database: Path | None, *words: str) -> list[str]:
    """A run of a moment."""
    return [
        *[LOAD_TEST, "--no-build", "--build", BUILD],
        *(["--database", str(database)] if database else []),
        *["--rows", "2000", "--rounds", "1", "--seconds", "0.2", "--ids", "10"],
        *["--connections", "4", "--zipf", "0.99", "--pin", "none", "--deadline", "20s"],
        *words,
    ]


EVERYTHING = "memcached,redis,echo,one-by-one"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "dialect, others", [("native", EVERYTHING), ("memcached", "echo"), ("resp", "echo")]
)
def test_every_side_is_compared_and_checked(
    database: Path, dialect: str, others: str
) -> None:
    done = subprocess.run(
        load_test(database, "--compare", others, "--dialect", dialect, "--json")
        + ["--hits", "0.9", "--rate", "50%"],
        stdout=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0
    rounds = json.loads(done.stdout)["rounds"]
    sides = {"fetchd", *others.split(",")}
    if "one-by-one" in sides:
        sides.add("uncached")
    assert {r["side"] for r in rounds} == sides
    for r in rounds:
        assert r["wrong"] == 0 and r["items"] > 0 and r["misses"] > 0, r
        assert r["side"] == "one-by-one" or r["exact"] == r["all_items"], r


@pytest.mark.timeout(60)
def test_a_wrong_row_fails_the_run(database: Path) -> None:
    def change(by: str) -> None:
        sql = f"UPDATE load.items SET stock = stock {by} 1 WHERE id = 77"
        subprocess.run([DEV_DB, "start", str(database), "--no-data", "--tcp"], check=True)
        subprocess.run([DEV_DB, "shell", str(database), "-e", sql], check=True)

    words = load_test(database, "--fresh", "1h", "--zipf", "0")
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    change("+")
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    finally:
        change("-")
    assert done.returncode == 1
    assert "item 77 from byte" in done.stderr and "1 wrong answers" in done.stderr


def begotten(run: subprocess.Popen[str], mark: str) -> list[int]:
    """Living processes of its session, and those that left it: some cannot be told by
    their environment, which they write their title over."""
    found = procs.in_session(run.pid)
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            if mark.encode() in procs.environ(int(name)) and procs.alive(int(name)):
                found.append(int(name))
        except OSError:
            pass
    return sorted(set(found))


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "how, others, count",
    [
        # itself, the guard, mariadbd, fetchd with a worker, the generator; then a second
        # fetchd and the others
        (signal.SIGINT, EVERYTHING, 6 + 2 + 3),
        (signal.SIGTERM, "redis", 6 + 1),
        (signal.SIGKILL, "memcached", 6 + 1),
    ],
)
def test_nothing_is_left_behind_when_it_is_interrupted(
    how: signal.Signals, others: str, count: int
) -> None:
    scratch = tempfile.mkdtemp(prefix="ftd-")  # short: sockets lie below it
    mark = f"FETCHD_TEST_MARK={os.getpid()}-{how}-{time.monotonic_ns()}"
    name, value = mark.split("=")
    words = load_test(None, "--compare", others)
    run = subprocess.Popen(
        words + ["--seconds", "30"],
        env={**os.environ, name: value, "TMPDIR": scratch},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        # a shell in the background leaves it ignored, which no script can undo
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert run.stderr is not None
    try:
        for line in run.stderr:
            if re.search(r"1 of 1:", line):
                break
        wait_until(lambda: len(begotten(run, mark)) >= count, 20, "all of them to run")
        run.send_signal(how)
        run.wait(slow(20))
        wait_until(lambda: not begotten(run, mark), 20, "everything to end")
        assert os.listdir(scratch) == []
    finally:
        for pid in begotten(run, mark):
            procs.kill_if_alive(pid)
        run.wait()
        run.stderr.close()
        shutil.rmtree(scratch)
