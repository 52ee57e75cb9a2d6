"""test_exactness.py - every column type of MariaDB, through a strict JSON parser.

The judge is MariaDB itself: what its text protocol says about a value, once more
through another client, is what the item must hold, to the digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator

import pytest

from harness import strict
from harness.everywhere import check_everywhere
from harness.fetchd import Config, Fetchd, database
from harness.mariadb import MariaDB
from harness.wire import Client

_CONTROL = (
    "CONCAT(" + ",".join(f"CHAR({n} USING utf8mb4)" for n in range(0, 32)) + ",CHAR(127))"
)
_TEXTS = [
    "''",
    "' '",
    "'plain'",
    "'trailing   '",
    "'\"\\\\/'",
    "'\\r\\nEND\\r\\n'",
    "_utf8mb4'ünïcödé'",
    "'</script>'",
    "'null'",
    "'7'",
    _CONTROL,
    "'it''s'",
    "'%s%n'",
]
_WIDE = [
    "_utf8mb4'🎈🎉'",
    "_utf8mb4 x'e280a8e280a9'",
    "_utf8mb4 x'efbfbf'",
    "_utf8mb4 x'f48fbfbf'",
    "_utf8mb4 x'c280'",
    "_utf8mb4 x'65cc81'",
    "_utf8mb4'日本語'",
]
_BYTES = [
    "x''",
    "x'00'",
    "x'ff'",
    "x'0001feff'",
    "x'c328'",
    "x'7b7d'",
    "'text'",
    "x'0d0a'",
]


@dataclass
class Column:
    """A column type and the values, as SQL, that it is tried with."""

    type: str
    values: list[str]
    is_json: bool = False


def _integers(bits: int, name: str) -> list[Column]:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return [
        Column(name, [str(v) for v in (low, low + 1, -1, 0, 1, high - 1, high)]),
        Column(
            f"{name} UNSIGNED",
            [str(v) for v in (0, 1, high, high + 1, 2 * high, 2 * high + 1)],
        ),
        Column(f"{name} ZEROFILL", [str(v) for v in (0, 1, 42, 2 * high + 1)]),
        Column(f"{name}(3) ZEROFILL", ["0", "7", "99"]),
    ]


COLUMNS = [
    *_integers(8, "TINYINT"),
    *_integers(16, "SMALLINT"),
    *_integers(24, "MEDIUMINT"),
    *_integers(32, "INT"),
    *_integers(64, "BIGINT"),
    Column(
        "BIGINT",
        [
            str(s * (2**e + d))
            for e in (52, 53, 62)
            for d in (-1, 0, 1)
            for s in (1, -1)
        ],
    ),
    Column("BOOLEAN", ["TRUE", "FALSE", "2"]),
    Column(
        "DECIMAL(65,30)",
        [
            "0",
            "-0.000000000000000000000000000001",
            "1.5",
            "-1",
            "9" * 35 + "." + "9" * 30,
            "-" + "9" * 35 + "." + "9" * 30,
        ],
    ),
    Column("DECIMAL(65,0)", ["9" * 65, "-" + "9" * 65, "0"]),
    Column("DECIMAL(30,30)", ["0." + "1" * 30, "-0." + "9" * 30, "0"]),
    Column("DECIMAL(10,2) ZEROFILL", ["0", "1.5", "12345678.91"]),
    Column("DECIMAL(10,2) UNSIGNED", ["0", "0.01"]),
    Column(
        "FLOAT",
        [
            "0",
            "-0.0",
            "0.1",
            "1e10",
            "16777217",
            "3.402823e38",
            "-3.402823e38",
            "1.175494e-38",
            "1e-45",
            "123456789",
            "1e-7",
            "1000000",
            "1e15",
            "1e-5",
        ],
    ),
    Column("FLOAT(7,3)", ["1.5", "-9999.999", "0"]),
    Column(
        "DOUBLE",
        [
            "0",
            "-0.0",
            "0.1",
            "0.1e0+0.2e0",
            "1e15",
            "1e16",
            "123456789012345678",
            "1e300",
            "1.7976931348623157e308",
            "-1.7976931348623157e308",
            "2.2250738585072014e-308",
            "5e-324",
            "1e-7",
            "PI()",
            "1/3",
            "9007199254740993",
        ],
    ),
    Column("DOUBLE(20,5)", ["0", "-1.00001", "123456789.12345"]),
    Column("DOUBLE ZEROFILL", ["0", "1.5"]),
    Column("BIT", ["b'0'", "b'1'"]),
    Column("BIT(7)", ["0", "127"]),
    Column("BIT(9)", ["0", "256", "511"]),
    Column(
        "BIT(64)", ["0", "1", "18446744073709551615", "9223372036854775808", "x'0a0d22'"]
    ),
    Column(
        "DATE",
        ["'0000-00-00'", "'2024-02-29'", "'1000-01-01'", "'9999-12-31'", "'2024-00-00'"],
    ),
    Column("TIME", ["'00:00:00'", "'-838:59:59'", "'838:59:59'", "'-00:00:01'"]),
    Column("TIME(6)", ["'00:00:00.000001'", "'-838:59:59.999999'", "'838:59:59.999999'"]),
    Column(
        "DATETIME",
        ["'0000-00-00 00:00:00'", "'9999-12-31 23:59:59'", "'2024-02-29 12:00:00'"],
    ),
    Column(
        "DATETIME(6)",
        ["'0000-00-00'", "'9999-12-31 23:59:59.999999'", "'2024-01-01 0:0:0.1'"],
    ),
    Column(
        "TIMESTAMP NULL",
        ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'0000-00-00'"],
    ),
    Column(
        "TIMESTAMP(6) NULL", ["'1970-01-01 00:00:01.000001'", "'2024-07-01 12:00:00.5'"]
    ),
    Column("YEAR", ["0", "1901", "2155", "2024", "'0000'"]),
    Column("YEAR(2)", ["'00'", "'07'", "'99'"]),
    Column("CHAR(40)", [*_TEXTS, *_WIDE]),
    Column("VARCHAR(200)", [*_TEXTS, *_WIDE]),
    Column("VARCHAR(200) CHARACTER SET utf8mb3", [*_TEXTS, "_utf8mb4'日本語'"]),
    Column(
        "VARCHAR(200) CHARACTER SET latin1",
        [*_TEXTS, "_latin1 x'e4f6fcdf'", "_latin1 x'80a0ff'"],
    ),
    Column("VARCHAR(200) CHARACTER SET ascii", ["'ascii'", "'\\n'"]),
    Column("VARCHAR(200) CHARACTER SET utf16", [*_TEXTS, *_WIDE]),
    Column("VARCHAR(200) CHARACTER SET cp1251", ["_utf8mb4'привет'"]),
    Column("VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", [*_TEXTS, *_WIDE]),
    Column("TINYTEXT", [*_TEXTS, *_WIDE]),
    Column("TEXT", [*_TEXTS, *_WIDE, "REPEAT('x', 65535)", "REPEAT('\\n', 65535)"]),
    Column(
        "MEDIUMTEXT",
        [*_TEXTS, *_WIDE, "REPEAT('\"', 65536)", "REPEAT(_utf8mb4'🎈', 20000)"],
    ),
    Column("LONGTEXT", [*_TEXTS, *_WIDE, "REPEAT('\\\\', 65537)"]),
    Column("BINARY(6)", _BYTES),
    Column("VARBINARY(20)", _BYTES),
    Column("TINYBLOB", _BYTES),
    Column(
        "BLOB",
        [*_BYTES, "REPEAT(x'00', 65535)", "REPEAT(x'ff', 65534)", "REPEAT('a', 65533)"],
    ),
    Column("MEDIUMBLOB", [*_BYTES, "REPEAT(x'0d0a', 40000)"]),
    Column("LONGBLOB", _BYTES),
    Column(
        "ENUM('', 'a', 'größe', '🎈', 'it''s \"x\"')", ["''", "'a'", "'größe'", "'🎈'", "5"]
    ),
    Column("SET('a', 'b', 'ü', '\"')", ["''", "'a'", "'a,b'", "'b,ü'", "15"]),
    Column(
        "JSON",
        [
            "'{}'",
            "'[]'",
            "'null'",
            "'7'",
            "'\"text\"'",
            "'true'",
            "' [ 1 , 2 ] '",
            '\'{\\n "a" :\\t1,\\r\\n "b": [ ] }\'',
            "'[9007199254740993, 1e400, -0, 1.10]'",
            "'[123456789012345678901234567890, 0.1000]'",
            '\'{"ü": "🎈", "": null}\'',
            '\'["\\\\u00e9\\\\n\\\\ud83c\\\\udf88", "a b"]\'',
            '\'["a\\\\\\\\", "b c"]\'',
            "REPEAT('[', 30) || REPEAT(']', 30)",
        ],
        is_json=True,
    ),
    Column(
        "UUID",
        [
            "'123e4567-e89b-12d3-a456-426655440000'",
            "'FFFFFFFF-FFFF-1FFF-BFFF-FFFFFFFFFFFF'",
        ],
    ),
    Column("INET6", ["'::'", "'2001:db8::ff00:42:8329'", "'::ffff:192.0.2.1'"]),
    Column("INET4", ["'0.0.0.0'", "'255.255.255.255'"]),
    Column(
        "GEOMETRY",
        [
            "ST_GeomFromText('POINT(1 2)')",
            "ST_GeomFromText('POINT(-1.5 1e300)', 4326)",
            "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(0 0), LINESTRING(0 0, 1 1))')",
        ],
    ),
    Column("POINT", ["POINT(1, 2)"]),
    Column("POLYGON", ["ST_GeomFromText('POLYGON((0 0, 0 1, 1 1, 0 0))')"]),
    Column("INT AS (id * 7) VIRTUAL", []),
    Column("VARCHAR(50) AS (CONCAT('<', id, '\">\\n')) STORED", []),
    Column("BIGINT AS (9223372036854775800 + id) PERSISTENT", []),
    Column("INT NOT NULL DEFAULT 5", []),
]


@pytest.fixture(scope="module")
def exact_db(shop_db: MariaDB) -> MariaDB:
    """The schema `exact`: a table a column type; row n holds value n, the last one NULL."""
    shop_db.sql(
        "DROP DATABASE IF EXISTS exact",
        "CREATE DATABASE exact CHARACTER SET utf8mb4",
        "SET SESSION sql_mode='NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT'",
        "SET SESSION time_zone='+00:00'",
        "USE exact",
    )
    for n, column in enumerate(COLUMNS):
        shop_db.sql(f"CREATE TABLE t{n} (id INT PRIMARY KEY, v {column.type}, w TINYINT)")
        rows = [f"({i}, {v}, {i})" for i, v in enumerate(column.values, 1)]
        if rows:
            shop_db.sql(
                f"INSERT INTO t{n} VALUES {', '.join(rows + [f'({len(rows) + 1}, NULL, NULL)'])}"
            )
        else:
            shop_db.sql(f"INSERT INTO t{n} (id, w) VALUES (1, 1), (2, NULL), (3, 3)")
    return shop_db


@pytest.fixture(scope="module")
def exact(
    exact_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """A server with a source for each of those tables."""
    yield from keep_fetchd(
        Config(
            databases={"main": database(exact_db.socket, "exact")},
            sources={f"t{n}": {"table": f"t{n}"} for n in range(len(COLUMNS))},
            top={"workers": 1},
        )
    )


@pytest.mark.parametrize(
    "n", range(len(COLUMNS)), ids=[f"{n}-{c.type[:30]}" for n, c in enumerate(COLUMNS)]
)
def test_every_value_is_what_mariadb_says(
    exact: Fetchd, exact_db: MariaDB, n: int
) -> None:
    column = COLUMNS[n]
    rows = strict.mariadb_objects(
        exact_db, "exact", f"t{n}", "id", ("v",) if column.is_json else ()
    )
    assert len(rows) == (len(column.values) + 1 if column.values else 3)
    with Client(exact.address) as client:
        answer = client.fetch(*(f"t{n}:{key}" for key in rows))
    for reply, row in zip(answer.replies, rows.values()):
        assert strict.same(
            reply.item, row
        ), f"{str(reply.item)[:300]}\nMariaDB: {str(row)[:300]}"
    check_everywhere(exact.address, {reply.key: reply.rest for reply in answer.replies})


def _own(db: MariaDB, start: Callable[..., Fetchd], **source: Any) -> Client:
    config = Config(
        databases={"main": database(db.socket, "special")},
        sources={"it": {"database": "main", **source}},
        top={"workers": 1},
    )
    return start(config).client()


@pytest.fixture
def special(shop_db: MariaDB) -> MariaDB:
    """An empty schema for one test."""
    shop_db.sql(
        "DROP DATABASE IF EXISTS special",
        "CREATE DATABASE special CHARACTER SET utf8mb4",
        "USE special",
    )
    return shop_db


def test_invisible_columns_stay_invisible(
    special: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    special.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, seen INT, hidden INT INVISIBLE DEFAULT 3)",
        "INSERT INTO t (id, seen) VALUES (1, 2)",
    )
    client = _own(special, start_fetchd, table="t")
    assert client.fetch(1).replies[0].item == {"id": "1", "seen": "2"}


def test_an_invisible_column_that_is_asked_for_is_shown(
    special: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    special.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, seen INT, hidden INT INVISIBLE DEFAULT 3)",
        "INSERT INTO t (id, seen) VALUES (1, 2)",
    )
    client = _own(special, start_fetchd, table="t", columns=["hidden", "seen"])
    item = client.fetch(1).replies[0].item
    assert item == {"hidden": "3", "seen": "2"} and list(item) == ["hidden", "seen"]


def test_an_invisible_key_still_finds_its_rows(
    special: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    special.sql(
        "CREATE TABLE t (id INT INVISIBLE DEFAULT 0 PRIMARY KEY, v INT)",
        "INSERT INTO t (id, v) VALUES (1, 10), (2, 20)",
    )
    client = _own(special, start_fetchd, table="t")
    answer = client.fetch(2, 1, 3)
    assert [r.rest for r in answer.replies] == [b'{"v":20}', b'{"v":10}', b""]


def test_odd_table_and_column_names_are_quoted(
    special: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    special.sql(
        'CREATE TABLE `a``b c;--` (`k``ey` INT PRIMARY KEY, `größe "x"` INT, `select` INT)',
        "INSERT INTO `a``b c;--` VALUES (1, 2, 3)",
    )
    client = _own(special, start_fetchd, table="a`b c;--", key="k`ey")
    assert client.fetch(1).replies[0].item == {
        "k`ey": "1",
        'größe "x"': "2",
        "select": "3",
    }


def test_a_table_of_500_columns_comes_whole(
    special: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    columns = ", ".join(f"c{n} INT DEFAULT {n}" for n in range(500))
    special.sql(
        f"CREATE TABLE t (id INT PRIMARY KEY, {columns})", "INSERT INTO t (id) VALUES (1)"
    )
    client = _own(special, start_fetchd, table="t")
    assert client.fetch(1).replies[0].item == {
        "id": "1",
        **{f"c{n}": str(n) for n in range(500)},
    }


def test_json_that_is_not_valid_comes_as_text(
    special: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    special.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, v JSON)",
        "SET check_constraint_checks=OFF",
        "INSERT INTO t VALUES (1, '{broken'), (2, '{\"a\": 1} x'), (3, '')",
        "SET check_constraint_checks=ON",
    )
    client = _own(special, start_fetchd, table="t")
    assert [r.item["v"] for r in client.fetch(1, 2, 3).replies] == [
        "{broken",
        '{"a": 1} x',
        "",
    ]


def test_timestamps_are_in_utc_whatever_the_server_thinks(
    special: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    special.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, v TIMESTAMP NULL)",
        "SET time_zone='+05:30'",
        "INSERT INTO t VALUES (1, '2024-07-01 12:00:00')",
        "SET time_zone=DEFAULT",
    )
    client = _own(special, start_fetchd, table="t")
    assert client.fetch(1).replies[0].item["v"] == "2024-07-01 06:30:00"
