"""test_view_http.py - one item made of MariaDB and HTTP APIs."""

from __future__ import annotations

import re
import time
from typing import Any, Callable, Iterator

import pytest

from harness import strict
from harness.fetchd import Config, Fetchd, database
from harness.mariadb import MariaDB
from harness.upstream import HANG, Request, Upstream, ok, raw
from harness.wait import SLOW, elapsed_ms, wait_until
from harness.wire import Client

SCHEMA = "view_http"
HOSTILE = "a/../b?c=d#e%00&f @g\r\nX: y ü"
ENCODED = "a%2F..%2Fb%3Fc%3Dd%23e%2500%26f%20%40g%0D%0AX%3A%20y%20%C3%BC"


@pytest.fixture(scope="module")
def shelves(shop_db: MariaDB) -> Iterator[MariaDB]:
    """Items 1 to 300, and 1000, whose vendor is spelt by somebody hostile."""
    shop_db.sql(
        f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4",
        f"USE {SCHEMA}",
        "CREATE TABLE base (id INT PRIMARY KEY, vendor VARCHAR(60))",
        "CREATE TABLE vendors (code VARCHAR(60) PRIMARY KEY, name VARCHAR(20))",
        "INSERT INTO base SELECT seq, CONCAT('v', seq) FROM seq_1_to_300",
        "INSERT INTO vendors SELECT CONCAT('v', seq), seq FROM seq_1_to_300",
        f"INSERT INTO base VALUES (1000, '{HOSTILE}')",
    )
    yield shop_db
    shop_db.sql(f"DROP DATABASE {SCHEMA}")


Shop = Callable[..., tuple[Upstream, Upstream, Client]]


@pytest.fixture
def shop(
    shelves: MariaDB,
    start_upstream: Callable[..., Upstream],
    start_fetchd: Callable[..., Fetchd],
) -> Shop:
    """shop(view, option=...): the stock and price APIs and a client of a server over them;
    options are for both APIs, and nothing is kept."""

    def start(view: str = "", **more: Any) -> tuple[Upstream, Upstream, Client]:
        stock, price = start_upstream(), start_upstream()
        more = {"fresh": "0", **more}
        never = {"fresh": "0"}
        config = Config(
            databases={"main": database(shelves.socket, SCHEMA)},
            sources={
                "items": {"table": "base", **never},
                "vendors": {"table": "vendors", "key": "code", **never},
                "stock": {"url": f"http://127.0.0.1:{stock.port}/stock/{{id}}", **more},
                "price": {
                    "url": f"http://127.0.0.1:{price.port}/price?ids={{ids}}",
                    "items": "data",
                    **more,
                },
            },
            views={
                "product": view
                or 'parts { base = "items"  stock = "stock"  price = "price" }'
            },
            top={"default": "product", "workers": 1},
        )
        stock.answer = lambda r: [raw(b'{"n": %d}' % number(r))]
        price.answer = lambda r: [
            ok({"data": [{"id": int(i), "eur": int(i) / 4} for i in asked(r)]})
        ]
        return stock, price, start_fetchd(config).client()

    return start


def number(request: Request) -> int:
    """The id of a call for one."""
    return int(request.target.rsplit("/", 1)[1])


def asked(request: Request) -> list[str]:
    """The ids of a call for many."""
    return request.target.partition("ids=")[2].split(",")


def whole(n: int, stock: str = '{{"n":{0}}}', price: bool = True) -> str:
    """The item of this id."""
    text = f'{{"id":{n},"vendor":"v{n}"'
    if stock:
        text += ',"stock":' + stock.format(n)
    if price:
        text += f',"price":{{"id":{n},"eur":{n / 4}}}'
    return text + "}"


def rests(client: Client, *keys: Any, options: bytes = b"") -> list[str]:
    """The items, or what is said instead."""
    answer = client.fetch(*keys, options=options)
    return [r.rest.decode() or r.short for r in answer.replies]


def test_a_hundred_items_of_three_sources(shop: Shop) -> None:
    stock, price, client = shop()
    keys = list(range(1, 101))
    assert rests(client, *keys) == [whole(n) for n in keys]
    assert len(stock.requests) == 100 and len(price.requests) <= 10
    assert client.stats()["view_partial"] == 0


def test_bytes_of_an_api_travel_digit_for_digit(shop: Shop) -> None:
    stock, _, client = shop()
    stock.answer = lambda r: [
        raw(b'{ "a" : 9007199254740993 , "b": [1.10, 1E400],\n "c": "\\u00fc\\n\xc3\xa9" }')
    ]
    (item,) = rests(client, 7)
    assert item == whole(7, '{{"a":9007199254740993,"b":[1.10,1E400],"c":"\\u00fc\\né"}}')
    strict.parse(item.encode())


def test_a_hundred_items_at_the_deadline_without_the_api_that_hangs(shop: Shop) -> None:
    stock, price, client = shop()
    price.answer = lambda r: [HANG]
    keys = list(range(1, 101))
    rests(client, *keys, options=b"deadline=100")
    start = time.monotonic()
    answer = client.fetch(*keys, options=b"deadline=150")
    took = elapsed_ms(start)
    assert [r.rest.decode() for r in answer.replies] == [
        whole(n, price=False) for n in keys
    ]
    assert answer.done.endswith(b" partial=100")
    assert 150 <= took + 0.1 < 150 + 40 * SLOW, took
    stock.answer = lambda r: [b"HTTP/1.1 200 OK\r\nContent-Le", HANG]
    assert rests(client, 5, options=b"deadline=50") == [whole(5, "", False)]


def test_what_an_api_says_decides_what_becomes_of_its_part(shop: Shop) -> None:
    stock, _, client = shop(retries=0, breaker_failures=1000)
    statuses = {1: "404 Not Found", 2: "410 Gone", 3: "500 Oops", 4: "200 OK"}
    stock.answer = lambda r: [raw(b"{nonsense", statuses[number(r)])]
    client.ask_fetch([1, 2, 3, 4], options=b"trace=1")
    lines = [client.line() for _ in range(9)]
    assert [line.split(b" ", 2)[2].decode() for line in lines[:4]] == [
        whole(n, "") for n in range(1, 5)
    ]
    assert [line.partition(b" missing=")[2] for line in lines[4:8]] == [
        b"stock:miss",
        b"stock:miss",
        b"stock:upstream",
        b"stock:upstream",
    ]
    assert lines[8].startswith(b"DONE 4 0 0 ") and lines[8].endswith(b" partial=2")


def test_an_api_may_be_required(shop: Shop) -> None:
    stock, _, client = shop(
        'parts { base = "items" }\npart stock { source = "stock"  required = yes }',
        retries=0,
        breaker_failures=1000,
    )
    statuses = {1: "404 Not Found", 2: "503 No", 3: "200 OK"}
    stock.answer = lambda r: [raw(b'{"n":3}', statuses[number(r)])]
    answer = client.fetch(1, 2, 3)
    assert answer.shorts == ["MISS", "FAIL upstream", "ITEM"]


def test_an_open_breaker_costs_an_item_nothing_but_the_part(shop: Shop) -> None:
    stock, _, client = shop(
        'parts { base = "items"  stock = "stock" }',
        timeout="30ms",
        retries=0,
        breaker_failures=3,
        breaker_min="1m",
        breaker_max="1m",
    )
    stock.answer = lambda r: [HANG]
    for n in range(1, 4):
        assert rests(client, n) == [whole(n, "", False)]
    calls = len(stock.requests)
    start = time.monotonic()
    for n in range(4, 104):
        client.ask_fetch([n], options=b"trace=1")
        assert client.line().decode() == f"ITEM {n} " + whole(n, "", False)
        assert client.line().endswith(b" missing=stock:upstream")
        assert client.line().endswith(b" partial=1")
    assert elapsed_ms(start) < 100 * 20 * SLOW
    assert len(stock.requests) == calls


def test_a_vendor_by_a_field_of_an_api(shop: Shop) -> None:
    """MariaDB is asked by what an API says, and an API by what MariaDB says."""
    stock, _, client = shop(
        'parts { base = "items"  stock = "stock" }\n'
        'part vendor { source = "vendors"  key = "stock.by.vendor" }'
    )
    vendors = {1: '"v7"', 2: "null", 3: '"nobody"', 4: "[1]", 5: '"v\\u0037"'}
    stock.answer = lambda r: [
        raw(b'{"by":{"vendor":%s}}' % vendors[number(r)].encode())
    ]
    said = {n: f'{{{{"by":{{{{"vendor":{v}}}}}}}}}' for n, v in vendors.items()}
    expected = [whole(n, said[n], False) for n in range(1, 6)]
    for n in (1, 5):
        expected[n - 1] = expected[n - 1][:-1] + ',"vendor":{"code":"v7","name":"7"}}'
    # the item's own column of that name gives way, whether there is a vendor or not
    expected = [e.replace(f'"vendor":"v{n}",', "") for n, e in enumerate(expected, 1)]
    assert rests(client, 1, 2, 3, 4, 5) == expected


def test_a_hostile_key_from_the_database_stays_one_segment(shop: Shop) -> None:
    stock, _, client = shop(
        'parts { base = "items" }\npart stock { source = "stock"  key = "base.vendor" }'
    )
    stock.answer = lambda r: [raw(b'{"n":1}')]
    assert rests(client, 1000)[0].endswith(',"stock":{"n":1}}')
    assert stock.targets() == ["/stock/" + ENCODED]


def test_parts_are_asked_once_for_views_and_plain_keys(shop: Shop) -> None:
    stock, _, client = shop('parts { base = "items"  stock = "stock" }')
    stock.answer = lambda r: [0.2, raw(b'{"n":1}')]
    client.ask_fetch([7, "stock:7", 7])
    wait_until(lambda: stock.requests, 5, "the call")
    client.ask_fetch(["stock:7", 7])
    answers = [client.read_answer(k) for k in ([b"7", b"stock:7", b"7"], [b"stock:7", b"7"])]
    assert [a.items for a in answers] == [3, 2]
    assert stock.targets() == ["/stock/7"]


def test_only_parts_that_are_shown_are_called(shop: Shop) -> None:
    stock, price, client = shop()
    client.ask_fetch([7, 8], options=b"fields=vendor")
    assert client.line() == b'ITEM 7 {"vendor":"v7"}'
    client.line()
    assert client.line().startswith(b"DONE 2 0 0 ")
    assert not stock.requests and not price.requests
    client.ask_fetch([7], options=b"fields=stock.n,id")
    assert client.line() == b'ITEM 7 {"stock.n":7,"id":7}'
    client.line()
    assert len(stock.requests) == 1 and not price.requests


def test_a_late_answer_of_an_api_is_kept_for_the_next(shop: Shop) -> None:
    stock, _, client = shop(
        'part base { source = "items" }\n'
        'part stock { source = "stock"  budget = "40ms" }',
        fresh="1h",
    )
    stock.answer = lambda r: [0.3, raw(b'{"n":%d}' % number(r))]
    start = time.monotonic()
    assert rests(client, 7) == [whole(7, "", False)]
    assert elapsed_ms(start) < 250 * SLOW
    wait_until(lambda: client.fetch(7).replies[0].item.get("stock"), 5, "the late answer")
    client.ask_fetch([7], options=b"trace=1")
    assert client.line().decode() == "ITEM 7 " + whole(7, price=False)
    assert b"missing" not in client.line()
    client.line()
    assert stock.targets() == ["/stock/7"]


def test_an_old_answer_stands_in_for_an_api_that_hangs(shop: Shop) -> None:
    stock, price, client = shop(fresh="1ms", stale_if_error="1h")
    assert rests(client, 1, 2) == [whole(1), whole(2)]
    time.sleep(0.005)  # nothing is fresh any more
    stock.answer = lambda r: [HANG]
    price.answer = lambda r: [raw(b"", "500 Oops")]
    client.ask_fetch([1, 3, 2], options=b"deadline=80 trace=1")
    lines = [client.line().decode() for _ in range(7)]
    assert re.sub(r" \d+ \{", " {", lines[0]) == "STALE 1 " + whole(1)
    assert lines[1] == "ITEM 3 " + whole(3, "", False)
    assert re.sub(r" \d+ \{", " {", lines[2]) == "STALE 2 " + whole(2)
    assert [line.partition(" missing=")[2] for line in lines[3:6]] == [
        "",
        "stock:timeout,price:upstream",
        "",
    ]
    assert lines[6].endswith(" partial=1")
