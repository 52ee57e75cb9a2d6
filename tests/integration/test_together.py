"""test_together.py - small fetches that arrive in one turn are looked up together.

The worker is stopped while they are sent, so that it finds them all at once.
"""

from __future__ import annotations

import os
import random
import re
import selectors
import signal
import socket
import time
from typing import Callable, Iterator

import pytest

from harness.cached import SCHEMA, config, look, make_rows
from harness.fetchd import Config, Fetchd
from harness.mariadb import MariaDB
from harness.resp import Failure, RespClient
from harness.wait import slow
from harness.wire import Client

Start = Callable[..., Fetchd]


@pytest.fixture
def server(shop_db: MariaDB, start_fetchd: Start) -> Iterator[Fetchd]:
    """One worker that has the ids 1 to 500 in its cache, and not those above."""
    server = start_fetchd(config(make_rows(shop_db)))
    server.client().fetch(*range(1, 501))
    yield server


def large(db: MariaDB, fresh: str = "60s") -> Config:
    """Items so large that a turn of the worker settles but one or two fetches of them."""
    make_rows(db).sql(
        f"CREATE TABLE {SCHEMA}.large (id INT PRIMARY KEY, v LONGTEXT)",
        f"INSERT INTO {SCHEMA}.large SELECT seq, REPEAT('x', 300000) FROM seq_1_to_9",
    )
    return config(db, table="large", fresh=fresh, cache={"size": "64M"})


class Stopped:
    """The worker stands still in here."""

    def __init__(self, server: Fetchd) -> None:
        self.pid = server.worker_pids()[0]

    def __enter__(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGCONT)


def check(client: Client, keys: list[int]) -> None:
    answer = client.read_answer([b"%d" % k for k in keys])
    assert [r.item["id"] for r in answer.replies] == [str(k) for k in keys]


def test_everybody_gets_his_own_answer(server: Fetchd) -> None:
    """Hits, misses, and more of them than are looked up at a time; each input must stay
    until its fetch is settled."""
    rng = random.Random(7)
    clients = [server.client() for _ in range(150)]
    asked = [[rng.randrange(1, 1001) for _ in range(rng.choice((1, 1, 2, 9, 16, 17, 40)))]
             for _ in clients]
    for _ in range(3):
        with Stopped(server):
            for client, keys in zip(clients, asked):
                client.send(b"fetch %s\r\n" % b" ".join(b"%d" % k for k in keys))
        for client, keys in zip(clients, asked):
            check(client, keys)


def test_answers_of_one_connection_keep_their_order(server: Fetchd) -> None:
    """Whatever stands behind a fetch that waits: hits, misses, other verbs, half a line."""
    client = server.client()
    with Stopped(server):
        client.send(b"fetch 1\r\nfetch 2 900\r\nping\r\nfetch 3\r\n#a fetch 4\r\nnonsense\r\n"
                    b"fetch fields=v 5\r\nfetch 6\r\nfet")
    client.send(b"ch 7\r\n")
    lines = [b" ".join(client.line().split()[:3]) for _ in range(17)]
    tagged = [line for line in lines if line.startswith(b"#a ")]
    assert [line.split(b" {")[0] for line in tagged] == [b"#a ITEM 4", b"#a DONE 1"]
    assert [b" ".join(line.split()[:2]) for line in lines if line not in tagged] == [
        b"ITEM 1", b"DONE 1", b"ITEM 2", b"ITEM 900", b"DONE 2", b"PONG", b"ITEM 3",
        b"DONE 1", b"ERROR", b"ITEM 5", b"DONE 1", b"ITEM 6", b"DONE 1", b"ITEM 7",
        b"DONE 1"]


def test_every_dialect_waits_with_the_others(server: Fetchd) -> None:
    native, memcached, resp = (
        server.client(), server.client(), RespClient(server.address))
    with Stopped(server):
        native.send(b"fetch 1 none\r\n")
        memcached.send(b"get 2 none\r\n")
        resp.send(b"MGET 3 none\r\n")
    answer = native.read_answer([b"1", b"none"])
    assert answer.replies[0].item["id"] == "1"
    assert memcached.line().startswith(b"VALUE 2 0 ")
    assert b'"id":2' in memcached.line()
    assert memcached.line() == b"END"
    first, second = resp.reply()
    assert b'"id":3' in first and isinstance(second, Failure)


def test_who_is_gone_costs_nobody_his_answer(server: Fetchd) -> None:
    clients = [server.client() for _ in range(30)]
    with Stopped(server):
        for n, client in enumerate(clients):
            client.send(b"fetch %d\r\n" % (n + 1))
            if n % 3 == 0:
                client.reset()
            elif n % 3 == 1:
                client.half_close()
    for n, client in enumerate(clients):
        if n % 3 != 0:
            check(client, [n + 1])
    assert look(server.client(), 1) == "ITEM 1"


def test_a_drain_answers_those_that_wait(server: Fetchd) -> None:
    clients = [server.client() for _ in range(20)]
    for client in clients:
        client.fetch(1)
    with Stopped(server):
        for n, client in enumerate(clients):
            client.send(b"fetch %d\r\nfetch %d\r\n" % (n + 1, n + 900))
        server.signal(signal.SIGTERM)
    for n, client in enumerate(clients):
        check(client, [n + 1])
        check(client, [n + 900])
    assert server.wait_exit() == 0


def test_who_goes_while_he_waits_costs_nobody_his_answer(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    """Most fetches still wait when their clients are heard again: half of those ask no more,
    the others are gone."""
    freed = {"MALLOC_PERTURB_": "165"}  # whoever uses freed memory stumbles over it
    server = start_fetchd(large(shop_db), env=freed)
    other = server.client()
    assert [other.fetch(7).items for _ in range(2)] == [1, 1]
    assert other.stats()["cache_hits"] == 1
    clients = [server.client() for _ in range(60)]
    with Stopped(server):
        for n, client in enumerate(clients):
            client.send(b"fetch 7\r\n")
            if n % 2 == 0:
                client.half_close()
    for client in clients[1::2]:
        client.reset()
    for client in clients[::2]:
        assert client.read_answer([b"7"]).items == 1
        assert client.rest() == b""
    assert other.fetch(7).items == 1


class Reader:
    """One connection that asks for the same large item again and again."""

    def __init__(self, server: Fetchd, on: selectors.BaseSelector) -> None:
        self.socket = socket.create_connection(server.address)
        self.answers, self.tail = 0, b""
        on.register(self.socket, selectors.EVENT_READ, self)
        self.ask()

    def ask(self) -> None:
        self.tail = b""
        self.socket.sendall(b"fetch %s7\r\n" % (b"0" * 60))

    def take(self) -> None:
        data = self.socket.recv(1 << 20)
        assert data, "closed"
        self.tail = (self.tail + data[-64:])[-64:]
        if not re.search(rb"\r\nDONE \d \d \d ms=[\d.]+\r\n$", self.tail):
            return
        assert b"\r\nDONE 1 0 0 " in self.tail, self.tail
        self.answers += 1
        self.ask()


@pytest.mark.parametrize("fresh", ["60s", "0"])
def test_who_waits_loses_nothing_by_a_reload(
    shop_db: MariaDB, start_scenario: Start, fresh: str
) -> None:
    """Connections come and go with it: the input of who waits must not be overwritten, nor
    he be taken for idle."""
    server = start_scenario(large(shop_db, fresh))
    with selectors.DefaultSelector() as ready:
        readers = [Reader(server, ready) for _ in range(24)]

        def all_are_answered(times: int) -> None:
            least = [r.answers + times for r in readers]
            end = time.monotonic() + slow(10)
            while any(r.answers < n for r, n in zip(readers, least)):
                assert time.monotonic() < end, "somebody waits in vain"
                for key, _ in ready.select(1):
                    key.data.take()

        all_are_answered(3)
        for n in range(12):
            server.signal(signal.SIGHUP)
            while not server.log_lines(rf"reloaded generation={n + 2} "):
                all_are_answered(1)
            all_are_answered(3)
        for reader in readers:
            reader.socket.close()
