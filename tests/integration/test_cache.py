"""test_cache.py - the shared cache as clients see it: where from, and how old."""

from __future__ import annotations

import signal
import time
from typing import Callable

import pytest

from harness import memcached
from harness.cached import SCHEMA, config, locked, look, make_rows, origin, set_v
from harness.fetchd import Fetchd
from harness.mariadb import MariaDB
from harness.resp import Failure, RespClient
from harness.wait import wait_until

Start = Callable[..., Fetchd]


@pytest.fixture
def rows(shop_db: MariaDB) -> MariaDB:
    """A table t of 1,000 rows that the test may change."""
    return make_rows(shop_db)


@pytest.fixture
def own_rows(own_db: MariaDB) -> MariaDB:
    """The same in a database that the test may stop."""
    return make_rows(own_db)


# --- hits


def test_what_one_worker_fetched_is_a_hit_in_every_worker(
    rows: MariaDB, start_fetchd: Start
) -> None:
    clients = list(start_fetchd(config(rows, {"workers": 3})).client_per_worker().values())
    assert origin(clients[0]) == "source"
    assert [origin(c) for c in clients] == ["cache"] * 3
    set_v(rows, 2)
    assert [look(c) for c in clients] == ["ITEM 1"] * 3, "fresh items are not asked for"
    stats = clients[0].stats()
    assert stats["statements"] == 1 and stats["cache_hits"] == 6
    assert stats["curr_items"] == 1 and stats["bytes"] > 0
    assert stats["limit_maxbytes"] > 1 << 23


@pytest.mark.parametrize("n", [2, 100, 256, 257, 1000])
def test_hits_and_misses_of_one_request_keep_their_places(
    rows: MariaDB, start_fetchd: Start, n: int
) -> None:
    client = start_fetchd(config(rows)).client()
    client.fetch(*range(1, n, 3))
    before = client.stats()["statement_ids"]
    for _ in range(2):
        answer = client.fetch(*range(1, n + 1))
        assert [r.item["id"] for r in answer.replies] == [str(i) for i in range(1, n + 1)]
    assert client.stats()["statement_ids"] - before == n - len(range(1, n, 3))


def test_large_items_are_hits_as_well(rows: MariaDB, start_fetchd: Start) -> None:
    """More than one look holds: the rest is looked up in the next."""
    rows.sql(
        f"CREATE TABLE {SCHEMA}.large (id INT PRIMARY KEY, v LONGTEXT)",
        f"INSERT INTO {SCHEMA}.large SELECT seq, REPEAT('x', 300000) FROM seq_1_to_30",
    )
    client = start_fetchd(config(rows, table="large", cache={"size": "64M"})).client()
    first = client.fetch(*range(1, 31), "none")
    before = client.stats()["statement_ids"]
    assert client.fetch(*range(1, 31), "none").replies == first.replies
    assert client.stats()["statement_ids"] == before


def test_every_dialect_and_layout_shows_the_same_item_from_the_cache(
    rows: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(config(rows))
    client, redis = server.client(), RespClient(server.address)
    cold = client.fetch(1, 2, 5000).replies
    assert client.fetch(1, 2, 5000).replies == cold
    for layout in (b"array", b"map", b"columns"):
        first = client.ask(b"fetch as=%s maxage=0 1 5000" % layout), client.line()
        again = client.ask(b"fetch as=%s 1 5000" % layout), client.line()
        assert first[0] == again[0] and again[1].endswith(b"status=IM")
    assert client.fetch(1, options=b"fields=v").replies[0].rest == b'{"v":1}'
    item = cold[0].rest
    assert memcached.talk(server.address, b"get 1 5000\r\n") == (
        b"VALUE 1 0 %d\r\n%s\r\nEND\r\n" % (len(item), item)
    )
    assert redis.call("MGET", 1, 5000, 2) == [item, None, cold[1].rest]
    assert redis.call("HGET", 1, "v") == b"1"
    assert redis.call("DBSIZE") == 3
    assert client.stats()["statements"] == 4


@pytest.fixture
def odd_rows(shop_db: MariaDB) -> MariaDB:
    """A table `odd` of names and values that a careless projection bends."""
    make_rows(shop_db)
    shop_db.sql(
        f'CREATE TABLE {SCHEMA}.odd (id INT PRIMARY KEY, a INT, `a.b` INT, `q"q` TEXT,'
        " n BIGINT UNSIGNED, nothing TEXT, attrs JSON, body LONGTEXT, z INT)",
        f"INSERT INTO {SCHEMA}.odd SELECT seq, seq * 3, IF(seq % 2, NULL, seq),"
        """ '"},{:"', 18446744073709551615, NULL,"""
        """ JSON_OBJECT('color', '"}d,', 'in', JSON_OBJECT('x', JSON_ARRAY(1, seq))),"""
        """ REPEAT('"', seq * seq * 10), -seq FROM seq_1_to_80""",
    )
    return shop_db


@pytest.mark.parametrize(
    "fields", [b"z,id", b"id,n,z", b"attrs.in.x,nothing,a.b", b"body,z", b'a,attrs.no,q"q']
)
def test_fields_of_a_hit_are_the_same_bytes_as_from_the_source(
    odd_rows: MariaDB, start_fetchd: Start, fields: bytes
) -> None:
    """Some of the items are longer than 64 KiB; some of the last request are hits."""
    ids = [1, 2, 80, 3, 2, 999, 40]
    keys = b" ".join(b"%d" % i for i in ids)
    server = start_fetchd(config(odd_rows, table="odd", cache={"size": "64M"}))
    client, redis = server.client(), RespClient(server.address)
    names = fields.decode().split(",")
    for layout in (b"array", b"map", b"columns"):
        ask = b"as=%s fields=%s %s" % (layout, fields, keys)
        first = client.ask(b"fetch maxage=0 " + ask), client.line()
        before = client.stats()["statements"]
        again = client.ask(b"fetch " + ask), client.line()
        assert first[0] == again[0] and again[1].endswith(b"status=IIIIIMI")
        assert client.stats()["statements"] == before
    options = b"fields=" + fields
    lines = client.fetch(*ids, options=b"maxage=0 " + options).replies
    assert client.fetch(*ids, options=options).replies == lines
    hashes = [redis.call("HMGET", i, *names) for i in ids]
    assert client.ask(b"invalidate 1 80 2") == b"INVALIDATED 3"
    assert client.fetch(*ids, options=options).replies == lines
    client.ask(b"invalidate " + keys)
    assert [redis.call("HMGET", i, *names) for i in ids] == hashes


def test_a_cache_of_size_0_and_a_source_of_fresh_0_ask_each_time(
    rows: MariaDB, start_fetchd: Start
) -> None:
    for more in ({"cache": {"size": "0"}}, {"fresh": "0"}):
        client = start_fetchd(config(rows, **more)).client()
        assert look(client) == "ITEM 1" and look(client) == "ITEM 1"
        assert client.stats()["statements"] == 2
        assert client.ask(b"invalidate 1") == b"INVALIDATED 0"


def test_a_reload_keeps_what_is_cached(rows: MariaDB, start_fetchd: Start) -> None:
    server = start_fetchd(config(rows, {"workers": 2}))
    old = server.worker_pids()
    assert look(server.client()) == "ITEM 1"
    set_v(rows, 2)
    server.signal(signal.SIGHUP)
    wait_until(lambda: not set(old) & set(server.worker_pids()), 15, "new workers")
    assert look(server.client()) == "ITEM 1"


# --- how old


def test_after_fresh_the_source_is_asked_again(rows: MariaDB, start_fetchd: Start) -> None:
    client = start_fetchd(config(rows, fresh="300ms")).client()
    since = time.monotonic()
    assert look(client) == "ITEM 1"
    set_v(rows, 2)
    wait_until(lambda: look(client) == "ITEM 2", 5, "the new row")
    assert 0.29 < time.monotonic() - since


def test_maxage_lowers_the_bound_and_never_raises_it(
    rows: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(config(rows, fresh="2s")).client()
    assert look(client) == "ITEM 1"
    set_v(rows, 2)
    assert look(client, options=b"maxage=1900") == "ITEM 1"
    time.sleep(0.05)
    assert look(client, options=b"maxage=20") == "ITEM 2"
    set_v(rows, 3)
    assert look(client) == "ITEM 2", "what maxage fetched is cached as well"
    assert look(client, options=b"maxage=0") == "ITEM 3"
    assert look(client) == "ITEM 3"
    set_v(rows, 4)
    wait_until(lambda: look(client, options=b"maxage=60000") == "ITEM 4", 5)


def test_jitter_spreads_the_end_of_what_came_together(
    rows: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(config(rows, fresh="2s", jitter=50)).client()
    client.fetch(*range(1, 101))
    client.fetch(*range(1, 101))
    assert client.stats()["cache_hits"] == 100, "none expires in the first half"
    time.sleep(1.5)
    client.fetch(*range(1, 101))
    assert 10 < client.stats()["cache_hits"] - 100 < 90


def test_absence_is_known_for_as_long_as_negative_says(
    rows: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(config(rows, negative="400ms")).client()
    since = time.monotonic()
    assert look(client, 5001) == "MISS" and look(client, 5001) == "MISS"
    assert client.stats()["statements"] == 1
    rows.sql(f"INSERT INTO {SCHEMA}.t VALUES (5001, 7)")
    wait_until(lambda: look(client, 5001) == "ITEM 7", 5)
    assert 0.39 < time.monotonic() - since
    rows.sql(f"DELETE FROM {SCHEMA}.t WHERE id=5001")
    assert look(client, 5001, b"maxage=0") == "MISS"
    assert look(client, 5001) == "MISS", "the item that was cached is gone with it"


def test_negative_0_asks_for_what_is_not_there_each_time(
    rows: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(config(rows, negative="0")).client()
    assert [look(client, 5002) for _ in range(3)] == ["MISS"] * 3
    assert client.stats()["statements"] == 3


# --- stale


def test_stale_is_served_at_once_with_its_age_and_fetched_anew_once(
    rows: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(config(rows, {"workers": 3}, fresh="200ms", stale="60s"))
    clients = list(server.client_per_worker().values())
    assert look(clients[0]) == "ITEM 1"
    set_v(rows, 2)
    time.sleep(0.25)
    with locked(rows):
        for client in clients * 5:
            reply = client.fetch(1).replies[0]
            assert reply.status == b"STALE" and reply.item["v"] == "1"
            assert 200 < reply.age_ms < 20_000
        assert clients[0].stats()["statements"] == 2, "one refresh for all of them"
        assert memcached.talk(server.address, b"get 1\r\n").startswith(b"VALUE 1 0 ")
        assert RespClient(server.address).call("GET", 1) == b'{"id":1,"v":1}'
        answer = clients[0].ask(b"fetch as=array 1"), clients[0].line()
        assert answer[1].startswith(b"DONE 1 0 0 ") and answer[1].endswith(b"status=S")
        assert origin(clients[0]) == "stale"
    wait_until(lambda: clients[1].fetch(1).replies[0].item["v"] == "2", 5)
    stats = clients[0].stats()
    assert stats["cache_stale"] >= 15 and stats["stale"] >= 15
    assert stats["cache_oldest_ms"] >= 200


def test_maxage_binds_stale_too(rows: MariaDB, start_fetchd: Start) -> None:
    client = start_fetchd(config(rows, fresh="100ms", stale="60s")).client()
    assert look(client) == "ITEM 1"
    set_v(rows, 2)
    time.sleep(0.3)
    assert look(client, options=b"maxage=200") == "ITEM 2"


def test_old_items_are_shown_when_the_source_fails(
    own_rows: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(config(own_rows, fresh="100ms", stale_if_error="60s"))
    client = server.client()
    server.allowed_errors.append("database")
    assert look(client, 1) == "ITEM 1" and look(client, 2) == "ITEM 1"
    own_rows.kill9()
    time.sleep(0.2)
    wait_until(lambda: look(client, 3) == "FAIL database", 5, "the loss to be noticed")
    reply = client.fetch(1).replies[0]
    assert reply.status == b"STALE" and reply.age_ms > 100
    assert look(client, 1, b"maxage=20") == "FAIL stale"
    assert look(client, 1, b"maxage=0") == "FAIL stale"
    assert look(client, 1, b"maxage=60000") == "STALE 1"
    assert memcached.talk(server.address, b"get 1 3\r\n").startswith(b"VALUE 1 0 14\r\n")
    got = RespClient(server.address).call("MGET", 2, 3)
    assert got[0] == b'{"id":2,"v":1}' and isinstance(got[1], Failure)
    stats = client.stats()
    assert stats["cache_rescues"] >= 3 and stats["fail_stale"] == 2


def test_old_items_are_shown_at_the_deadline(rows: MariaDB, start_fetchd: Start) -> None:
    client = start_fetchd(config(rows, fresh="50ms", stale_if_error="60s")).client()
    assert look(client) == "ITEM 1"
    time.sleep(0.1)
    with locked(rows):
        assert look(client, 1, b"deadline=100") == "STALE 1"
        assert look(client, 2, b"deadline=100") == "FAIL timeout"


def test_hits_are_served_while_the_database_is_down_and_the_queue_full(
    own_rows: MariaDB, start_fetchd: Start
) -> None:
    made = config(own_rows)
    made.limits["queue"] = 1
    server = start_fetchd(made)
    client, other = server.client(), server.client()
    assert look(client) == "ITEM 1"
    own_rows.pause()
    try:
        other.ask_fetch([b"2"])
        wait_until(lambda: client.stats()["inflight_statements"] == 1, 5)
        other.ask_fetch([b"3"])
        wait_until(lambda: client.stats()["queued_ids"] == 1, 5)
        assert look(client, 4) == "FAIL overload"
        assert look(client) == "ITEM 1"
    finally:
        own_rows.resume()
    own_rows.kill9()
    wait_until(lambda: look(client, 4) == "FAIL database", 5)
    assert look(client) == "ITEM 1"
    server.allowed_errors.append("database")


def test_without_a_policy_nothing_old_is_ever_shown(
    own_rows: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(config(own_rows, fresh="100ms"))
    client = server.client()
    server.allowed_errors.append("database")
    assert look(client) == "ITEM 1"
    own_rows.kill9()
    time.sleep(0.15)
    assert look(client) == "FAIL database"
