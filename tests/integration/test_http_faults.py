"""An HTTP API that misbehaves: every request answered in time, and all well soon after.

One server for all of it, with MariaDB items beside the API's: what one fault left behind
would be seen by the next.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Callable, Iterator, Sequence

import pytest

from harness import procs
from harness.fetchd import Config, Fetchd
from harness.mariadb import MariaDB
from harness.upstream import CLOSE, HANG, RESET, Step, Upstream, drip, ok, raw
from harness.wait import SLOW, elapsed_ms, slow, wait_until
from harness.wire import Client

HEAD = b"HTTP/1.1 200 OK\r\n"
ITEM = b'{"a":1}'
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DEADLINE_MS = 150
# Beyond the deadline; the machine may be busy with other tests.
LATE_MS = 40


class Shop:
    """The server, its API and a client."""

    def __init__(self, up: Upstream, server: Fetchd) -> None:
        self.up, self.server, self.client = up, server, server.client()
        (self.worker,) = server.worker_pids()
        self.first_fds = procs.fd_count(self.worker)

    def fetch(self, stock: int = 8) -> tuple[list[str], float]:
        """Items of both kinds with a deadline: what became of them, and after how long."""
        keys = [f"stock:{i}" for i in range(stock)]
        began = time.monotonic()
        answer = self.client.fetch("1", *keys, "2", options=b"deadline=%d" % DEADLINE_MS)
        took = elapsed_ms(began)
        assert [answer.shorts[0], answer.shorts[-1]] == ["ITEM", "ITEM"]
        return answer.shorts[1:-1], took

    def heal(self) -> None:
        """Good answers again, within two seconds."""
        self.up.answer = lambda r: [ok({"t": r.target})]
        wait_until(lambda: self.fetch()[0] == ["ITEM"] * 8, 2, "the API's items")


@pytest.fixture(scope="module")
def shop(
    shop_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Shop]:
    """One worker, 16 connections, a breaker that gives up early and comes back soon."""
    up = Upstream()
    url = f"http://127.0.0.1:{up.port}/{{id}}"
    config = Config(
        databases={"main": {"socket": shop_db.socket, "schema": "shop", "user": "root"}},
        sources={
            "items": {"table": "items"},
            "stock": {
                "url": url, "fresh": "0", "connections": 16, "timeout": "1s",
                "breaker_failures": 5, "header_max": "4K", "answer_max": "64K",
            },
        },
        top={"workers": 1},
    )  # fmt: skip
    servers = keep_fetchd(config)
    one = Shop(up, next(servers))
    one.heal()
    yield one
    for _ in servers:
        pass
    up.close()


def endless(piece: bytes) -> list[Step]:
    """As much as anybody would take, 100 MiB at most."""
    return [piece * (65536 // len(piece))] * 1600


HANGS: dict[str, Sequence[Step]] = {
    "before a byte": [HANG],
    "in the status line": [b"HTTP/1.1 2", HANG],
    "in the headers": [HEAD + b"Content-Le", HANG],
    "behind the headers": [HEAD + b"Content-Length: 7\r\n\r\n", HANG],
    "in the body": [HEAD + b"Content-Length: 7\r\n\r\n" + ITEM[:3], HANG],
    "in a chunk size": [CHUNKED + b"7", HANG],
    "in a chunk": [CHUNKED + b"7\r\n" + ITEM[:3], HANG],
    "before the last chunk": [CHUNKED + b"7\r\n" + ITEM + b"\r\n", HANG],
    "in the trailers": [CHUNKED + b"7\r\n" + ITEM + b"\r\n0\r\nX: y\r\n", HANG],
    "before the end of the connection": [HEAD + b"\r\n" + ITEM, HANG],
    "after 100 Continue": [b"HTTP/1.1 100 Continue\r\n\r\n", HANG],
    "a byte at a time": drip(raw(ITEM), 0.05),
    "a header line at a time": [HEAD] + [s for i in range(80) for s in (b"X: y\r\n", 0.02)],
    "a chunk at a time": [CHUNKED] + [s for i in range(80) for s in (b"1\r\n \r\n", 0.02)],
}  # fmt: skip

BROKEN: dict[str, Sequence[Step]] = {
    "reset before a byte": [RESET],
    "reset in the body": [HEAD + b"Content-Length: 7\r\n\r\n" + ITEM[:3], RESET],
    "closed before a byte": [CLOSE],
    "closed in the headers": [HEAD + b"Content-Le", CLOSE],
    "closed in the body": [HEAD + b"Content-Length: 7\r\n\r\n" + ITEM[:3], CLOSE],
    "closed in a chunk": [CHUNKED + b"7\r\n" + ITEM[:3], CLOSE],
    "closed before the last chunk": [CHUNKED + b"7\r\n" + ITEM + b"\r\n", CLOSE],
    "two lengths": [raw(ITEM, headers=["Content-Length: 9"])],
    "the same length twice": [raw(ITEM, headers=["Content-Length: 7"])],
    "a length and chunks": [raw(ITEM, headers=["Transfer-Encoding: chunked"])],
    "a negative length": [HEAD + b"Content-Length: -7\r\n\r\n" + ITEM],
    "a length with a sign": [HEAD + b"Content-Length: +7\r\n\r\n" + ITEM],
    "a short length": [HEAD + b"Content-Length: 5\r\n\r\n" + ITEM],
    "a hexadecimal chunk size": [CHUNKED + b"0x7\r\n" + ITEM + b"\r\n0\r\n\r\n"],
    "a negative chunk size": [CHUNKED + b"-7\r\n" + ITEM + b"\r\n0\r\n\r\n"],
    "a chunk size beyond 64 bits": [CHUNKED + b"f" * 17 + b"\r\n" + ITEM],
    "a chunk longer than its size": [CHUNKED + b"6\r\n" + ITEM + b"\r\n0\r\n\r\n"],
    "a second answer": [raw(ITEM) + raw(b'{"evil":1}')],
    "bare newlines": [HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 7\n\n" + ITEM],
    "a folded header": [HEAD + b"Content-Length:\r\n 7\r\n\r\n" + ITEM],
    "no HTTP": [b"SSH-2.0-OpenSSH_9.2\r\n"],
    "HTTP/2": [b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" * 4],
    "switching protocols": [b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n"],
    "gzip": [raw(b"\x1f\x8b\x08", headers=["Content-Encoding: gzip"])],
    "endless headers": [HEAD, *endless(b"X-Header: value\r\n")],
    "an endless header": [HEAD + b"X: ", *endless(b"x")],
    "endless interim answers": endless(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a length of 100 MiB": [HEAD + b"Content-Length: 104857600\r\n\r\n", *endless(b" ")],
    "100 MiB without a length": [HEAD + b"\r\n", *endless(b" ")],
    "100 MiB in chunks": [CHUNKED, *endless(b"2000\r\n" + b" " * 8192 + b"\r\n")],
    "a chunk of 100 MiB": [CHUNKED + b"6400000\r\n", *endless(b" ")],
    "5xx": [raw(b"oops", "500 X")],
    "5xx, unavailable": [raw(b"oops", "503 X")],
    "a redirect": [raw(b"", "302 X", ["Location: http://169.254.169.254/"])],
}  # fmt: skip


@pytest.mark.parametrize("stage", HANGS)
def test_a_hang_costs_the_deadline_and_nothing_more(shop: Shop, stage: str) -> None:
    """Late items are timeouts; once the breaker is open they fail at once."""
    shop.up.answer = lambda r: HANGS[stage]
    codes, took = shop.fetch()
    assert codes == ["FAIL timeout"] * 8
    assert DEADLINE_MS - 1 <= took <= DEADLINE_MS + slow(LATE_MS)
    for _ in range(3):
        codes, took = shop.fetch()
        assert set(codes) <= {"FAIL timeout", "FAIL upstream"}
        assert took <= DEADLINE_MS + slow(LATE_MS)
    shop.heal()


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_answer_is_a_failure(shop: Shop, fault: str) -> None:
    """Never an item, never a miss, never somebody else's bytes."""
    shop.up.answer = lambda r: BROKEN[fault]
    for _ in range(4):
        codes, took = shop.fetch()
        assert codes == ["FAIL upstream"] * 8, fault
        assert took <= DEADLINE_MS
    shop.heal()


def test_nobody_listens(shop: Shop) -> None:
    """Refused connections fail at once."""
    config = Config(
        sources={"stock": {"url": "http://127.0.0.1:1/{id}", "fresh": "0"}},
        top={"workers": 1},
    )
    one = Fetchd(config).start()
    try:
        client = one.client()
        began = time.monotonic()
        for _ in range(20):
            assert client.fetch("1", "2", "3").shorts == ["FAIL upstream"] * 3
        assert elapsed_ms(began) <= slow(500)
    finally:
        one.check_end()
    shop.heal()


def test_a_connection_that_is_never_accepted(
    start_fetchd: Callable[..., Fetchd],
) -> None:
    """SYNs that nobody answers: the connect timeout, then the breaker."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
        fillers.append(filler)
    source = {
        "url": f"http://127.0.0.1:{full.getsockname()[1]}/{{id}}", "fresh": "0",
        "connect_timeout": "50ms", "breaker_failures": 4,
    }  # fmt: skip
    client = start_fetchd(Config(sources={"stock": source}, top={"workers": 1})).client()
    try:
        began = time.monotonic()
        answer = client.fetch(*range(4), options=b"deadline=1000")
        assert answer.shorts == ["FAIL upstream"] * 4
        assert 45 <= elapsed_ms(began) <= slow(300)
        began = time.monotonic()
        assert client.fetch(*range(4)).failures == 4
        assert elapsed_ms(began) <= slow(40)
    finally:
        for filler in fillers:
            filler.close()
        full.close()


def test_words_on_an_idle_connection_end_it(shop: Shop) -> None:
    """An answer that comes late, or twice, is nobody's."""
    shop.up.answer = lambda r: [raw(ITEM), 0.03, raw(b'{"evil":1}')]
    assert shop.fetch()[0] == ["ITEM"] * 8
    wait_until(lambda: shop.client.stats()["http_connections"] == 0, 3, "connections to go")
    shop.heal()


def test_bursts_of_failures(shop: Shop) -> None:
    """Every third call fails: the others are served, and the breaker stays closed."""
    count = [0]

    def sometimes(_: Any) -> list[Step]:
        count[0] += 1
        return [raw(b"", "500 X")] if count[0] % 3 == 0 else [ok({})]

    opened = shop.client.stats()["breaker_opened"]
    shop.up.answer = sometimes
    for _ in range(10):
        codes, _took = shop.fetch()
        assert codes.count("ITEM") >= 5
    assert shop.client.stats()["breaker_opened"] == opened
    shop.heal()


def test_a_database_client_notices_nothing(shop: Shop) -> None:
    """Its items come as fast beside a hanging API as beside a good one."""

    def median_us(rounds: int = 400) -> float:
        times = []
        for _ in range(rounds):
            began = time.monotonic()
            assert plain.fetch("1", "2").items == 2
            times.append((time.monotonic() - began) * 1e6)
        return sorted(times)[rounds // 2]

    plain = shop.server.client()
    other = shop.server.client()
    quiet = median_us()
    shop.up.answer = lambda r: [HANG]
    keys = [b"stock:%d" % i for i in range(200)]
    other.send(b"fetch deadline=1500 %s\r\n" % b" ".join(keys))
    beside = median_us()
    other.read_answer(keys)
    assert beside <= quiet * 1.5 + 100
    shop.heal()


def test_nothing_is_left_behind(shop: Shop) -> None:
    """After all of the above: descriptors and connections as for one that is well."""
    shop.up.reset_all()
    shop.heal()
    wait_until(lambda: shop.up.open <= 16, 3, "the API to lose its connections")
    assert shop.client.stats()["http_connections"] <= 16
    allowed = shop.first_fds + 16 + 3  # its API's connections, and clients of these tests
    assert procs.fd_count(shop.worker) <= allowed, procs.fd_names(shop.worker)
    assert shop.client.stats()["inflight_statements"] == 0
    assert shop.client.stats()["queued_ids"] == 0


def test_memory_does_not_grow(shop: Shop) -> None:
    """Every kind of broken answer over and over, a good one between, so that the breaker
    stays closed and each is really read."""
    faults = list(BROKEN.values())

    def rounds(n: int) -> int:
        for i in range(n):
            shop.up.answer = lambda _, i=i: faults[i % len(faults)]
            assert shop.client.fetch("stock:1", "1").items == 1
            shop.up.answer = lambda _: [ok({"id": 2})]
            assert shop.client.fetch("stock:2", "1").items == 2
        return procs.rss_kib(shop.worker)

    before = rounds(2 * len(faults))  # buffers reach their size
    grown = rounds(6 * len(faults)) - before
    assert SLOW > 1 or grown <= 1024, f"{grown} KiB in {6 * len(faults)} rounds"
    shop.heal()


def test_a_client_that_leaves(shop: Shop) -> None:
    """It does not stop the call that it shared with others."""
    gate = [False]

    def late(_: Any) -> list[Step]:
        gate[0] = True
        return [0.1, ok({})]

    shop.up.answer = late
    leaver: Client = shop.server.client()
    leaver.send(b"fetch deadline=5000 stock:shared\r\n")
    wait_until(lambda: gate[0], 2, "the call")
    shop.client.send(b"fetch deadline=5000 stock:shared\r\n")
    leaver.reset()
    assert shop.client.read_answer([b"stock:shared"]).shorts == ["ITEM"]
    shop.heal()
