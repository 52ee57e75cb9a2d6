"""catalogue.py - the schema `shop`: small, deterministic and full of traps.

items: 5,000 rows with an integer key; a client can recompute nothing but compares
with MariaDB.  tags: a text key.  big: rows of known sizes.
Tests of one xdist worker share an instance and only read it.
"""

from __future__ import annotations

import random
from typing import Any

ITEMS = 5000
TAGS = 300
TAG_NAMES = [f"tag-{n:03d}" for n in range(TAGS)] + [
    "name=value",
    "role::program",
    "größe",
    "🎈",
]
# bodies that break a framing, an escaper or a careless copy
TRAPS = [
    "",
    " ",
    '"',
    "\\",
    '\\\\"',
    "\r\nEND\r\n",
    "\n",
    "\t\b\f",
    "\x00",
    "a\x00b",
    "\x01\x1f\x7f",
    "\u2028\u2029",
    "ünïcödé",
    "🎈🎉",
    "DONE 1 0 0 ms=0.1\r\n",
    "</script>",
    "null",
    "{}",
    "7",
    "'; DROP TABLE items; --",
    "\u0080",
    "\ufffd",
    "\uffff",
    "e\u0301",
]
TYPES = ["book", "film", "song", "größe", "🎈"]

_SCHEMA = [
    "CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    """CREATE TABLE shop.items (
        id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL, kind VARCHAR(16) NOT NULL,
        price DECIMAL(20,4), score DOUBLE, stock INT UNSIGNED, added DATETIME(6), body TEXT,
        raw VARBINARY(64), big BIGINT, tags JSON, note VARCHAR(32))""",
    "CREATE TABLE shop.tags (name VARCHAR(190) NOT NULL PRIMARY KEY, label VARCHAR(190), uses INT)",
    "CREATE TABLE shop.big (id INT NOT NULL PRIMARY KEY, body LONGTEXT)",
]
# id -> bytes of 'body' in shop.big
BIG = {1: 0, 2: 1, 3: 1023, 4: 16_384, 5: 65_535, 6: 65_536, 7: 200_000}


def item(n: int) -> tuple[Any, ...]:
    """Row number n (1 based) of shop.items."""
    rng = random.Random(n)
    words = " ".join(
        rng.choice(["alpha", "béta", "γάμμα", "дельта"]) for _ in range(n % 40)
    )
    trap = TRAPS[n % len(TRAPS)]
    return (
        n,
        f"item {n}",
        TYPES[n % len(TYPES)],
        None if n % 11 == 0 else f"{rng.randrange(10**14)}.{rng.randrange(10**4):04d}",
        rng.uniform(-1, 1) * 10.0 ** rng.randrange(-30, 30),
        rng.randrange(2**32),
        f"20{n % 100:02d}-{n % 12 + 1:02d}-{n % 28 + 1:02d} {n % 24:02d}:{n % 60:02d}:00.{n:06d}",
        trap + words + trap,
        bytes(rng.randrange(256) for _ in range(n % 65)),
        (-1) ** n * (2**52 + rng.randrange(2**62)),
        f'{{ "n": {n},\n "list": [1, 2.50, 1e400, "{n}"] }}',
        None if n % 3 else f"n{n}",
    )


def fill(db: Any) -> None:
    """Creates and fills the schema through a MariaDB that has just been started."""
    db.sql(*_SCHEMA)
    connection = db.connect("shop")
    try:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO items VALUES (%s,%s,%s,%s,%s,%s,%s,%s,_binary %s,%s,%s,%s)",
                [item(n) for n in range(1, ITEMS + 1)],
            )
            cursor.executemany(
                "INSERT INTO tags VALUES (%s,%s,%s)",
                [(t, f"label of {t}", n) for n, t in enumerate(TAG_NAMES)],
            )
            cursor.executemany(
                "INSERT INTO big VALUES (%s,%s)", [(k, "x" * n) for k, n in BIG.items()]
            )
    finally:
        connection.close()
