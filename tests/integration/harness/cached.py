"""cached.py - a small table that changes, behind a cache: what its tests share."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Iterator

from harness import locks
from harness.fetchd import Config, database
from harness.mariadb import MariaDB
from harness.wire import Client

SCHEMA = "cached"


def make_rows(db: MariaDB, schema: str = SCHEMA) -> MariaDB:
    """A table t of 1,000 rows that the test may change."""
    db.sql(
        f"CREATE OR REPLACE DATABASE {schema}",
        f"USE {schema}",
        "CREATE TABLE t (id INT PRIMARY KEY, v INT)",
        "INSERT INTO t SELECT seq, 1 FROM seq_1_to_1000",
    )
    return db


def config(
    db: MariaDB, top: dict[str, Any] | None = None, cache: dict[str, Any] | None = None,
    **source: Any,
) -> Config:
    """One source over t that keeps items for a minute, unless 'source' says otherwise."""
    return Config(
        databases={"main": database(db.socket, SCHEMA)},
        sources={"t": {"table": "t", "fresh": "60s", "jitter": 0, **source}},
        top={"workers": 1, **(top or {})},
        cache={"size": "16M", **(cache or {})},
    )


def set_v(db: MariaDB, v: int, key: int = 1) -> None:
    """Changes a row, and nobody tells fetchd."""
    db.sql(f"UPDATE {SCHEMA}.t SET v={v} WHERE id={key}")


def look(client: Client, key: int = 1, options: bytes = b"") -> str:
    """ "ITEM 1", "STALE 1", "MISS", "FAIL stale": what became of it and its v."""
    reply = client.fetch(key, options=options).replies[0]
    if reply.status in (b"ITEM", b"STALE"):
        return f"{reply.status.decode()} {reply.item['v']}"
    return reply.short


def origin(client: Client, key: int = 1) -> str:
    """Where trace=1 says it came from."""
    client.send(b"fetch trace=1 %d\r\n" % key)
    lines = []
    while not lines or not lines[-1].startswith(b"DONE"):
        lines.append(client.line())
    found = re.search(rb"from=(\w+)", lines[1])
    assert found, lines
    return found[1].decode()


@contextlib.contextmanager
def locked(db: MariaDB) -> Iterator[None]:
    """Nobody reads t in here."""
    with locks.locked(db, f"{SCHEMA}.t"):
        yield
