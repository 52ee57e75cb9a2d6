"""test_parts.py - a long answer leaves in parts, and nobody can tell.

One server says everything in one go, the other in parts of 4 KiB.
"""

from __future__ import annotations

import re
from typing import Callable, Iterator

import pytest

from harness import strict
from harness.fetchd import Config, Fetchd, shop
from harness.mariadb import MariaDB
from harness.memcached import talk
from harness.resp import converse, encode
from harness.wire import Client

KEYS = [b"%d" % n for n in range(4900, 5100)] + [b"x", b"big:7", b"big:1", b"tags:tag-001"]
_TIME = re.compile(rb" (ms|wait_us)=[0-9.]+")


@pytest.fixture(scope="module")
def piecemeal(
    shop_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """A server with the smallest parts that there are."""
    config = shop(shop_db.socket, workers=1)
    config.limits = {"output_soft": "4K"}
    yield from keep_fetchd(config)


def native(server: Fetchd, words: bytes) -> bytes:
    """The answer without the times in it, and one behind it."""
    request = b"fetch " + words + b" " + b" ".join(KEYS) + b"\r\nfetch 1\r\n"
    return _TIME.sub(rb" \1=T", talk(server.address, request))


def tagged(server: Fetchd, words: bytes) -> list[bytes]:
    """The same with a tag: it may come behind what was asked later."""
    lines = []
    with Client(server.address) as client:
        client.send(b"#a fetch " + words + b" " + b" ".join(KEYS) + b"\r\n")
        while not lines or b"DONE" not in lines[-1][:7]:
            lines.append(_TIME.sub(rb" \1=T", client.line()))
    return lines


@pytest.mark.parametrize(
    "words", [b"", b"trace=1", b"as=columns", b"as=array"]
)
def test_a_native_answer_in_parts_is_the_same(
    server: Fetchd, piecemeal: Fetchd, words: bytes
) -> None:
    whole = native(server, words)
    assert native(piecemeal, words) == whole
    assert len(whole) > 50_000 and whole.count(b"\r\nDONE ") == 2
    assert tagged(piecemeal, words) == tagged(server, words)


def test_some_fields_in_parts_are_the_same(server: Fetchd, piecemeal: Fetchd) -> None:
    keys = b" ".join(b"%d" % n for n in range(1, 1000))
    request = b"fetch fields=id,body,tags.list.0,tags.n " + keys + b"\r\n"
    whole, parts = (_TIME.sub(b"", talk(s.address, request)) for s in (server, piecemeal))
    assert whole == parts and whole.count(b"\r\n") == 1000


def test_lines_in_any_order_in_parts_are_the_same_lines(
    server: Fetchd, piecemeal: Fetchd
) -> None:
    whole = native(server, b"order=done").split(b"\r\n")
    parts = native(piecemeal, b"order=done").split(b"\r\n")
    assert sorted(parts) == sorted(whole) and parts[-3:] == whole[-3:]


@pytest.mark.parametrize("verb", [b"get", b"gets"])
def test_a_memcached_answer_in_parts_is_the_same(
    server: Fetchd, piecemeal: Fetchd, verb: bytes
) -> None:
    request = verb + b" " + b" ".join(KEYS) + b"\r\nget 1\r\n"
    whole = talk(server.address, request)
    assert talk(piecemeal.address, request) == whole
    assert whole.count(b"\r\nEND\r\n") == 2


@pytest.mark.parametrize("version", [2, 3])
def test_a_resp_answer_in_parts_is_the_same(
    server: Fetchd, piecemeal: Fetchd, version: int
) -> None:
    request = encode("MGET", *KEYS) + encode("GET", 1)
    if version == 3:
        request = b"HELLO 3\r\n" + request
    whole, parts = (converse(s.address, request) for s in (server, piecemeal))
    found = [answer.partition(b"*%d\r\n" % len(KEYS)) for answer in (whole, parts)]
    assert found[0][1:] == found[1][1:] and len(found[0][2]) > 50_000


def test_many_long_answers_in_a_row_come_whole(piecemeal: Fetchd) -> None:
    with piecemeal.client() as client:
        sent = [client.ask_fetch(range(n, n + 150)) for n in range(1, 4000, 100)]
        for asked in sent:
            assert client.read_answer(asked).items == 150


def test_nothing_falls_into_an_answer_that_is_said_in_parts(server: Fetchd) -> None:
    keys = b" ".join(b"%d" % n for n in range(1, 701))  # ten parts, but below output_soft
    request = b"".join(
        b"#%s fetch as=%s %s\r\n" % (layout[:1], layout, keys) + b"get 1 2\r\nping\r\n" * 300
        for layout in (b"array", b"map", b"columns", b"lines")
    )
    with Client(server.address) as client:
        client.send(request)
        in_get, gets, dones = False, 0, 0
        while gets < 1200 or dones < 4:
            line = client.line()
            if in_get or line.startswith(b"VALUE "):
                assert re.match(rb"VALUE |\{|END$", line), line[:80]
                in_get = line != b"END"
                gets += not in_get
            elif line != b"PONG":
                assert re.match(rb"#[amcl] (DATA|DONE|ITEM|FAIL|MISS) ", line), line[:80]
                dones += b" DONE " in line[:9]
            if b" DATA " in line[:9]:
                strict.parse(line.partition(b" DATA ")[2])
