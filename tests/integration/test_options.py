"""test_options.py - what stands before the first key, and the tag before the verb."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any, Callable, Iterator

import pytest

from harness import strict
from harness.catalogue import BIG
from harness.fetchd import Config, Fetchd, database, shop
from harness.locks import locked
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.wait import elapsed_ms, slow, wait_until
from harness.wire import Client, wait_read_by_server

Start = Callable[..., Fetchd]
DONE = re.compile(rb"DONE ([0-9]+) ([0-9]+) ([0-9]+) ms=[0-9.]+(?: status=([IMF]+))?$")
TRACE = re.compile(rb"TRACE (\S+) source=(\S+) from=(none|cache|stale|lease|source) wait_us=([0-9]+)$")
KEYS = [3, 999999, "abc", 1, 3, "tags:tag-001"]
LETTERS = "IMFIII"


@pytest.fixture(scope="module")
def exact(shop_db: MariaDB) -> Iterator[dict[str, Any]]:
    """Values that a careless layout bends, and what each row must look like."""
    shop_db.sql(
        "CREATE DATABASE exact_options CHARACTER SET utf8mb4",
        "USE exact_options",
        "CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, n BIGINT UNSIGNED, d DECIMAL(30,10),"
        " s MEDIUMTEXT, attrs JSON, `a.b` INT)",
        f"INSERT INTO t VALUES (1, {2**64 - 1}, 12345678901234567890.0123456789,"
        " CONCAT('\\\"\\\\\\\\', CHAR(1), CHAR(9), '\\r\\n{}[],🎈'),"
        ' \'{"color": "red", "in": {"x": [1, {"y": 2.50}], "n": null}, "k.l": 7,'
        ' "big": 18446744073709551616, "e": 1e400}\', 11)',
        f"INSERT INTO t VALUES (2, {2**53 + 1}, -0.5, REPEAT('ü', 32768), '[1, 2]', NULL)",
        f"INSERT INTO t VALUES ({2**64 - 1}, {2**63}, NULL, NULL, NULL, 0)",
    )
    yield strict.mariadb_objects(shop_db, "exact_options", "t", "id", ("attrs",))
    shop_db.sql("DROP DATABASE exact_options")


@pytest.fixture(scope="module")
def exact_server(
    shop_db: MariaDB,
    exact: dict[str, Any],
    keep_fetchd: Callable[[Config], Iterator[Fetchd]],
) -> Iterator[Fetchd]:
    """A server in front of those values."""
    config = shop(shop_db.socket, workers=1)
    config.databases["exact"] = database(shop_db.socket, "exact_options")
    config.sources["t"] = {"database": "exact", "table": "t", "key": "id"}
    yield from keep_fetchd(config)


@pytest.fixture
def exactly(exact_server: Fetchd) -> Iterator[Client]:
    """A connection to it."""
    with Client(exact_server.address) as client:
        yield client


def ask_data(client: Client, keys: list[Any], options: str) -> tuple[Any, str]:
    """The DATA line through the strict parser, and the letters of DONE."""
    client.ask_fetch(keys, options=options.encode())
    line = client.line()
    assert line.startswith(b"DATA "), line[:200]
    found = DONE.match(client.line())
    assert found and found[4] is not None
    letters = found[4].decode()
    counts = [letters.count(c) for c in "IMF"]
    assert counts == [int(found[n]) for n in (1, 2, 3)] and sum(counts) == len(keys)
    return strict.parse(line[5:]), letters


def read_done(client: Client) -> tuple[list[bytes], bytes]:
    """Lines up to DONE, and that line."""
    out = []
    while not (line := client.line()).startswith(b"DONE"):
        assert not line.startswith(b"ERROR"), line
        out.append(line)
    return out, line


def two_roads(fast: MariaDB, slow_db: MariaDB, **top: Any) -> Config:
    """`tags` from another server than the rest, one that a test may hold up."""
    config = shop(fast.socket, workers=1, **top)
    config.databases["other"] = database(slow_db.socket)
    config.sources["tags"]["database"] = "other"
    return config


# --- fields


def test_fields_come_in_the_order_asked_and_nothing_else(client: Client) -> None:
    whole = client.fetch(7).replies[0].item
    for fields in (["name"], ["stock", "id"], ["big", "name", "note"], list(whole)[::-1]):
        answer = client.fetch(7, options=f"fields={','.join(fields)}".encode())
        item = answer.replies[0].item
        assert list(item) == fields
        assert item == {name: whole[name] for name in fields}


def test_fields_reach_into_json_columns(exactly: Client) -> None:
    fields = "attrs.color,attrs.in.x,attrs.in,attrs.big,attrs.k.l,a.b,attrs.in.n,attrs.no"
    item = exactly.fetch("t:1", options=f"fields={fields}".encode()).replies[0].item
    inner = {"x": ["1", {"y": "2.50"}], "n": None}
    assert item == {
        "attrs.color": "red",
        "attrs.in.x": inner["x"],
        "attrs.in": inner,
        "attrs.big": "18446744073709551616",
        "attrs.k.l": "7",
        "a.b": "11",
        "attrs.in.n": None,
        "attrs.no": None,
    }
    assert list(item) == fields.split(",")
    answer = exactly.fetch("t:2", f"t:{2**64 - 1}", options=b"fields=attrs.color")
    assert [r.item for r in answer.replies] == [{"attrs.color": None}] * 2


@pytest.mark.parametrize(
    "options,keys",
    [
        ("fields=nope", [1]),
        ("fields=id,nope", [1, 2]),
        ("fields=nope.name", [1]),
        ("fields=Name", [1]),
        ("fields=name", ["big:1"]),
        ("fields=body", [1, "tags:tag-001", "big:1"]),
        ("fields=label", ["tags:tag-001", "tags:tag-002", 5]),
        ("fields=nope", ["abc", 999999]),
    ],
)
def test_a_field_that_any_asked_source_has_not_is_an_option_error(
    server: Fetchd, client: Client, options: str, keys: list[Any]
) -> None:
    client.ask_fetch(keys, options=options.encode())
    assert client.line().startswith(b"ERROR option fields: ")
    client.ask_fetch(keys, b"#t", options.encode())
    assert client.line().startswith(b"#t ERROR option fields: ")
    assert client.fetch(1).items == 1


def test_fields_that_two_sources_share_are_fine(client: Client) -> None:
    answer = client.fetch(1, "tags:tag-001", "tags:no", options=b"fields=name")
    assert [list(r.item) for r in answer.replies[:2]] == [["name"]] * 2
    assert answer.shorts[2] == "MISS"
    answer = client.fetch("big:3", 5, options=b"fields=body,id")
    assert [list(r.item) for r in answer.replies] == [["body", "id"]] * 2


@pytest.mark.parametrize("layout", ["lines", "array", "columns"])
def test_a_field_asked_twice_never_makes_json_with_a_name_twice(
    client: Client, layout: str
) -> None:
    client.ask_fetch([1], options=f"fields=id,name,id as={layout}".encode())
    line = client.line()
    if not line.startswith(b"ERROR option"):
        strict.parse(line.split(b" ", 2 if layout == "lines" else 1)[-1])


# --- as


def test_an_array_is_aligned_with_the_positions(client: Client) -> None:
    plain = client.fetch(*KEYS)
    data, letters = ask_data(client, KEYS, "as=array")
    assert letters == LETTERS
    assert data == [r.item if r.status == b"ITEM" else None for r in plain.replies]


def test_a_map_has_a_member_for_each_distinct_key(client: Client) -> None:
    plain = client.fetch(*KEYS)
    data, letters = ask_data(client, [*KEYS, "003"], "as=map")
    assert letters == LETTERS + "I"
    expected = {
        r.key.decode(): r.item if r.status == b"ITEM" else None for r in plain.replies
    }
    assert data == {**expected, "003": expected["3"]}


def test_a_map_of_keys_that_are_no_utf8_is_still_strict_json(client: Client) -> None:
    client.ask_fetch([b"tags:\xff", b"tags:\xfe", b'tags:"\\'], options=b"as=map")
    data = strict.parse(client.line()[5:])
    assert set(data.values()) == {None}
    assert client.line().startswith(b"DONE 0 ")


def test_columns_are_aligned_and_null_where_there_is_nothing(client: Client) -> None:
    plain = client.fetch(*KEYS)
    items = [r.item if r.status == b"ITEM" else {} for r in plain.replies]
    data, letters = ask_data(client, KEYS, "as=columns")
    assert letters == LETTERS
    names = dict.fromkeys(name for item in items for name in item)
    assert list(data) == list(names)
    assert data == {name: [item.get(name) for item in items] for name in names}


@pytest.mark.parametrize("layout", ["array", "map", "columns"])
def test_a_layout_of_nothing_but_failures_is_strict_json(
    client: Client, layout: str
) -> None:
    data, letters = ask_data(client, ["abc", 999999, "abc"], f"as={layout}")
    assert letters == "FMF"
    assert data == {
        "array": [None] * 3,
        "map": {"abc": None, "999999": None},
        "columns": {},
    }[layout]


def test_layouts_show_only_the_fields_asked(client: Client) -> None:
    keys = [5, 999999, 6, 5]
    plain = client.fetch(*keys, options=b"fields=kind,id").replies
    items = [r.item if r.status == b"ITEM" else None for r in plain]
    assert ask_data(client, keys, "as=array fields=kind,id")[0] == items
    data, _ = ask_data(client, keys, "fields=kind,id as=map")
    assert data == {"5": items[0], "999999": None, "6": items[2]}
    assert list(data["5"]) == ["kind", "id"]
    data, _ = ask_data(client, keys, "fields=kind,id as=columns")
    assert list(data) == ["kind", "id"]
    assert data == {n: [i and i[n] for i in items] for n in ("kind", "id")}


@pytest.mark.parametrize("layout", ["lines", "array", "map", "columns"])
def test_every_layout_carries_every_value_unchanged(
    exactly: Client, exact: dict[str, Any], layout: str
) -> None:
    keys = [f"t:{key}" for key in exact]
    if layout == "lines":
        found = [r.item for r in exactly.fetch(*keys, options=b"as=lines").replies]
    else:
        data, letters = ask_data(exactly, keys, f"as={layout}")
        assert letters == "III"
        if layout == "columns":
            assert list(data) == ["id", "n", "d", "s", "attrs", "a.b"]
            found = [{name: data[name][n] for name in data} for n in range(3)]
        else:
            found = [data[k] for k in keys] if layout == "map" else data
    assert all(strict.same(a, b) for a, b in zip(found, exact.values()))
    assert found[0]["n"] == str(2**64 - 1) and found[1]["n"] == str(2**53 + 1)
    assert found[1]["s"] == "ü" * 32768 and found[0]["attrs"]["e"] == "1e400"


def test_columns_of_dotted_paths_are_arrays_of_their_values(exactly: Client) -> None:
    keys = ["t:1", "t:2", "t:7"]
    data, letters = ask_data(exactly, keys, "as=columns fields=attrs.in.x,a.b,attrs.color")
    assert letters == "IIM"
    assert data == {
        "attrs.in.x": [["1", {"y": "2.50"}], None, None],
        "a.b": ["11", None, None],
        "attrs.color": ["red", None, None],
    }


def test_large_texts_fit_in_every_layout(client: Client) -> None:
    keys = [f"big:{n}" for n in BIG]
    sizes = list(BIG.values())
    assert [len(i["body"]) for i in ask_data(client, keys, "as=array")[0]] == sizes
    assert [len(ask_data(client, keys, "as=map")[0][k]["body"]) for k in keys] == sizes
    assert [len(s) for s in ask_data(client, keys, "as=columns")[0]["body"]] == sizes


def test_columns_of_ten_thousand_ids_are_aligned(client: Client) -> None:
    data, letters = ask_data(client, list(range(1, 10_001)), "as=columns")
    assert letters == "I" * 5000 + "M" * 5000
    assert data["id"] == [str(n) for n in range(1, 5001)] + [None] * 5000
    assert {len(column) for column in data.values()} == {10_000}


def test_a_tagged_layout_has_its_tag_on_both_lines(client: Client) -> None:
    client.ask_fetch([1, "abc"], b"#q7", b"as=array fields=id")
    assert client.line() == b'#q7 DATA [{"id":1},null]'
    assert client.line().endswith(b" status=IF")


# --- order


@pytest.mark.parametrize("tag", [b"", b"#q"])
def test_lines_known_early_arrive_while_the_rest_is_awaited(
    shop_db: MariaDB, own_db: MariaDB, start_fetchd: Start, tag: bytes
) -> None:
    client = start_fetchd(two_roads(shop_db, own_db)).client()
    prefix = tag + b" " if tag else b""
    keys = ["tags:tag-001", 1, "abc", 2, "tags:tag-001", 999999, 1, "big:2"]
    wait_until(lambda: client.fetch(*keys).items == 6, 5)
    with locked(own_db, "shop.tags"):
        client.ask_fetch(keys, tag, b"order=done")
        early = [client.line() for _ in range(6)]
        assert all(line.startswith(prefix) for line in early)
        words = [b" ".join(line[len(prefix) :].split(b" ")[:2]) for line in early]
        assert Counter(words) == {
            b"ITEM 1": 2,
            b"ITEM 2": 1,
            b"FAIL abc": 1,
            b"MISS 999999": 1,
            b"ITEM big:2": 1,
        }
        time.sleep(0.05)
        assert not client.pending()
    late = [client.line() for _ in range(3)]
    assert all(line.startswith(prefix + b"ITEM tags:tag-001 ") for line in late[:2])
    assert late[2].startswith(prefix + b"DONE 6 1 1 ms=")
    assert client.ask(b"ping") == b"PONG"


def test_order_done_shows_every_position_exactly_once(client: Client) -> None:
    keys = [*range(4990, 5010), "abc", "tags:tag-007", 4995, 4995, "big:5", "tags:no"]
    keys *= 40
    plain = Counter((r.status, r.key, r.rest) for r in client.fetch(*keys).replies)
    client.ask_fetch(keys, options=b"order=done")
    lines, done = read_done(client)
    found = Counter((*line.split(b" ", 2), b"")[:3] for line in lines)
    assert found == plain
    items = sum(count for (status, _, _), count in plain.items() if status == b"ITEM")
    assert done.startswith(b"DONE %d " % items)


def test_order_done_projects_its_lines_too(client: Client) -> None:
    client.ask_fetch([2, 1, 999999], options=b"order=done fields=id")
    lines, _ = read_done(client)
    assert sorted(lines) == [b'ITEM 1 {"id":1}', b'ITEM 2 {"id":2}', b"MISS 999999"]


def test_an_answer_in_order_waits_for_the_one_before_it(
    shop_db: MariaDB, own_db: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(two_roads(shop_db, own_db)).client()
    wait_until(lambda: client.fetch("tags:tag-001", 1).items == 2, 5)
    with locked(own_db, "shop.tags"):
        first = client.ask_fetch(["tags:tag-001"])
        client.ask_fetch([1, 2], options=b"order=done")
        wait_read_by_server(client)
        time.sleep(0.05)
        assert not client.pending()
    assert client.read_answer(first).items == 1
    assert len(read_done(client)[0]) == 2


# --- trace


def test_trace_says_where_each_position_came_from(client: Client) -> None:
    keys = [5, 999999, "abc", "tags:tag-001", 5]
    asked = ["source", "source", "none", "source", "source"]
    for tag, options in (
        (b"", b"trace=1"),
        (b"#t", b"trace=1 order=done"),
        (b"", b"trace=1 as=map"),
    ):
        client.ask_fetch(keys, tag, options)
        prefix = tag + b" " if tag else b""
        lines = []
        while not (line := client.line()[len(prefix) :]).startswith(b"DONE"):
            lines.append(line)
        traces = [m for m in map(TRACE.match, lines) if m]
        assert [m[1].decode() for m in traces] == [str(k) for k in keys]
        assert [m[2] for m in traces] == [b"items"] * 3 + [b"tags", b"items"]
        assert [m[3].decode() for m in traces] == asked
        assert lines[-5:] == [m[0] for m in traces], "TRACE lines come last, before DONE"
        assert all(int(m[4]) < 20e6 for m in traces)
    assert not any(line.startswith(b"TRACE") for line in read_done_of(client, b"trace=0"))


def read_done_of(client: Client, options: bytes) -> list[bytes]:
    """The lines of a small fetch."""
    client.ask_fetch([1, 2], options=options)
    return read_done(client)[0]


# --- maxage


@pytest.mark.parametrize(
    "option,statements", [(b"maxage=0", 2), (b"maxage=60000", 1), (b"", 1)]
)
def test_only_maxage_0_asks_again_while_a_statement_is_on_its_way(
    shop_db: MariaDB,
    start_fetchd: Start,
    start_proxy: Callable[..., Proxy],
    option: bytes,
    statements: int,
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1))
    first, second, third = (server.client() for _ in range(3))
    assert first.fetch(1, 77).items == 2
    road.delay_s = 0.25
    road.forget()
    keys = first.ask_fetch([77])
    wait_until(lambda: len(road.fetches()) == 1, 3)
    for client in (second, third):
        client.ask_fetch([77, 77], options=option)
    start = time.monotonic()
    assert first.read_answer(keys).items == 1
    for client in (second, third):
        assert client.read_answer([b"77", b"77"]).items == 2
    assert elapsed_ms(start) <= 1000 + slow(600)
    assert len(road.fetches()) == statements, [s.text for s in road.fetches()]


def test_maxage_0_sees_a_row_that_changed_after_the_first_statement(
    own_db: MariaDB, start_fetchd: Start, start_proxy: Callable[..., Proxy]
) -> None:
    road = start_proxy(own_db)
    server = start_fetchd(shop(road.socket, workers=1))
    old, new = server.client(), server.client()
    before = old.fetch(5).replies[0].item["name"]
    road.delay_s = 0.15
    sent = own_db.sql("SELECT 1")
    keys = old.ask_fetch([5])
    road.forget()
    time.sleep(0.22)  # it has been answered by MariaDB and is on its way back
    own_db.sql("UPDATE shop.items SET name='changed' WHERE id=5")
    new.ask_fetch([5], options=b"maxage=0")
    assert sent and old.read_answer(keys).replies[0].item["name"] in (before, "changed")
    assert new.read_answer([b"5"]).replies[0].item["name"] == "changed"


# --- tags


def test_128_tagged_requests_are_answered_as_they_finish(
    shop_db: MariaDB, own_db: MariaDB, start_fetchd: Start
) -> None:
    client = start_fetchd(two_roads(shop_db, own_db)).client()
    wait_until(lambda: client.fetch("tags:tag-001", 1).items == 2, 5)
    with locked(own_db, "shop.tags"):
        for n in range(128):
            key = f"tags:tag-{n:03d}" if n % 2 == 0 else str(n)
            client.ask_fetch([key], b"#r%d" % n)
        fast = [client.line() for _ in range(128)]
        odd = {b"#r%d" % n for n in range(1, 128, 2)}
        assert {line.split(b" ")[0] for line in fast} == odd
        time.sleep(0.05)
        assert not client.pending()
    rest = [client.line() for _ in range(128)]
    seen: dict[bytes, list[bytes]] = {}
    for line in fast + rest:
        tag, text = line.split(b" ", 1)
        seen.setdefault(tag, []).append(text)
    assert len(seen) == 128
    for n in range(128):
        item, done = seen[b"#r%d" % n]
        key = b"tags:tag-%03d" % n if n % 2 == 0 else b"%d" % n
        assert item.startswith(b"ITEM " + key + b" {")
        assert done.startswith(b"DONE 1 0 0 ms=")


# --- invalidate, and options that are wrong


def test_invalidate_without_a_cache_forgets_nothing(client: Client) -> None:
    assert client.ask(b"invalidate 1 tags:tag-001 whatever") == b"INVALIDATED 0"
    assert client.ask(b"#i invalidate 1") == b"#i INVALIDATED 0"
    assert client.ask(b"invalidate").startswith(b"ERROR syntax ")
    assert client.ask(b"invalidate a\x01").startswith(b"ERROR syntax ")
    assert client.fetch(1).items == 1


@pytest.mark.parametrize(
    "options,said",
    [
        (b"deadline=0", rb"deadline: expected milliseconds"),
        (b"deadline=5ms", rb"deadline: expected milliseconds"),
        (b"maxage=-1", rb"maxage: expected milliseconds"),
        (b"maxage=", rb"maxage: expected milliseconds"),
        (b"fields=", rb"fields: expected names"),
        (b"fields=id,,name", rb"fields: expected names"),
        (b"fields=id,", rb"fields: expected names"),
        (b"order=any", rb"order: expected request or done"),
        (b"as=xml", rb"as: expected lines, array, map or columns"),
        (b"trace=2", rb"trace: expected 0 or 1"),
        (b"nosuch=1", rb"unknown option"),
        (b"order=done as=array", rb"order=done goes with as=lines"),
    ],
)
def test_a_wrong_option_says_what_was_expected(
    client: Client, options: bytes, said: bytes
) -> None:
    assert re.match(rb"ERROR option .*" + said, client.ask(b"fetch " + options + b" 1"))
    answer = client.ask(b"#a fetch " + options + b" 1")
    assert re.match(rb"#a ERROR option .*" + said, answer)
    assert client.fetch(1).items == 1
