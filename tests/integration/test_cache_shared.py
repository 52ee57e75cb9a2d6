"""test_cache_shared.py - one fetch for all workers, and forgetting in all of them."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from typing import Any, Callable

import pytest

from harness.cached import SCHEMA, config, locked, look, make_rows, origin, set_v
from harness.fetchd import Config, Fetchd
from harness.mariadb import MariaDB
from harness.resp import Failure, RespClient
from harness.wait import slow, wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]


@pytest.fixture
def rows(shop_db: MariaDB) -> MariaDB:
    """A table t of 1,000 rows that the test may change."""
    return make_rows(shop_db)


# --- one fetch for all


def test_a_cold_hot_key_is_asked_for_once(rows: MariaDB, start_fetchd: Start) -> None:
    server = start_fetchd(config(rows, {"workers": 8}))
    clients = [server.client() for _ in range(200)]
    assert len({server.worker_of(c) for c in clients[:60]}) > 1
    watcher = server.client()
    with locked(rows):
        for client in clients:
            client.send(b"fetch deadline=5000 1\r\n")
        time.sleep(0.5)  # so slow is the statement: five times what an owner may be silent
        assert watcher.stats()["inflight_statements"] == 1
    for client in clients:
        assert client.read_answer([b"1"]).items == 1
    stats = watcher.stats()
    assert stats["statements"] == 1 and stats["statement_ids"] == 1
    assert stats["lease_waits"] + stats["coalesced"] == 199
    assert stats["lease_waits"] >= 1 and stats["lease_takeovers"] == 0


def waiters(server: Fetchd) -> tuple[int, list[Client]]:
    """One worker asks for row 1 and gets stuck; the others wait for it."""
    spread = server.client_per_worker()
    owner, *others = list(spread)
    watcher = server.client()
    while server.worker_of(watcher) == owner:
        watcher = server.client()
    spread[owner].ask_fetch([b"1"])
    wait_until(lambda: watcher.stats()["inflight_statements"] == 1, 5)
    for pid in others:
        spread[pid].ask_fetch([b"1"])
    wait_until(lambda: watcher.stats()["lease_waits"] == len(others), 5)
    return owner, [spread[pid] for pid in others]


def _take_over(server: Fetchd, db: MariaDB, how: signal.Signals) -> float:
    """How long the others waited from the blow to their answers."""
    with locked(db):
        owner, others = waiters(server)
        time.sleep(0.3)  # longer than any owner may be silent
        os.kill(owner, how)
        since = time.monotonic()
    for client in others:
        assert client.read_answer([b"1"]).items == 1
    took = time.monotonic() - since
    try:
        stats = others[0].stats()
        assert stats["lease_takeovers"] == 1
        if how == signal.SIGSTOP:
            assert stats["statements"] == 2, "the owner's and one more"
    finally:
        if how == signal.SIGSTOP:
            os.kill(owner, signal.SIGCONT)
    return took


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_when_the_owner_stops_or_dies_one_successor_asks_at_once(
    rows: MariaDB, start_fetchd: Start, how: signal.Signals
) -> None:
    times = []
    while len(times) < 4 and not any(took < slow(0.15) for took in times):
        times.append(_take_over(start_fetchd(config(rows, {"workers": 4})), rows, how))
    assert min(times) < slow(0.15), times


def test_waiters_keep_their_own_deadlines(rows: MariaDB, start_fetchd: Start) -> None:
    server = start_fetchd(config(rows, {"workers": 2}))
    spread = list(server.client_per_worker().values())
    with locked(rows):
        spread[0].ask_fetch([b"1"])
        wait_until(lambda: spread[1].stats()["inflight_statements"] == 1, 5)
        since = time.monotonic()
        assert look(spread[1], options=b"deadline=60") == "FAIL timeout"
        assert time.monotonic() - since < slow(0.5)
    assert spread[0].read_answer([b"1"]).items == 1


def test_what_another_worker_fetched_says_so(rows: MariaDB, start_fetchd: Start) -> None:
    server = start_fetchd(config(rows, {"workers": 2}))
    spread = list(server.client_per_worker().values())
    with locked(rows):
        spread[0].ask_fetch([b"1"])
        wait_until(lambda: spread[1].stats()["inflight_statements"] == 1, 5)
        spread[1].send(b"fetch trace=1 1\r\n")
        time.sleep(0.02)
    assert spread[1].line().startswith(b"ITEM 1 ")
    assert b"from=lease" in spread[1].line()
    assert spread[0].read_answer([b"1"]).items == 1


# --- forgetting

INVALIDATIONS = {
    "native": (b"invalidate 1 2\r\n", rb"INVALIDATED 1\r\n"),
    "tagged": (b"#a invalidate t:1\r\n", rb"#a INVALIDATED 1\r\n"),
    "delete": (b"delete 1\r\n", rb"DELETED\r\n"),
    "md": (b"md 1\r\n", rb"HD\r\n"),
    "md base64": (b"md MQ== b\r\n", rb"HD\r\n"),
    "flush_all": (b"flush_all\r\n", rb"OK\r\n"),
    "DEL": (b"*3\r\n$3\r\nDEL\r\n$1\r\n1\r\n$1\r\n2\r\n", rb":1\r\n"),
    "UNLINK": (b"UNLINK 1\r\n", rb":1\r\n"),
}


@pytest.fixture(scope="module")
def forgetful(
    shop_db: MariaDB, keep_fetchd: Callable[[Config], Any]
) -> Any:
    """Three workers over a table of their own."""
    make_rows(shop_db, "forgetful")
    made = config(shop_db, {"workers": 3})
    made.databases["main"]["schema"] = "forgetful"
    yield from keep_fetchd(made)


@pytest.mark.parametrize("how", INVALIDATIONS)
def test_what_was_forgotten_is_shown_by_no_worker(
    shop_db: MariaDB, forgetful: Fetchd, how: str
) -> None:
    request, expected = INVALIDATIONS[how]
    clients = list(forgetful.client_per_worker().values())
    shop_db.sql("UPDATE forgetful.t SET v=1 WHERE id=1")
    clients[0].fetch(1, options=b"maxage=0")
    shop_db.sql("UPDATE forgetful.t SET v=2 WHERE id=1")
    assert {look(c) for c in clients} == {"ITEM 1"}
    with Client(forgetful.address) as other:
        other.send(request)
        said = other.sock.recv(100)
    assert re.fullmatch(expected, said), said
    assert {look(c) for c in clients} == {"ITEM 2"}


def test_a_fetch_under_way_is_not_joined_after_an_invalidation(
    rows: MariaDB, start_fetchd: Start, start_proxy: Callable[..., Any]
) -> None:
    """The row was read, its packet is on the way, when the row changes."""
    road = start_proxy(rows)
    made = config(rows, {"workers": 2})
    made.databases["main"]["socket"] = road.socket
    server = start_fetchd(made)
    spread = list(server.client_per_worker().values())
    road.delay_s = 0.1
    spread[0].ask_fetch([b"1"])
    wait_until(lambda: spread[1].stats()["inflight_statements"] == 1, 5)
    time.sleep(0.15)  # MariaDB has answered, fetchd has not heard
    set_v(rows, 2)
    assert spread[1].ask(b"invalidate 1") == b"INVALIDATED 0"
    for client in spread[1:]:
        client.ask_fetch([b"1"])
    for client in spread[1:]:
        assert client.read_answer([b"1"]).replies[0].item["v"] == "2"
    assert spread[0].read_answer([b"1"]).items == 1, "it asked before"
    road.delay_s = 0
    assert [look(c) for c in spread] == ["ITEM 2"] * 2


INTERLEAVINGS = int(os.environ.get("FETCHD_INTERLEAVINGS", "1000"))


@pytest.mark.timeout(60 + INTERLEAVINGS // 20)
def test_a_fill_that_began_before_an_invalidation_is_shown_by_nobody(
    rows: MariaDB, start_fetchd: Start, start_proxy: Callable[..., Any]
) -> None:
    """Rows travel for a while; the change and its invalidation come at any moment of it.
    The long form: FETCHD_INTERLEAVINGS=10000."""
    road = start_proxy(rows)
    made = config(rows, {"workers": 4})
    made.databases["main"]["socket"] = road.socket
    spread = list(start_fetchd(made).client_per_worker().values())
    road.delay_s, each = 0.001, 10
    rng = random.Random(4)
    for n in range(INTERLEAVINGS // each):
        first = 1 + n * each % 1000
        keys = [b"%d" % key for key in range(first, first + each)]
        spread[0].ask(b"invalidate " + b" ".join(keys))
        asker, teller = rng.choice(spread), rng.choice(spread)
        asker.ask_fetch(keys)
        time.sleep(rng.random() * 0.004)
        rows.sql(f"UPDATE {SCHEMA}.t SET v={n + 2} WHERE id BETWEEN {first} AND {first + 9}")
        if teller is asker:
            asker.read_answer(keys)
        assert teller.ask(b"invalidate " + b" ".join(keys)).startswith(b"INVALIDATED ")
        if teller is not asker:
            others = [c for c in spread if c is not asker]
            told = [c.ask_fetch(keys) for c in others] and [
                c.read_answer(keys) for c in others
            ]
            asker.read_answer(keys)
        else:
            told = []
        told += [c.fetch(*keys) for c in spread]
        shown = {r.item["v"] for answer in told for r in answer.replies}
        assert shown == {str(n + 2)}, f"round {n}"


@pytest.mark.parametrize("who,allowed", [("nobody", False), ("local", True), ("anyone", True)])
def test_who_may_invalidate_is_an_option(
    rows: MariaDB, start_fetchd: Start, who: str, allowed: bool
) -> None:
    server = start_fetchd(config(rows, cache={"invalidate": who}))
    client, redis = server.client(), RespClient(server.address)
    look(client)
    if allowed:
        assert client.ask(b"invalidate 1") == b"INVALIDATED 1"
        assert client.ask(b"flush_all") == b"OK"
        assert client.stats()["invalidate_denied"] == 0
        return
    text = b"invalidation is not allowed from this address"
    assert client.ask(b"invalidate 1") == b"ERROR auth " + text
    assert client.ask(b"#x invalidate 1") == b"#x ERROR auth " + text
    for line in (b"delete 1", b"md 1 q", b"flush_all"):
        assert client.ask(line) == b"CLIENT_ERROR " + text
    refused = redis.call("DEL", 1)
    assert isinstance(refused, Failure) and str(refused) == "NOPERM " + text.decode()
    assert origin(client) == "cache"
    assert client.stats()["invalidate_denied"] == 6


def test_forgetting_other_keys_does_not_cost_hits(
    rows: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(config(rows, {"workers": 2}))
    client, other = server.client(), server.client()
    client.fetch(*range(1, 501))
    before = client.stats()
    since = time.monotonic()
    for n in range(20):
        other.send(b"".join(b"invalidate %d\r\n" % (501 + i) for i in range(50)))
        client.fetch(*range(1, 501))
        for _ in range(50):
            assert other.line().startswith(b"INVALIDATED ")
        time.sleep(max(0.0, since + (n + 1) * 0.05 - time.monotonic()))
    after = client.stats()
    asked = after["statement_ids"] - before["statement_ids"]
    assert asked < 0.02 * 20 * 500, f"{asked} ids fetched again after 1,000 invalidations"


def test_a_changed_definition_is_not_shown_in_its_old_form(
    rows: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(config(rows)).client()
    client.fetch(1, 2)
    rows.sql(f"ALTER TABLE {SCHEMA}.t ADD COLUMN w INT DEFAULT 5")
    wait_until(lambda: client.fetch(3).items == 1, 5)
    wait_until(lambda: client.fetch(1).replies[0].item.get("w") == "5", 5)
    assert client.fetch(2).replies[0].item == {"id": "2", "v": "1", "w": "5"}
