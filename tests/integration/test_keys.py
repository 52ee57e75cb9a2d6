"""test_keys.py - which bytes find which row, and what never reaches MariaDB."""

from __future__ import annotations

import re
from typing import Callable

import pytest

from harness.fetchd import Config, Fetchd, database, run
from harness.mariadb import MariaDB
from harness.wait import wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]


@pytest.fixture
def keys_db(shop_db: MariaDB) -> MariaDB:
    """An empty schema `keyed` for one test."""
    shop_db.sql(
        "DROP DATABASE IF EXISTS keyed",
        "CREATE DATABASE keyed CHARACTER SET utf8mb4",
        "USE keyed",
    )
    return shop_db


def keyed(db: MariaDB, **sources: dict[str, object]) -> Config:
    """A configuration with sources in the schema `keyed`."""
    return Config(
        databases={"main": database(db.socket, "keyed")},
        top={"workers": 1},
        sources={name: {"table": name, **more} for name, more in sources.items()},
    )


def values(client: Client, *keys: bytes | str | int) -> list[str]:
    """The column v of each item, or the short form of what came instead."""
    return [
        str(r.item["v"]) if r.status == b"ITEM" else r.short
        for r in client.fetch(*keys).replies
    ]


# --- integers


@pytest.mark.parametrize(
    "bits,name",
    [(8, "TINYINT"), (16, "SMALLINT"), (24, "MEDIUMINT"), (32, "INT"), (64, "BIGINT")],
)
@pytest.mark.parametrize("unsigned", [False, True])
def test_integer_keys_reach_to_both_ends_and_not_beyond(
    keys_db: MariaDB, start_fetchd: Start, bits: int, name: str, unsigned: bool
) -> None:
    low, high = (
        (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )
    keys_db.sql(
        f"CREATE TABLE t (id {name} {'UNSIGNED' if unsigned else ''} PRIMARY KEY, v TEXT)",
        f"INSERT INTO t VALUES ({low}, 'low'), ({high}, 'high'), (0, 'zero')"
        " ON DUPLICATE KEY UPDATE v='low'",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    before = client.stats()
    assert (
        values(client, high + 1, low - 1, 10**30, -(10**30), 2**64, "9" * 250)
        == ["MISS"] * 6
    )
    assert (
        client.stats()["statement_ids"] == before["statement_ids"]
    ), "asked for the impossible"
    zero = "low" if unsigned else "zero"
    assert values(
        client, low, high, 0, "-0", "000", f"{'-' if low < 0 else ''}00{abs(low)}"
    ) == ["low", "high", zero, zero, zero, "low"]


NO_INTEGERS = [
    "+1",
    "1e3",
    "0x10",
    "1.0",
    "1.",
    ".1",
    "--1",
    "-",
    "1-",
    "1,2",
    "'1'",
    '"1"',
    "`1`",
    "1;DROP",
    "1/*",
    "1--",
    "(1)",
    "1)OR(1=1",
    "0b1",
    "x'31'",
    "1_000",
    "١",
    "１",
    "1\xa0",
    "NULL",
    "TRUE",
    "\\1",
    "1%20",
    "@@version",
    "id",
    "sleep(1)",
    "\\N",
]


def test_what_is_no_integer_is_badid_and_only_digits_reach_mariadb(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    own_db.sql(
        "CREATE DATABASE keyed",
        "CREATE TABLE keyed.t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO keyed.t VALUES (1, 1), (2, 2)",
    )
    client = start_fetchd(keyed(own_db, t={})).client()
    assert values(client, 1) == ["1"]
    own_db.log_statements()
    keys = [key.encode() for key in NO_INTEGERS] + [b"1\xff", b"\xc3\x28", b"1\xa0"]
    client.send(b"fetch -- " + b" ".join([b"1", *keys, b"2"]) + b"\n")
    answer = client.read_answer([b"1", *keys, b"2"])
    assert answer.shorts == ["ITEM"] + ["FAIL badid"] * len(keys) + ["ITEM"]
    statements = wait_until(lambda: own_db.statements("`keyed`.`t`"), 2)
    assert len(statements) == 1
    assert re.search(r" IN \([0-9]+(?:,[0-9]+)*\)", statements[0]), statements[0]


def test_zerofill_keys_are_numbers_too(keys_db: MariaDB, start_fetchd: Start) -> None:
    keys_db.sql(
        "CREATE TABLE t (id INT(8) ZEROFILL PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES (7, 70), (0, 1), (4294967295, 2)",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    assert values(client, 7, "007", "00000007", 0, 4294967295, 8) == [
        "70",
        "70",
        "70",
        "1",
        "2",
        "MISS",
    ]


# --- text


def test_text_keys_must_equal_the_row_byte_for_byte(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id VARCHAR(50) COLLATE utf8mb4_general_ci PRIMARY KEY, v TEXT)",
        "INSERT INTO t VALUES ('Straße', 'a'), ('lower', 'b'), ('UPPER', 'c'), ('é', 'd'),"
        " ('🎈', 'e'), ('o''q\"b\\\\s`', 'f'), ('%', 'g'), ('a_b', 'h'), ('tail ', 'i')",
    )
    client = start_fetchd(keyed(keys_db, t={"key": "id"})).client()
    assert values(
        client, "Straße", "straße", "STRASSE", "lower", "LOWER", "Lower", "UPPER", "upper"
    ) == ["a", "MISS", "MISS", "b", "MISS", "MISS", "c", "MISS"]
    assert values(client, "é", "e", "É", "e\u0301", "🎈", "🎉") == [
        "d",
        "MISS",
        "MISS",
        "MISS",
        "e",
        "MISS",
    ]
    assert values(client, "o'q\"b\\s`", "%", "a_b", "axb", "tail", "'OR(1=1)--") == [
        "f",
        "g",
        "h",
        "MISS",
        "MISS",
        "MISS",
    ]


def test_keys_that_the_collation_folds_together_get_their_own_rows(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id VARCHAR(50) COLLATE utf8mb4_bin PRIMARY KEY, v TEXT)",
        "INSERT INTO t VALUES ('a', '1'), ('A', '2'), ('ä', '3'), ('Ä', '4')",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    assert values(client, "Ä", "a", "ä", "A", "á") == ["4", "1", "3", "2", "MISS"]


def test_asking_two_spellings_of_one_row_finds_only_the_right_one(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id VARCHAR(50) COLLATE utf8mb4_general_ci PRIMARY KEY, v TEXT)",
        "INSERT INTO t VALUES ('Key', '1')",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    assert values(client, "key", "Key", "KEY", "Key", "kéy") == [
        "MISS",
        "1",
        "MISS",
        "1",
        "MISS",
    ]


@pytest.mark.parametrize(
    "key",
    [
        b"\xff",
        b"\xc3\x28",
        b"a\xe2\x82",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"ok\x80",
    ],
)
def test_a_text_key_that_is_not_utf8_is_badid(server: Fetchd, key: bytes) -> None:
    with Client(server.address) as client:
        answer = client.fetch(b"tags:" + key, "tags:tag-001")
        assert answer.shorts == ["FAIL badid", "ITEM"]


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "ascii", "cp1251"])
def test_a_key_that_the_column_cannot_hold_harms_no_other(
    keys_db: MariaDB, start_fetchd: Start, charset: str
) -> None:
    keys_db.sql(
        f"CREATE TABLE t (id VARCHAR(50) CHARACTER SET {charset} PRIMARY KEY, v INT)",
        "INSERT INTO t SELECT CONCAT('k', seq), seq FROM seq_1_to_50",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    good = [f"k{n}" for n in range(1, 51)]
    keys = good[:20] + ["🎈", "k1🎈"] + good[20:]
    answer = client.fetch(*keys)
    assert answer.shorts[20:22] in (["MISS"] * 2, ["FAIL badid"] * 2)
    assert answer.shorts[:20] + answer.shorts[22:] == ["ITEM"] * 50
    assert client.fetch("k7", "🎈", "k8").shorts[::2] == ["ITEM", "ITEM"]
    assert client.stats()["db_disconnects"] == 0


def test_a_latin1_key_is_found_by_its_utf8_spelling(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id VARCHAR(50) CHARACTER SET latin1 PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES (_latin1 x'e4f6', 1), (_latin1 x'80', 2), ('plain', 3)",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    assert values(client, "äö", "€", "plain", "ÄÖ") == ["1", "2", "3", "MISS"]


def test_char_keys_match_without_their_padding(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id CHAR(10) PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES ('ab', 1), ('c', 2)",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    assert values(client, "ab", "c", "a") == ["1", "2", "MISS"]


def test_long_text_keys_are_found(keys_db: MariaDB, start_fetchd: Start) -> None:
    keys_db.sql(
        "CREATE TABLE t (id VARCHAR(250) PRIMARY KEY, v INT)",
        "INSERT INTO t SELECT CONCAT(REPEAT('k', 240), seq + 1000), seq FROM seq_1_to_200",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    assert values(client, *("k" * 240 + str(n + 1000) for n in range(1, 201))) == [
        str(n) for n in range(1, 201)
    ]


def test_uuid_keys_are_found_in_their_canonical_form(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id UUID PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES ('123e4567-e89b-12d3-a456-426655440000', 1)",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    answer = client.fetch(
        "123e4567-e89b-12d3-a456-426655440000",
        "not-a-uuid",
        "00000000-0000-0000-0000-000000000000",
    )
    assert answer.shorts[0] == "ITEM" and answer.shorts[2] == "MISS"
    assert answer.shorts[1] in ("MISS", "FAIL badid")


def test_enum_keys_are_text_and_never_positions(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id ENUM('one', '2', 'three') PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES ('one', 1), ('2', 2), ('three', 3)",
    )
    client = start_fetchd(keyed(keys_db, t={})).client()
    assert values(client, "one", "2", "three", "1", "3", "four") == [
        "1",
        "2",
        "3",
        "MISS",
        "MISS",
        "MISS",
    ]


# --- bytes


def test_binary_keys_may_hold_any_byte_above_blank(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    singles = [
        bytes([n]) for n in range(0x21, 0x100) if n not in (0x7F, ord(":"), ord("="))
    ]
    keys_db.sql("CREATE TABLE t (id VARBINARY(250) PRIMARY KEY, v INT)")
    for n, key in enumerate(singles):
        keys_db.sql(f"INSERT INTO t VALUES (x'{key.hex()}', {n})")
    keys_db.sql(f"INSERT INTO t VALUES (x'{'ff' * 250}', 1000)")
    client = start_fetchd(keyed(keys_db, t={})).client()
    client.send(b"fetch -- " + b" ".join(singles) + b"\n")
    answer = client.read_answer(singles)
    assert [r.item["v"] for r in answer.replies] == [str(n) for n in range(len(singles))]
    assert values(client, b"\xff" * 250, b"\xff\xff", b"A", b"a") == [
        "1000",
        "MISS",
        str(singles.index(b"A")),
        str(singles.index(b"a")),
    ]


# --- which tables and keys


def test_a_unique_index_besides_the_primary_key_will_do(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, code VARCHAR(20) UNIQUE, v INT)",
        "INSERT INTO t VALUES (1, 'x', 10), (2, 'y', 20), (3, NULL, 30)",
    )
    client = start_fetchd(keyed(keys_db, t={"key": "code"})).client()
    assert values(client, "x", "y", "1", "NULL") == ["10", "20", "MISS", "MISS"]


def test_two_sources_may_read_one_table_by_different_keys(
    keys_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, code VARCHAR(20) UNIQUE, v INT)",
        "INSERT INTO t VALUES (1, 'x', 10)",
    )
    config = keyed(
        keys_db, t={}, codes={"key": "code", "table": "t", "columns": ["v", "id"]}
    )
    client = start_fetchd(config).client()
    answer = client.fetch(1, "codes:x", "codes:1")
    assert [r.rest for r in answer.replies] == [
        b'{"id":1,"code":"x","v":10}',
        b'{"v":10,"id":1}',
        b"",
    ]


def test_two_databases_serve_side_by_side(
    keys_db: MariaDB, own_db: MariaDB, start_fetchd: Start
) -> None:
    keys_db.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 10)"
    )
    own_db.sql(
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO shop.t VALUES (1, 99)",
    )
    config = Config(
        databases={
            "one": database(keys_db.socket, "keyed"),
            "two": database(own_db.socket),
        },
        sources={
            "a": {"database": "one", "table": "t"},
            "b": {"database": "two", "table": "t"},
        },
    )
    client = start_fetchd(config).client()
    assert values(client, "a:1", "b:1", "1") == ["10", "99", "10"]


REFUSED = {
    "no_such_table": ("SELECT 1", "nothere", "id"),
    "no_such_key": ("CREATE TABLE t (id INT PRIMARY KEY)", "t", "nothere"),
    "no_index": ("CREATE TABLE t (id INT, v INT)", "t", "id"),
    "index_not_unique": ("CREATE TABLE t (id INT, v INT, KEY (id))", "t", "id"),
    "composite": ("CREATE TABLE t (id INT, v INT, PRIMARY KEY (id, v))", "t", "id"),
    "prefix_index": (
        "CREATE TABLE t (id VARCHAR(200), v INT, UNIQUE (id(20)))",
        "t",
        "id",
    ),
    "view": ("CREATE VIEW t AS SELECT * FROM shop.items", "t", "id"),
    "float_key": ("CREATE TABLE t (id DOUBLE PRIMARY KEY)", "t", "id"),
    "decimal_key": ("CREATE TABLE t (id DECIMAL(10,2) PRIMARY KEY)", "t", "id"),
    "date_key": ("CREATE TABLE t (id DATE PRIMARY KEY)", "t", "id"),
    "long_unique": ("CREATE TABLE t (id TEXT, v INT, UNIQUE (id))", "t", "id"),
    "no_such_column": ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "t", "id"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_served_refuses_the_start(
    keys_db: MariaDB, case: str
) -> None:
    statement, table, key = REFUSED[case]
    keys_db.sql(statement)
    columns = {"columns": ["id", "missing"]} if case == "no_such_column" else {}
    ended = run(config=keyed(keys_db, it={"table": table, "key": key, **columns}))
    said = ended.stdout + ended.stderr
    assert ended.returncode == 78, said
    about = [
        line
        for line in said.splitlines()
        if re.search(rf"\b{table}\b", line) and not re.search(r" info ", line)
    ]
    assert len(about) == 1, said
    assert "ready workers=" not in said


def test_a_missing_schema_refuses_the_start(keys_db: MariaDB) -> None:
    config = Config(
        databases={"main": database(keys_db.socket, "nosuchschema")},
        sources={"t": {"table": "t"}},
    )
    ended = run(config=config, timeout=5)
    assert ended.returncode == 78 and "nosuchschema" in ended.stderr, ended.stderr
