"""test_wire.py - the native dialect, conversation by conversation."""

from __future__ import annotations

import re
from typing import Callable, Iterator

import pytest

from harness.catalogue import BIG
from harness.fetchd import Config, Fetchd, shop
from harness.mariadb import MariaDB
from harness.wait import wait_until
from harness.wire import Client, parse_answer, wait_read_by_server

LINE_LIMIT = 64 * 1024


@pytest.fixture(scope="module")
def small(
    shop_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """A server with narrow limits and one worker."""
    config = shop(shop_db.socket, workers=1)
    config.limits = {"line": "64K", "ids": 100}
    yield from keep_fetchd(config)


# --- fetch


def test_answers_come_in_request_order_with_their_keys(client: Client) -> None:
    answer = client.fetch(3, 999999, "abc", 1)
    assert answer.shorts == ["ITEM", "MISS", "FAIL badid", "ITEM"]
    assert (answer.items, answer.misses, answer.failures) == (2, 1, 1)
    assert [answer.replies[n].item["id"] for n in (0, 3)] == ["3", "1"]


def test_a_repeated_key_is_answered_at_each_position(client: Client) -> None:
    answer = client.fetch(5, 6, 5, 5, 999999, 999999)
    assert answer.shorts == ["ITEM"] * 4 + ["MISS"] * 2
    assert answer.replies[0].rest == answer.replies[2].rest == answer.replies[3].rest


def test_keys_are_echoed_byte_for_byte(client: Client) -> None:
    answer = client.fetch(
        "007", "7", "-0", "0000000000000000000000000000007", "-00999999"
    )
    assert answer.shorts == ["ITEM", "ITEM", "MISS", "ITEM", "MISS"]
    assert answer.replies[0].rest == answer.replies[1].rest == answer.replies[3].rest
    assert answer.replies[0].item["id"] == "7"


@pytest.mark.parametrize(
    "line",
    [
        b"fetch 1 2\n",
        b"fetch 1 2\r\n",
        b"  fetch   1  2   \r\n",
        b"\r\n\n \n  \r\nfetch 1 2\n",
        b"fetch -- 1 2\n",
        b"fetch  --  1 2 \r\n",
    ],
)
def test_blanks_line_ends_and_empty_lines_do_not_matter(
    client: Client, line: bytes
) -> None:
    client.send(line)
    assert client.read_answer([b"1", b"2"]).shorts == ["ITEM", "ITEM"]
    assert client.ask(b"ping") == b"PONG"


def test_a_source_prefix_chooses_the_table(client: Client) -> None:
    answer = client.fetch("tags:tag-001", ":3", "items:4", "big:1", "tags:nothing")
    assert answer.shorts == ["ITEM", "ITEM", "ITEM", "ITEM", "MISS"]
    assert answer.replies[0].item == {
        "name": "tag-001",
        "label": "label of tag-001",
        "uses": "1",
    }
    assert answer.replies[1].item["id"] == "3"
    assert answer.replies[2].item["id"] == "4"
    assert answer.replies[3].item["body"] == ""


def test_a_double_at_is_another_way_to_name_the_source(client: Client) -> None:
    answer = client.fetch("@@tags.tag-002", "@@items.7")
    assert [r.item.get("name") for r in answer.replies] == ["tag-002", "item 7"]


def test_an_unknown_prefix_is_part_of_the_id(client: Client) -> None:
    answer = client.fetch("nosuch:1", "user:123", "role::program", ":", "tags:")
    assert answer.shorts[:4] == ["FAIL badid"] * 4
    assert answer.items == 0


def test_a_double_at_with_a_source_that_is_none_is_no_id_even_of_a_text_source(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    config = shop(shop_db.socket, workers=1)
    config.sources = {name: config.sources[name] for name in ("tags", "items")}
    client = start_fetchd(config).client()
    answer = client.fetch("tag-001", "nosuch:1", "@@nosuch.tag-001", "@@tags", "@@", ":@@x")
    assert answer.shorts == ["ITEM", "MISS"] + ["FAIL badid"] * 3 + ["MISS"]
    line = client.ask(b"fetch trace=1 @@nosuch.7")
    assert line == b"FAIL @@nosuch.7 badid"
    assert client.line().startswith(b"TRACE @@nosuch.7 source=none from=none ")
    assert client.line().startswith(b"DONE 0 0 1 ")
    assert client.ask(b"fetch fields=label @@nosuch.7 tag-001").startswith(b"FAIL ")


def test_a_prefix_inside_the_default_text_source_stays_text(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    config = shop(shop_db.socket, workers=1)
    config.sources = {"tags": config.sources["tags"], "items": config.sources["items"]}
    client = start_fetchd(config).client()
    answer = client.fetch(
        "role::program", "größe", "🎈", ":role::program", "user:123", "items:9"
    )
    assert answer.shorts == ["ITEM", "ITEM", "ITEM", "ITEM", "MISS", "ITEM"]
    assert answer.replies[3].item["name"] == "role::program"


def test_a_first_key_with_an_equals_sign_needs_two_dashes(client: Client) -> None:
    client.send(b"fetch -- tags:name=value\n")
    assert client.read_answer([b"tags:name=value"]).shorts == ["ITEM"]
    client.send(b"fetch 1 tags:name=value\n")
    assert client.read_answer([b"1", b"tags:name=value"]).shorts == ["ITEM", "ITEM"]
    assert client.ask(b"fetch tags:name=value 1").startswith(b"ERROR option")
    assert client.fetch(1).shorts == ["ITEM"]


def test_an_unknown_option_is_refused_and_nothing_is_looked_up(small: Fetchd) -> None:
    with Client(small.address) as client:
        before = client.stats()
        assert client.ask(b"fetch nosuchoption=1 1 2").startswith(b"ERROR option")
        assert client.ask(b"#t fetch nosuchoption=1 1 2").startswith(b"#t ERROR option")
        assert client.fetch(1).shorts == ["ITEM"]
        after = client.stats()
    assert after["ids"] == before["ids"] + 1


@pytest.mark.parametrize("size,status", [(249, "MISS"), (250, "MISS")])
def test_a_key_may_have_250_bytes(client: Client, size: int, status: str) -> None:
    assert client.fetch(b":" + b"7" * (size - 1)).shorts == [status]
    assert client.fetch(b"tags:" + b"k" * (size - 5)).shorts == [status]


@pytest.mark.parametrize("key", [b"k" * 251, b"a\x7fb", b"a\x01b", b"a\x00b", b"a\x1fb"])
def test_a_key_with_forbidden_bytes_is_one_error_line(client: Client, key: bytes) -> None:
    assert client.ask(b"fetch 1 " + key).startswith(b"ERROR syntax")
    assert client.fetch(1).shorts == ["ITEM"]


# --- what is wrong


@pytest.mark.parametrize("line", [b"nosuchverb", b"nosuchverb 1 2 3", b"fetchx 1", b"z"])
def test_an_unknown_verb_is_a_bare_error(client: Client, line: bytes) -> None:
    assert client.ask(line) == b"ERROR"
    assert client.fetch(1).shorts == ["ITEM"]


@pytest.mark.parametrize(
    "line",
    [
        b"fetch",
        b"fetch --",
        b"# fetch 1",
        b"#",
        b"#abcdefghijklmnopq fetch 1",
        b"#a-b fetch 1",
        b"1 2 3",
        b"fetch 1\r2",
        b"!",
        b"(fetch 1)",
    ],
)
def test_a_syntax_error_is_one_line_and_the_connection_lives_on(
    client: Client, line: bytes
) -> None:
    assert re.match(rb"(#\S* )?ERROR syntax( |$)", client.ask(line))
    assert client.fetch(1).shorts == ["ITEM"]


def test_too_many_ids_are_refused_and_the_connection_lives_on(small: Fetchd) -> None:
    with Client(small.address) as client:
        assert client.fetch(*range(1, 101)).items == 100
        assert client.ask(b"fetch" + b" 1" * 101).startswith(b"ERROR toomany")
        assert client.ask(b"#x fetch" + b" 1" * 5000).startswith(b"#x ERROR toomany")
        assert client.fetch(1).shorts == ["ITEM"]


@pytest.mark.parametrize("size", [LINE_LIMIT - 1, LINE_LIMIT])
def test_a_line_up_to_the_limit_is_read(small: Fetchd, size: int) -> None:
    with Client(small.address) as client:
        assert client.ask(b"fetch" + b" " * (size - 7) + b"1")[:4] == b"ITEM"
        assert client.line().startswith(b"DONE 1 0 0")


@pytest.mark.parametrize("size", [LINE_LIMIT + 1, LINE_LIMIT * 10])
def test_a_line_over_the_limit_is_an_error_and_the_end(small: Fetchd, size: int) -> None:
    with Client(small.address) as client:
        client.send_until_refused(b"fetch " + b"1 " * (size // 2))
        assert client.line().startswith(b"ERROR toolong")
        assert client.rest() == b""


@pytest.mark.parametrize("tag,echoed", [(b"#t1 ", b"#t1 "), (b"#-", b""), (b"# ", b"")])
def test_a_line_over_the_limit_is_answered_with_its_tag(
    small: Fetchd, tag: bytes, echoed: bytes
) -> None:
    with Client(small.address) as client:
        client.send_until_refused(tag + b"fetch " + b"1 " * LINE_LIMIT)
        assert client.line().startswith(echoed + b"ERROR toolong ")
        assert client.rest() == b""


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /fetch HTTP/1.0\r\n\r\n",
        b"PUT /x HTTP/1.1\r\n",
        b"\x80\x00\x00\x00\x00\x00\x00\x00",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\x00\x00\x00\x85\xffSMB",
        b"\xff\xfe\n",
        b"\x1b[31m\n",
        b"\x01\n",
    ],
)
def test_a_foreign_protocol_is_closed_at_once_without_a_word(
    server: Fetchd, first: bytes
) -> None:
    with Client(server.address) as client:
        client.send_until_refused(first)
        assert client.rest() == b""
    with Client(server.address) as client:
        assert client.fetch(1).shorts == ["ITEM"]


def test_a_foreign_protocol_is_counted(small: Fetchd) -> None:
    with Client(small.address) as client:
        before = client.stats()["foreign_protocols"]
        for first in (b"GET / HTTP/1.1\r\n", b"\x80\x01\x02\x03", b"\x16\x03\x01\x02"):
            with Client(small.address) as foreign:
                foreign.send(first)
                assert foreign.rest() == b""
        client.wait_stat("foreign_protocols", before + 3)


# --- tags


def test_a_tag_stands_before_every_line_of_its_answer(client: Client) -> None:
    answer = client.fetch(1, 999999, "abc", tag=b"#a1")
    assert answer.shorts == ["ITEM", "MISS", "FAIL badid"]
    assert client.fetch(1, tag=b"#0123456789abcDEF").shorts == ["ITEM"]
    assert client.ask(b"#a1 fetch").startswith(b"#a1 ERROR syntax")
    assert client.fetch(2).shorts == ["ITEM"]


def test_tagged_answers_may_overtake_but_never_mix(client: Client) -> None:
    asked = {
        f"#t{n}".encode(): [str(k).encode() for k in range(n * 7 + 1, n * 7 + 8)]
        for n in range(20)
    }
    for tag, keys in asked.items():
        client.ask_fetch(keys, tag)
    lines: dict[bytes, list[bytes]] = {tag: [] for tag in asked}
    while sum(len(got) for got in lines.values()) < 20 * 8:
        line = client.line()
        lines[line.split(b" ", 1)[0]].append(line)
    for tag, keys in asked.items():
        assert parse_answer(lines[tag], keys, tag).items == 7


# --- other verbs


def test_ping_is_answered_with_pong(client: Client) -> None:
    assert client.ask(b"ping") == b"PONG"


def test_help_names_every_verb(client: Client) -> None:
    client.send(b"help\n")
    lines = client.lines_until(b"END")
    assert lines and all(line.startswith(b"HELP ") for line in lines)
    text = b"\n".join(lines)
    for verb in (b"fetch", b"ping", b"sources", b"version", b"stats", b"quit", b"help"):
        assert verb in text, verb


def test_sources_tells_name_kind_key_and_state(client: Client) -> None:
    client.fetch(1)
    client.send(b"sources\n")
    lines = [line.split(b" ") for line in client.lines_until(b"END")]
    assert [words[:2] for words in lines] == [
        [b"SOURCE", b"items"],
        [b"SOURCE", b"tags"],
        [b"SOURCE", b"big"],
    ]
    assert b"id" in lines[0] and b"name" in lines[1]


def test_version_looks_like_memcached(client: Client) -> None:
    assert re.fullmatch(rb"VERSION 1\.6\.[0-9]+", client.ask(b"version"))


def test_quit_closes_after_the_answers_before_it(client: Client) -> None:
    client.send(b"fetch 1 2\nping\nquit\nping\n")
    assert client.read_answer([b"1", b"2"]).items == 2
    assert client.line() == b"PONG"
    assert client.rest() == b""


def test_stats_name_each_figure_once_and_count_a_request(small: Fetchd) -> None:
    with Client(small.address) as client:
        before = client.stats()
        client.fetch(1, 2, 999999, "abc", 1)
        client.ask(b"nosuchverb")
        after = client.stats()
    grown = {
        name: after[name] - before[name]
        for name in (
            "requests",
            "ids",
            "items",
            "misses",
            "failures",
            "fail_badid",
            "protocol_errors",
        )
    }
    assert grown == {
        "requests": 1,
        "ids": 5,
        "items": 3,
        "misses": 1,
        "failures": 1,
        "fail_badid": 1,
        "protocol_errors": 1,
    }
    for name in (
        "pid",
        "uptime",
        "time",
        "pointer_size",
        "curr_connections",
        "workers",
        "workers_ready",
        "worker_deaths",
        "statements",
        "bytes_read",
        "bytes_written",
    ):
        assert name in after, name
    assert after["workers"] == after["workers_ready"] == 1


def test_stats_workers_has_a_line_for_each_worker(server: Fetchd, client: Client) -> None:
    rows = client.workers()
    assert sorted(int(row["pid"]) for row in rows) == server.worker_pids()
    assert {row["state"] for row in rows} == {"ready"}


# --- framing


def test_200_requests_in_one_segment_are_answered_in_order(client: Client) -> None:
    client.send(b"".join(b"fetch %d %d\n" % (n, n + 1) for n in range(1, 201)))
    for n in range(1, 201):
        assert client.read_answer([b"%d" % n, b"%d" % (n + 1)]).items == 2
    assert client.ask(b"ping") == b"PONG"


CONVERSATIONS = [
    b"fetch 1 2 3\r\n#t fetch 4 x\nping\r\n",
    b"nosuch\nfetch\r\n\r\n  fetch -- 5 tags:tag-001 \nversion\nfetch 0\n",
    b"fetch a=b\n#q1 fetch 999999\r\nfetch tags:gr\xc3\xb6\xc3\x9fe\nquit\r\n",
]


def _conversation(server: Fetchd, *pieces: bytes) -> list[list[bytes]]:
    """What comes back when the pieces arrive one by one, times masked: the untagged lines
    in order, and the tagged ones, which may come between others."""
    with Client(server.address) as client:
        for piece in pieces[:-1]:
            client.send(piece)
            wait_read_by_server(client)
        client.send(pieces[-1])
        client.half_close()
        text = client.rest()
    assert text.endswith(b"\r\n")
    lines = re.sub(rb"ms=[0-9.]+", b"ms=_", text).split(b"\r\n")
    return [
        [line for line in lines if line.startswith(b"#") == tagged]
        for tagged in (False, True)
    ]


@pytest.mark.parametrize("talk", CONVERSATIONS)
def test_a_conversation_cut_at_any_byte_gets_the_same_bytes(
    server: Fetchd, talk: bytes
) -> None:
    whole = _conversation(server, talk)
    assert sum(b"DONE" in line for lines in whole for line in lines) >= 2
    for at in range(1, len(talk)):
        assert (
            _conversation(server, talk[:at], talk[at:]) == whole
        ), f"cut before byte {at}"
    assert _conversation(server, *(talk[n : n + 1] for n in range(len(talk)))) == whole


def test_a_client_that_half_closes_still_gets_its_answers(client: Client) -> None:
    client.send(b"fetch 1 2\nfetch 3\n")
    client.half_close()
    assert client.read_answer([b"1", b"2"]).items == 2
    assert client.read_answer([b"3"]).items == 1
    assert client.rest() == b""


def test_a_line_without_its_end_is_dropped_at_half_close(client: Client) -> None:
    client.send(b"ping\nfetch 1")
    client.half_close()
    assert client.rest() == b"PONG\r\n"


def test_a_client_that_resets_in_mid_request_disturbs_nobody(server: Fetchd) -> None:
    for _ in range(20):
        gone = Client(server.address)
        gone.send(b"fetch " + b" ".join(b"%d" % n for n in range(1, 1000)) + b"\n")
        gone.reset()
    with Client(server.address) as client:
        assert client.fetch(*range(1, 50)).items == 49
        wait_until(
            lambda: client.stats()["inflight_requests"] <= 1, 5, "requests to be let go"
        )


# --- size


def test_ten_thousand_ids_fit_in_one_request(client: Client) -> None:
    answer = client.fetch(*range(1, 10_001))
    assert (answer.items, answer.misses, answer.failures) == (5000, 5000, 0)
    assert all(r.item["id"] == r.key.decode() for r in answer.replies[:5000:97])


@pytest.mark.parametrize("times,asked", [(64, 1), (4000, 40), (10_000, 100)])
def test_the_same_id_thousands_of_times_is_asked_once_a_turn(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd], times: int, asked: int
) -> None:
    client = start_fetchd(shop(shop_db.socket, workers=1)).client()
    before = client.stats()
    assert client.fetch(*[42] * times).items == times
    after = client.stats()
    # a turn plans for a share of its time; the row may be here before the next begins
    assert 1 <= after["statement_ids"] - before["statement_ids"] <= asked
    assert after["statements"] - before["statements"] <= asked


def test_items_of_every_size_arrive_whole(client: Client) -> None:
    answer = client.fetch(*(f"big:{n}" for n in BIG))
    assert [len(r.item["body"]) for r in answer.replies] == list(BIG.values())


def test_a_slow_reader_gets_all_of_a_large_answer(server: Fetchd) -> None:
    with Client(server.address, rcvbuf=4096) as client:
        keys = client.ask_fetch(["big:7"] * 20)
        assert {len(r.item["body"]) for r in client.read_answer(keys).replies} == {
            200_000
        }
