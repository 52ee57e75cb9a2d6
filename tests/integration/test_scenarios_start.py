"""test_scenarios_start.py - whatever it is started with and by whomever: foreground."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Callable, Sequence

import pytest
from harness import procs
from harness.daemon import holders
from harness.fetchd import run, shop
from harness.manager import Manager
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.scenario import Scenario
from harness.wait import median, slow, wait_until
from harness.wire import Client, Closed

Start = Callable[..., Scenario]
StartProxy = Callable[..., Proxy]
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def python(code: str, *arguments: str) -> list[str]:
    """A wrapper: runs 'code' on sys.argv[2:] first, and becomes the server."""
    start = "; import os; os.execv(args[0], args)"
    return [sys.executable, "-c", f"import sys; args = sys.argv[{len(arguments) + 1}:]; "
            + code + start, *arguments]


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(row.split(":\t", 1) for row in rows if ":\t" in row)


# --- 28: descriptors


def test_scenario_28_few_descriptors_and_many_clients(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(
        shop(shop_db.socket, workers=2), wrapper=["prlimit", "--nofile=64:64"]
    )
    inside: list[Client] = []
    refused = 0
    start, cpu = time.monotonic(), sum(map(procs.cpu_seconds, server.worker_pids()))
    lines = len(server.log_lines())
    for _ in range(200):
        client = server.client()
        try:
            answer = client.ask(b"ping")
        except (Closed, ConnectionError):
            answer = b"ERROR closed"
        if answer == b"PONG":
            inside.append(client)
        refused += answer.startswith(b"ERROR")
    assert len(inside) + refused == 200 and len(inside) >= 40
    server.pass_time(max(0.0, 1 - (time.monotonic() - start)))
    spent = sum(map(procs.cpu_seconds, server.worker_pids())) - cpu
    assert spent < 0.2 * max(1.0, time.monotonic() - start) * slow(1), "they spin"
    assert len(server.log_lines()) - lines <= 2 + 2 * (time.monotonic() - start)
    assert inside[0].fetch(1).items == 1

    def accepted() -> bool:
        try:
            return server.client().ask(b"ping") == b"PONG"
        except (Closed, ConnectionError):
            return False

    recovered = []
    for _ in range(3):  # the best of three: others are busy, too
        server.close_clients()
        start = time.monotonic()
        wait_until(accepted, 5)
        recovered.append(time.monotonic() - start)
        for _ in range(200):
            server.client()
    assert min(recovered) < slow(0.2), recovered


def test_each_worker_stays_on_a_processor_of_its_own(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    workers = len(allowed) + 1
    server = start_scenario(shop(shop_db.socket, workers=workers, cpu_affinity="on"))

    def places() -> list[int]:
        titles = [procs.cmdline(pid).decode() for pid in server.worker_pids()]
        return [int(title.split()[2].split("/")[0]) for title in titles]

    def kept() -> bool:
        own = [os.sched_getaffinity(pid) for pid in server.worker_pids()]
        return own == [{allowed[place % len(allowed)]} for place in places()]

    assert kept() and sorted(places()) == list(range(workers))
    server.mature()
    server.kill_worker(server.worker_pids()[0])  # who follows takes the same
    wait_until(lambda: server.ready_count() == workers + 1, 5, "a replacement")
    assert kept() and sorted(places()) == list(range(workers))
    assert os.sched_getaffinity(server.master_pid) == set(allowed)


def test_titles_say_who_is_who_and_what_each_does(
    shop_db: MariaDB, start_scenario: Start, start_proxy: StartProxy
) -> None:
    road = start_proxy(shop_db)
    server = start_scenario(shop(road.socket, workers=1), env={"SECRET": "hush" * 20})
    (worker,) = server.worker_pids()
    title = procs.cmdline(worker).rstrip(b"\0")
    assert title == b"fetchd: worker 0/1 gen 1"
    title = b"fetchd: master (serving: 1 of 1 workers)"
    wait_until(lambda: procs.cmdline(server.master_pid).rstrip(b"\0") == title, 2)
    client = server.client()
    assert client.fetch(1).items == 1
    road.delay_s = 2
    client.ask_fetch([2])
    road.forget()
    server.signal(signal.SIGTERM)
    wait_until(lambda: procs.cmdline(worker).rstrip(b"\0").endswith(b"(draining)"), 1.5)
    assert server.wait_exit() == 0


# --- 36, 37, 38: what a careless parent leaves


def test_scenario_36_closed_standard_descriptors_never_become_a_clients(
    shop_db: MariaDB, start_scenario: Start, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    config = shop(shop_db.socket, workers=1, log=str(log))
    shell = ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"]
    server = start_scenario(config, ready=False, wrapper=shell)
    server.log_path = log
    wait_until(lambda: log.exists() and " ready workers=" in server.log(), 15)
    client = server.client()
    assert client.fetch(1).items == 1
    for pid in (server.master_pid, *server.worker_pids()):
        names = dict(name.split("=", 1) for name in procs.fd_names(pid))
        assert {names[fd] for fd in "012"} == {"/dev/null"}, names


def test_scenario_37_inherited_descriptors_are_closed(
    shop_db: MariaDB, start_scenario: Start, tmp_path: Path
) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_text("")
    code = (
        "import os; fds = [os.open(sys.argv[1], 0) for _ in range(200)]; "
        "[os.set_inheritable(fd, True) for fd in fds]"
    )
    server = start_scenario(
        shop(shop_db.socket, workers=2), wrapper=python(code, str(treasure))
    )
    assert not holders(treasure)
    assert server.client().fetch(1).items == 1


def test_scenario_38_signals_ignored_or_blocked_at_the_start_work(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    code = (
        "import signal as s; [s.signal(n, s.SIG_IGN) for n in (s.SIGCHLD, s.SIGHUP)]; "
        "s.signal(s.SIGPIPE, s.SIG_DFL); s.pthread_sigmask(s.SIG_BLOCK, s.valid_signals())"
    )
    server = start_scenario(shop(shop_db.socket, workers=2), wrapper=python(code))
    server.mature()
    server.kill_worker(server.worker_pids()[0])
    wait_until(lambda: server.ready_count() == 3, 5, "a replacement")
    server.reload()
    assert int(status(server.wait_workers(2)[0])["SigBlk"], 16) == 0
    client = server.client()
    client.send(b"fetch " + b"1 " * 5000 + b"\n")
    client.sock.close()  # whoever writes to it is told by write(2)
    assert server.client().fetch(1).items == 1
    server.wait_workers(2)


# --- 39: rights


@root_only
def test_scenario_39_workers_are_somebody_else_for_good(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    os.chmod(shop_db.dir, 0o755)
    config = shop(shop_db.socket, workers=1, user="nobody")
    server = start_scenario(config)
    server.expected_exit = None
    assert server.client().fetch(1).items == 1
    (pid,) = server.worker_pids()
    facts = status(pid)
    assert facts["Uid"].split() == facts["Gid"].split() == ["65534"] * 4
    assert facts["Groups"].split() == ["65534"]
    assert {int(facts[f"Cap{kind}"], 16) for kind in ("Eff", "Prm", "Amb")} == {0}
    assert facts["NoNewPrivs"] == "1"
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert any(row.split()[:6] == ["Max", "core", "file", "size", "0", "0"]
               for row in limits.splitlines()), limits
    # The signal for a parent's death is set: it waits for a worker that is stopped.
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: procs.state(pid) == "T", 2)
    server.signal(signal.SIGKILL)
    term = 1 << (signal.SIGTERM - 1)
    wait_until(lambda: int(status(pid)["ShdPnd"], 16) & term, 2, "the death signal")
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not procs.alive(pid), 2)


@root_only
def test_scenario_39_root_must_be_asked_for_by_name(shop_db: MariaDB) -> None:
    config = shop(shop_db.socket).text().replace('user = "root"\n', "", 1)
    for words in ([], ["-t"], ["-d"]):
        ended = run(*words, config=config)
        assert ended.returncode == 78 and "set user" in ended.stderr


@root_only
def test_scenario_39_secrets_may_be_roots_alone(
    shop_db: MariaDB, start_scenario: Start, tmp_path: Path
) -> None:
    os.chmod(shop_db.dir, 0o755)
    secret = tmp_path / "db.cnf"
    secret.write_text("[client]\nuser = root\n")
    secret.chmod(0o600)
    config = shop(shop_db.socket, workers=1, user="nobody")
    del config.databases["main"]["user"]
    config.databases["main"]["option_file"] = str(secret)
    server = start_scenario(config)
    server.reload()
    assert server.client().fetch(1).items == 1


# --- 40: sockets that came with us


def given(kind: str, pid: str = "os.getpid()") -> list[str]:
    """A wrapper that gives the server a socket as descriptor 3, as systemd would."""
    code = (
        f"import os, socket; s = {kind}; os.dup2(s.fileno(), 3); "
        "os.set_inheritable(3, True); "
        f"os.environ.update(LISTEN_FDS='1', LISTEN_PID=str({pid}), LISTEN_FDNAMES='x')"
    )
    return python(code)


LISTENING = "socket.create_server(('127.0.0.1', 0))"


def test_scenario_40_a_listening_socket_is_served_on(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    config = shop(shop_db.socket, workers=2, listen="127.0.0.1:1")  # not looked at
    server = start_scenario(config, wrapper=given(LISTENING))
    assert len(server.addresses()) == 1 and server.client().fetch(1).items == 1
    pooled = server.client()
    server.reload()
    server.upgrade()
    server.reload()
    assert server.client().fetch(1).items == pooled.fetch(1).items == 1
    for pid in (server.master_pid, *server.wait_workers(2)):
        assert b"LISTEN_" not in procs.environ(pid)


@pytest.mark.parametrize(
    "kind, why",
    [
        ("socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "no stream socket"),
        ("socket.socketpair()[0]", "does not listen"),
        ("open('/dev/null')", "no socket"),
    ],
)
def test_scenario_40_anything_else_is_refused(
    shop_db: MariaDB, start_scenario: Start, kind: str, why: str
) -> None:
    server = start_scenario(shop(shop_db.socket), ready=False, wrapper=given(kind))
    server.expected_exit = None
    assert server.wait_exit() == 1
    assert why in server.log()
    server.allowed_errors.append(why)


def test_scenario_40_a_socket_for_another_process_is_ignored(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    config = shop(shop_db.socket, workers=1)
    server = start_scenario(config, wrapper=given(LISTENING, "os.getppid()"))
    assert not server.log_lines("service manager")
    assert server.client().fetch(1).items == 1


# --- 41: a service manager that listens


def test_scenario_41_ready_is_said_when_it_serves_and_stopping_first(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    with Manager() as manager:
        config = shop(shop_db.socket, workers=2)
        server = start_scenario(config, ready=False, env=manager.environment(600))
        manager.wait("READY=1", 15)
        assert Client(server.address, 5.0).ask(b"ping") == b"PONG"
        server.wait_log(" ready workers=")
        manager.wait(r"STATUS=serving: 2 of 2 workers")
        server.reload()
        manager.wait("READY=1", count=2)
        said = manager.said()
        begun = next(i for i, text in enumerate(said) if "RELOADING=1" in text)
        now = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
        stamp = int(said[begun].split("MONOTONIC_USEC=")[1].split()[0])
        assert now - 60e6 < stamp <= now
        assert any("READY=1" in text for text in said[begun:])
        for pid in (server.master_pid, *server.wait_workers(2)):
            assert b"NOTIFY_SOCKET" not in procs.environ(pid)
        before = len(manager.said())
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        manager.wait("STOPPING=1")
        words = [w for w in manager.said()[before:] if "WATCHDOG" not in w]
        assert words[0].strip() == "STOPPING=1", words


def test_scenario_41_the_watchdog_hears_only_from_a_master_with_a_living_worker(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    with Manager() as manager:
        config = shop(shop_db.socket, workers=2)
        server = start_scenario(config, env=manager.environment(600))
        server.allowed_errors.append("does not respond")
        manager.wait("WATCHDOG=1", 2, count=4)
        times = manager.times("WATCHDOG=1")[1:]
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert median(gaps) <= 0.3, gaps  # half of what was given
        workers = server.worker_pids()
        os.kill(workers[0], signal.SIGSTOP)
        manager.wait("WATCHDOG=1", 2, count=len(manager.times("WATCHDOG=1")) + 3)
        os.kill(workers[1], signal.SIGSTOP)
        try:
            wait_until(lambda: manager.silent_for("WATCHDOG=1") > 0.9, 5, "silence")
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        manager.wait("WATCHDOG=1", 3, count=len(manager.times("WATCHDOG=1")) + 2)
        server.signal(signal.SIGWINCH)  # with nobody to serve on purpose it is no alarm
        server.wait_workers(0)
        manager.wait("WATCHDOG=1", 3, count=len(manager.times("WATCHDOG=1")) + 5)
        assert manager.silent_for("WATCHDOG=1") < slow(0.5)
        server.reload()
        server.signal(signal.SIGSTOP)
        wait_until(lambda: manager.silent_for("WATCHDOG=1") > 0.7, 5, "silence")
        server.signal(signal.SIGCONT)


def test_a_manager_that_does_not_listen_keeps_nobody_waiting(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(b"\0fetchd-test-%d" % os.getpid())
        env = {
            "NOTIFY_SOCKET": f"@fetchd-test-{os.getpid()}",
            "WATCHDOG_USEC": "3000",  # its queue is full within the test
        }
        server = start_scenario(shop(shop_db.socket, workers=1), env=env)
        server.pass_time(0.3)
        cpu = procs.cpu_seconds(server.master_pid)
        server.pass_time(0.5)
        assert procs.cpu_seconds(server.master_pid) - cpu < 0.2 * slow(1)
        assert server.client().fetch(1).items == 1


# --- 50: Ctrl-C


def test_scenario_50_ctrl_c_is_one_clean_end(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=4))
    clients = [server.client() for _ in range(8)]
    assert all(client.fetch(1).items == 1 for client in clients)
    os.killpg(server.master_pid, signal.SIGINT)
    assert server.wait_exit(3) == 0
    assert len(server.log_lines(r" master\S+ draining")) == 1
    assert len(server.log_lines(r" stopped exit=0")) == 1
    assert not server.log_lines(r" died ")
