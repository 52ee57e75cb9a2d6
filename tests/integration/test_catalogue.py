"""test_catalogue.py - the whole catalogue, through many connections at once."""

from __future__ import annotations

import random

from harness import strict
from harness.catalogue import ITEMS, TAG_NAMES
from harness.fetchd import Fetchd
from harness.mariadb import MariaDB
from harness.wire import Client

CONNECTIONS = 200


def test_every_row_equals_mariadb_column_by_column_over_200_connections(
    server: Fetchd, shop_db: MariaDB
) -> None:
    rows = strict.mariadb_objects(shop_db, "shop", "items", "id", ("tags",))
    assert len(rows) == ITEMS
    keys = list(rows)
    random.Random(3).shuffle(keys)
    clients = [Client(server.address) for _ in range(CONNECTIONS)]
    try:
        share = ITEMS // CONNECTIONS
        asked = [
            c.ask_fetch(keys[n * share : (n + 1) * share]) for n, c in enumerate(clients)
        ]
        seen = 0
        for client, sent in zip(clients, asked):
            for reply in client.read_answer(sent).replies:
                assert strict.same(reply.item, rows[reply.key.decode()]), reply.key
                seen += 1
        assert seen == ITEMS
    finally:
        for client in clients:
            client.close()


def test_every_row_is_the_same_when_asked_in_one_request(
    server: Fetchd, shop_db: MariaDB
) -> None:
    rows = strict.mariadb_objects(shop_db, "shop", "items", "id", ("tags",))
    with Client(server.address) as client:
        answer = client.fetch(*reversed(list(rows)))
    assert answer.items == ITEMS
    for reply in answer.replies:
        assert strict.same(reply.item, rows[reply.key.decode()]), reply.key


def test_every_row_with_a_text_key_equals_mariadb(
    server: Fetchd, shop_db: MariaDB
) -> None:
    rows = strict.mariadb_objects(shop_db, "shop", "tags", "name")
    with Client(server.address) as client:
        answer = client.fetch(*(f"tags:{name}" for name in TAG_NAMES))
    for name, reply in zip(TAG_NAMES, answer.replies):
        assert strict.same(reply.item, rows[name])


def test_a_healthy_connection_is_never_given_up(server: Fetchd) -> None:
    with Client(server.address) as client:
        before = client.stats()
        for n in range(1, ITEMS - 200, 37):
            assert client.fetch(*range(n, n + 200)).items == 200
        after = client.stats()
    for name in (
        "db_disconnects",
        "db_connects",
        "discoveries",
        "statement_errors",
        "requeued",
    ):
        assert after[name] == before[name], name


def test_mixed_sources_in_one_request_keep_their_places(server: Fetchd) -> None:
    keys = [f"tags:tag-{n % 300:03d}" if n % 3 else str(n + 1) for n in range(1500)]
    with Client(server.address) as client:
        answer = client.fetch(*keys)
    for n, reply in enumerate(answer.replies):
        want = ("name", f"tag-{n % 300:03d}") if n % 3 else ("id", str(n + 1))
        assert reply.item[want[0]] == want[1]
