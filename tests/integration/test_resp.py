"""test_resp.py - RESP byte for byte, beside a real Redis that holds the same values."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Iterator

import pytest

from harness.catalogue import BIG
from harness.fetchd import Config, Fetchd, shop
from harness.mariadb import MariaDB
from harness.resp import Failure, Redis, RespClient, Word, converse, encode

IDS = [1, 2, 3, 7, 11, 23, 24, 33, 40, 48, 4999]
TAGS = ["tags:tag-001", "tags:role::program", "tags:größe", "tags:🎈"]


@pytest.fixture
def resp(server: Fetchd) -> Iterator[RespClient]:
    """A fresh connection to the shared server."""
    with RespClient(server.address) as connection:
        yield connection


def fields_of(text: bytes) -> list[Word]:
    """Name, value, name, ... of an item as a hash would hold it, nulls left out."""
    nested = re.search(rb'"tags":(\{.*\}),"note":', text, re.DOTALL)
    out: list[Word] = []
    for name, value in json.loads(text, parse_int=str, parse_float=str).items():
        if nested and name == "tags":
            out += [name, nested.group(1)]
        elif value is not None:
            out += [name, value]
    return out


@pytest.fixture(scope="module")
def redis(server: Fetchd) -> Iterator[Redis]:
    """A Redis filled with what the native dialect says the items are."""
    one = Redis()
    try:
        with RespClient(server.address) as client:
            keys = [str(n) for n in IDS] + TAGS
            answer = client.fetch(*keys)
            rows = [(r.key, r.rest, fields_of(r.rest)) for r in answer.replies]
        one.fill(rows)
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def small(
    shop_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """A server with narrow limits and one worker."""
    config = shop(shop_db.socket, workers=1)
    config.limits = {"line": "100K", "ids": 100}
    yield from keep_fetchd(config)


# --- the same bytes as Redis

KEYS: list[Word] = [*IDS, *TAGS, 999_999, "tags:nothing"]
ROWS: list[bytes] = [
    encode("MGET", *KEYS),
    *[encode("GET", k) for k in KEYS],
    encode("mGeT", 1, 999_999, 1, 1, 2),
    encode("EXISTS", 1, 1, 999_999, 2),
    encode("STRLEN", 3) + encode("STRLEN", 999_999),
    encode("TYPE", 3) + encode("TYPE", 999_999),
    encode("TTL", 3) + encode("PTTL", 999_999) + encode("PTTL", 1) + encode("TTL", -7),
    b"GET 3\r\nGET 999999\nget \t 7  \r\n",
    b"GET \"3\"\r\nGET '\x33'\r\nGET \"\\x33\"\r\nget 3\"\"\r\n",
    b"PING\r\nping\r\nPING hello\r\nPING \"\\n\\r\\t\\b\\a\\\\\\q\\xfF\\xg\"\r\n",
    encode("PING") + encode("PING", b"\x00\r\n\xff") + encode("PING", "a", "b"),
    encode("ECHO", b"") + encode("ECHO", b"\r\n$3\r\n") + encode("ECHO"),
    b"ECHO 'it\\'s \\x'\r\nECHO foo\"bar\"\r\n",
    b"\r\n\n  \t \r\nPING\r\n\r\n",
    b"*0\r\n*-1\r\n*-9223372036854775808\r\nPING\r\n",
    b"PING\n*1\r\n$4\r\nPINGxx*1\rx$4\rxPING\r\n",
    encode("SELECT", 0) + encode("SELECT", -1) + encode("SELECT", "zero"),
    encode("SELECT", "01") + encode("SELECT", 99) + encode("SELECT"),
    encode("AUTH", "secret") + encode("AUTH", "default", "x") + encode("AUTH", "me", "x"),
    encode("AUTH") + encode("AUTH", "a", "b", "c"),
    encode("CLIENT", "SETNAME", "me") + encode("client", "getname"),
    encode("CLIENT", "GETNAME") + encode("CLIENT", "SETNAME", "a b"),
    encode("CLIENT", "SETNAME", "") + encode("CLIENT", "GETNAME"),
    encode("CLIENT") + encode("CLIENT", "NOSUCH") + encode("CLIENT", "SETNAME"),
    encode("CLIENT", "ID", "x") + encode("CLIENT", "GETREDIR"),
    encode("CLIENT", "NO-EVICT", "on") + encode("CLIENT", "REPLY", "on"),
    encode("CONFIG") + encode("CONFIG", "GET") + encode("CONFIG", "NO\nSUCH"),
    encode("CONFIG", "GET", "save") + encode("CONFIG", "GET", "nothing"),
    encode("COMMAND", "NOSUCH") + encode("COMMAND", "INFO", "nosuch"),
    encode("HELLO", 4) + encode("HELLO", "x") + encode("HELLO", 1),
    encode("HELLO", 3, "WHAT\r\nEVER") + encode("HELLO", 2, "SETNAME"),
    encode("HELLO", 3, "AUTH", "me", "x") + encode("HELLO", 3, "AUTH", "me"),
    encode("HELLO", 3, "SETNAME", "a b") + encode("GET", 999_999),
    encode("NOSUCH") + encode("nosuch", "a", "b", "", b"\r\n*1"),
    encode("x" * 300, *["y" * 50] * 5) + encode("z", "w" * 300, "v"),
    encode("z", "w" * 125, "v") + encode("z", "w" * 124, "vvvv") + encode("z", *"v" * 90),
    encode(b"a\x00b", b"c\x00d") + encode("") + b'"" a\r\n',
    encode("GET") + encode("GET", 1, 2) + encode("MGET") + encode("HMGET", 1),
    encode("DEL") + encode("EXISTS") + encode("DBSIZE", 1) + encode("RESET", 1),
    encode("RESET") + encode("GET", 999_999),
    encode("QUIT") + encode("PING"),
    b"QUIT now\r\nPING\r\n",
    b"*3\r\n$3\r\nGET\r\n$1\r\nx\r\nfooz\r\nPING\r\n",
    b"*1\r\n\r\nPING\r\n",
    b"*blabla\r\n",
    b"*\r\n",
    b"*+1\r\n",
    b"* 1\r\n",
    b"*01\r\n",
    b"*2147483648\r\n",
    b"*99999999999999999999\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$-0\r\n",
    b"*1\r\n$blabla\r\n",
    b"*1\r\n$600000000\r\n",
    b"*1\r\n$18446744073709551617\r\n",
    b'GET "unbalanced\r\n',
    b"GET 'unbalanced\r\n",
    b'GET "a"b\r\n',
    b"PING\r\n*" + b"1" * 70_000,
    b"PING\r\n*1\r\n$" + b"1" * 70_000,
    b"P" + b"I" * 70_000,
    b"PING\r\nPOST / HTTP\r\nPING\r\n",
    b"PING\r\nHost: x\r\nPING\r\n",
]


def same(server: Fetchd, redis: Redis, conversation: bytes) -> None:
    """Both must say the same."""
    fence = len(conversation) < 65_536  # Redis looks no further, if it ends there
    ours = converse(server.address, conversation, fence)
    theirs = converse(redis.path, conversation, fence)
    if conversation[6:10].lower() in (b"post", b"host"):
        # what it owed before is sent or not when it hangs up on HTTP
        assert ours in (b"<closed>", b"+PONG\r\n<closed>")
        assert theirs.endswith(b"<closed>")
        return
    assert ours == theirs


@pytest.mark.parametrize("conversation", ROWS, ids=lambda row: repr(row[:24]))
def test_the_reply_is_what_redis_says(
    server: Fetchd, redis: Redis, conversation: bytes
) -> None:
    same(server, redis, conversation)


@pytest.mark.parametrize("conversation", ROWS[:20], ids=lambda row: repr(row[:24]))
def test_the_reply_is_what_redis_says_in_resp3(
    server: Fetchd, redis: Redis, conversation: bytes
) -> None:
    def speak(address: Any) -> bytes:
        said = converse(address, encode("HELLO", 3) + conversation)
        hello, _, rest = said.partition(b"$7\r\nmodules\r\n*0\r\n")
        assert hello.startswith(b"%7\r\n")
        return rest

    assert speak(server.address) == speak(redis.path)


HASHES: list[bytes] = [
    *[encode("HMGET", k, "id", "name", "body", "price", "nosuch", "tags") for k in IDS],
    *[encode("HGET", k, f) for k in IDS for f in ("score", "note", "big", "raw")],
    *[encode("HGETALL", k) for k in TAGS],
    encode("HGETALL", 999_999) + encode("HMGET", 999_999, "a", "b"),
    encode("HGET", 999_999, "a") + encode("HGET", 1) + encode("HGETALL"),
]


@pytest.mark.parametrize("version", [2, 3])
def test_fields_are_what_redis_says_of_a_hash(
    server: Fetchd, redis: Redis, version: int
) -> None:
    with RespClient(server.address) as ours, RespClient(redis.path) as theirs:
        for one in (ours, theirs):
            one.call("HELLO", version)
        assert theirs.call("SELECT", 1) == "OK"
        for conversation in HASHES:
            for one in (ours, theirs):
                one.send(conversation)
            for _ in range(conversation.count(b"*")):
                assert ours.raw_reply() == theirs.raw_reply(), conversation


def test_a_hash_of_an_item_has_a_nil_for_null(resp: RespClient) -> None:
    flat = resp.call("HGETALL", 11)
    item = dict(zip(flat[::2], flat[1::2]))
    assert item[b"price"] is None and item[b"note"] is None and item[b"id"] == b"11"
    resp.call("HELLO", 3)
    assert resp.call("HGETALL", 11) == item
    assert resp.call("HMGET", 11, "price", "tags.n", "nosuch") == [None, b"11", None]


# --- what is not Redis'


def test_writes_are_refused_and_do_not_cost_the_connection(resp: RespClient) -> None:
    refusal = "READONLY You can't write against a read only replica."
    for _ in range(150):  # more than limits.errors
        assert resp.call("SET", 1, "x") == refusal
    for words in (["hset", 1, "a", "b"], ["FLUSHALL"], ["EXPIRE", 1, 5], ["LPUSH", 1, 2]):
        reply = resp.call(*words)
        assert isinstance(reply, Failure) and reply == refusal
    assert resp.call("DEL", 1, 2) == 0 and resp.call("UNLINK", 1) == 0
    assert resp.call("GET", 1).startswith(b'{"id":1,')


def test_fetch_in_capitals_is_given_a_hint(resp: RespClient) -> None:
    resp.send(b"FETCH 1 2 3\r\n")
    assert "lower case" in resp.reply()
    resp.send(b"fetch 1\r\n")
    assert "lower case" in resp.reply()
    resp.send(b"get 1\r\n")
    assert resp.reply().startswith(b'{"id":1,')


def test_a_connection_may_begin_native_and_then_latches(resp: RespClient) -> None:
    resp.send(b"#a fetch 1\r\nping\r\n" + encode("PING") + b"ping\r\n")
    lines = [resp.line() for _ in range(5)]
    assert sorted(lines)[0].startswith(b"#a DONE")
    assert [line for line in lines if b"#a" not in line] == [b"PONG", b"+PONG", b"+PONG"]


def test_each_failed_id_is_an_error_among_values(resp: RespClient) -> None:
    values = resp.call("MGET", 1, "abc", 999_999, "tags:tag-001", "1e3")
    assert values[0].startswith(b'{"id":1,')
    assert isinstance(values[1], Failure) and values[1].startswith("BADID ")
    assert values[2] is None
    assert values[3].startswith(b'{"name":"tag-001"')
    assert isinstance(values[4], Failure)
    for words in (["GET"], ["HGETALL"], ["EXISTS", 1], ["STRLEN"], ["TYPE"], ["TTL"]):
        assert resp.call(*words, "abc").startswith("BADID ")
    assert resp.call("HMGET", "abc", "f").startswith("BADID ")
    assert resp.call("HGET", "abc", "f").startswith("BADID ")


def test_zero_padded_ids_are_the_same_items(resp: RespClient) -> None:
    assert resp.call("GET", "000000000429") == resp.call("GET", 429)


@pytest.mark.parametrize(
    "key,text",
    [
        ("", "ERR a key is empty"),
        ("x" * 251, "ERR a key is longer than 250 bytes"),
        ("a b", "ERR a key holds a blank or a control character"),
        (b"a\r\nb", "ERR a key holds a blank or a control character"),
        (b"a\x7f", "ERR a key holds a blank or a control character"),
    ],
)
def test_a_key_that_can_be_none_is_an_error_of_the_command(
    resp: RespClient, key: Word, text: str
) -> None:
    assert resp.call("GET", key) == text
    assert resp.call("MGET", 1, key, 2) == text
    assert resp.call("DEL", key) == text
    assert resp.call("PING") == "PONG"


def test_more_ids_than_allowed_are_an_error_of_the_command(small: Fetchd) -> None:
    with RespClient(small.address) as client:
        for n in (101, 150, 1000):
            assert "limits.ids" in client.call("MGET", *range(n))
            assert "limits.ids" in client.call("EXISTS", *range(n))
        assert len(client.call("MGET", *range(1, 101))) == 100
        assert client.call("SET", *range(1000)).startswith("READONLY")
        assert client.call("NOSUCH", *range(1000)).startswith("ERR unknown command")
        assert client.call("ECHO", "x" * 65_537) == "ERR the arguments are too long"
        assert client.call("ECHO", "x" * 65_536) == b"x" * 65_536


def test_a_request_longer_than_a_line_costs_the_connection(small: Fetchd) -> None:
    head = b"*2\r\n$4\r\nECHO\r\n"
    closed = b"-ERR Protocol error: %s\r\n<closed>"
    too_long = closed % b"the request is longer than limits.line"
    assert converse(small.address, head + b"$102401\r\n") == (
        closed % b"invalid bulk length"
    )
    assert converse(small.address, head + b"$102400\r\n") == too_long
    many = b"*100000\r\n" + b"$0\r\n\r\n" * 100_000
    assert converse(small.address, many) == too_long


def test_hello_changes_what_follows_and_nothing_before_it(resp: RespClient) -> None:
    miss = encode("GET", 999_999)
    resp.send(
        miss + encode("HELLO", 3, "SETNAME", "me") + miss + encode("CLIENT", "GETNAME")
        + encode("HELLO", 2) + miss + encode("HELLO", 3) + miss + encode("RESET") + miss
        + encode("HELLO", 4) + miss + encode("HELLO") + encode("CLIENT", "GETNAME")
    )
    raw = [resp.raw_reply() for _ in range(14)]
    assert raw[0] == b"$-1\r\n"
    assert raw[1].startswith(b"%7\r\n") and b"$5\r\nproto\r\n:3\r\n" in raw[1]
    assert raw[2] == b"_\r\n" and raw[3] == b"$2\r\nme\r\n"
    assert raw[4].startswith(b"*14\r\n") and raw[5] == b"$-1\r\n"
    assert raw[6].startswith(b"%7\r\n") and raw[7] == b"_\r\n"
    assert raw[8] == b"+RESET\r\n" and raw[9] == b"$-1\r\n"
    assert raw[10].startswith(b"-NOPROTO") and raw[11] == b"$-1\r\n"
    assert b"$5\r\nproto\r\n:2\r\n" in raw[12]
    assert raw[13] == b"$-1\r\n"


def test_hello_tells_who_answers(resp: RespClient) -> None:
    hello = resp.call("HELLO", 3)
    assert hello.pop(b"id") == resp.call("CLIENT", "ID") > 0
    assert hello == {
        b"server": b"redis",
        b"version": b"7.0.15",
        b"proto": 3,
        b"mode": b"standalone",
        b"role": b"replica",
        b"modules": [],
    }
    assert resp.call("CLIENT", "SETINFO", "LIB-NAME", "x") == "OK"
    assert b"resp=3" in resp.call("CLIENT", "INFO")
    assert resp.call("CLIENT", "LIST").endswith(b"\n")


def sections(text: bytes) -> dict[str, dict[str, str]]:
    """INFO taken apart, strictly."""
    out: dict[str, dict[str, str]] = {}
    assert text.endswith(b"\r\n")
    for part in text[:-2].decode().split("\r\n\r\n"):
        head, *lines = part.split("\r\n")
        assert head.startswith("# ") and head[2:] not in out
        out[head[2:]] = dict(line.split(":", 1) for line in lines)
        assert len(out[head[2:]]) == len(lines), "a name twice"
    return out


def test_info_holds_every_figure_of_stats(server: Fetchd, resp: RespClient) -> None:
    with RespClient(server.address) as native:
        stats = native.stats()
    info = sections(resp.call("INFO"))
    assert set(stats) == set(info["Fetchd"])
    assert info["Server"]["redis_version"] == "7.0.15"
    assert info["Server"]["redis_mode"] == "standalone"
    assert info["Server"]["process_id"] == str(server.master_pid)
    assert info["Persistence"]["loading"] == "0"
    assert info["Replication"]["role"] == "slave"
    assert int(info["Clients"]["connected_clients"]) >= 1
    assert int(info["Stats"]["total_commands_processed"]) >= stats["commands"]
    assert int(info["Stats"]["keyspace_hits"]) >= stats["items"]
    assert int(info["Clients"]["maxclients"]) > 0


def test_info_sections_can_be_chosen(resp: RespClient) -> None:
    assert list(sections(resp.call("INFO", "server"))) == ["Server"]
    assert list(sections(resp.call("INFO", "Fetchd", "CLIENTS"))) == ["Clients", "Fetchd"]
    everything = list(sections(resp.call("INFO")))
    for word in ("all", "default", "everything"):
        assert list(sections(resp.call("INFO", word))) == everything
    assert resp.call("INFO", "nosuch") == b""
    resp.call("HELLO", 3)
    resp.send(encode("INFO", "server"))
    assert resp.raw_reply().startswith(b"=")


def test_command_shows_the_table(resp: RespClient) -> None:
    names = resp.call("COMMAND", "LIST")
    assert resp.call("COMMAND", "COUNT") == len(names) == len(resp.call("COMMAND"))
    get, none = resp.call("COMMAND", "INFO", "GET", "nosuch")
    assert none is None and len(get) == 10
    assert get[:2] == [b"get", 2] and get[3:6] == [1, 1, 1]
    docs = resp.call("COMMAND", "DOCS")
    assert docs[::2] == names
    assert resp.call("COMMAND", "DOCS", "mget", "nosuch")[0] == b"mget"
    for container in ("CLIENT", "COMMAND", "CONFIG"):
        assert all(isinstance(line, str) for line in resp.call(container, "HELP"))
    resp.call("HELLO", 3)
    assert list(resp.call("COMMAND", "DOCS")) == names


def test_config_get_knows_what_tools_ask_for(resp: RespClient) -> None:
    assert resp.call("CONFIG", "GET", "save") == [b"save", b""]
    assert resp.call("CONFIG", "GET", "S*", "appendonly")[::2] == [
        b"appendonly",
        b"save",
        b"slave-read-only",
    ]
    assert "file" in resp.call("CONFIG", "SET", "save", "x")
    resp.call("HELLO", 3)
    assert int(resp.call("CONFIG", "GET", "maxclients")[b"maxclients"]) > 0


def test_big_values_arrive_whole(resp: RespClient) -> None:
    bodies = [resp.call("HGET", f"big:{n}", "body") for n in BIG]
    assert [len(body) for body in bodies] == list(BIG.values())
    assert resp.call("STRLEN", "big:7") == len(resp.call("GET", "big:7"))


def test_ten_thousand_keys_in_small_pieces(server: Fetchd, resp: RespClient) -> None:
    data = encode("MGET", *range(1, 10_001))
    for n in range(0, len(data), 1000):
        resp.send(data[n : n + 1000])
    values = resp.reply()
    assert len(values) == 10_000
    assert [v is None for v in values] == [n >= 5000 for n in range(10_000)]
    assert json.loads(values[4321])["id"] == 4322


def test_pipelined_requests_are_answered_in_order(resp: RespClient) -> None:
    resp.send(b"".join(encode("GET", n % 50 + 1) + encode("PING", n) for n in range(500)))
    for n in range(500):
        assert resp.reply().startswith(b'{"id":%d,' % (n % 50 + 1))
        assert resp.reply() == str(n).encode()


# --- when something is wrong


def test_a_database_that_is_away_is_an_error_of_each_id(
    own_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    server = start_fetchd(shop(own_db.socket, workers=1))
    with RespClient(server.address) as client:
        assert client.call("GET", 1).startswith(b'{"id":1,')
        own_db.kill9()
        server.wait_log(r"database name=main down")
        values = client.call("MGET", 1, 999_999, "abc")
        assert values[0] == values[1] == "DBERR the database is away or refused"
        assert values[2].startswith("BADID ")
        for words in (["GET", 1], ["EXISTS", 1], ["HGETALL", 1], ["HMGET", 1, "a"]):
            assert client.call(*words).startswith("DBERR ")
        assert client.call("PING") == "PONG"


def test_an_id_that_is_late_is_an_error_and_hello_waits_its_turn(
    shop_db: MariaDB,
    start_proxy: Callable[..., Any],
    start_fetchd: Callable[..., Fetchd],
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1, deadline="150ms"))
    with RespClient(server.address) as client:
        assert client.call("GET", 1).startswith(b'{"id":1,')
        road.delay_s = 0.4
        client.send(encode("MGET", 1, 2, "abc") + encode("HELLO", 3) + encode("HGETALL", -1))
        values = client.reply()
        assert [v.split(" ")[0] for v in values] == ["TIMEOUT", "TIMEOUT", "BADID"]
        assert isinstance(client.reply(), dict)
        assert client.reply().startswith("TIMEOUT ")


def test_an_item_or_an_answer_too_big_is_an_error_of_its_own(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    config = shop(shop_db.socket, workers=1)
    config.limits = {"item": "100K", "reply": "100K"}
    with RespClient(start_fetchd(config).address) as client:
        values = client.call("MGET", "big:7", "big:1", *["big:5"] * 3)
        assert values[0].startswith("TOOBIG ") and values[1] == b'{"id":1,"body":""}'
        assert [v[:7] for v in values[2:]] == [b'{"id":5', "TOOBIG ", "TOOBIG "]
        assert client.call("HGET", "big:7", "body").startswith("TOOBIG ")


def test_a_full_queue_is_an_error_of_the_ids_that_found_no_room(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    config = shop(shop_db.socket, workers=1)
    config.limits = {"queue": 200}
    with RespClient(start_fetchd(config).address) as client:
        values = client.call("MGET", *range(1, 5000))
        full = [v for v in values if isinstance(v, Failure)]
        assert full and all(v.startswith("OVERLOAD ") for v in full)
        assert len(full) + sum(isinstance(v, bytes) for v in values) == 4999
