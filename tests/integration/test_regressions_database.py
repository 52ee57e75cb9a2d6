"""test_regressions_database.py - what databases once could do to a server.

Each test stands for a defect that was met once and mended; the defect is said where the
test's name does not say it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from typing import Any, Callable, Iterator

import pytest

from harness.fetchd import Config, Fetchd, database, shop
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.wait import elapsed_ms, slow, wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]
StartProxy = Callable[..., Proxy]

LOG_LINE = re.compile(
    r"20\S+Z (error|warn|info|debug) (master|worker/[0-9]+)\[[0-9]+\] [ -~]+"
)


@contextlib.contextmanager
def locked(db: MariaDB, table: str) -> Iterator[Any]:
    """Nobody but this session's cursor reads the table in here."""
    holder = db.connect()
    try:
        with holder.cursor() as cursor:
            cursor.execute(f"LOCK TABLES {table} WRITE")
            yield cursor
    finally:
        holder.close()


def waiting(db: MariaDB, containing: str = "") -> dict[int, float]:
    """Connections whose statement waits for a lock, and since how many ms."""
    rows = db.sql(
        "SELECT ID, TIME_MS FROM information_schema.PROCESSLIST WHERE COMMAND='Query'"
        f" AND STATE LIKE 'Waiting for table%' AND INFO LIKE '%{containing}%'"
    )
    return {int(row[0]): float(row[1]) for row in rows}


def serves(client: Client, key: str | int = 1) -> bool:
    """One more try."""
    return client.fetch(key).shorts == ["ITEM"]


# --- ids and rows


@pytest.fixture
def text_keys(own_db: MariaDB, start_fetchd: Start) -> Fetchd:
    """A server in front of a table whose key is text, but could be a number."""
    own_db.sql(
        "CREATE TABLE shop.k (id VARCHAR(40) PRIMARY KEY, a INT)",
        "INSERT INTO shop.k VALUES ('1', 10), ('2', 20)",
    )
    config = Config(
        databases={"main": database(own_db.socket)},
        sources={"k": {"table": "k", "key": "id"}},
        top={"workers": 1, "deadline": "5s"},
    )
    return start_fetchd(config)


def test_an_id_asked_as_text_never_becomes_part_of_a_statement_for_numbers(
    own_db: MariaDB, text_keys: Fetchd
) -> None:
    """The key's type changed between a request and its statement."""
    first, second, watcher = (text_keys.client() for _ in range(3))
    assert serves(first)
    own_db.log_statements()
    with locked(own_db, "shop.k") as session:
        one = first.ask_fetch([1])
        wait_until(lambda: waiting(own_db), 3, "the first statement to wait")
        two = second.ask_fetch(["0)or(1)or(id=0"], options=b"--")
        watcher.wait_stat("inflight_requests", 3)  # these two and the asking one
        session.execute("ALTER TABLE shop.k MODIFY id INT")
        session.execute("UNLOCK TABLES")
        answers = first.read_answer(one), second.read_answer(two)
    assert own_db.statements("SELECT")
    assert own_db.statements(")or(") == []
    assert [answer.shorts for answer in answers] == [["ITEM"], ["FAIL badid"]]


def test_a_key_that_becomes_a_number_before_the_first_statement_is_one(
    own_db: MariaDB, text_keys: Fetchd
) -> None:
    own_db.sql("ALTER TABLE shop.k MODIFY id INT")
    client = text_keys.client()
    wait_until(lambda: client.fetch("007", "two").shorts == ["MISS", "FAIL badid"], 1)


def test_a_table_of_one_column_and_few_rows_is_served(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    """The optimizer reads such a small index whole, which looked like a missing one."""
    own_db.sql(
        "CREATE TABLE shop.one (id INT PRIMARY KEY)", "INSERT INTO shop.one VALUES (5)"
    )
    config = shop(own_db.socket, workers=1)
    config.sources = {"one": {"table": "one", "key": "id"}}
    assert start_fetchd(config).client().fetch(5, 6).shorts == ["ITEM", "MISS"]


def test_a_row_larger_than_a_packet_harms_none_of_127_neighbours(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    own_db.sql(
        "CREATE TABLE shop.wide (id INT PRIMARY KEY, body LONGTEXT)",
        "INSERT INTO shop.wide SELECT seq, IF(seq = 77, REPEAT('x', 30000000), 'small')"
        " FROM shop.seq_1_to_128",
    )
    config = shop(own_db.socket, workers=1)
    config.sources = {"wide": {"table": "wide", "key": "id"}}
    client = start_fetchd(config).client()
    answer = client.fetch(*range(1, 129))
    expected = ["FAIL toobig" if n == 77 else "ITEM" for n in range(1, 129)]
    assert answer.shorts == expected
    wait_until(lambda: serves(client), 2)


# --- a server that lets us in and throws us out


def test_a_server_that_cuts_at_the_first_statement_is_not_stormed(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1, deadline="5s"))
    client = server.client()
    assert serves(client)
    road.cut_at = b"information_schema"
    start, before = time.monotonic(), road.connects
    road.reset_all()
    wait_until(lambda: road.connects >= before + 6, 10, "six more connections")
    # at once, then after 50, 100, 200, 400 ms, each at most a fifth shorter
    assert time.monotonic() - start >= 0.5
    for _ in range(5):
        asked = time.monotonic()
        assert client.fetch(1, 2).shorts == ["FAIL database"] * 2
        assert elapsed_ms(asked) < slow(100)
    road.cut_at = None
    wait_until(lambda: serves(client), 2)
    assert not server.log_lines(" died ")


# --- a table that is locked while the server starts


@pytest.mark.parametrize("patience_s", [86400, 1])
def test_a_table_locked_at_the_start_keeps_nobody_from_starting(
    own_db: MariaDB, start_fetchd: Start, patience_s: int
) -> None:
    """A wait without end delayed the start for ever; one with an end refused it."""
    own_db.sql(f"SET GLOBAL lock_wait_timeout={patience_s}")
    with locked(own_db, "shop.items"):
        server = start_fetchd(shop(own_db.socket, workers=1), ready=False)
        server.wait_log(r" ready workers=", timeout=5)
        client = server.client()
        assert client.fetch("items:1").shorts == ["FAIL database"]
    wait_until(lambda: serves(client, "items:1"), 2.5, "the table to be served")
    assert client.fetch("big:1", "tags:tag-001").items == 2


def test_a_look_at_a_locked_table_leaves_no_orphan_at_the_server(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    with locked(own_db, "shop.items"):
        start_fetchd(shop(own_db.socket, workers=1), ready=False)
        first = wait_until(lambda: waiting(own_db, "EXPLAIN"), 5, "a look at the table")
        [(connection, age)] = first.items()

        def looks_again() -> dict[int, float]:
            nonlocal age
            now = waiting(own_db, "EXPLAIN")
            last, age = age, now.get(connection, age)
            assert age < slow(3000), f"an EXPLAIN waits for {age} ms"
            return now if age < last or set(now) - {connection} else {}

        again = wait_until(looks_again, 6, "a second look")
        assert list(again) == [connection], "the first look was abandoned, not ended"


# --- a source that breaks


def test_a_worker_born_while_one_source_is_broken_serves_the_others(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    """It ended itself, as if the server were starting."""
    server = start_fetchd(shop(own_db.socket, workers=1))
    server.allowed_errors += [r"worker slot=0 pid=\S+ died", "source name=tags"]
    client = server.client()
    assert serves(client, "tags:tag-001")
    own_db.sql("RENAME TABLE shop.tags TO shop.elsewhere")
    wait_until(lambda: not serves(client, "tags:tag-001"), 3)
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    server.wait_log(r"worker slot=0 pid=\S+ ready", count=2, timeout=5)
    client = server.client()
    answer = client.fetch("items:1", "tags:tag-001", "big:1")
    assert answer.shorts == ["ITEM", "FAIL database", "ITEM"]
    own_db.sql("RENAME TABLE shop.elsewhere TO shop.tags")
    wait_until(lambda: serves(client, "tags:tag-001"), 2.5)
    assert server.client().stats()["worker_deaths"] == 1


# --- texts that are not ours


def check_lines(server: Fetchd) -> None:
    """The log holds whole lines and nothing else."""
    broken = [row for row in server.log_lines() if not LOG_LINE.fullmatch(row)]
    assert broken == []


def test_a_newline_in_a_tables_name_breaks_no_line(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    own_db.sql(
        "CREATE TABLE shop.`odd\nnames\x1b[1m` (id INT PRIMARY KEY, a INT)",
        "INSERT INTO shop.`odd\nnames\x1b[1m` VALUES (1, 2)",
    )
    config = shop(own_db.socket, workers=1)
    config.sources["odd"] = {"table": "odd\nnames\x1b[1m"}
    server = start_fetchd(config)
    server.allowed_errors.append("source name=odd")
    client = server.client()
    assert serves(client, "odd:1")
    own_db.sql("DROP TABLE shop.`odd\nnames\x1b[1m`")
    wait_until(lambda: not serves(client, "odd:1"), 3)
    server.wait_log("source name=odd broken reason=")
    client.send(b"sources\r\n")
    lines = client.lines_until(b"END")
    names = [re.match(rb"SOURCE ([a-z]+) [ -~]+$", line) for line in lines]
    assert [name and name[1] for name in names] == [b"items", b"tags", b"big", b"odd"]
    check_lines(server)


def test_a_newline_in_the_servers_words_breaks_no_line(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start
) -> None:
    road = start_proxy(shop_db)
    words = b"\xff\x10\x04no\nroom\r\nleft\x1b[1m"
    road.greeting = len(words).to_bytes(3, "little") + b"\x00" + words
    server = start_fetchd(shop(road.socket, workers=1))
    server.wait_log("left")
    check_lines(server)
