"""test_statements.py - tables change under us, statements are killed, rows are too large."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterator

import pytest

from harness.fetchd import Config, Fetchd, database, shop
from harness.locks import locked
from harness.mariadb import MariaDB
from harness.wait import elapsed_ms, slow, wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]


@pytest.fixture
def altered(own_db: MariaDB) -> MariaDB:
    """A table of two rows to be changed under fetchd."""
    own_db.sql(
        "CREATE DATABASE alter_me",
        "USE alter_me",
        "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20))",
        "INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y')",
    )
    return own_db


def serve(db: MariaDB, start: Start, **source: Any) -> Fetchd:
    """A server in front of that table; a broken source is what these tests provoke."""
    config = Config(
        databases={"main": database(db.socket, "alter_me")},
        sources={"t": {"table": "t", **source}},
        top={"workers": 1, "deadline": "5s"},
    )
    server = start(config)
    server.allowed_errors.append(r"source name=t broken")
    return server


def item(client: Client, key: int | str = 1) -> Any:
    """The item, or the short form of what came instead."""
    reply = client.fetch(key).replies[0]
    return reply.item if reply.status == b"ITEM" else reply.short


# --- definitions that change


@pytest.mark.parametrize(
    "statement,expected",
    [
        (
            "ALTER TABLE t ADD COLUMN c INT DEFAULT 7",
            {"id": "1", "a": "10", "b": "x", "c": "7"},
        ),
        (
            "ALTER TABLE t ADD COLUMN c INT DEFAULT 7 FIRST",
            {"c": "7", "id": "1", "a": "10", "b": "x"},
        ),
        ("ALTER TABLE t DROP COLUMN a", {"id": "1", "b": "x"}),
        ("ALTER TABLE t RENAME COLUMN a TO z", {"id": "1", "z": "10", "b": "x"}),
        ("ALTER TABLE t MODIFY a VARCHAR(20)", {"id": "1", "a": "10", "b": "x"}),
        ("ALTER TABLE t MODIFY b VARBINARY(20)", {"id": "1", "a": "10", "b": "eA=="}),
        ("ALTER TABLE t MODIFY a INT AFTER b", {"id": "1", "b": "x", "a": "10"}),
        ("ALTER TABLE t MODIFY id BIGINT UNSIGNED", {"id": "1", "a": "10", "b": "x"}),
        ("ALTER TABLE t MODIFY a INT INVISIBLE", {"id": "1", "b": "x"}),
    ],
)
def test_items_follow_a_changed_definition_at_once(
    altered: MariaDB, start_fetchd: Start, statement: str, expected: dict[str, str]
) -> None:
    client = serve(altered, start_fetchd).client()
    assert item(client) == {"id": "1", "a": "10", "b": "x"}
    altered.sql(statement)
    found = item(client)
    if found != expected:  # a look at the dictionary may come between, an item never lies
        assert found in ("FAIL database", "FAIL timeout")
        found = wait_until(lambda: f if isinstance(f := item(client), dict) else None, 2)
    assert found == expected and list(found) == list(expected)


def test_a_key_that_becomes_text_is_asked_as_text(
    altered: MariaDB, start_fetchd: Start
) -> None:
    client = serve(altered, start_fetchd).client()
    assert item(client, "two") == "FAIL badid"
    assert item(client, 2) == {"id": "2", "a": "20", "b": "y"}
    altered.sql(
        "ALTER TABLE t MODIFY id VARCHAR(20)", "UPDATE t SET id='two' WHERE id='2'"
    )
    wait_until(
        lambda: item(client, 1) == {"id": "1", "a": "10", "b": "x"}
        and item(client, "two") == {"id": "two", "a": "20", "b": "y"},
        3,
    )


def test_a_text_key_that_becomes_a_number_is_asked_as_a_number(
    altered: MariaDB, start_fetchd: Start
) -> None:
    altered.sql("ALTER TABLE t MODIFY id VARCHAR(20)")
    client = serve(altered, start_fetchd).client()
    assert item(client, "two") == "MISS"
    altered.sql("ALTER TABLE t MODIFY id INT")
    wait_until(
        lambda: item(client, "1") == {"id": "1", "a": "10", "b": "x"}
        and item(client, "two") == "FAIL badid",
        3,
    )


def test_a_dropped_index_breaks_the_source_until_it_is_back(
    altered: MariaDB, start_fetchd: Start
) -> None:
    server = serve(altered, start_fetchd)
    client = server.client()
    assert isinstance(item(client), dict)
    altered.sql("ALTER TABLE t DROP PRIMARY KEY")
    wait_until(lambda: item(client) == "FAIL database", 3)
    server.wait_log(r"source name=t broken reason=")
    altered.sql("ALTER TABLE t ADD PRIMARY KEY (id)")
    wait_until(lambda: isinstance(item(client), dict), 4)


def test_an_index_with_another_name_is_found_again(
    altered: MariaDB, start_fetchd: Start
) -> None:
    client = serve(altered, start_fetchd).client()
    assert isinstance(item(client), dict)
    altered.sql("ALTER TABLE t DROP PRIMARY KEY, ADD UNIQUE other (id)")
    wait_until(lambda: item(client) == {"id": "1", "a": "10", "b": "x"}, 4)


def test_a_dropped_table_breaks_the_source_until_it_is_back(
    altered: MariaDB, start_fetchd: Start
) -> None:
    client = serve(altered, start_fetchd).client()
    assert isinstance(item(client), dict)
    altered.sql("RENAME TABLE t TO away")
    wait_until(lambda: item(client) == "FAIL database", 3)
    altered.sql("RENAME TABLE away TO t")
    wait_until(lambda: isinstance(item(client), dict), 4)


def test_a_chosen_column_that_goes_away_breaks_the_source_until_it_is_back(
    altered: MariaDB, start_fetchd: Start
) -> None:
    client = serve(altered, start_fetchd, columns=["b", "a"]).client()
    assert item(client) == {"b": "x", "a": "10"}
    altered.sql("ALTER TABLE t RENAME COLUMN a TO gone")
    wait_until(lambda: item(client) == "FAIL database", 3)
    altered.sql("ALTER TABLE t RENAME COLUMN gone TO a")
    wait_until(lambda: item(client) == {"b": "x", "a": "10"}, 4)


def test_rows_that_change_are_seen_by_the_next_request(
    altered: MariaDB, start_fetchd: Start
) -> None:
    client = serve(altered, start_fetchd).client()
    for n in range(20):
        altered.sql(f"UPDATE t SET a={n} WHERE id=1")
        assert item(client)["a"] == str(n)
    altered.sql("DELETE FROM t WHERE id=1")
    assert item(client) == "MISS"


# --- statements that end badly


def waiting_statement(db: MariaDB) -> int:
    """The id of the connection whose statement waits for the lock."""

    def look() -> int:
        rows = db.sql(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND='Query'"
            " AND STATE LIKE 'Waiting for table%'"
        )
        return int(rows[0][0]) if rows else 0

    return wait_until(look, 3, "a statement that waits for the lock")


def test_a_killed_statement_is_asked_once_more_and_the_connection_lives(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, workers=1, deadline="5s"))
    client, watcher = server.client(), server.client()
    with locked(own_db, "shop.items"):
        keys = client.ask_fetch([1, 2])
        own_db.sql(f"KILL QUERY {waiting_statement(own_db)}")
        watcher.wait_stat("statements", 2)
    assert client.read_answer(keys).items == 2
    stats = client.stats()
    assert stats["db_disconnects"] == 0 and stats["requeued"] == 2


def test_a_statement_killed_twice_fails_and_the_next_one_is_right(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, workers=1, deadline="5s"))
    client, watcher = server.client(), server.client()
    with locked(own_db, "shop.items"):
        keys = client.ask_fetch([1, 2])
        own_db.sql(f"KILL QUERY {waiting_statement(own_db)}")
        watcher.wait_stat("statements", 2)
        own_db.sql(f"KILL QUERY {waiting_statement(own_db)}")
        assert client.read_answer(keys).shorts == ["FAIL database"] * 2
    assert client.fetch(1, 2).items == 2
    assert client.stats()["db_disconnects"] == 0


def test_a_killed_connection_is_replaced_and_the_request_asked_again(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, workers=1, deadline="5s"))
    client = server.client()
    with locked(own_db, "shop.items"):
        keys = client.ask_fetch([1, 2])
        own_db.sql(f"KILL CONNECTION {waiting_statement(own_db)}")
        client_two = server.client()
        client_two.wait_stat("db_disconnects", 1)
    answer = client.read_answer(keys)
    assert set(answer.shorts) <= {"ITEM", "FAIL database"}
    wait_until(lambda: client.fetch(1, 2).items == 2, 2)


def test_a_statement_past_its_time_fails_that_batch_alone(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, workers=1, deadline="300ms"))
    client = server.client()
    wait_until(lambda: client.fetch("big:1", 1).items == 2, 3)
    with locked(own_db, "shop.big"):
        start = time.monotonic()
        assert client.fetch("big:1").shorts == ["FAIL timeout"]
        assert 290 <= elapsed_ms(start) <= 300 + slow(80)
        client.wait_stat("statement_timeouts", 1)
        wait_until(lambda: client.fetch(1, 2).items == 2, 1)
    wait_until(lambda: client.fetch("big:1").items == 1, 2)
    assert client.stats()["db_disconnects"] == 0
    assert not own_db.sql(
        "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting%'"
        " AND COMMAND='Query'"
    )


def test_an_abandoned_statement_leaves_no_orphan_at_the_server(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(own_db.socket, workers=1, deadline="200ms"))
    client = server.client()
    with locked(own_db, "shop.items"):
        client.ask_fetch([1])
        waiting_statement(own_db)
        client.reset()
        wait_until(
            lambda: not own_db.sql(
                "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%'"
            ),
            1.5,
        )


# --- rows that are too large


def test_an_item_over_the_limit_is_toobig_and_its_neighbours_are_fine(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    config = shop(shop_db.socket, workers=1)
    config.limits = {"item": "64K"}
    client = start_fetchd(config).client()
    answer = client.fetch("big:1", "big:5", "big:2", "big:6", "big:7", "big:4")
    assert answer.shorts == [
        "ITEM",
        "FAIL toobig",
        "ITEM",
        "FAIL toobig",
        "FAIL toobig",
        "ITEM",
    ]
    stats = client.stats()
    assert stats["fail_toobig"] == 3 and stats["db_disconnects"] == 0


def test_a_row_larger_than_the_packet_limit_harms_no_other(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    own_db.sql("INSERT INTO shop.big VALUES (100, REPEAT('x', 30000000))")
    server = start_fetchd(shop(own_db.socket, workers=1))
    client = server.client()
    answer = client.fetch("big:1", "big:100", "big:2", "big:3")
    assert answer.shorts[1] == "FAIL toobig"
    assert [answer.shorts[n] for n in (0, 2, 3)] == ["ITEM"] * 3
    wait_until(lambda: client.fetch("big:1", 1).items == 2, 2)
