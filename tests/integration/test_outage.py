"""test_outage.py - the database goes away, hangs, lies and comes back; workers stay."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from typing import Callable, Iterator

import pytest

from harness import strict
from harness.catalogue import ITEMS
from harness.fetchd import Fetchd, shop
from harness.load import Load, reference
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.wait import elapsed_ms, median, slow, wait_until
from harness.wire import Answer, Client

Start = Callable[..., Fetchd]
StartProxy = Callable[..., Proxy]

# beyond the deadline, what a loaded two-core machine may add
SLACK_MS = slow(60)
AWAY = {"FAIL database", "FAIL timeout"}


@contextlib.contextmanager
def the_same_workers(server: Fetchd) -> Iterator[None]:
    """Nobody may die in here."""
    before = server.worker_pids()
    yield
    assert server.worker_pids() == before
    assert not server.log_lines(r"worker slot=\S+ pid=\S+ died")


def serves_again(client: Client, key: str | int = 1) -> bool:
    """One more try."""
    return client.fetch(key).shorts == ["ITEM"]


def timed(client: Client, *keys: str | int, options: bytes = b"") -> tuple[Answer, float]:
    """An answer and how long it took, in ms, on the wire."""
    start = time.monotonic()
    answer = client.fetch(*keys, options=options)
    return answer, elapsed_ms(start)


def check_items(client: Client, seed: int, requests: int) -> None:
    """Every item is about the id that was asked."""
    rng = random.Random(seed)
    for _ in range(requests):
        ids = rng.sample(range(1, ITEMS + 1), 3)
        answer = client.fetch(*ids)
        assert answer.shorts == ["ITEM"] * 3
        for number, reply in zip(ids, answer.replies):
            item = reply.item
            assert item["id"] == str(number) and item["name"] == f"item {number}"


# --- away


def test_scenario_42_a_database_absent_at_the_start_is_served_once_it_comes(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    own_db.stop()
    server = start_fetchd(shop(own_db.socket, deadline="2s"))
    client = server.client()
    with the_same_workers(server):
        assert set(client.fetch(1, 2, "tags:x").shorts) == {"FAIL database"}
        took = []
        for _ in range(50):
            answer, ms = timed(client, 1, 2, 3)
            assert answer.shorts == ["FAIL database"] * 3
            took.append(ms)
        assert median(took) < slow(5)
        own_db.start()
        for one in server.client_per_worker().values():
            wait_until(lambda: serves_again(one), 1.0, "a fetch to work again")
        check_items(client, 1, 20)


def test_a_database_killed_and_restarted_under_load_loses_no_client(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, deadline="500ms"))
    items = reference(server, 500)
    with the_same_workers(server), Load(
        server, items, connections=8, pause_s=0.002
    ) as load:
        wait_until(load.all_items_after(0, 50), 5)
        own_db.kill9()
        down = time.monotonic()
        wait_until(lambda: any("FAIL database" in o.shorts for o in load.since(down)), 5)
        own_db.start()
        back = time.monotonic()
        wait_until(load.all_items_after(back, 50), 5)
    load.check_nothing_wrong()
    assert set(load.counts()) == {"ok"}
    assert {s for o in load.outcomes for s in o.shorts} <= {"ITEM"} | AWAY
    late = [o for o in load.since(back + slow(1.0)) if set(o.shorts) != {"ITEM"}]
    assert not late, f"still failing a second after the return: {late[0]}"
    assert max(o.took_s for o in load.outcomes) * 1000 < 500 + SLACK_MS


def test_scenario_43_ten_deaths_of_the_database_under_load_restart_no_worker(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, deadline="500ms"))
    items = reference(server, 500)
    with the_same_workers(server), Load(
        server, items, connections=4, pause_s=0.002
    ) as load:
        for _ in range(10):
            wait_until(load.all_items_after(time.monotonic(), 20), 5)
            own_db.kill9()
            own_db.start()
        wait_until(load.all_items_after(time.monotonic(), 20), 5)
    load.check_nothing_wrong()
    assert set(load.counts()) == {"ok"}


def test_a_clean_shutdown_while_idle_is_noticed_and_the_next_request_is_right(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, workers=1))
    client = server.client()
    assert serves_again(client)
    own_db.stop()
    server.wait_log(r"database name=main down")
    assert client.fetch(1).shorts == ["FAIL database"]
    own_db.start()
    wait_until(lambda: serves_again(client), 1.0)
    server.wait_log(r"database name=main connected", count=2)


def test_reconnecting_backs_off(own_db: MariaDB, start_fetchd: Start) -> None:
    server = start_fetchd(shop(own_db.socket, workers=1))
    client = server.client()
    own_db.kill9()
    client.wait_stat("db_connect_failures", 1)
    start, before = time.monotonic(), client.stats()["db_connect_failures"]
    client.wait_stat("db_connect_failures", before + 4)
    # 50, 100, 200, 400 ms, each at most a fifth shorter
    assert time.monotonic() - start >= 0.5


def test_a_server_that_is_full_is_not_stormed(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    own_db.sql(
        "SET GLOBAL max_connections=10",
        "CREATE USER plain@localhost",
        "GRANT SELECT ON shop.* TO plain@localhost",
    )
    config = shop(own_db.socket, workers=2)
    config.databases["main"]["user"] = "plain"
    crowd = [own_db.connect() for _ in range(10)]
    server = start_fetchd(config)
    client = server.client()
    start = time.monotonic()
    assert client.fetch(1).shorts == ["FAIL database"]
    client.wait_stat("db_connect_failures", 8)
    assert client.stats()["db_connect_failures"] <= 14 + 8 * (time.monotonic() - start)
    for one in crowd:
        one.close()
    wait_until(lambda: serves_again(client), 1.5)


# --- silent


def test_a_stopped_database_costs_each_request_its_deadline_and_no_more(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, deadline="100ms"))
    items = reference_slowly(server, 300)
    with the_same_workers(server), Load(
        server, items, connections=6, pause_s=0.002
    ) as load:
        wait_until(load.all_items_after(0, 30), 5)
        own_db.pause()
        down = time.monotonic()
        wait_until(lambda: time.monotonic() > down + 1.0, 2, "a second to pass")
        own_db.resume()
        back = time.monotonic()
        wait_until(load.all_items_after(back, 50), 5)
    load.check_nothing_wrong()
    assert set(load.counts()) == {"ok"}
    during = [o for o in load.since(down) if o.at < back - 0.15]
    assert {s for o in during for s in o.shorts} <= {"ITEM"} | AWAY
    assert max(o.took_s for o in load.outcomes) * 1000 < 100 + SLACK_MS


def reference_slowly(server: Fetchd, count: int) -> dict[bytes, bytes]:
    """reference() for a server with a short deadline: the first fetch may warm things up."""
    wait_until(lambda: serves_again(server.client(), count), 5)
    return reference(server, count)


@pytest.mark.parametrize("round_trip_ms", [150, 260, 700])
def test_rows_that_come_too_late_reach_nobody(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start, round_trip_ms: int
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1, deadline="100ms"))
    client = server.client()
    with the_same_workers(server):
        wait_until(lambda: serves_again(client), 5)
        road.delay_s = round_trip_ms / 2000
        for n in range(5):
            answer, ms = timed(client, *range(n * 10 + 1, n * 10 + 11))
            assert set(answer.shorts) <= AWAY
            assert ms < 100 + SLACK_MS
        road.delay_s = 0.0
        # some of the late rows are still on their way while these are asked
        for n in range(100):
            for reply in client.fetch(3000 + n, 100 + n).replies:
                if reply.status == b"ITEM":
                    assert reply.item["id"] == reply.key.decode()
                else:
                    assert reply.short in AWAY
        wait_until(lambda: serves_again(client), 2.0)
        check_items(client, round_trip_ms, 330)


def test_a_black_hole_at_connecting_is_given_up_and_tried_again(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start
) -> None:
    road = start_proxy(shop_db)
    road.hold = True
    server = start_fetchd(shop(road.socket, deadline="200ms"))
    client = server.client()
    with the_same_workers(server):
        for _ in range(20):
            answer, ms = timed(client, 1, 2)
            assert set(answer.shorts) <= AWAY
            assert ms < 200 + SLACK_MS
        server.wait_log(r"database name=main down")
        road.hold = False
        wait_until(lambda: serves_again(client), 2.5)


def test_a_connection_frozen_in_use_is_given_up(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1, deadline="100ms"))
    client = server.client()
    wait_until(lambda: serves_again(client), 5)
    with the_same_workers(server):
        road.frozen = road.hold = True
        for _ in range(10):
            answer, ms = timed(client, 1, 2)
            assert set(answer.shorts) <= AWAY
            assert ms < 100 + SLACK_MS
        client.wait_stat("db_disconnects", 1)
        road.frozen = road.hold = False
        wait_until(lambda: serves_again(client), 2.5)


# --- cut


@pytest.mark.parametrize("tcp", [False, True])
def test_a_connection_reset_anywhere_in_an_answer_harms_only_that_answer(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start, tcp: bool
) -> None:
    road = start_proxy(shop_db, tcp)
    config = shop(road.socket, workers=1, deadline="5s")
    if tcp:
        del config.databases["main"]["socket"]
        config.databases["main"].update(host="127.0.0.1", port=road.port)
    server = start_fetchd(config)
    client = server.client()
    rows = strict.mariadb_objects(shop_db, "shop", "items", "id", ("tags",))
    with the_same_workers(server):
        wait_until(lambda: serves_again(client), 5)
        for n in [*range(0, 120, 7), *range(120, 4000, 211)]:
            road.cut_after = n
            answer = client.fetch(*range(n + 1, n + 11))
            for reply in answer.replies:
                assert reply.short in {"ITEM", "FAIL database"}
                if reply.status == b"ITEM":
                    assert strict.same(reply.item, rows[reply.key.decode()])
            road.cut_after = -1
            wait_until(lambda: client.fetch(1, 2, 3).items == 3, 2)
        assert client.stats()["db_disconnects"] >= 10


def test_a_connection_reset_while_rows_are_taken_in_pieces_harms_only_that_answer(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start
) -> None:
    """More rows than are read in one go: between two pieces nothing is suspended."""
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1, deadline="5s"))
    client = server.client()
    with the_same_workers(server):
        wait_until(lambda: serves_again(client), 5)
        losses = client.stats()["db_disconnects"]
        for _ in range(20):
            client.fetch(*range(1, 301), options=b"maxage=0")
        assert client.stats()["db_disconnects"] == losses
        for n in range(0, 60000, 2111):
            road.cut_after = n
            for reply in client.fetch(*range(1, 301), options=b"maxage=0").replies:
                assert reply.short in {"ITEM", "MISS", "FAIL database"}
                if reply.status == b"ITEM":
                    assert reply.item["id"] == reply.key.decode()
            road.cut_after = -1
            wait_until(lambda: client.fetch(1, 2, 3).items == 3, 2)


@pytest.mark.parametrize("words", ["TERM", "TERM TERM", "HUP TERM TERM"])
def test_the_end_of_a_worker_amid_rows_is_clean(
    shop_db: MariaDB, start_fetchd: Start, words: str
) -> None:
    for pause_s in (0.0005, 0.002, 0.005):
        server = start_fetchd(shop(shop_db.socket, workers=1, deadline="5s"))
        client = server.client()
        assert client.fetch(1).items == 1
        keys = client.ask_fetch(range(1, 5001), options=b"maxage=0")
        time.sleep(pause_s)  # the rows come meanwhile, wherever that is
        for word in words.split():
            server.signal(getattr(signal, "SIG" + word))
        if words == "TERM":
            answer = client.read_answer(keys)
            assert answer.items + answer.misses == len(keys)
        server.workers = None
        assert server.wait_exit(10) == 0


def test_an_answer_in_slices_of_one_byte_is_the_same_answer(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start
) -> None:
    road = start_proxy(shop_db)
    client = start_fetchd(shop(road.socket, workers=1)).client()
    wait_until(lambda: serves_again(client), 5)
    road.slice_bytes = 1
    check_items(client, 5, 10)


def test_an_idle_connection_closed_by_wait_timeout_is_replaced(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    own_db.sql("SET GLOBAL wait_timeout=1")
    client = start_fetchd(shop(own_db.socket, workers=1)).client()
    check_items(client, 1, 2)
    for n in (1, 2):
        client.wait_stat("db_disconnects", n, timeout=10)
        assert serves_again(client)
    check_items(client, 2, 5)


GREETINGS = {
    "nothing": b"",
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "empty packet": b"\x00\x00\x00\x00",
    "error without text": b"\x03\x00\x00\x00\xff\x10\x04",
    "error 1040": b"\x17\x00\x00\x00\xff\x10\x04Too many connections",
    "one byte": b"\x01",
    "huge length": b"\xff\xff\xff\x00\x0a",
    "protocol 9": b"\x05\x00\x00\x00\x09abcd",
    "cut greeting": b"\x4a\x00\x00\x00\x0a5.5.5-10.11\x00\x01\x00\x00\x00abcdefgh\x00",
    "noise": bytes(random.Random(9).randrange(256) for _ in range(300)),
}


def test_a_server_that_greets_with_nonsense_is_only_away(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1, deadline="500ms"))
    client = server.client()
    with the_same_workers(server):
        for what, greeting in GREETINGS.items():
            wait_until(lambda: serves_again(client), 5, f"recovery before {what}")
            before = client.stats()["db_connect_failures"]
            road.greeting = greeting
            road.reset_all()
            client.wait_stat("db_connect_failures", before + 2, timeout=5)
            assert set(client.fetch(1, 2).shorts) <= AWAY
            road.greeting = None
        wait_until(lambda: serves_again(client), 5)
