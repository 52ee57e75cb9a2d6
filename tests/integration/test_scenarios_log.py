"""test_scenarios_log.py - no line lost, none waited for, never the clients' trouble."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from typing import Callable

from harness import procs
from harness.daemon import Daemon, holders
from harness.fetchd import shop
from harness.mariadb import MariaDB
from harness.scenario import Scenario
from harness.wait import slow, wait_until
from harness.wire import Client

Make = Callable[..., Daemon]
Start = Callable[..., Scenario]

LINE = re.compile(r"^\S+Z (error|warn|info|debug) (master|worker/\d+)\[\d+\] \S.*$")
CLOSED = r" client fd=\d+ closed "


def hang_up(address: tuple[str, int], times: int) -> None:
    """So many connections that come and go: each is a line of level debug."""
    for _ in range(times):
        with Client(address, 20.0) as client:
            assert client.ask(b"ping") == b"PONG"


def test_scenario_25_a_hundred_renames_under_load_lose_no_line(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=2, log_level="debug")).start()
    with server.client() as client:
        address = client.sock.getpeername()
    crowd = [threading.Thread(target=hang_up, args=(address, 1000)) for _ in range(4)]
    for thread in crowd:
        thread.start()
    for n in range(100):
        server.log_path.rename(server.dir / f"log.{n}")
        os.kill(server.pid, signal.SIGUSR1)
        wait_until(server.log_path.exists, 5, "the log to be opened anew")
    for thread in crowd:
        thread.join()
    assert server.ask("reopen", "--wait").returncode == 0
    wait_until(lambda: not holders(server.dir / "log."), 3, "old logs to be let go")
    text = "".join(path.read_text() for path in server.dir.glob("log*"))
    assert text.count(" log opened anew") == 101
    assert len(re.findall(CLOSED, text)) == 4001
    split = [line for line in text.splitlines() if not LINE.match(line)]
    assert not split, split[:3]


def test_scenario_26_a_pipe_that_nobody_reads_stops_nobody(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=1, log="stderr", log_level="debug"))
    process = subprocess.Popen(
        server.words, stderr=subprocess.PIPE, preexec_fn=procs.die_with_parent
    )
    assert process.stderr is not None
    pipe = process.stderr.fileno()
    text = b""
    try:
        while b" ready workers=" not in text:
            text += os.read(pipe, 4096)
        address = ("127.0.0.1", int(re.findall(rb"address=\S+:([0-9]+)", text)[0]))
        with Client(address, 20.0) as client:
            start = time.monotonic()
            hang_up(address, 1200)  # 64 KiB fit into the pipe
            assert time.monotonic() - start < slow(10)
            assert client.fetch(1, 2, 3).items == 3
            client.wait_stat("log_dropped", 1)
            os.read(pipe, 65536)
            hang_up(address, 1)
            told = rb"(?m)^\S+ warn worker/0\S+ log dropped lines=[0-9]+"
            assert re.search(told, os.read(pipe, 65536))
        process.terminate()
        assert b"stopped exit=0" in process.stderr.read() and process.wait() == 0
    finally:
        process.kill()
        process.wait()


def test_scenario_27_a_disk_that_is_full_stops_nobody(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=1, log_level="debug")).start()
    with server.client() as client:
        address = client.sock.getpeername()
        pids = [server.pid, *procs.children(server.pid)]
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        full = server.log_path.stat().st_size + 30  # the next line is cut
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, hard))
        hang_up(address, 50)
        os.kill(server.pid, signal.SIGUSR1)  # the master has something to say, too
        assert client.fetch(1, 2, 3).items == 3
        client.wait_stat("log_dropped", 40)
        assert server.log_path.stat().st_size <= full
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        hang_up(address, 1)
        wait_until(lambda: "log dropped lines=" in server.log(), 3, "the count")
        torn = [line for line in server.log().splitlines() if not LINE.match(line)]
        assert len(torn) <= 1, torn  # and what follows is whole
        assert procs.children(server.pid) == pids[1:]


def test_what_a_client_sends_cannot_forge_a_line(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=1, log_level="debug"))
    with server.client() as client:
        client.send(b"fetch x\x1b[31m\x00\x7f 1\nGET / HTTP/1.1\x1b\r\n\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        client.rest()
    assert all(LINE.match(line) for line in server.log_lines())
    assert "\x1b" not in server.log()
