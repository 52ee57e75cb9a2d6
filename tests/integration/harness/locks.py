"""locks.py - a table that nobody can read for a while: a source that is slow."""

from __future__ import annotations

import contextlib
from typing import Iterator

from harness.mariadb import MariaDB


@contextlib.contextmanager
def locked(db: MariaDB, table: str) -> Iterator[None]:
    """Nobody reads the table in here."""
    holder = db.connect()
    try:
        with holder.cursor() as cursor:
            cursor.execute(f"LOCK TABLES {table} WRITE")
        yield
    finally:
        holder.close()
