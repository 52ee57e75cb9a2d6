"""test_view.py - one item made of several tables, in every dialect."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Iterator

import pytest

from harness import memcached, strict
from harness.catalogue import ITEMS
from harness.fetchd import Config, Fetchd, database
from harness.mariadb import MariaDB
from harness.resp import Failure, RespClient
from harness.scenario import Scenario
from harness.wire import Client

SCHEMA = "views"

# What the view says of each id, digit for digit.
WHOLE = {
    1: '{"id":1,"title":"one","vendor":{"code":"v/1 ü","name":"A"},"price":{"id":1,'
    '"eur":12345678901234567890.50},"stock":{"id":1,"quantity":3}}',
    2: '{"id":2,"title":"two","vendor":{"code":"v2","name":"B"}}',
    3: '{"id":3,"title":"three","price":{"id":3,"eur":0.10}}',
    4: '{"id":4,"title":"four","stock":{"id":4,"quantity":0}}',
}


@pytest.fixture(scope="module")
def shelves(shop_db: MariaDB) -> Iterator[MariaDB]:
    """Four items: all parts, no price and stock, no vendor, a vendor that is not there."""
    shop_db.sql(
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4",
        f"USE {SCHEMA}",
        "CREATE TABLE base (id BIGINT PRIMARY KEY, title VARCHAR(20), vendor VARCHAR(20))",
        "INSERT INTO base VALUES (1,'one','v/1 ü'),(2,'two','v2'),(3,'three',NULL),"
        "(4,'four','gone')",
        "CREATE TABLE stock (id INT PRIMARY KEY, quantity INT)",
        "INSERT INTO stock VALUES (1,3),(4,0),(9,9)",
        "CREATE TABLE price (id INT PRIMARY KEY, eur DECIMAL(30,2))",
        "INSERT INTO price VALUES (1,12345678901234567890.50),(3,0.10)",
        "CREATE TABLE vendors (code VARCHAR(20) PRIMARY KEY, name VARCHAR(20))",
        "INSERT INTO vendors VALUES ('v/1 ü','A'),('v2','B')",
    )
    yield shop_db
    shop_db.sql(f"DROP DATABASE {SCHEMA}")


def shelf(db: MariaDB, **top: Any) -> Config:
    """The view `product`, the default, over those tables."""
    return Config(
        databases={"main": database(db.socket, SCHEMA), "shop": database(db.socket)},
        sources={
            "items": {"database": "main", "table": "base"},
            "stock": {"database": "main", "table": "stock"},
            "price": {"database": "main", "table": "price"},
            "vendors": {"database": "main", "table": "vendors", "key": "code"},
            "catalogue": {"database": "shop", "table": "items"},
            "big": {"database": "shop", "table": "big"},
        },
        views={
            "product": 'part base { source = "items" }\n'
            'part vendor { source = "vendors"  key = "base.vendor" }\n'
            'parts { price = "price"  stock = "stock" }',
            "strict": 'part base { source = "items" }\n'
            'part stock { source = "stock"  required = yes }',
            "loose": 'parts { stock = "stock"  price = "price" }',
            "all": 'parts { base = "catalogue"  body = "catalogue"  more = "stock" }',
            "text": 'part base { source = "vendors" }\nparts { stock = "stock" }',
        },
        top={"default": "product", **top},
    )


@pytest.fixture(scope="module")
def views(
    shelves: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """A server in front of them."""
    yield from keep_fetchd(shelf(shelves))


@pytest.fixture
def asker(views: Fetchd) -> Iterator[Client]:
    """A connection to it."""
    with Client(views.address) as client:
        yield client


# --- what an item is


def test_parts_stand_under_their_names_and_the_merged_one_at_the_top(
    asker: Client,
) -> None:
    answer = asker.fetch(1, 2, 3, 4, 5)
    assert [r.rest.decode() for r in answer.replies[:4]] == list(WHOLE.values())
    assert answer.shorts[4] == "MISS" and b"partial" not in answer.done
    for reply in answer.replies[:4]:
        strict.parse(reply.rest)


def test_the_view_has_a_name_like_any_source(asker: Client) -> None:
    answer = asker.fetch("product:1", "@@product.1", ":1", "items:1", "items:5")
    assert [r.rest.decode() for r in answer.replies[:3]] == [WHOLE[1]] * 3
    assert set(answer.replies[3].item) == {"id", "title", "vendor"}
    assert answer.shorts[4] == "MISS"
    asker.send(b"sources\r\n")
    lines = [
        re.sub(r",left_out=\d+", "", line.decode())
        for line in asker.lines_until(b"END")
    ]
    assert (
        "SOURCE product view id state=ready parts=base=items(required,merged),"
        "vendor=vendors(optional,key=base.vendor),price=price(optional),"
        "stock=stock(optional)" in lines
    )


def test_a_required_part_decides_whether_there_is_an_item(asker: Client) -> None:
    keys = [f"strict:{n}" for n in (1, 2, 4, 5, "x")]
    assert asker.fetch(*keys).shorts == ["ITEM", "MISS", "ITEM", "MISS", "FAIL badid"]


def test_without_a_required_part_one_must_be_there(asker: Client) -> None:
    answer = asker.fetch("loose:1", "loose:2", "loose:3", "loose:9", "loose:x")
    assert answer.shorts == ["ITEM", "MISS", "ITEM", "ITEM", "FAIL badid"]
    assert answer.replies[3].rest == b'{"stock":{"id":9,"quantity":9}}'


def test_each_part_judges_the_id_for_itself(asker: Client) -> None:
    asker.ask_fetch([b"text:v2"], options=b"trace=1")
    assert asker.line() == b'ITEM text:v2 {"code":"v2","name":"B"}'
    assert asker.line().endswith(b" missing=stock:badid")
    assert asker.line().startswith(b"DONE 1 0 0 ")


def test_a_parts_bytes_travel_as_they_are(asker: Client) -> None:
    """`body` is also a column of the catalogue: the part takes its place."""
    ids = list(range(1, ITEMS, 23))
    alone = asker.fetch(*(f"catalogue:{n}" for n in ids)).replies
    together = asker.fetch(*(f"all:{n}" for n in ids)).replies
    for plain, merged in zip(alone, together):
        item = json.loads(merged.rest)
        assert merged.rest.endswith(b',"body":' + plain.rest + b"}") or "more" in item
        del item["body"]
        item.pop("more", None)
        bare = json.loads(plain.rest)
        del bare["body"]
        assert item == bare
        assert b',"body":' + plain.rest in merged.rest
        strict.parse(merged.rest)


def test_traces_name_what_is_missing(asker: Client) -> None:
    asker.ask_fetch([1, 2, 4, 5, "x"], options=b"trace=1")
    lines = [asker.line() for _ in range(11)]
    traces = [line.partition(b" missing=")[2] for line in lines[5:10]]
    assert all(line.startswith(b"TRACE ") for line in lines[5:10])
    assert traces[:4] == [b"", b"price:miss,stock:miss", b"vendor:miss,price:miss", b""]
    assert traces[4] == b"base:badid,vendor:badid,price:badid,stock:badid"


# --- every dialect


def test_fields_reach_into_parts(asker: Client) -> None:
    asker.ask_fetch([1, 4], options=b"fields=stock.quantity,title,vendor.name,price")
    assert asker.line() == (
        b'ITEM 1 {"stock.quantity":3,"title":"one","vendor.name":"A",'
        b'"price":{"id":1,"eur":12345678901234567890.50}}'
    )
    assert asker.line() == (
        b'ITEM 4 {"stock.quantity":0,"title":"four","vendor.name":null,"price":null}'
    )
    assert asker.line().startswith(b"DONE 2 0 0 ")
    for wrong in (b"nosuch", b"stock.nosuch", b"quantity", b"base", b"base.title"):
        assert asker.ask(b"fetch fields=title," + wrong + b" 1").startswith(
            b"ERROR option"
        ), wrong


def test_only_the_parts_that_are_shown_are_asked(views: Fetchd, asker: Client) -> None:
    def asked(*keys: str, fields: bytes) -> int:
        before = asker.stats()["statement_ids"]
        asker.ask_fetch(list(keys), options=b"maxage=0 fields=" + fields)
        for _ in range(len(keys) + 1):
            asker.line()
        return asker.stats()["statement_ids"] - before

    assert asked("1", fields=b"title") == 1
    assert asked("1", fields=b"stock.quantity") == 2
    assert asked("1", fields=b"vendor.name") == 2
    assert asked("1", fields=b"title,stock,price,vendor") == 4


@pytest.mark.parametrize("layout", ["array", "map", "columns"])
def test_layouts_of_one_line(asker: Client, layout: str) -> None:
    fields = " fields=title,stock.quantity" if layout == "columns" else ""
    asker.ask_fetch([1, 5, 4], options=f"as={layout}{fields}".encode())
    data = json.loads(asker.line().removeprefix(b"DATA "))
    assert asker.line().endswith(b" status=IMI")
    one, four = json.loads(WHOLE[1]), json.loads(WHOLE[4])
    if layout == "array":
        assert data == [one, None, four]
    elif layout == "map":
        assert data == {"1": one, "5": None, "4": four}
    else:
        assert data == {"title": ["one", None, "four"], "stock.quantity": [3, None, 0]}


def test_memcached_clients_see_whole_items(views: Fetchd) -> None:
    values = "".join(
        f"VALUE {n} 0 {len(WHOLE[n].encode())}\r\n{WHOLE[n]}\r\n" for n in (1, 2)
    )
    assert memcached.talk(views.address, b"get 1 5 x 2\r\n") == f"{values}END\r\n".encode()
    one = WHOLE[1].encode()
    assert memcached.talk(views.address, b"mg product:1 v\r\n") == b"VA %d\r\n%s\r\n" % (
        len(one),
        one,
    )


def test_resp_clients_see_fields_of_parts(views: Fetchd) -> None:
    with RespClient(views.address) as client:
        assert client.call("GET", "1") == WHOLE[1].encode()
        two = client.call("MGET", "2", "5", "x")
        assert two[:2] == [WHOLE[2].encode(), None] and isinstance(two[2], Failure)
        assert client.call("HMGET", "1", "title", "stock.quantity", "vendor") == [
            b"one",
            b"3",
            '{"code":"v/1 ü","name":"A"}'.encode(),
        ]
        fields = client.call("HGETALL", "4")
        assert dict(zip(fields[::2], fields[1::2])) == {
            b"id": b"4",
            b"title": b"four",
            b"stock": b'{"id":4,"quantity":0}',
        }
        assert client.call("EXISTS", "1", "5") == 1


def test_many_ids_repeated_and_in_any_order(asker: Client) -> None:
    keys = [1, 2, 5, 3, 1, 4] * 200
    answer = asker.fetch(*keys)
    for key, reply in zip(keys, answer.replies):
        assert reply.rest.decode() == WHOLE.get(key, ""), key
    asker.ask_fetch([1, 5, 2], options=b"order=done")
    lines = {asker.line() for _ in range(3)}
    assert lines == {
        b"ITEM 1 " + WHOLE[1].encode(),
        b"MISS 5",
        b"ITEM 2 " + WHOLE[2].encode(),
    }


def test_an_items_size_is_bounded(
    shelves: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    config = shelf(shelves)
    config.limits = {"item": "100K"}
    config.views["twice"] = 'parts { base = "big"  again = "big" }'
    client = start_fetchd(config).client()
    answer = client.fetch("twice:4", "twice:6", "big:6")  # 16 and 64 KiB
    assert answer.shorts == ["ITEM", "FAIL toobig", "ITEM"]


def test_a_reload_brings_and_takes_views(
    shelves: MariaDB, start_scenario: Callable[..., Scenario]
) -> None:
    config = shelf(shelves, workers=1, default="")
    views, config.views = config.views, {}
    server = start_scenario(config)
    assert server.client().fetch("loose:9", "items:1").shorts == ["FAIL badid", "ITEM"]
    config.views = views
    server.rewrite(default="product")
    server.reload()
    assert server.client().fetch("loose:9", 1).shorts == ["ITEM", "ITEM"]
    config.views = {"loose": views["loose"]}
    server.rewrite(default="")
    server.reload()
    answer = server.client().fetch("loose:9", "product:1", 1)
    assert answer.shorts == ["ITEM", "FAIL badid", "ITEM"]
