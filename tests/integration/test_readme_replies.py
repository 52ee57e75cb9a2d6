"""test_readme_replies.py - the README's table of replies, row by row.

Reads the table, brings about what each row speaks of, and compares the very bytes with
those in its cells: a row without a test, or a test without a row, fails.
"""

from __future__ import annotations

import contextlib
import re
import signal
import socket
from typing import Any, Callable

import pytest

from harness.fetchd import Config, Fetchd, database, shop
from harness.locks import locked
from harness.mariadb import MariaDB
from harness.resp import RespClient, encode, kill_workers
from harness.wait import REPO, wait_until
from harness.wire import Client

Start = Callable[..., Fetchd]


def rows_of_the_table() -> dict[str, list[str]]:
    """What the README says: the event -> its cells."""
    text = (REPO / "README.md").read_text(encoding="utf-8")
    table = text.partition("byte for byte:\n\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()]
    out = {}
    for when, *cells in rows[2:]:
        for n in range(1, len(cells)):
            if cells[n] == "the same":
                cells[n] = cells[n - 1]
        out[when] = cells
    return out


TABLE = rows_of_the_table()


def said(cell: str, at: int = 0) -> bytes:
    """The at-th text in code of a cell, as a line; the last one when there are fewer."""
    texts = re.findall(r"`([^`]*)`", cell)
    return texts[min(at, len(texts) - 1)].encode() + b"\r\n"


# --- one id in every dialect


def hear_native(server: Fetchd, key: bytes, when: str) -> None:
    """fetch of one id."""
    expected = said(TABLE[when][0]).replace(b"<key>", key)
    with Client(server.address) as client:
        client.send(b"fetch " + key + b"\r\n")
        assert client.line() + b"\r\n" == expected
        if not expected.startswith(b"ERROR"):
            assert client.line().startswith(b"DONE 0 ")


def hear_memcached(server: Fetchd, key: bytes, when: str) -> None:
    """get of one id, and behind it something that is answered: it was all of it."""
    cell = TABLE[when][1]
    with Client(server.address) as client:
        client.send(b"get " + key + b"\r\nmn\r\n")
        expected = b"END\r\n" if cell == "left out" else said(cell)
        assert client.line() + b"\r\n" + client.line() == expected + b"MN"


def hear_resp(server: Fetchd, key: bytes, when: str) -> None:
    """MGET and GET of one id, in both versions."""
    cell = TABLE[when][2]
    for version in (2, 3):
        with RespClient(server.address) as client:
            if version == 3:
                client.send(encode("HELLO", 3))
                client.raw_reply()
            client.send(encode("MGET", key) + encode("GET", key))
            element = said(cell, version - 2)
            whole = element if cell.endswith(", alone") else b"*1\r\n" + element
            assert client.raw_reply() == whole
            assert client.raw_reply() == element


def hear(server: Fetchd, key: bytes, when: str) -> None:
    """The row, cell by cell."""
    hear_native(server, key, when)
    hear_memcached(server, key, when)
    hear_resp(server, key, when)


# --- what the rows speak of


class Scene:
    """What a row needs."""

    def __init__(self, db: MariaDB, start: Start) -> None:
        self.db, self.start = db, start

    def serve(self, **limits: Any) -> Fetchd:
        """A server that has served."""
        config = self.config()
        config.limits = limits
        server = self.start(config)
        with Client(server.address) as client:
            assert client.fetch(1, "free:1").items == 2
        return server

    def config(self) -> Config:
        """One worker; the source "free" has a connection of its own."""
        config = shop(self.db.socket, workers=1)
        config.databases["other"] = database(self.db.socket)
        config.sources["free"] = {
            "database": "other", "table": "big", "key": "id", "fresh": "0"
        }  # fmt: skip
        return config


def unknown(scene: Scene, when: str) -> None:
    hear(scene.serve(), b"999999", when)


def old_but_there(scene: Scene, when: str) -> None:
    assert TABLE[when][0] == "`STALE <key> <age_ms> <json>`"
    assert TABLE[when][1:] == ["like any item"] * 2
    config = scene.config()
    config.sources["free"] |= {"fresh": "20ms", "stale_if_error": "60s"}
    server = scene.start(config)
    with Client(server.address) as client:
        item = client.fetch("free:1").replies[0].rest
        scene.db.kill9()
        server.wait_log(r"database name=other down")
        wait_until(lambda: client.fetch("free:1").replies[0].status == b"STALE", 3)
        old = client.fetch("free:1").replies[0]
        assert old.age_ms >= 18 and old.rest == item  # fresh, less its jitter
        client.send(b"get free:1\r\n")
        assert client.line() == b"VALUE free:1 0 %d" % len(item)
        assert [client.line(), client.line()] == [item, b"END"]
    with RespClient(server.address) as client:
        assert client.call("MGET", "free:1") == [item]


def no_id(scene: Scene, when: str) -> None:
    hear(scene.serve(), b"abc", when)


def database_away(scene: Scene, when: str) -> None:
    server = scene.serve()
    scene.db.kill9()
    server.wait_log(r"database name=main down")
    hear(server, b"1", when)


def api_away(scene: Scene, when: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = scene.config()
    config.sources["api"] = {"url": f"http://127.0.0.1:{port}/items/{{id}}"}
    hear(scene.start(config), b"api:1", when)


def deadline_passes(scene: Scene, when: str) -> None:
    config = scene.config()
    config.top["deadline"] = "60ms"
    server = scene.start(config)
    with locked(scene.db, "shop.items"):
        hear(server, b"1", when)


def queue_full(scene: Scene, when: str) -> None:
    server = scene.serve(queue=2)
    with locked(scene.db, "shop.items"), Client(server.address) as busy:
        busy.ask_fetch([2])  # leaves in a statement
        server.client().wait_stat("inflight_statements", 1)
        busy.ask_fetch([3, 4])  # fills the queue
        server.client().wait_stat("queued_ids", 2)
        hear(server, b"1", when)


def too_big(scene: Scene, when: str) -> None:
    config = scene.config()
    config.limits = {"item": "100K"}
    hear(scene.start(config), b"big:7", when)


def holds_too_much(scene: Scene, when: str) -> None:
    server = scene.serve(memory="1M", output_soft="8M")
    with locked(scene.db, "shop.items"), Client(server.address) as busy:
        busy.ask_fetch([1])
        busy.ask_fetch(["free:7"] * 8)
        server.client().wait_stat("held_bytes", 1_600_000)
        hear(server, b"free:1", when)


def long_key(scene: Scene, when: str) -> None:
    hear(scene.serve(), b"k" * 251, when)


# --- what happens to connections


def connections_taken(scene: Scene, when: str) -> None:
    config = scene.config()
    config.limits = {"connections": 2}
    server = scene.start(config)
    with Client(server.address) as one, Client(server.address) as two:
        assert one.ask(b"ping") == two.ask(b"ping") == b"PONG"
        for cell, request in zip(TABLE[when], REQUESTS):
            assert cell.endswith(", closed")
            with Client(server.address) as refused:
                refused.send_until_refused(request)
                assert refused.line() + b"\r\n" == said(cell)
                assert refused.rest() == b""


REQUESTS = (b"fetch 1\r\n", b"get 1\r\n", encode("MGET", 1))
ANSWERS = (b"ITEM 1 {", b"VALUE 1 0 ", b"*1\r\n$")


def answered(server: Fetchd, request: bytes) -> bytes:
    """The beginning of the answer on a new connection."""
    with Client(server.address) as client:
        client.send(request)
        return client.line() + b"\r\n" + client.line()


def worker_dies(scene: Scene, when: str) -> None:
    server = scene.serve()
    for cell, request, begins in zip(TABLE[when], REQUESTS, ANSWERS):
        assert cell == "the connection is reset; a new one is served at once"
        with Client(server.address) as client, locked(scene.db, "shop.items"):
            client.send(request)
            server.client().wait_stat("inflight_requests", 2)
            server.close_clients()
            kill_workers(server)
            with contextlib.suppress(ConnectionResetError):
                assert client.rest() == b""
        wait_until(lambda: server.worker_pids(), 2)
        assert answered(server, request).startswith(begins)


def server_drains(scene: Scene, when: str) -> None:
    for cell, request, begins in zip(TABLE[when], REQUESTS, ANSWERS):
        assert cell == "what was asked is answered, then closed"
        server = scene.serve()
        with Client(server.address) as client:
            with locked(scene.db, "shop.items"):
                client.send(request)
                with Client(server.address) as watch:
                    watch.wait_stat("inflight_requests", 2)
                server.signal(signal.SIGTERM)
                server.wait_log(r"draining reason")
            answer = client.rest()
            assert answer.startswith(begins) and answer.endswith(b"\r\n")
        assert server.wait_exit() == 0


EVENTS: dict[str, Callable[[Scene, str], None]] = {
    "the id is unknown": unknown,
    "the item is old and may be shown": old_but_there,
    "it is no id of that source": no_id,
    "the database is away": database_away,
    "an API is away": api_away,
    "the deadline passes": deadline_passes,
    "too much waits already": queue_full,
    "the item is too big": too_big,
    "the worker holds too much": holds_too_much,
    "a key is longer than 250 bytes": long_key,
    "the server has its connections": connections_taken,
    "a worker dies": worker_dies,
    "the server drains": server_drains,
}


def test_every_row_of_the_table_has_a_test() -> None:
    assert list(TABLE) == list(EVENTS)


@pytest.mark.parametrize("when", TABLE)
def test_a_row_of_the_readme_is_what_happens(
    own_db: MariaDB, start_fetchd: Start, when: str
) -> None:
    EVENTS[when](Scene(own_db, start_fetchd), when)
