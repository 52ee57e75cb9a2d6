"""test_scenarios_upgrade.py - SIGUSR2: another program in the same process."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from harness import procs
from harness.fetchd import shop
from harness.load import Load, reference
from harness.mariadb import MariaDB
from harness.scenario import Scenario
from harness.wait import BINARY, wait_until
from harness.wire import Client

Start = Callable[..., Scenario]

TOOK_OVER = r"took over version=\S+ "
UPGRADED = r"upgraded version=\S+ generation="


def limits(pid: int) -> list[tuple[int, int]]:
    """Every resource limit of a process."""
    return [resource.prlimit(pid, which) for which in range(16)]


def test_scenario_21_twenty_upgrades_under_load_fail_no_request(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(
        shop(shop_db.socket, workers=2), args=["--workers", "3"]
    )
    server.workers = 3  # the arguments are those of the first start
    pid, fds = server.master_pid, procs.fd_count(server.master_pid)
    before = limits(pid)
    pooled, served = server.client(), server.client().stats()["items"]
    with Load(server, reference(server, 200), connections=8, pause_s=0.002) as load:
        wait_until(load.all_items_after(0, 50), 5)
        for _ in range(20):
            server.upgrade()
            assert pooled.fetch(1).items == 1
        wait_until(load.all_items_after(time.monotonic(), 50), 5)
    assert load.counts()["ok"] == len(load.outcomes), load.counts()
    assert {short for o in load.outcomes for short in o.shorts} == {"ITEM"}
    assert len(server.log_lines(TOOK_OVER)) == 20
    server.wait_workers(3)
    wait_until(lambda: procs.fd_count(pid) == fds, 5, "no descriptor more")
    assert limits(pid) == before
    assert not server.log_lines("counters begin at 0")
    assert pooled.stats()["items"] > served + 20  # the figures were kept


@pytest.fixture
def own_binary(tmp_path: Path) -> Path:
    """A copy of the program that may be replaced."""
    path = tmp_path / "fetchd"
    shutil.copy(BINARY, path)
    return path


def replace(path: Path, content: Any) -> None:
    """As a package manager does it: the running program keeps its file."""
    aside = path.with_suffix(".new")
    if isinstance(content, bytes):
        aside.write_bytes(content)
    else:
        shutil.copy(content, aside)
    aside.chmod(0o755)
    aside.rename(path)


def test_scenario_22_a_program_that_cannot_take_over_is_refused_without_harm(
    shop_db: MariaDB, start_scenario: Start, own_binary: Path
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2), binary=str(own_binary))
    pids, client = server.wait_workers(2), server.client()
    server.allowed_errors.append("upgrade refused")
    for content, reason in (
        ("/bin/false", "the check of .* failed: it said nothing"),
        ("/bin/true", "is no fetchd that could take over"),
        (b"this is no program\n", "Exec format error"),
        (b"", "Exec format error"),
    ):
        replace(own_binary, content)
        server.upgrade(f"upgrade refused: .*{reason}")
        assert client.fetch(1).items == 1
    own_binary.unlink()
    server.upgrade("upgrade refused: .*No such file")
    good = server.config.text()
    replace(own_binary, BINARY)
    server.rewrite(good.replace("= 2\n", '= "many"\n'))
    server.upgrade("upgrade refused: .*workers: expected a number")
    assert server.worker_pids() == pids and client.fetch(1).items == 1
    server.rewrite(good)
    server.upgrade()
    assert client.fetch(1).items == 1 and not set(server.wait_workers(2)) & set(pids)


def test_a_program_that_hangs_when_it_is_checked_is_given_up(
    shop_db: MariaDB, start_scenario: Start, own_binary: Path
) -> None:
    server = start_scenario(
        shop(shop_db.socket, workers=1, start_timeout="1s"), binary=str(own_binary)
    )
    replace(own_binary, b"#!/bin/sh\nexec sleep 60\n")
    server.allowed_errors.append("upgrade refused")
    server.upgrade("upgrade refused")
    assert server.client().fetch(1).items == 1


def test_new_workers_that_cannot_serve_leave_the_old_ones_alone(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    pids, client = server.wait_workers(2), server.client()
    server.config.sources["lost"] = {"database": "main", "table": "no_such_table"}
    server.rewrite()
    server.allowed_errors.append("the new workers cannot serve")
    server.upgrade("the new workers cannot serve .*no_such_table.*the old ones go on")
    assert server.wait_workers(2) == pids and client.fetch(1).items == 1
    del server.config.sources["lost"]
    server.rewrite()
    server.reload()
    assert client.fetch(1).items == 1 and not set(server.wait_workers(2)) & set(pids)


def test_workers_that_die_while_the_program_changes_are_replaced(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=4))
    server.mature()
    for pid in server.worker_pids()[:2]:
        server.kill_worker(pid)
    server.signal(signal.SIGUSR2)
    server.wait_log(UPGRADED)
    server.wait_workers(4)
    assert server.client().fetch(1).items == 1


def test_what_somebody_puts_into_the_environment_is_not_believed(
    shop_db: MariaDB, start_scenario: Start, tmp_path: Path
) -> None:
    fake = tmp_path / "carried"
    fake.write_text("fetchd 1\npid 1\n")
    fd = os.open(fake, os.O_RDONLY)
    os.set_inheritable(fd, True)
    server = start_scenario(
        shop(shop_db.socket, workers=1), env={"FETCHD_CARRIED": str(fd)}
    )
    os.close(fd)
    assert not server.log_lines(TOOK_OVER)
    with Client(server.address) as client:
        assert client.fetch(1).items == 1
    answer = subprocess.run(
        [BINARY, "-t", "-c", str(server.dir / "fetchd.conf")],
        env={**os.environ, "FETCHD_TAKE_OVER": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 78 and "hands over in format 0" in answer.stderr


def test_an_upgrade_that_was_asked_for_says_how_it_went(
    shop_db: MariaDB, start_scenario: Start, own_binary: Path, tmp_path: Path
) -> None:
    pid_file, socket_path = tmp_path / "pid", tmp_path / "sock"
    config = shop(shop_db.socket, workers=2, pid_file=str(pid_file))
    config.top["listen"] = ["127.0.0.1:0", f"unix:{socket_path}"]
    server = start_scenario(config, binary=str(own_binary))

    def ask(word: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BINARY, "-s", word, "--wait", "--pid-file", str(pid_file)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    answer = ask("upgrade")
    assert answer.returncode == 0 and "generation 2 serves" in answer.stdout, answer
    assert server.log_lines(UPGRADED)
    assert pid_file.read_text() == f"{server.master_pid}\n"
    with Client(str(socket_path)) as client:
        assert client.fetch(1).items == 1
    server.allowed_errors.append("upgrade refused")
    replace(own_binary, "/bin/false")
    answer = ask("upgrade")
    assert answer.returncode == 1 and "it said nothing" in answer.stderr, answer
    assert ask("status").returncode == 0
    assert ask("reload").returncode == 0


def test_the_cache_is_as_warm_after_a_reload_and_an_upgrade_as_before(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    config = shop(shop_db.socket, workers=2)
    config.sources["items"]["fresh"] = "60s"
    server = start_scenario(config)
    client = server.client()
    assert client.fetch(1, 2, 3).items == 3
    server.reload()
    server.upgrade()
    before = client.stats()["statements"]
    assert client.fetch(1, 2, 3).items == 3
    stats = client.stats()
    assert stats["statements"] == before and stats["cache_hits"] >= 3
    assert not server.log_lines("begins empty")
