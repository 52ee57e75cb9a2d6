"""test_workers.py - the master and its workers: death, replacement, balance, the end."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import time
from typing import Callable

import pytest

from harness import procs
from harness.fetchd import Fetchd, shop
from harness.load import Load, reference
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.wait import SLOW, elapsed_ms, slow, wait_until
from harness.wire import Client, Closed

Start = Callable[..., Fetchd]
StartProxy = Callable[..., Proxy]

SOAK_S = float(os.environ.get("FETCHD_SOAK", "6"))
DEATH = r"worker slot=\S+ pid=\S+ died"
# a worker that was ready for 500 ms is replaced at once
MATURE_S = 0.6
# the sanitizers' own handlers would turn these signals into an exit code
PLAIN_SIGNALS = {
    "ASAN_OPTIONS": "handle_segv=0:handle_abort=0:handle_sigbus=0:detect_leaks=1"
}


def ready_count(server: Fetchd, pid: int | str = r"[0-9]+") -> int:
    """How often a worker said that it is ready."""
    return len(server.log_lines(rf"worker slot=\S+ pid={pid} ready"))


def mature(server: Fetchd) -> None:
    """Waits until the youngest worker has been ready for more than 500 ms."""
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > MATURE_S, 2, "the workers to be of age")


def kill_and_wait(server: Fetchd, victim: int, sig: int) -> float:
    """Kills a worker; the ms until its replacement was ready."""
    others = set(server.worker_pids()) - {victim}
    count, start = ready_count(server), time.monotonic()
    os.kill(victim, sig)
    wait_until(lambda: ready_count(server) > count, 5, "a replacement")
    took = elapsed_ms(start)
    now = set(server.worker_pids())
    assert others < now and victim not in now and len(now) == len(others) + 1
    return took


# --- death and replacement


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_worker_that_dies_is_logged_and_replaced_within_250_ms(
    shop_db: MariaDB, start_fetchd: Start, sig: signal.Signals
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=2), env=PLAIN_SIGNALS)
    server.allowed_errors.append(DEATH)
    mature(server)
    victim = server.worker_pids()[0]
    assert kill_and_wait(server, victim, sig) < slow(250)
    server.wait_log(rf"worker slot=\S+ pid={victim} died signal={int(sig)}\b")
    assert not procs.zombies_of(server.master_pid)
    client = server.client()
    assert client.fetch(1, 2, 3).items == 3
    client.wait_stat("worker_deaths", 1)
    assert client.stats()["workers_ready"] == 2


def test_the_dead_workers_figures_stay_in_the_totals(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=2))
    server.allowed_errors.append(DEATH)
    spread = server.client_per_worker()
    for client in spread.values():
        for _ in range(5):
            client.fetch(1, 2, 999999)
    mature(server)
    names = (
        "requests",
        "ids",
        "items",
        "misses",
        "statements",
        "statement_ids",
        "total_connections",
    )
    survivor_pid, victim = list(spread)
    survivor = spread[survivor_pid]
    before = survivor.wait_stat("requests", 10) and survivor.stats()
    kill_and_wait(server, victim, signal.SIGKILL)
    after = survivor.stats()
    assert {n: after[n] for n in names} == {n: before[n] for n in names}
    assert after["curr_connections"] < before["curr_connections"]
    assert after["worker_deaths"] == before["worker_deaths"] + 1


@pytest.mark.soak
@pytest.mark.timeout(60 + 3 * SOAK_S)
def test_scenario_1_killing_each_worker_in_turn_loses_only_what_it_held(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=4))
    server.allowed_errors.append(DEATH)
    items, monitor = reference(server, 500), None
    deaths, held, replaced, requests = 0, 0, [], 0
    with Load(server, items, connections=16, pause_s=0.004) as load:
        wait_until(load.all_items_after(0, 50), 5)
        fds, rss = procs.fd_count(server.master_pid), 0
        end, next_kill = time.monotonic() + SOAK_S, time.monotonic() + MATURE_S
        while time.monotonic() < end:
            wait_until(lambda: time.monotonic() >= next_kill, 5, "the next second")
            next_kill += 1.0
            with Client(server.address) as monitor:
                rows, stats = monitor.workers(), monitor.stats()
            assert stats["requests"] >= requests, "stats went backwards"
            requests = stats["requests"]
            victim = next(row for row in rows if row["slot"] == str(deaths % 4))
            held += int(victim["connections"]) + 1
            replaced.append(kill_and_wait(server, int(victim["pid"]), signal.SIGKILL))
            deaths += 1
            if deaths == 2:  # the first brings in the pages of what reaps
                rss = procs.rss_kib(server.master_pid)
        wait_until(load.all_items_after(time.monotonic(), 50), 5)
    load.check_nothing_wrong()
    counts = load.counts()
    assert counts["refused"] == 0 and counts["lost"] <= held, counts
    assert {s for o in load.outcomes for s in o.shorts} == {"ITEM"}
    assert max(replaced) < slow(250), replaced
    wait_until(lambda: procs.fd_count(server.master_pid) == fds, 2)
    assert procs.rss_kib(server.master_pid) - rss <= 64 * SLOW
    with Client(server.address) as monitor:
        assert monitor.stats()["worker_deaths"] == deaths >= SOAK_S - 2


def test_scenario_49_signals_to_a_worker_just_born_never_reach_the_master(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    config = shop(shop_db.socket, workers=2, respawn_min="1ms", respawn_max="2ms")
    server = start_fetchd(config)
    server.allowed_errors.append(DEATH)
    keeper = server.worker_pids()[1]
    seen = {server.worker_pids()[0]}
    os.kill(min(seen), signal.SIGTERM)
    while len(seen) < 25:
        new = wait_until(
            lambda: [p for p in server.worker_pids() if p not in seen | {keeper}], 5
        )
        for pid in new:
            procs.kill_if_alive(
                pid, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)[len(seen) % 3]
            )
            seen.add(pid)
            if not procs.state(pid) in ("", "Z"):
                procs.kill_if_alive(pid, signal.SIGTERM)
    assert not server.log_lines(r" master\S* draining")
    assert not server.exited() and keeper in server.worker_pids()
    with Client(server.address) as client:
        assert client.fetch(1).items == 1


# --- balance


def test_scenario_29_a_thousand_connections_are_shared_evenly_by_four_workers(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    server = start_fetchd(shop(shop_db.socket, workers=4))
    clients = [server.client() for _ in range(1000)]

    def shares() -> list[int]:
        counts = [int(row["connections"]) for row in clients[0].workers()]
        return counts if sum(counts) == 1000 else []

    counts = wait_until(shares, 10, "all connections to be accepted")
    assert max(counts) / min(counts) <= 1.1, counts
    for client in clients[::50]:
        assert client.fetch(1).items == 1


# --- the end


def test_term_refuses_new_connections(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1))
    client = server.client()
    assert client.fetch(1).items == 1
    road.delay_s = 0.4
    keys = client.ask_fetch([5])
    address = server.address
    server.signal(signal.SIGTERM)
    server.wait_log(r" draining")

    def refused() -> bool:
        try:
            Client(address, timeout=0.1).close()
            return False
        except socket.timeout:  # held off while the accept queue is emptied
            return False
        except ConnectionError:
            return True

    wait_until(refused, 0.35)
    assert client.read_answer(keys).items == 1
    assert server.wait_exit(5) == 0


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGTERM, signal.SIGTERM], [signal.SIGINT], [signal.SIGQUIT, signal.SIGTERM]],
)
def test_scenario_13_a_second_term_or_an_int_ends_it_now(
    shop_db: MariaDB,
    start_proxy: StartProxy,
    start_fetchd: Start,
    signals: list[signal.Signals],
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=2))
    client = server.client()
    assert client.fetch(1).items == 1
    road.frozen = True
    client.ask_fetch([5])
    client_two = server.client()
    client_two.wait_stat("inflight_requests", 2)  # stats counts itself
    start = time.monotonic()
    server.signal(signals[0])
    if len(signals) > 1:
        server.wait_log(r" draining")
        assert not server.exited()
        server.signal(signals[1])
    server.wait_exit(5)
    assert elapsed_ms(start) < slow(1500)


# --- clients that cost too much


def test_a_client_that_never_reads_is_bounded_and_closed(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    config = shop(shop_db.socket, workers=1)
    config.limits = {
        "output_soft": "64K",
        "output_hard": "4M",
        "output_timeout": "1s",
        "reply": "2M",
    }
    server = start_fetchd(config)
    good = server.client()
    assert good.fetch("big:7").items == 1
    pid = server.worker_pids()[0]
    rss = procs.rss_kib(pid)
    deaf = server.client(rcvbuf=4096)
    deaf.sock.setblocking(False)
    most, request = 0, b"fetch " + b"big:7 " * 5 + b"\n"

    def closed() -> bool:
        nonlocal most
        try:
            deaf.sock.send(request * 50)
        except BlockingIOError:
            pass
        except ConnectionError:
            return True
        start = time.monotonic()
        assert good.fetch(1, 2, 3).items == 3
        assert elapsed_ms(start) < slow(200)
        most = max(most, procs.rss_kib(pid) - rss)
        return good.stats()["output_closed"] >= 1

    wait_until(closed, 10, "the deaf client to be closed")
    good.wait_stat("output_closed", 1)
    assert most < 16 * 1024 * SLOW, f"the worker grew by {most} KiB"


def test_beyond_the_connection_limit_a_client_is_refused_politely(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    config = shop(shop_db.socket, workers=1)
    config.limits = {"connections": 20}
    server = start_fetchd(config)
    inside = [server.client() for _ in range(20)]
    for client in inside:
        assert client.ask(b"ping") == b"PONG"
    for _ in range(10):
        extra = server.client()
        start = time.monotonic()
        assert re.match(rb"ERROR [^\r\n]+\r\n$", extra.rest())
        assert elapsed_ms(start) < slow(200)
    assert inside[0].stats()["rejected_connections"] == 10
    for client in inside:
        assert client.fetch(1).items == 1
    inside.pop().close()

    def accepted() -> bool:
        try:
            return server.client().ask(b"ping") == b"PONG"
        except (Closed, ConnectionError):
            return False

    wait_until(accepted, 1)


def test_out_of_descriptors_is_a_pause_not_a_spin(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=1))
    server.allowed_errors.append(r"descriptor|accept|files")
    good = server.client()
    assert good.fetch(1).items == 1
    pid = server.worker_pids()[0]
    limit = procs.fd_count(pid) + 10
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
    crowd = [server.client() for _ in range(60)]
    start, cpu = time.monotonic(), procs.cpu_seconds(pid)
    wait_until(lambda: time.monotonic() - start > 1.0, 2, "a second to pass")
    assert procs.cpu_seconds(pid) - cpu <= 0.2 * SLOW, "the worker spins"
    assert good.fetch(1, 2).items == 2
    assert len(server.log_lines()) < 60, "one line a refusal"
    for client in crowd:
        client.close()
    since = time.monotonic()

    def accepted() -> bool:
        try:
            return server.client().ask(b"ping") == b"PONG"
        except (Closed, ConnectionError):
            return False

    wait_until(accepted, 2)
    assert elapsed_ms(since) < slow(1000)


def test_a_low_limit_of_descriptors_at_the_start_is_lived_with(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(
        shop(shop_db.socket, workers=2), wrapper=["prlimit", "--nofile=64:64"]
    )
    served = refused = 0
    for _ in range(200):
        client = server.client()
        try:
            answer = client.ask(b"ping")
            served, refused = served + (answer == b"PONG"), refused + answer.startswith(
                b"ERROR"
            )
        except (Closed, ConnectionError):
            refused += 1
    assert served >= 20 and served + refused == 200
    server.close_clients()
    wait_until(lambda: server.client().ask(b"ping") == b"PONG", 2)
