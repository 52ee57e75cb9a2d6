"""test_batching.py - many wants, few statements: counted on the road to MariaDB."""

from __future__ import annotations

import time
from collections import Counter
from typing import Callable

import pytest

from harness.fetchd import Fetchd, Value, shop
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.wait import slow, wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]
StartProxy = Callable[..., Proxy]


@pytest.fixture
def road(shop_db: MariaDB, start_proxy: StartProxy) -> Proxy:
    """The way to the catalogue."""
    return start_proxy(shop_db)


def _behind(
    road: Proxy, start_fetchd: Start, workers: int, round_trip_s: float, **loader: Value
) -> Fetchd:
    """A warm server; from now on each round trip takes its time."""
    config = shop(road.socket, workers=workers)
    config.loader = loader
    server = start_fetchd(config)
    for client in server.client_per_worker().values():
        assert client.fetch(1, "tags:tag-001", "big:1").items == 3
    road.delay_s = round_trip_s / 2
    road.forget()
    return server


def test_five_ids_take_one_round_trip(road: Proxy, start_fetchd: Start) -> None:
    client = _behind(road, start_fetchd, 1, 1.0).client()
    start = time.monotonic()
    answer = client.fetch(1, 2, 3, 4, 5)
    took = time.monotonic() - start
    assert answer.items == 5
    assert 1.0 <= took <= 1.0 + slow(0.6)
    assert len(road.fetches()) == 1


def test_ids_of_three_tables_wait_for_each_other_on_the_one_connection(
    road: Proxy, start_fetchd: Start
) -> None:
    client = _behind(road, start_fetchd, 1, 0.2).client()
    answer = client.fetch(1, "tags:tag-001", "big:1", 2, "tags:tag-002")
    assert answer.items == 5
    assert len(road.fetches()) == 3


def test_fifty_clients_at_once_need_three_statements_a_worker_at_most(
    road: Proxy, start_fetchd: Start
) -> None:
    server = _behind(road, start_fetchd, 2, 1.0)
    clients = [server.client() for _ in range(50)]
    start = time.monotonic()
    asked = [client.ask_fetch([100 + n]) for n, client in enumerate(clients)]
    for client, keys in zip(clients, asked):
        assert client.read_answer(keys).items == 1
    assert time.monotonic() - start <= 2.0 + slow(0.8)
    assert max(Counter(s.connection for s in road.fetches()).values()) <= 3


def test_one_id_wanted_by_fifty_clients_is_asked_once(
    road: Proxy, start_fetchd: Start
) -> None:
    server = _behind(road, start_fetchd, 1, 0.5)
    clients = [server.client() for _ in range(50)]
    before = clients[0].stats()
    asked = [client.ask_fetch([777]) for client in clients]
    for client, keys in zip(clients, asked):
        assert client.read_answer(keys).items == 1
    after = clients[0].stats()
    assert len(road.fetches()) == 1
    assert after["statement_ids"] - before["statement_ids"] == 1
    assert after["coalesced"] - before["coalesced"] == 49


def test_the_same_id_in_flight_is_not_asked_again_by_a_later_request(
    road: Proxy, start_fetchd: Start
) -> None:
    server = _behind(road, start_fetchd, 1, 0.4)
    first, second = server.client(), server.client()
    keys = first.ask_fetch([1, 2, 3])
    wait_until(lambda: len(road.fetches()) == 1, 2)
    more = second.ask_fetch([2, 3, 4])
    assert first.read_answer(keys).items == second.read_answer(more).items == 3
    assert len(road.fetches()) == 2
    assert road.fetches()[1].text.endswith(b"(4)")


def test_ids_that_arrive_in_flight_leave_together_in_the_next_statement(
    road: Proxy, start_fetchd: Start
) -> None:
    server = _behind(road, start_fetchd, 1, 0.4)
    first, others = server.client(), [server.client() for _ in range(10)]
    keys = first.ask_fetch([1])
    wait_until(lambda: len(road.fetches()) == 1, 2)
    asked = [other.ask_fetch([10 + n, 30 + n]) for n, other in enumerate(others)]
    assert first.read_answer(keys).items == 1
    for other, sent in zip(others, asked):
        assert other.read_answer(sent).items == 2
    assert len(road.fetches()) == 2


def _sizes(road: Proxy) -> list[int]:
    """How many ids were in each statement."""
    return [s.text[s.text.rindex(b" IN (") :].count(b",") + 1 for s in road.fetches()]


def test_a_statement_holds_at_most_128_ids(road: Proxy, start_fetchd: Start) -> None:
    client = _behind(road, start_fetchd, 1, 0.0, shared_batch=128).client()
    assert client.fetch(*range(1, 1001)).items == 1000
    sizes = _sizes(road)
    assert sum(sizes) == 1000 and max(sizes) <= 128 and len(sizes) <= 12


def test_ten_thousand_ids_do_not_make_a_single_id_wait(
    road: Proxy, start_fetchd: Start
) -> None:
    server = _behind(road, start_fetchd, 1, 0.02)
    greedy, modest = server.client(), server.client()
    keys = greedy.ask_fetch(range(10_001, 20_001))
    wait_until(lambda: len(road.fetches()) >= 2, 5)
    for n in range(1, 6):
        before = len(road.fetches())
        assert modest.fetch(n).shorts == ["ITEM"]
        assert len(road.fetches()) - before <= 4
    assert not greedy.pending(), "the big request was done too soon to prove anything"
    assert greedy.read_answer(keys).misses == 10_000


def test_who_asks_for_many_has_a_part_of_a_statement_while_others_ask_for_few(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=1))
    greedy, modest = server.client(), server.client()
    before = modest.stats()
    keys = greedy.ask_fetch(range(10_001, 20_001))
    waits = 0
    while not greedy.pending():
        assert modest.fetch(1).shorts == ["ITEM"]
        waits += 1
    greedy.read_answer(keys)
    after = modest.stats()
    spent = {name: after[name] - before[name] for name in before if isinstance(before[name], int)}
    # full ones too: before the first small request, and wherever the next one is late
    assert waits > 0 and spent["statements_shared"] > 0
    wait_until(lambda: _full(server), 5, "full statements once nobody asks for few")


def _full(server: Fetchd) -> bool:
    """Does one who is alone fill statements?"""
    client = server.client()
    before = client.stats()
    client.fetch(*range(10_001, 11_001))
    return client.stats()["statements"] - before["statements"] <= 9


def test_two_greedy_clients_share_the_statements(
    road: Proxy, start_fetchd: Start
) -> None:
    server = _behind(road, start_fetchd, 1, 0.01, shared_batch=128)
    one, two = server.client(), server.client()
    keys_one = one.ask_fetch(range(10_001, 15_001))
    wait_until(lambda: len(road.fetches()) >= 1, 5)
    keys_two = two.ask_fetch(range(20_001, 21_001))
    assert two.read_answer(keys_two).misses == 1000
    # 1,000 ids at half of each statement: 16 statements, not the 40 of the other one first
    assert len(road.fetches()) <= 25
    assert one.read_answer(keys_one).misses == 5000


def test_wants_that_nobody_waits_for_any_more_are_not_sent(
    road: Proxy, start_fetchd: Start
) -> None:
    server = _behind(road, start_fetchd, 1, 0.3)
    busy, gone = server.client(), Client(server.address)
    keys = busy.ask_fetch([1])
    wait_until(lambda: len(road.fetches()) == 1, 2)
    gone.ask_fetch(range(3000, 3100))
    wait_until(lambda: server.client().stats()["queued_ids"] >= 100, 2)
    gone.reset()
    assert busy.read_answer(keys).items == 1
    assert busy.fetch(2).items == 1
    assert not [s for s in road.fetches() if b"3050" in s.text]


def test_large_rows_cut_a_statement_by_bytes(
    road: Proxy, start_fetchd: Start, shop_db: MariaDB
) -> None:
    shop_db.sql(
        "CREATE DATABASE IF NOT EXISTS wide",
        "USE wide",
        "DROP TABLE IF EXISTS t",
        "CREATE TABLE t (id INT PRIMARY KEY, body LONGTEXT)",
        "INSERT INTO t SELECT seq, REPEAT('x', 100000) FROM seq_1_to_100",
    )
    config = shop(road.socket, workers=1)
    config.databases["main"]["schema"] = "wide"
    config.sources = {"t": {"database": "main", "table": "t"}}
    client = start_fetchd(config).client()
    assert client.fetch(*range(1, 21)).items == 20  # it learns how large they are
    road.forget()
    assert client.fetch(*range(1, 101)).items == 100
    assert len(road.fetches()) >= 5
