"""test_view_late.py - views whose parts are late, fail or go away.

Each part has a database connection of its own, so that one that hangs holds up nobody but
itself.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Callable, Iterator

import pytest

from harness import procs
from harness.crowd import percentile
from harness.fetchd import Config, Fetchd, database
from harness.locks import locked
from harness.mariadb import MariaDB
from harness.wait import SLOW, elapsed_ms, slow, wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]
SCHEMA = "late"
COUNT = 400
WHOLE = '{{"id":{0},"title":"t{0}","stock":{{"id":{0},"n":{0}}}}}'
BASE = '{{"id":{0},"title":"t{0}"}}'


@pytest.fixture(scope="module")
def shelves(shop_db: MariaDB) -> Iterator[MariaDB]:
    """Items 1 to COUNT and a stock for each."""
    shop_db.sql(
        f"CREATE DATABASE {SCHEMA}",
        f"USE {SCHEMA}",
        "CREATE TABLE base (id INT PRIMARY KEY, title VARCHAR(20))",
        "CREATE TABLE stock (id INT PRIMARY KEY, n INT)",
        f"INSERT INTO base SELECT seq, CONCAT('t', seq) FROM seq_1_to_{COUNT}",
        f"INSERT INTO stock SELECT seq, seq FROM seq_1_to_{COUNT}",
    )
    yield shop_db
    shop_db.sql(f"DROP DATABASE {SCHEMA}")


def shelf(db: MariaDB, stock_socket: str = "", **top: Any) -> Config:
    """Views over items and their stock; nothing is cached, so that parts are asked."""
    never = {"fresh": "0", "negative": "0"}
    return Config(
        databases={
            "main": database(db.socket, SCHEMA),
            "other": database(stock_socket or db.socket, SCHEMA),
        },
        sources={
            "items": {"database": "main", "table": "base", **never},
            "stock": {"database": "other", "table": "stock", **never},
        },
        views={
            "product": 'parts { base = "items"  stock = "stock" }',
            "quick": 'parts { base = "items" }\n'
            'part stock { source = "stock"  budget = "40ms" }',
            "strict": 'parts { base = "items" }\n'
            'part stock { source = "stock"  required = yes }',
        },
        top={"workers": 1, **top},
    )


@pytest.fixture(scope="module")
def views(
    shelves: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """One worker in front of them."""
    yield from keep_fetchd(shelf(shelves))


@pytest.fixture
def asker(views: Fetchd) -> Iterator[Client]:
    """A connection to it."""
    with Client(views.address) as client:
        yield client


def assert_near(ms: float, expected: float, late: float = 40.0) -> None:
    """Not before its time, and not long after; the machine may be busy with others."""
    assert expected - 0.1 <= ms <= expected + late * SLOW, (ms, expected)


def test_at_the_deadline_every_item_is_what_is_there(
    shelves: MariaDB, asker: Client
) -> None:
    keys = [f"product:{n}" for n in range(1, 101)]
    before = asker.stats()
    with locked(shelves, f"{SCHEMA}.stock"):
        start = time.monotonic()
        answer = asker.fetch(*keys, options=b"deadline=150")
        assert_near(elapsed_ms(start), 150)
    assert answer.items == 100 and answer.done.endswith(b" partial=100")
    assert [r.rest.decode() for r in answer.replies] == [
        BASE.format(n) for n in range(1, 101)
    ]
    after = asker.stats()
    assert after["view_partial"] - before["view_partial"] == 100
    assert after["view_parts_late"] - before["view_parts_late"] == 100
    assert asker.fetch(*keys).replies[99].rest.decode() == WHOLE.format(100)


def test_a_required_part_that_is_late_is_a_timeout(
    shelves: MariaDB, asker: Client
) -> None:
    with locked(shelves, f"{SCHEMA}.stock"):
        answer = asker.fetch("strict:1", "items:1", options=b"deadline=50")
    assert answer.shorts == ["FAIL timeout", "ITEM"]


def test_a_part_out_of_its_budget_holds_nobody_up(
    shelves: MariaDB, asker: Client
) -> None:
    with locked(shelves, f"{SCHEMA}.stock"):
        start = time.monotonic()
        answer = asker.fetch(*(f"quick:{n}" for n in range(1, 101)))
        assert_near(elapsed_ms(start), 40)
        assert answer.items == 100 and answer.done.endswith(b" partial=100")
        start = time.monotonic()
        asker.ask_fetch(["quick:7"], options=b"deadline=20 trace=1")
        assert asker.line().decode() == "ITEM quick:7 " + BASE.format(7)
        assert asker.line().endswith(b" missing=stock:timeout")
        assert asker.line().endswith(b" partial=1")
        assert_near(elapsed_ms(start), 20)
    answer = asker.fetch("quick:7")
    assert answer.replies[0].rest.decode() == WHOLE.format(7)


def test_one_slow_id_does_not_hold_up_the_others(shelves: MariaDB, asker: Client) -> None:
    with locked(shelves, f"{SCHEMA}.stock"):
        asker.ask_fetch(
            ["product:1", "items:2", "quick:3"], options=b"order=done deadline=120"
        )
        start = time.monotonic()
        assert asker.line().decode() == "ITEM items:2 " + BASE.format(2)
        assert asker.line().decode() == "ITEM quick:3 " + BASE.format(3)
        assert elapsed_ms(start) < 100 * SLOW
        assert asker.line().decode() == "ITEM product:1 " + BASE.format(1)
        assert asker.line().startswith(b"DONE 3 0 0 ")


def test_every_dialect_hears_at_the_deadline(
    shelves: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(shelf(shelves, deadline="60ms")).client()
    item = BASE.format(5).encode()
    with locked(shelves, f"{SCHEMA}.stock"):
        start = time.monotonic()
        client.send(b"get product:5\r\nmg product:5 v\r\n")
        assert client.line() == b"VALUE product:5 0 %d" % len(item)
        assert client.line() == item and client.line() == b"END"
        assert client.line() == b"VA %d" % len(item)
        assert client.line() == item
        assert_near(elapsed_ms(start), 60, 60)
        client.send(b"*2\r\n$3\r\nGET\r\n$9\r\nproduct:5\r\n")
        assert client.line() == b"$%d" % len(item)
        assert client.line() == item


def test_a_part_whose_database_is_away_costs_nothing(
    shelves: MariaDB, start_fetchd: Start
) -> None:
    config = shelf(shelves, stock_socket="/nowhere/mysqld.sock")
    client = start_fetchd(config).client()
    client.fetch("product:1")
    start = time.monotonic()
    client.ask_fetch(["product:1", "strict:1", "quick:1"], options=b"trace=1")
    assert client.line().decode() == "ITEM product:1 " + BASE.format(1)
    assert client.line() == b"FAIL strict:1 database"
    assert client.line().decode() == "ITEM quick:1 " + BASE.format(1)
    assert client.line().endswith(b" missing=stock:database")
    assert client.line().endswith(b" missing=stock:database")
    assert client.line().endswith(b" missing=stock:database")
    assert client.line().startswith(b"DONE 2 0 1 ")
    assert elapsed_ms(start) < slow(1000)
    assert client.stats()["view_parts_failed"] >= 2


def _latencies(client: Client, seconds: float) -> list[float]:
    """Milliseconds of fetches of ten plain items, one after the other."""
    out, end, keys = [], time.monotonic() + seconds, [f"items:{n}" for n in range(1, 11)]
    while time.monotonic() < end:
        start = time.monotonic()
        assert client.fetch(*keys).items == 10
        out.append(elapsed_ms(start))
    return out


def test_while_a_part_hangs_plain_clients_notice_nothing(
    shelves: MariaDB, views: Fetchd, asker: Client
) -> None:
    waiting = [views.client() for _ in range(20)]
    keys = [f"product:{n}" for n in range(1, 101)]

    def beside(hanging: bool) -> list[float]:
        if not hanging:
            return _latencies(asker, 0.4)
        with locked(shelves, f"{SCHEMA}.stock"):
            for client in waiting:
                client.ask_fetch(keys, options=b"deadline=10000")
            asker.wait_stat("inflight_requests", 21)
            return _latencies(asker, 0.4)

    quiet, beside_them = beside(False), beside(True)
    for client in waiting:
        assert client.read_answer([k.encode() for k in keys]).items == 100
    again = beside(False)
    assert percentile(beside_them, 0.5) < 1.5 * max(
        percentile(quiet, 0.5), percentile(again, 0.5)
    )
    assert percentile(beside_them, 0.99) < 3 * max(
        percentile(quiet, 0.99), percentile(again, 0.99), 1.0
    )


def test_clients_that_leave_take_nothing_with_them(
    shelves: MariaDB, views: Fetchd, asker: Client
) -> None:
    before = asker.stats()["abandoned"]
    with locked(shelves, f"{SCHEMA}.stock"):
        for polite in (True, False) * 5:
            client = views.client()
            client.ask_fetch([f"product:{n}" for n in range(1, 51)])
            client.ask_fetch([f"quick:{n}" for n in range(1, 51)])
            asker.wait_stat("inflight_requests", 2)
            client.close() if polite else client.reset()
        asker.wait_stat("abandoned", before + 10)
    assert asker.fetch("product:1").replies[0].rest.decode() == WHOLE.format(1)


def test_nothing_grows(shelves: MariaDB, start_fetchd: Start) -> None:
    # what a sanitizer sets aside is not growth
    little = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=1"}
    server = start_fetchd(shelf(shelves), env=little)
    client = server.client()
    keys = [f"{view}:{n}" for n in range(1, 101) for view in ("product", "quick")]
    (worker,) = server.worker_pids()

    def late(count: int) -> None:
        with locked(shelves, f"{SCHEMA}.stock"):
            for _ in range(count):
                assert client.fetch(*keys, options=b"deadline=5").failures <= 200

    def whole(count: int) -> None:
        for _ in range(count):
            assert client.fetch(*keys, "product:9999", "quick:x").items == 200

    late(20)
    whole(10)
    fds, rss = procs.fd_count(worker), procs.rss_kib(worker)
    late(60)
    whole(100)
    assert procs.fd_count(worker) == fds
    assert procs.rss_kib(worker) < rss + 2048 * SLOW


def test_a_worker_that_dies_loses_only_its_own(
    shelves: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shelf(shelves, workers=2))
    server.allowed_errors.append(r"worker slot=\S+ pid=\S+ died")
    clients = server.client_per_worker()
    victim, other = list(clients)
    with locked(shelves, f"{SCHEMA}.stock"):
        for client in clients.values():
            client.ask_fetch(["product:1"], options=b"deadline=400")
        wait_until(
            lambda: server.client().stats()["inflight_requests"] >= 3, 5, "both to wait"
        )
        os.kill(victim, signal.SIGKILL)
        assert clients[victim].rest() == b""
        answer = clients[other].read_answer([b"product:1"])
        assert answer.replies[0].rest.decode() == BASE.format(1)
    server.wait_log(r"worker slot=\S+ pid=\d+ ready", count=3)
    assert server.client().fetch("product:1").replies[0].rest.decode() == WHOLE.format(1)


# --- what is kept


def kept(db: MariaDB, **stock: Any) -> Config:
    """The same views over sources that are kept for an hour, stock as it is said."""
    config = shelf(db)
    for source in config.sources.values():
        source.update({"fresh": "1h", "jitter": 0, "negative": "1h"})
    config.sources["stock"].update(stock)
    return config


def traces(client: Client, *keys: str, options: bytes = b"") -> list[tuple[str, str]]:
    """(line, from=) of each key."""
    client.ask_fetch(list(keys), options=b"trace=1 " + options)
    lines = [client.line().decode() for _ in keys]
    origins = [client.line().decode().split(" from=")[1].split(" ")[0] for _ in keys]
    assert client.line().startswith(b"DONE ")
    return list(zip(lines, origins))


def test_parts_are_kept_each_for_itself(shelves: MariaDB, start_fetchd: Start) -> None:
    server = start_fetchd(kept(shelves))
    client = server.client()
    whole = "ITEM product:7 " + WHOLE.format(7)
    assert traces(client, "product:7") == [(whole, "source")]
    before = client.stats()["statement_ids"]
    assert traces(client, "product:7") == [(whole, "cache")]
    assert client.fetch("items:7").replies[0].rest.decode() == BASE.format(7)
    assert client.fetch(f"items:{COUNT + 1}").shorts == ["MISS"]
    assert client.stats()["statement_ids"] == before + 1
    assert client.fetch(f"product:{COUNT + 1}", "items:8").shorts == ["MISS", "ITEM"]
    # one part from the cache, the other from its source
    assert traces(client, "product:8") == [("ITEM product:8 " + WHOLE.format(8), "source")]
    assert client.ask(b"invalidate product:7") == b"INVALIDATED 1"
    assert traces(client, "product:7") == [(whole, "source")]
    assert traces(client, "product:7", options=b"maxage=0") == [(whole, "source")]
    many = client.fetch(*(f"product:{n}" for n in range(1, COUNT)))
    again = client.fetch(*(f"product:{n}" for n in range(1, COUNT)))
    assert [r.rest for r in many.replies] == [r.rest for r in again.replies]
    assert again.replies[99].rest.decode() == WHOLE.format(100)


def test_a_late_part_is_kept_for_the_next(shelves: MariaDB, start_fetchd: Start) -> None:
    client = start_fetchd(kept(shelves)).client()
    client.fetch("items:7")
    with locked(shelves, f"{SCHEMA}.stock"):
        (answer,) = traces(client, "quick:7", options=b"deadline=10000")
    assert answer == ("ITEM quick:7 " + BASE.format(7), "cache")
    wait_until(
        lambda: traces(client, "stock:7", options=b"maxage=3600000")[0][1] == "cache",
        5,
        "the late part to be kept",
    )
    assert traces(client, "quick:7") == [("ITEM quick:7 " + WHOLE.format(7), "cache")]


def test_an_old_part_is_shown_as_stale_rather_than_missed(
    shelves: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(
        kept(shelves, fresh="1ms", negative="1ms", stale_if_error="1h")
    ).client()
    assert client.fetch("product:7").items == 1
    time.sleep(0.005)  # it is not fresh any more
    with locked(shelves, f"{SCHEMA}.stock"):
        for key, ms in (("product:7", 60), ("quick:7", 40), ("strict:7", 60)):
            start = time.monotonic()
            client.ask_fetch([key], options=b"deadline=60 trace=1")
            status, shown, age, rest = client.line().decode().split(" ", 3)
            assert (status, shown, rest) == ("STALE", key, WHOLE.format(7))
            assert 5 <= int(age) < slow(5000)
            trace, done = client.line(), client.line()
            assert b" from=stale " in trace and b"missing" not in trace, trace
            assert done.startswith(b"DONE 1 0 0 ") and b"partial" not in done
            assert_near(elapsed_ms(start), ms)
        answer = client.fetch("product:7", "strict:7", options=b"deadline=30 maxage=1")
        assert answer.shorts == ["ITEM", "FAIL stale"]
        assert answer.replies[0].rest.decode() == BASE.format(7)
    assert client.fetch("product:7").shorts == ["ITEM"]


def test_a_part_may_be_shown_stale_and_fetched_behind(
    shelves: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(kept(shelves, fresh="1ms", negative="1ms", stale="1h")).client()
    assert client.fetch("product:7").items == 1
    time.sleep(0.005)  # it is not fresh any more
    before = client.stats()["cache_refreshes"]
    (answer,) = traces(client, "product:7")
    assert answer[0].startswith("STALE product:7 ") and answer[1] == "stale"
    client.wait_stat("cache_refreshes", before + 1)
