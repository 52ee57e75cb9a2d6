"""test_scenarios_supervision.py - workers die, hang, scribble and wear out."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import Callable

import pytest

from harness import procs
from harness.fetchd import run, shop
from harness.load import Load, reference
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.scenario import PLAIN_SIGNALS, Scenario, scribble
from harness.wait import SLOW, elapsed_ms, slow, wait_until
from harness.wire import Client

Start = Callable[..., Scenario]
StartProxy = Callable[..., Proxy]


def test_scenario_2_all_workers_killed_at_once_many_times(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=4))
    for _ in range(6):
        server.mature()
        old, ready = server.wait_workers(4), server.ready_count()
        start = time.monotonic()
        for pid in old:
            server.kill_worker(pid)
        client = server.client()  # waits in the queue, is not reset
        assert client.fetch(1).items == 1
        wait_until(lambda: server.ready_count() == ready + 4, 3)
        assert elapsed_ms(start) < slow(500)
        assert not set(server.wait_workers(4)) & set(old)
        assert not procs.zombies_of(server.master_pid)


def test_scenario_3_a_worker_that_dies_at_once_is_raised_ever_later(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    server.mature()
    keeper, victim = server.worker_pids()
    client = next(c for p, c in server.client_per_worker().items() if p == keeper)
    cpu, born = procs.cpu_seconds(server.master_pid), []
    for _ in range(5):
        server.kill_worker(victim)
        start, old = time.monotonic(), victim
        victim = wait_until(
            lambda gone=old: next(
                (p for p in server.worker_pids() if p not in (keeper, gone)), 0
            ),
            10,
            "a successor",
        )
        born.append(elapsed_ms(start))
        assert client.fetch(1).items == 1
    # the first was healthy and is followed at once; then 100 ms, doubled each time
    for took, expected in zip(born[1:], (100, 200, 400, 800)):
        assert 0.75 * expected < took < 1.2 * expected + slow(150), born
    assert procs.cpu_seconds(server.master_pid) - cpu < 0.1 * SLOW
    died = server.log_lines(r"worker slot=\S+ pid=\d+ died")
    assert len(died) == 5


def test_scenario_4_workers_that_die_before_the_first_is_ready_fail_the_start(
    shop_db: MariaDB, start_proxy: StartProxy, start_scenario: Start
) -> None:
    road = start_proxy(shop_db)
    road.frozen = True
    config = shop(road.socket, workers=2, pid_file="fetchd.pid", start_timeout="5s")
    config.databases["main"]["connect_timeout"] = "1m"
    server = start_scenario(config, ready=False)
    server.expected_exit = 1
    server.allowed_errors += ["workers died while they started", "worker slot="]
    start = time.monotonic()

    def over() -> bool:
        # only workers: a sanitizer's own helpers must live
        born = {int(pid) for pid in re.findall(r"pid=(\d+) started", server.log())}
        for pid in born & set(server.worker_pids()):
            procs.kill_if_alive(pid)
        return server.exited()

    wait_until(over, 5, "the master to give up")
    assert elapsed_ms(start) < slow(5000)
    assert server.log_lines("workers died while they started")
    assert not (server.dir / "fetchd.pid").exists()


def test_scenario_4_daemon_that_cannot_serve_says_why_and_leaves_nothing(
    shop_db: MariaDB,
) -> None:
    config = shop(shop_db.socket, workers=2, pid_file="fetchd.pid")
    config.sources["items"]["table"] = "no_such_table"
    answer = run("-d", config=config)
    assert answer.returncode == 78
    assert "no_such_table" in answer.stderr
    port = re.search(r"address=127\.0\.0\.1:(\d+)", answer.stderr)
    assert port is not None
    with pytest.raises(ConnectionError):
        Client(("127.0.0.1", int(port[1])))


@pytest.mark.parametrize("sig", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_scenario_5_a_crash_leaves_last_words(
    shop_db: MariaDB, start_scenario: Start, sig: signal.Signals
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=1), env=PLAIN_SIGNALS)
    victim, client = server.worker_pids()[0], server.client()
    assert client.fetch("tags:caf\u00e9", 7).items >= 1
    server.kill_worker(victim, sig)
    head = rf"worker slot=\S+ pid={victim} "
    server.wait_log(rf"{head}died signal={int(sig)}\b")
    server.wait_log(rf'{head}last request="fetch\\x20tags:caf\\xc3\\xa9" ms_ago=\d+')
    server.wait_log(rf"{head}frame=2 at=\S+\+0x[0-9a-f]+")
    server.client().wait_stat("worker_deaths", 1)


def test_scenario_6_a_stopped_worker_keeps_nobody_waiting_and_is_replaced(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=4, hang_timeout="1500ms"))
    victim = server.worker_pids()[1]
    server.allowed_errors.append(rf"pid={victim} (still )?hangs")
    os.kill(victim, signal.SIGSTOP)
    start = time.monotonic()
    wait_until(lambda: procs.state(victim) == "T", 2)
    for _ in range(200):
        asked = time.monotonic()
        assert server.client().fetch(1).items == 1
        assert elapsed_ms(asked) < slow(50)
    server.wait_log(rf"pid={victim} hangs; aborting")
    assert 1000 < elapsed_ms(start) < slow(2600)
    server.wait_log(rf"pid={victim} still hangs; killing")
    server.wait_log(rf"pid={victim} died signal=9")
    assert victim not in server.wait_workers(4)


def test_scenario_7_a_hanging_worker_is_warned_of_and_leaves_its_backtrace(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(
        shop(shop_db.socket, workers=2, hang_timeout="1500ms"), env=PLAIN_SIGNALS
    )
    victim = server.worker_pids()[0]
    server.allowed_errors.append(rf"pid={victim} hangs")
    os.kill(victim, signal.SIGSTOP)
    server.wait_log(rf"pid={victim} does not respond silent_ms=1\d\d\d\b")
    server.wait_log(rf"pid={victim} hangs; aborting")
    os.kill(victim, signal.SIGCONT)  # one that runs can tell where it was
    server.wait_log(rf"pid={victim} died signal=6")
    server.wait_log(rf"pid={victim} frame=3 at=")
    assert not server.log_lines("still hangs")


def test_scenario_8_a_master_that_was_stopped_kills_nobody(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2, hang_timeout="1500ms"))
    workers = server.worker_pids()
    for pid in [server.master_pid, *workers]:  # as a machine that sleeps
        os.kill(pid, signal.SIGSTOP)
    server.pass_time(3.0)
    for pid in [server.master_pid, *workers]:
        os.kill(pid, signal.SIGCONT)
    server.pass_time(1.6)
    os.kill(server.master_pid, signal.SIGSTOP)  # and alone
    server.pass_time(2.5)
    os.kill(server.master_pid, signal.SIGCONT)
    server.pass_time(1.2)
    assert server.worker_pids() == workers
    assert server.client().fetch(1).items == 1


def test_scenario_9_a_master_killed_under_load_takes_its_workers_along(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    config = shop(shop_db.socket, workers=4, pid_file="fetchd.pid")
    server = start_scenario(config)
    server.expected_exit = None
    workers, port = server.worker_pids(), server.port
    with Load(server, reference(server, 100), connections=8) as load:
        wait_until(load.all_items_after(0, 50), 5)
        server.signal(signal.SIGKILL)
        wait_until(lambda: not any(procs.alive(p) for p in workers), 1.5)
    load.check_nothing_wrong()
    config.top.update(listen=f"127.0.0.1:{port}", pid_file=str(server.dir / "fetchd.pid"))
    again = start_scenario(config)
    assert again.client().fetch(1).items == 1


def test_scenario_10_an_orphan_that_hangs_still_holds_the_lock(
    shop_db: MariaDB, start_scenario: Start, tmp_path: Path
) -> None:
    config = shop(shop_db.socket, workers=2)
    pid_file = tmp_path / "pid"
    config.top["pid_file"] = str(pid_file)
    first = start_scenario(config)
    first.expected_exit = None
    orphan = first.worker_pids()[0]
    os.kill(orphan, signal.SIGSTOP)
    first.signal(signal.SIGKILL)
    pid_file.unlink()
    refused = run(config=config)
    assert refused.returncode == 69, refused
    assert "lock" in refused.stderr or "already" in refused.stderr, refused.stderr
    procs.kill_if_alive(orphan)
    wait_until(lambda: not procs.alive(orphan), 2)
    assert start_scenario(config).client().fetch(1).items == 1


@pytest.mark.skipif(SLOW > 1, reason="a sanitizer's memory says nothing about ours")
def test_scenario_51_a_worker_that_grew_is_replaced_the_new_one_first(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    config = shop(shop_db.socket, workers=2, recycle_rss="40M")
    config.limits = {"line": "64M"}
    server = start_scenario(config)
    clients, big = server.client_per_worker(), server.client()
    grown = server.worker_of(big)
    big.send(b"fetch " + b"1 " * (20 << 20))  # a request of 40 MB that does not end
    server.wait_log(rf"pid={grown} is to be replaced .* rss=\d+")
    server.wait_log(rf"pid={grown} retires")
    assert server.ready_count() == 3, "the new one is ready before the grown one retires"
    big.close()
    for client in clients.values():
        assert client.fetch(1).items == 1
    assert grown not in server.wait_workers(2)


def test_workers_are_replaced_after_their_requests_one_at_a_time(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2, recycle_requests=300))
    old = server.worker_pids()
    with Load(server, reference(server, 100), connections=8, pause_s=0.003) as load:
        server.wait_log("is to be replaced requests=", 2, 15)
        wait_until(lambda: not set(old) & set(server.worker_pids()), 10)
    assert load.counts()["ok"] == len(load.outcomes), load.counts()
    replaced = server.log_lines("is to be replaced|retires")
    assert all(
        ("retires" in b) != ("retires" in a) for a, b in zip(replaced, replaced[1:])
    ) or len(replaced) >= 4
    server.rewrite(recycle_requests=0)
    server.reload()


def test_scenario_52_a_worker_that_scribbles_over_the_scoreboard_harms_nobody_else(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=3))
    server.mature()
    workers, client = server.worker_pids(), server.client()
    victim = next(p for p in workers if p != server.worker_of(client))
    scribble(server.master_pid, "fetchd-scoreboard")
    assert client.ask(b"ping") == b"PONG"
    server.kill_worker(victim)
    server.wait_log(rf"pid={victim} died signal=9")
    now = server.wait_workers(3)
    assert set(workers) - {victim} < set(now)
    server.reload()  # whoever is born finds an empty slot
    server.wait_workers(3)
    assert server.client().fetch(1).items == 1
    assert [row["state"] for row in server.client().workers()] == ["ready"] * 3


def test_scenario_45_a_killed_workers_database_connection_goes_with_it(
    own_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(own_db.socket, workers=3))
    server.mature()
    client = server.client()
    assert client.fetch(1).items == 1
    holder = server.worker_of(client)
    locker = own_db.connect("shop")
    others = len(own_db.connections())
    assert others >= 3
    with locker.cursor() as cursor:
        cursor.execute("LOCK TABLES items WRITE")
        client.ask_fetch([7])  # its statement waits for the table
        with server.client() as monitor:
            monitor.wait_stat("inflight_statements", 1)
        server.kill_worker(holder)
        wait_until(lambda: server.ready_count() == 4, 5)
        cursor.execute("UNLOCK TABLES")
    wait_until(lambda: len(own_db.connections()) == others, 1, "the connection to go")
    most = 0
    server.signal(signal.SIGHUP)
    end = "reloaded generation=2"
    while not server.log_lines(end):
        most = max(most, len(own_db.connections()))
    assert most <= others + 2, "one more at a time, and one that is just closing"
    server.wait_log(end)
    locker.close()
