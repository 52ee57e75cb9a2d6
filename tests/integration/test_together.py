"""test_together.py - small fetches that arrive in one turn are looked up together.

The worker is stopped while they are sent, so that it finds them all at once.
"""

from __future__ import annotations

import os
import random
import signal
from typing import Callable, Iterator

import pytest

from harness.cached import config, look, make_rows
from harness.fetchd import Fetchd
from harness.mariadb import MariaDB
from harness.resp import Failure, RespClient
from harness.wire import Client

Start = Callable[..., Fetchd]


@pytest.fixture
def server(shop_db: MariaDB, start_fetchd: Start) -> Iterator[Fetchd]:
    """One worker that has the ids 1 to 500 in its cache, and not those above."""
    server = start_fetchd(config(make_rows(shop_db)))
    server.client().fetch(*range(1, 501))
    yield server


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
