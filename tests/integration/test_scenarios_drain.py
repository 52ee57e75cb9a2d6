"""test_scenarios_drain.py - the end of a server: what was asked is answered, nothing is cut."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from typing import Callable

from harness.fetchd import shop
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.scenario import Scenario
from harness.wait import elapsed_ms, slow, wait_until
from harness.wire import Client, Closed, wait_read_by_server

Start = Callable[..., Scenario]
StartProxy = Callable[..., Proxy]


def test_scenario_11_term_closes_the_idle_and_answers_the_busy(
    shop_db: MariaDB, start_proxy: StartProxy, start_scenario: Start
) -> None:
    road = start_proxy(shop_db)
    server = start_scenario(shop(road.socket, workers=2))
    idle = [server.client() for _ in range(50)]
    busy = [server.client() for _ in range(10)]
    for client in idle + busy:
        assert client.fetch(1).items == 1
    road.delay_s = 0.4
    asked = [client.ask_fetch([10 + n, 20 + n]) for n, client in enumerate(busy)]
    for client in busy:
        wait_read_by_server(client)
    start = time.monotonic()
    server.signal(signal.SIGTERM)
    for client in idle:
        assert client.rest() == b""
    assert elapsed_ms(start) < slow(100) + 100
    for client, keys in zip(busy, asked):
        assert client.read_answer(keys).items == 2
        assert client.rest() == b""
    assert server.wait_exit(5) == 0


def test_scenario_12_the_deadline_of_the_drain_ends_what_takes_longer(
    shop_db: MariaDB, start_proxy: StartProxy, start_scenario: Start
) -> None:
    road = start_proxy(shop_db)
    server = start_scenario(shop(road.socket, workers=1, drain_timeout="1s"))
    client = server.client()
    assert client.fetch(1).items == 1
    road.frozen = True
    client.ask_fetch([5])
    wait_read_by_server(client)
    start = time.monotonic()
    server.signal(signal.SIGTERM)
    assert server.wait_exit(5) == 0
    assert 900 < elapsed_ms(start) < slow(1500)
    assert server.log_lines("drain: out of time, aborting requests=1 connections=1")


def test_scenario_14_nobody_is_reset_while_the_server_ends(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=4))
    address, results, threads = server.address, [], []
    stop = threading.Event()

    def knock() -> None:
        """One connection after the other until nobody answers: s(erved), r(eset), x."""
        while not stop.is_set():
            at = time.monotonic()
            try:
                with Client(address, timeout=5) as client:
                    ok = client.fetch(1).items == 1
                results.append((at, "served" if ok else "wrong"))
            except ConnectionRefusedError:
                results.append((at, "refused"))
                return
            except (ConnectionError, Closed, socket.timeout) as error:
                results.append((at, f"reset {error!r}"))

    for _ in range(8):
        threads.append(threading.Thread(target=knock, daemon=True))
        threads[-1].start()
    wait_until(lambda: len(results) > 200, 10, "some to be served")
    server.signal(signal.SIGTERM)
    server.wait_exit(5)
    wait_until(lambda: not any(t.is_alive() for t in threads), 10)
    stop.set()
    kinds = {kind for _, kind in results}
    assert kinds == {"served", "refused"}, kinds - {"served", "refused"}
    assert max(at for at, kind in results if kind == "served") < max(
        at for at, kind in results if kind == "refused"
    )


def test_nobody_is_let_in_who_would_come_too_late(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    """Between a worker's last accept and its close nobody may arrive: here it takes long."""
    server = start_scenario(shop(shop_db.socket, workers=2))
    address, waiting = server.address, []
    workers = server.worker_pids()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    for _ in range(5):
        waiting.append(server.client())
    server.signal(signal.SIGTERM)

    def held_off() -> bool:
        try:
            waiting.append(Client(address, timeout=0.2))
            return False
        except socket.timeout:
            return True

    wait_until(held_off, 3, "newcomers to be held off")
    asked = [client.ask_fetch([1 + n]) for n, client in enumerate(waiting)]
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    for client, keys in zip(waiting, asked):
        assert client.read_answer(keys).items == 1
        client.close()
    server.workers = None
    assert server.wait_exit(5) == 0


def test_who_has_only_just_come_is_answered_though_the_server_ends(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    """Connected before, asked after the drain began: within 50 ms it is no idle client."""
    answered = 0
    for _ in range(5):  # one is enough: this machine may need longer than that
        server = start_scenario(shop(shop_db.socket, workers=1))
        with server.client() as client:
            server.signal(signal.SIGTERM)
            server.wait_log(r"worker/0\S+ draining reason=")
            try:
                answered += client.fetch(1).items
            except (Closed, ConnectionError):
                pass
            server.workers = None
            assert server.wait_exit(5) == 0
        if answered:
            break
    assert answered == 1


def test_scenario_15_a_pipeline_is_answered_or_cut_between_two_answers(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    for pause_s in (0.0, 0.0002, 0.001):
        config = shop(shop_db.socket, workers=1)
        config.limits = {"pipeline": 3}  # most have arrived and are not even begun
        server = start_scenario(config)
        clients = [server.client() for _ in range(20)]
        for client in clients:
            assert client.ask(b"ping") == b"PONG"
        for n, client in enumerate(clients):
            client.send(b"".join(b"fetch big:%d\n" % (1 + (n + i) % 7) for i in range(10)))
        server.pass_time(pause_s)
        server.signal(signal.SIGTERM)
        server.workers = None  # it ends while we look
        whole = 0
        for n, client in enumerate(clients):
            for i in range(10):
                try:
                    answer = client.read_answer([b"big:%d" % (1 + (n + i) % 7)])
                except Closed:
                    break  # at the beginning of an answer: read_answer saw no byte of it
                assert answer.items == 1
                whole += 1
            assert client.rest() == b"", "cut within an answer, or reset"
        assert server.wait_exit(5) == 0
        assert whole == 20 * 10, f"{whole} of 200 answers"


def test_an_answer_that_was_sent_is_not_destroyed_by_the_end(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=1))
    client = server.client()
    client.send(b"fetch big:1\nfetch big:2\n")
    with Client(server.address) as other:
        other.wait_stat("items", 2)
        client.send(b"ping\n" * 1000)  # unread bytes would make a close a reset
        server.signal(signal.SIGTERM)
    for n in (1, 2):
        assert client.read_answer([b"big:%d" % n]).items == 1
    rest = client.rest()
    assert rest == b"PONG\r\n" * (len(rest) // 6)
    assert server.wait_exit(5) == 0
