"""test_scenarios_daemon.py - in the background: lock, pid file, launcher, fetchd -s."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Callable

import pytest
from harness import procs
from harness.daemon import Daemon, holders
from harness.fetchd import shop
from harness.load import Load, reference
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.scenario import Scenario
from harness.wait import BINARY, wait_until
from harness.wire import Client

Make = Callable[..., Daemon]
Start = Callable[..., Scenario]
StartProxy = Callable[..., Proxy]

ALREADY_RUNNING, NOT_RUNNING, CONFIG = 69, 7, 78
# pairs of starts in scenario 31; 100 for the long form
DOUBLE_STARTS = int(os.environ.get("FETCHD_DOUBLE_STARTS", "8"))


def test_scenario_10_a_lock_that_an_orphan_holds_refuses_the_next_start(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=2)).start()
    victim = procs.children(server.pid)[0]
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: procs.state(victim) == "T", 2)
    os.kill(server.pid, signal.SIGKILL)
    os.unlink(server.pid_file)
    wait_until(lambda: holders(server.dir) == [victim], 3, "only the orphan to be left")
    done = server.launch()
    assert done.returncode == ALREADY_RUNNING and "already running" in done.stderr
    assert server.ask("status").returncode == 2
    server.allowed_errors.append("already running")
    os.kill(victim, signal.SIGCONT)
    wait_until(lambda: server.ask("status").returncode == 3, 3, "the orphan to go")
    server.start()


def test_scenario_31_of_two_starts_at_once_one_serves(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=1))
    server.allowed_errors.append("already running")
    for _ in range(DOUBLE_STARTS):
        both = [server.popen(), server.popen()]
        said = [one.communicate(timeout=30)[1] for one in both]
        assert sorted(one.returncode for one in both) == [0, ALREADY_RUNNING], said
        assert ["already running" in text for text in said] == [
            one.returncode != 0 for one in both
        ]
        assert procs.cmdline(server.pid).startswith(b"fetchd: master")
        assert len(holders(Path(f"{server.pid_file}.lock"))) == 2
        assert server.ask("stop", "--wait").returncode == 0


@pytest.mark.parametrize("content", ["dead", "foreign", "garbage", "empty", "parent"])
def test_scenario_32_a_stale_pid_file_keeps_nobody_from_starting(
    shop_db: MariaDB, make_daemon: Make, content: str
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=1))
    with subprocess.Popen(["sleep", "60"]) as foreign:
        gone = subprocess.Popen(["true"])
        gone.wait()
        text = {
            "dead": f"{gone.pid}\n",
            "foreign": f"{foreign.pid}\n",
            "garbage": "no number at all\n" * 100,
            "empty": "",
            "parent": f"{os.getpid()}\n",
        }[content]
        server.pid_file.write_text(text)
        assert server.ask("status").returncode == 1  # dead, and its pid file is left
        assert server.ask("stop").returncode == NOT_RUNNING
        server.start()
        assert procs.cmdline(server.pid).startswith(b"fetchd: master")
        assert foreign.poll() is None
        foreign.kill()


def test_scenario_32_a_pid_file_that_is_a_link_is_replaced_not_followed(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=1))
    treasure = server.dir / "treasure"
    treasure.write_text("mine")
    server.pid_file.symlink_to(treasure)
    server.start()
    assert treasure.read_text() == "mine" and not server.pid_file.is_symlink()
    assert server.pid > 1


def test_scenario_33_files_deleted_while_it_runs_are_back_soon(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=1)).start()
    pid = server.pid
    with server.client() as client:
        for name in ("pid", "pid.lock", "pid.control"):
            (server.dir / name).unlink()
        wait_until(lambda: server.log().count("was removed") == 3, 8, "three lines")
        assert server.pid == pid and client.fetch(1).items == 1
    assert server.ask("status").returncode == 0
    assert server.launch().returncode == ALREADY_RUNNING
    server.allowed_errors.append("already running")


def test_scenario_34_a_test_of_the_configuration_touches_nothing(
    shop_db: MariaDB, start_scenario: Start, tmp_path: Path
) -> None:
    pid_file, log = tmp_path / "pid", tmp_path / "log"
    config = shop(shop_db.socket, workers=2, pid_file=str(pid_file))
    server = start_scenario(config)
    log.write_text("")
    server.rewrite(log=str(log))
    before = [os.stat(f) for f in (pid_file, log, server.log_path)]
    bad = tmp_path / "bad.conf"
    bad.write_text(config.text() + "nonsense = 1\n")
    with Load(server, reference(server, 50), connections=8) as load:
        wait_until(load.all_items_after(0, 20), 5)
        for path, code in ((server.dir / "fetchd.conf", 0), (bad, CONFIG)) * 3:
            done = subprocess.run([BINARY, "-t", "-c", path], capture_output=True)
            assert done.returncode == code, done.stderr
    assert load.counts()["ok"] == len(load.outcomes)
    for old, path in zip(before, (pid_file, log, server.log_path)):
        new = os.stat(path)
        assert (new.st_ino, new.st_mtime_ns) == (old.st_ino, old.st_mtime_ns), path


def test_scenario_35_a_launcher_killed_while_it_waits_leaves_no_half_start(
    shop_db: MariaDB, make_daemon: Make, start_proxy: StartProxy
) -> None:
    road = start_proxy(shop_db)
    road.frozen = True  # workers wait for the first word of the database, a second
    server = make_daemon(shop(road.socket, workers=2))
    launcher = server.popen()
    wait_until(lambda: server.pid_file.exists(), 5, "the daemon to be on its way")
    launcher.kill()
    launcher.communicate()
    road.frozen = False
    status = server.ask("status", "--wait")
    assert status.returncode == 0 and status.stdout.startswith("serving"), status
    assert " ready workers=2" in server.log()
    with server.client() as client:
        wait_until(lambda: client.fetch(1).items == 1, 5)


def test_a_start_that_cannot_be_says_why_where_it_was_started(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    config = shop(shop_db.socket, workers=2)
    config.sources["items"]["table"] = "nosuch"
    server = make_daemon(config)
    done = server.launch()
    assert done.returncode == CONFIG and "nosuch" in done.stderr, done
    assert not server.pid_file.exists() and not holders(server.dir)
    server.allowed_errors.append("nosuch")


def test_the_commands_say_whether_it_worked(shop_db: MariaDB, make_daemon: Make) -> None:
    config = shop(shop_db.socket, workers=2)
    server = make_daemon(config).start()
    status = server.ask("status")
    assert status.returncode == 0 and "workers=2/2" in status.stdout
    assert f"pid={server.pid} " in status.stdout
    assert server.ask("reload", "--wait").returncode == 0
    good = server.conf.read_text()
    server.conf.write_text(good + "nonsense = 1\n")
    server.allowed_errors.append("nonsense")
    for words in (["reload"], ["reload", "--wait"]):
        done = server.ask(*words)
        assert done.returncode == 1 and "nonsense" in done.stderr, done
    # and a broken file keeps nobody from asking, or stopping
    server.conf.write_text(good)
    assert server.command([*server.words, "-s", "status"]).returncode == 0
    assert server.ask("dance").returncode == 64
    with server.client() as client:
        assert client.fetch(1).items == 1
    assert server.ask("stop", "--wait").returncode == 0
    assert not holders(server.dir)
    for word in ("stop", "quit", "reload", "reopen", "upgrade"):
        assert server.ask(word).returncode == NOT_RUNNING
    assert server.ask("status").returncode == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_only_root_and_its_own_user_may_command_it(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=1)).start()
    server.dir.chmod(0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    words = [*nobody, BINARY, "--pid-file", str(server.pid_file), "-s"]
    done = server.command([*words, "status"])
    assert done.returncode == 4 and "cannot look" in done.stderr, done
    (server.dir / "pid.lock").chmod(0o644)
    for mode in (0o600, 0o666):  # the file's mode, and who it is that asks
        (server.dir / "pid.control").chmod(mode)
        for word in ("stop", "status"):
            done = server.command([*words, word])
            assert done.returncode in (1, 4) and "only root" in done.stderr, done
    assert server.ask("status").returncode == 0
    assert "command refused uid=65534" in server.log()


def test_connections_that_wait_to_be_accepted_are_told(
    shop_db: MariaDB, make_daemon: Make
) -> None:
    server = make_daemon(shop(shop_db.socket, workers=1, backlog=16)).start()
    server.allowed_errors.append("accept queue full|does not respond")
    (worker,) = procs.children(server.pid)
    with server.client() as client:
        assert client.stats()["listen_queue_max"] == 16
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: procs.state(worker) == "T", 2)
        address = client.sock.getpeername()
        crowd = [Client(address, 5.0) for _ in range(10)]
        wait_until(lambda: "accept queue half full waiting=" in server.log(), 3)
        crowd += [Client(address, 5.0) for _ in range(7)]
        full = re.compile(r"accept queue full waiting=1[67] room=16")
        wait_until(lambda: full.search(server.log()), 3, "the queue to be full")
        os.kill(worker, signal.SIGCONT)
        for one in crowd:
            assert one.ask(b"ping") == b"PONG"
            one.close()
        wait_until(lambda: "accept queue calm again" in server.log(), 3)
        client.wait_stat("listen_queue", 0)


def test_a_server_without_a_pid_file_cannot_be_asked(shop_db: MariaDB) -> None:
    done = subprocess.run(
        [BINARY, "--database", "mysql://a@127.0.0.1/b", "--table", "t", "-s", "status"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == CONFIG and "--pid-file" in done.stderr
