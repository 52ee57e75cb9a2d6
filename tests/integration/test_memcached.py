"""test_memcached.py - memcached's dialect, byte for byte against a real memcached.

The same items are in both; what is asked changes none of them, so a conversation must be
answered with the same bytes, cas uniques aside.
"""

from __future__ import annotations

import random
import re
from typing import Callable, Iterator

import pytest

from harness.fetchd import Config, Fetchd, database
from harness.mariadb import MariaDB
from harness.memcached import Memcached, blur_cas, talk
from harness.wire import Client

SCHEMA = "memcached"
BIG = 1 << 20  # bytes of the item "big", which limits.item just allows
LENGTHS = range(1, 251)


def key_of(length: int) -> bytes:
    """A key of so many bytes."""
    return (b"%d_" % length * length)[:length] if length > 3 else b"abcd"[:length]


@pytest.fixture(scope="module")
def words_db(shop_db: MariaDB) -> Iterator[MariaDB]:
    """A table with text keys of all lengths, one item of 1 MiB and one that is larger."""
    shell = len('{"k":"big","v":""}')
    connection = shop_db.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
        cursor.execute(
            f"CREATE TABLE {SCHEMA}.words (k VARCHAR(250) COLLATE utf8mb4_bin PRIMARY KEY,"
            " v LONGTEXT)"
        )
        rows = [(key_of(n).decode(), f"of {n} bytes") for n in LENGTHS]
        rows += [("big", "x" * (BIG - shell)), ("toobig", "x" * (BIG - shell + 100))]
        rows += [("007", "bond"), ("with blank", "quoted in base64"), ("größe", "13")]
        cursor.executemany(f"INSERT INTO {SCHEMA}.words VALUES (%s,%s)", rows)
    connection.commit()
    connection.close()
    yield shop_db
    shop_db.sql(f"DROP DATABASE {SCHEMA}")


@pytest.fixture(scope="module")
def words(
    words_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """fetchd in front of it; the shop's items are its second source."""
    yield from keep_fetchd(
        Config(
            databases={
                "main": database(words_db.socket, SCHEMA),
                "shop": database(words_db.socket),
            },
            sources={
                "words": {"database": "main", "table": "words", "key": "k"},
                "items": {"database": "shop", "table": "items", "key": "id"},
            },
        )
    )


@pytest.fixture(scope="module")
def memcached(words: Fetchd) -> Iterator[Memcached]:
    """A memcached that holds what fetchd serves."""
    keys = [key_of(n) for n in LENGTHS] + [b"big", b"007"]
    keys += [b"items:%d" % n for n in (1, 2, 3, 4, 7)] + [b"items:007"]
    other = Memcached()
    try:
        with Client(words.address) as client:
            replies = client.fetch(*keys).replies
        other.store({r.key: r.rest for r in replies})
        yield other
    finally:
        other.close()


LONG = b"k" * 251
OPAQUE = b"O" + b"1" * 31
ITEMS = b"items:1 items:999999 items:2 items:nonsense items:007 items:1"

CONVERSATIONS = [
    # get
    b"get " + ITEMS + b"\r\n",
    b"gets " + ITEMS + b"\r\n",
    b"gat 0 " + ITEMS + b"\r\n",
    b"gats 0 " + ITEMS + b"\r\n",
    b"get  items:1   items:2 \r\n",
    b"get items:1\nget items:2\nget 007\n",
    b"get big\r\n",
    b"get 999999\r\nget items:x\r\n",
    b"get\r\n",
    b"gets  \r\n",
    b"gat\r\n",
    b"gat 0\r\n",
    b"gat x items:1\r\n",
    b"get items:1 " + LONG + b"\r\nget items:1\r\n",
    b"gets " + LONG + b" items:1\r\n",
    # mg
    b"mg items:1\r\nmg items:1 v\r\nmg items:999999 v\r\nmg items:x v\r\n",
    b"mg items:2 s v t f c k O123 u\r\n",
    b"mg items:3 O123 k s f t\r\nmg items:999999 O123 k s f t q\r\n",
    b"mg items:999999 k v O9\r\nmg items:999999 k v q\r\nmg items:4 k v q\r\n",
    b"mg aXRlbXM6MQ== b v\r\nmg aXRlbXM6OTk5OTk5 b k O1\r\n",
    b"mg aXRlbXM6MQ b v\r\nmg aXRl*M6M b v\r\nmg items:1 b\r\n",
    b"mg items:1 v v\r\nmg items:1 !\r\nmg items:1 x\r\nmg items:1 E1\r\n",
    b"mg items:1 Tx\r\nmg items:1 Cx\r\nmg items:1 Fx\r\nmg items:1 M\r\n",
    b"mg items:1 Jx\r\nmg items:1 Dx\r\nmg items:1 Rx\r\nmg items:1 Nx\r\n",
    b"mg items:1 C5 v\r\nmg items:1 MX D1 J1 I P L v\r\n",
    b"mg items:1 " + OPAQUE + b"\r\nmg items:1 " + OPAQUE + b"1\r\nmg x " + OPAQUE + b"1 q\r\n",
    b"mg\r\nmg " + LONG + b"\r\nmg items:1" + b" k" * 18 + b"\r\n",
    b"mn\r\nmn 1 2\r\nmx 1\r\n",
    b"me items:999999\r\nme\r\nme " + LONG + b"\r\n",
    # storing
    b"add items:1 0 0 3\r\nabc\r\nreplace 999999 0 0 3\r\nabc\r\n",
    b"append 999999 0 0 0\r\n\r\nprepend 999999 0 0 3 x\r\nabc\r\n",
    b"add items:1 0 0 3 noreply\r\nabc\r\n",
    b"add items:1 4294967296 -1 +3\r\nabc\r\n",
    b"add items:1 0 0 2\r\nabcde\r\n",
    b"add items:1 0 0 2 noreply\r\nabcde\r\n",
    b"add items:1 0 0 14\r\nGET / HTTP/1.1\r\nadd items:1 0 0 3\r\n*1\r\r\n",
    b"add items:1 0 0 -1\r\nadd items:1 0 0 2147483646\r\n",
    b"add items:1 -1 0 2\r\nadd items:1 a 0 2\r\nadd items:1 0 b 2\r\nadd items:1 0 0 2x\r\n",
    b"set items:1\r\nset items:1 0 0 1 2 3\r\nset " + LONG + b" 0 0 1\r\n",
    b"cas items:1 0 0 1 5\r\na\r\ncas 999999 0 0 1 5\r\na\r\n",
    b"cas items:1 0 0 1 5 noreply\r\na\r\ncas items:1 0 0 1 x\r\ncas items:1 0 0 1\r\n",
    b"ms items:1 2 ME\r\nab\r\nms items:1 2 ME c k O1\r\nab\r\nms items:1 2 ME q\r\nab\r\n",
    b"ms items:1 2 C1\r\nab\r\nms 999999 2 C1 c k\r\nab\r\nms items:1 2 C1 ME\r\nab\r\n",
    b"ms items:1 2 ME\r\nabcde\r\nms items:1 2 ME q\r\nabcde\r\n",
    b"ms items:1 2 MX\r\nab\r\nms items:1 2 !\r\n*1\r\nms items:1 2 ME " + OPAQUE + b"1\r\nab\r\n",
    b"ms aXRlbXM6MQ== 2 ME k b\r\nab\r\nms a 2 ME k b\r\nab\r\n",
    b"ms\r\nms items:1\r\nms items:1 x\r\nms items:1 -1\r\nms items:1 S2\r\n",
    b"ms items:1 2147483646\r\nms " + LONG + b" 2\r\nms items:1 2" + b" k" * 18 + b"\r\n",
    # changing
    b"touch items:1 0\r\ntouch 999999 0\r\ntouch items:1 0 noreply\r\n",
    b"touch items:1 x\r\ntouch items:1\r\ntouch items:1 0 0 0\r\ntouch " + LONG + b" 0\r\n",
    b"incr items:1 1\r\ndecr items:1 1\r\nincr 999999 1\r\nincr items:1 1 noreply\r\n",
    b"incr items:1 x\r\ndecr items:1 -1\r\nincr items:1\r\nincr " + LONG + b" 1\r\n",
    b"ma items:1\r\nma items:1 k q\r\nma 999999 k O1\r\nma 999999 q\r\n",
    b"ma items:1 MX\r\nma items:1 Dx\r\nma items:1 Jx\r\nma\r\nma 999999 " + OPAQUE + b"1\r\n",
    b"ma items:1 C1 k\r\nma items:1 M+\r\nma items:1 MD\r\n",
    b"delete 999999\r\ndelete 999999 0\r\ndelete 999999 noreply\r\ndelete 999999 0 noreply\r\n",
    b"delete 999999 1\r\ndelete 999999 0 x\r\ndelete noreply\r\ndelete\r\ndelete 1 2 3 4\r\n",
    b"md 999999\r\nmd 999999 q k O1\r\nmd OTk5OTk5 b k\r\nmd 999999 k k\r\nmd\r\n",
    b"flush_all 1000000 noreply\r\nflush_all x\r\nflush_all 1 2 3\r\n",
    b"verbosity 0\r\nverbosity noreply\r\nverbosity 0 noreply\r\nverbosity x\r\nverbosity\r\n",
    # the rest
    b"version\r\nversion 1 2\r\n",
    b"stats noreply\r\nstats nonsense\r\nstats reset\r\nstats sizes\r\n",
    b"slabs\r\nlru\r\nlru_crawler\r\nnonsense\r\n",
]


@pytest.mark.parametrize("request_", CONVERSATIONS, ids=lambda r: r[:40].decode())
def test_a_conversation_is_answered_as_memcached_does(
    words: Fetchd, memcached: Memcached, request_: bytes
) -> None:
    expected = blur_cas(talk(memcached.address, request_))
    assert blur_cas(talk(words.address, request_)) == expected


def test_keys_of_every_length_are_answered_as_memcached_does(
    words: Fetchd, memcached: Memcached
) -> None:
    request = b"".join(b"get %s\r\n" % key_of(n) for n in LENGTHS)
    request += b"gets " + b" ".join(key_of(n) for n in LENGTHS) + b"\r\n"
    request += b"".join(b"mg %s k v\r\n" % key_of(n) for n in LENGTHS)
    expected = talk(memcached.address, request)
    assert expected.count(b"VALUE ") == 500 and expected.count(b"\r\nVA ") >= 249
    assert blur_cas(talk(words.address, request)) == blur_cas(expected)


def test_a_conversation_cut_at_any_byte_is_answered_the_same(words: Fetchd) -> None:
    request = (
        b"get items:1 nothing items:2\r\nmg items:3 k v q O7\r\nset a 0 0 9\r\nget *1\r\nX\r\n"
        b"cas items:1 0 0 2 5\r\nab\r\nms items:2 4 C1 k O5\r\nPING\r\ntouch items:1 0\r\n"
        b"gats 0 007\r\nmg MDA3 b k s\r\ndelete x noreply\r\nversion\r\nget nothing\r\n"
    )
    assert len(request) > 200
    expected = talk(words.address, request)
    assert expected.count(b"\r\n") == 17, expected
    with Client(words.address) as client:
        for at in range(1, len(request)):
            client.send(request[:at])
            client.send(request[at:] + b"mn\r\n")
            got = b""
            while (line := client.line()) != b"MN":
                got += line + b"\r\n"
            assert got == expected, at


def test_ten_thousand_keys_in_a_thousand_pieces(words: Fetchd) -> None:
    keys = [b"items:%d" % n for n in range(1, 10_001)]
    request = b"get " + b" ".join(keys) + b"\r\n"
    rng = random.Random(7)
    cuts = sorted(rng.sample(range(1, len(request)), 1000))
    with Client(words.address) as client:
        for begin, end in zip([0, *cuts], [*cuts, len(request)]):
            client.send(request[begin:end])
        found = []
        while (line := client.line()) != b"END":
            word, key, flags, length = line.split()
            assert (word, flags) == (b"VALUE", b"0")
            assert len(client.line()) == int(length)
            found.append(key)
        assert found == keys[:5000]  # the shop has no more


def test_ids_that_fail_are_left_out_and_counted(words: Fetchd) -> None:
    with Client(words.address) as mine:
        before = mine.stats()
        assert mine.fetch("toobig").shorts == ["FAIL toobig"]
        assert talk(words.address, b"get toobig 999999 items:x\r\n") == b"END\r\n"
        assert talk(words.address, b"mg toobig v k\r\n") == b"EN ktoobig\r\n"
        assert talk(words.address, b"cas toobig 0 0 1 5\r\na\r\n") == b"NOT_FOUND\r\n"
        got = talk(words.address, b"get toobig 007 items:x\r\n")
        assert got == b'VALUE 007 0 22\r\n{"k":"007","v":"bond"}\r\nEND\r\n'
        after = mine.stats()
    grown = {n: after[n] - before[n] for n in after}
    assert grown["get_omitted"] == 6 and grown["failures"] == 7
    assert grown["cmd_get"] == 9 and grown["get_hits"] == 1 and grown["get_misses"] == 8


def test_a_key_in_base64_may_hold_blanks(words: Fetchd) -> None:
    got = talk(words.address, b"mg d2l0aCBibGFuaw== b k v\r\n")
    value = b'{"k":"with blank","v":"quoted in base64"}'
    assert got == b"VA %d kd2l0aCBibGFuaw== b\r\n%s\r\n" % (len(value), value)


def test_a_conditional_fetch_sends_only_what_changed(words: Fetchd) -> None:
    got = talk(words.address, b"mg items:1 c v\r\n")
    found = re.match(rb"VA \d+ c(\d+)\r\n\{", got)
    assert found and 0 < int(found.group(1)) < 1 << 63
    cas = found.group(1)
    assert talk(words.address, b"mg items:1 c v C" + cas + b"\r\n") == b"HD c%s\r\n" % cas
    assert talk(words.address, b"mg items:2 v C" + cas + b"\r\n").startswith(b"VA ")


def test_a_cas_is_the_same_everywhere_and_after_a_restart(
    words: Fetchd, words_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    request = b"gets items:1 items:2 items:3\r\nme items:1\r\n"
    config = Config(
        databases={"shop": database(words_db.socket)},
        sources={"items": {"database": "shop", "table": "items", "key": "id"}},
    )
    expected = talk(words.address, request)
    assert re.search(rb"\r\nME items:1 exp=-1 la=0 cas=\d+ fetch=no cls=0 size=\d+", expected)
    for _ in range(2):
        server = start_fetchd(config)
        for one in server.client_per_worker().values():
            one.send(request)
            got = b"".join(one.line() + b"\r\n" for _ in range(8))
            assert got == expected
        server.stop()


def test_stats_has_what_exporters_need(words: Fetchd) -> None:
    needed = """pid uptime time version pointer_size curr_connections total_connections
        cmd_get get_hits get_misses cmd_set cas_hits cas_misses cas_badval bytes_read
        bytes_written threads curr_items bytes limit_maxbytes evictions""".split()
    with Client(words.address) as client:
        assert set(needed) <= set(client.stats())  # which refuses a name that comes twice
    for subject in (b"settings", b"items", b"slabs", b"conns"):
        lines = talk(words.address, b"stats " + subject + b"\r\n").split(b"\r\n")
        assert lines[-2:] == [b"END", b""]
        assert all(re.fullmatch(rb"STAT \S+ \S+", line) for line in lines[:-2])
    assert b"STAT maxconns " in talk(words.address, b"stats settings\r\n")


def test_dialects_mix_on_a_connection(words: Fetchd) -> None:
    with Client(words.address) as client:
        client.send(b"get items:1\r\n#a fetch items:2\r\nset x 0 0 2\r\nab\r\nping\r\n")
        lines = [client.line() for _ in range(7)]
    tagged = [line for line in lines if line.startswith(b"#a ")]
    plain = [line for line in lines if not line.startswith(b"#a ")]
    assert [line.split()[1] for line in tagged] == [b"ITEM", b"DONE"]
    assert plain[0].startswith(b"VALUE items:1 0 ") and plain[1].startswith(b"{")
    assert plain[2:] == [b"END", b"NOT_STORED", b"PONG"]


def test_a_huge_block_costs_no_memory(words: Fetchd) -> None:
    chunk = b"x" * (1 << 20)
    with Client(words.address) as client:
        client.send(b"set x 0 0 %d\r\n" % (64 << 20))
        for _ in range(64):
            client.send(chunk)
        client.send(b"\r\nget 007\r\n")
        assert client.line() == b"NOT_STORED"
        assert client.line() == b"VALUE 007 0 22"


@pytest.mark.parametrize(
    "first", [b"\x80\x0b\x00\x00" + bytes(20), b"\x80\x00\x00\x03" + bytes(16)]
)
def test_a_client_of_the_binary_protocol_is_closed_at_once(
    words: Fetchd, first: bytes
) -> None:
    with Client(words.address) as client:
        client.send(first)
        assert client.rest() == b""
