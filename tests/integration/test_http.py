"""Items from HTTP APIs: what is asked for, to the byte, and what an answer means."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from harness import resp
from harness.fetchd import Config, Fetchd, run
from harness.upstream import CLOSE, RESET, Request, Upstream, chunked, ok, raw
from harness.wait import wait_until
from harness.wire import Client

VERSION_HEADER = re.compile(rb"User-Agent: fetchd/[0-9.]+")


def api(up: Upstream, target: str = "/items/{id}", **more: Any) -> Config:
    """A server of one API alone, as the source stock, that keeps nothing."""
    url = f"http://127.0.0.1:{up.port}{target}"
    return Config(
        sources={"stock": {"url": url, "fresh": "0", **more}}, top={"workers": 1}
    )


@pytest.fixture
def stock(
    start_upstream: Callable[..., Upstream], start_fetchd: Callable[..., Fetchd]
) -> Callable[..., tuple[Upstream, Client]]:
    """stock(target, option=...): an upstream and a client of a server in front of it."""

    def start(target: str = "/items/{id}", **more: Any) -> tuple[Upstream, Client]:
        up = start_upstream()
        return up, start_fetchd(api(up, target, **more)).client()

    return start


Stock = Callable[..., tuple[Upstream, Client]]


def test_statuses_mean_item_miss_or_failure(stock: Stock) -> None:
    """200 with an object, 404 and 410, and everything else."""
    up, client = stock(breaker_failures=1000, retries=0)
    up.answer = lambda r: [
        raw(b'{"id": 1}', r.target.rsplit("/", 1)[1] + " X", ["Location: /items/200"])
    ]
    statuses = [200, 404, 410, 201, 204, 301, 302, 304, 307, 400, 401, 403, 429, 500, 503]
    answer = client.fetch(*statuses)
    assert answer.shorts == ["ITEM", "MISS", "MISS"] + ["FAIL upstream"] * 12
    assert sorted(up.targets()) == sorted(f"/items/{s}" for s in statuses)


def test_an_item_travels_digit_for_digit(stock: Stock) -> None:
    """Compact, otherwise the bytes that the API sent."""
    up, client = stock()
    up.answer = lambda r: [
        raw(b'\r\n{ "a" : 9007199254740993 ,\n"b":1.10,"c":-0,"d":1E400, "e":"\\u0000\\n'
            b'\xc3\xa9 " , "f":[ ],"g":{ "h" : null }}\n')
    ]
    assert client.fetch("x").replies[0].rest == (
        b'{"a":9007199254740993,"b":1.10,"c":-0,"d":1E400,"e":"\\u0000\\n\xc3\xa9 ",'
        b'"f":[],"g":{"h":null}}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"7", b'"text"', b"null", b"{} {}", b'{"a":1', b'{"a":"\n"}',
        b'{"a":"\xff"}', b'{"a":01}', b"{'a':1}", b'{"a":1,}', b"\xef\xbb\xbf{}",
        b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{}\r\nITEM 2 {"evil":1}', b"<html></html>",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_a_failure(stock: Stock, body: bytes) -> None:
    """And the line after it is the next answer's."""
    up, client = stock()
    up.answer = lambda r: [raw(body) if r.target == "/items/bad" else ok({"good": 1})]
    assert client.fetch("bad").shorts == ["FAIL upstream"]
    assert client.fetch("good").replies[0].rest == b'{"good":1}'


def test_large_items_and_answers(stock: Stock) -> None:
    """Beyond limits.item: toobig, as from a table; beyond answer_max: upstream."""
    up, client = stock(answer_max="3M")
    up.answer = lambda r: [ok({"t": "x" * int(r.target.rsplit("/", 1)[1])})]
    answer = client.fetch(10, 1_100_000, 3_200_000, 1_000_000)
    assert answer.shorts == ["ITEM", "FAIL toobig", "FAIL upstream", "ITEM"]


HOSTILE: dict[bytes, str] = {
    b"../../admin": "..%2F..%2Fadmin",
    b"..\\x": "..%5Cx",
    b"%00": "%2500",
    b"%2e%2e": "%252e%252e",
    b"?x=1&y=2": "%3Fx%3D1%26y%3D2",
    b"#frag": "%23frag",
    b"@evil.example:80": "%40evil.example%3A80",
    b"//evil.example": "%2F%2Fevil.example",
    b"http://evil.example/": "http%3A%2F%2Fevil.example%2F",
    b"a;b,c+d*e'f": "a%3Bb%2Cc%2Bd%2Ae%27f",
    b"{id}{ids}{token}": "%7Bid%7D%7Bids%7D%7Btoken%7D",
    "é😀".encode(): "%C3%A9%F0%9F%98%80",
    b"/" * 250: "%2F" * 250,
    b"...": "...",
    b"AZaz09-._~": "AZaz09-._~",
}


def test_the_bytes_of_a_request(stock: Stock) -> None:
    """Whatever the id: one line, one segment, the same headers."""
    up, client = stock("/items/{id}/x?y=z", headers=["X-A: b"])
    up.answer = lambda r: [ok({"t": r.target})]
    for key, encoded in HOSTILE.items():
        up.forget()
        with resp.RespClient(client.sock.getpeername()) as redis:
            value = redis.call(b"GET", key)
        target = f"/items/{encoded}/x?y=z"
        assert json.loads(value) == {"t": target}
        assert len(up.requests) == 1
        head = VERSION_HEADER.sub(b"User-Agent: fetchd", up.requests[0].head)
        assert head == (
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{up.port}\r\nUser-Agent: fetchd\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\nX-A: b\r\n\r\n"
        ).encode()


def test_no_dialect_lets_a_control_character_through(stock: Stock) -> None:
    """Should one ever, it would be percent-encoded like any other byte (unit tests)."""
    up, client = stock()
    with resp.RespClient(client.sock.getpeername()) as redis:
        for key in (b"a b", b"a\r\nX-Evil: 1\r\n\r\n", b"1 HTTP/1.1\r\n", b"a\0b", b"\x7f"):
            assert isinstance(redis.call(b"GET", key), resp.Failure)
    assert not up.requests


def test_keys_that_are_no_id_are_not_asked_for(stock: Stock) -> None:
    """Steps up the path and broken UTF-8."""
    up, client = stock()
    answer = client.fetch(b".", b"..", b"\xff\xfe", b"ok")
    assert answer.shorts == ["FAIL badid"] * 3 + ["ITEM"]
    assert up.targets() == ["/items/ok"]


def test_integer_keys(stock: Stock) -> None:
    """007 is 7, what is no integer is no id, what no integer holds is a miss."""
    up, client = stock(key_type="integer")
    answer = client.fetch("007", "7", "x", "-0", "9223372036854775808")
    assert answer.shorts == ["ITEM", "ITEM", "FAIL badid", "ITEM", "MISS"]
    assert sorted(up.targets()) == ["/items/0", "/items/7"]


def by_ids(request: Request) -> dict[str, Any]:
    """The items of a ?ids= call, the last first, without those called none."""
    ids = request.target.split("ids=")[1].split(",")
    return {"data": {"results": [{"sku": i} for i in reversed(ids) if i != "none"]}}


def test_many_ids_in_one_call(stock: Stock) -> None:
    """Matched by field, whatever the order; at most ids_max a call."""
    up, client = stock("/v1?ids={ids}", ids_max=10, items="data.results", match="sku")
    up.answer = lambda r: [ok(by_ids(r))]
    keys = [f"k{i}" for i in range(25)]
    answer = client.fetch(*keys, "none", "k3")
    assert answer.shorts == ["ITEM"] * 25 + ["MISS", "ITEM"]
    assert [json.loads(r.rest)["sku"] for r in answer.replies[:25]] == keys
    assert sorted(len(t.split(",")) for t in up.targets()) == [6, 10, 10]


def test_long_ids_are_spread_over_calls(stock: Stock) -> None:
    """No target grows beyond what servers take."""
    up, client = stock("/v1?ids={ids}", ids_max=100, items="data.results", match="sku")
    up.answer = lambda r: [ok(by_ids(r))]
    keys = [f"{i:03}" + "k" * 240 for i in range(100)]
    assert client.fetch(*keys).shorts == ["ITEM"] * 100
    assert max(len(t) for t in up.targets()) <= 7500


def test_a_post_with_a_body(stock: Stock) -> None:
    """The ids as a JSON array."""
    up, client = stock("/v1/lookup", body='{"keys": [{ids}]}', match="id")
    up.answer = lambda r: [ok([{"id": k} for k in json.loads(r.body)["keys"]])]
    answer = client.fetch('a"b\\', "é", "2")
    assert answer.shorts == ["ITEM"] * 3
    assert up.requests[0].line == b"POST /v1/lookup HTTP/1.1"
    assert up.requests[0].body == '{"keys": ["a\\"b\\\\","é","2"]}'.encode()
    assert b"Content-Type: application/json" in up.requests[0].headers


def test_a_token_comes_from_its_file_and_goes_nowhere_else(
    start_upstream: Callable[..., Upstream],
    start_fetchd: Callable[..., Fetchd],
    tmp_path: Path,
) -> None:
    """Not into the log, -T, the process title or `sources`."""
    up = start_upstream()
    secret = tmp_path / "token"
    secret.write_text("geheim-123\n")
    secret.chmod(0o600)
    config = api(up, token_file=str(secret), headers=["X-Other: geheim-456"])
    config.top["log_level"] = "debug"
    server = start_fetchd(config)
    client = server.client()
    up.answer = lambda r: [raw(b"geheim-123", "500 X")]
    client.fetch("1")
    assert b"Authorization: Bearer geheim-123" in up.requests[0].headers
    assert b"X-Other: geheim-456" in up.requests[0].headers
    client.send(b"sources\r\n")
    said = b"\n".join(client.lines_until(b"END")).decode() + server.log()
    printed = run("-T", config=config)
    assert printed.returncode == 0
    said += printed.stdout + printed.stderr
    assert "geheim" not in said
    config.sources["stock"]["headers"] = ["Authorization: x {token}"]
    client = start_fetchd(config).client()
    up.forget()
    client.fetch("1")
    assert b"Authorization: x geheim-123" in up.requests[0].headers


def test_connections_are_kept_and_used_again(stock: Stock) -> None:
    """Up to the cap; what finds none waits for one."""
    up, client = stock(connections=4)
    up.answer = lambda r: [0.005, ok({})]
    for _ in range(5):
        assert client.fetch(*range(20)).items == 20
    assert up.connects == 4
    assert client.stats()["http_connections"] == 4


def test_a_server_that_closes_after_each_answer(stock: Stock) -> None:
    """Politely announced, or not, or with the end as the end of the body."""
    up, client = stock(retries=100)
    for steps in (
        [raw(b"{}", headers=["Connection: close"]), CLOSE],
        [raw(b"{}", version="1.0"), CLOSE],
        [b"HTTP/1.1 200 OK\r\n\r\n{}", CLOSE],
        [raw(b"{}"), CLOSE],
        [chunked(b"{", b"}"), CLOSE],
    ):
        up.answer = lambda r, steps=steps: steps
        for _ in range(5):
            assert client.fetch(1, 2, 3).items == 3, steps


def test_a_lost_connection_is_tried_once_more(stock: Stock) -> None:
    """Within the budget, and only what may be asked twice."""
    up, client = stock(breaker_failures=10000, connections=8)
    lost: set[str] = set()

    def lose_first(request: Request) -> list[Any]:
        if request.target in lost:
            return [ok({})]
        lost.add(request.target)
        return [RESET]

    up.answer = lose_first
    assert client.fetch("first").shorts == ["ITEM"]
    stats = client.stats()
    assert (stats["http_calls"], stats["http_retries"]) == (1, 1)
    up.answer = lambda r: [raw(b"", "503 X")]
    for i in range(20):
        client.fetch(*range(i * 10, i * 10 + 10))
    stats = client.stats()
    assert stats["http_calls"] == 201
    assert 15 <= stats["http_retries"] <= 21
    assert len(up.requests) == stats["http_calls"] + stats["http_retries"]


def test_a_post_is_never_made_twice(stock: Stock) -> None:
    """Nobody can know whether the first one did something."""
    up, client = stock("/x", body="[{ids}]", retries=100)
    up.answer = lambda r: [RESET]
    assert client.fetch("1").shorts == ["FAIL upstream"]
    assert len(up.requests) == 1


def test_a_slow_call_gets_a_second_one_beside_it(stock: Stock) -> None:
    """After p95; the first answer counts and the other connection is closed."""
    up, client = stock(hedges=100, connections=8, timeout="10s")
    for i in range(40):
        client.fetch(i)
    slow: set[str] = set()

    def slow_once(request: Request) -> list[Any]:
        if request.target in slow:
            return [ok({"second": 1})]
        slow.add(request.target)
        return [5.0, ok({"first": 1})]

    up.answer = slow_once
    assert client.fetch("slow").replies[0].rest == b'{"second":1}'
    assert client.stats()["http_hedges"] == 1


def test_the_breaker_opens_and_closes(stock: Stock) -> None:
    """Open answers at once and asks nobody; one trial after each pause."""
    up, client = stock(breaker_failures=3, breaker_min="200ms", retries=0)
    up.answer = lambda r: [raw(b"", "500 X")]
    for i in range(3):
        assert client.fetch(i).shorts == ["FAIL upstream"]
    assert client.stats()["breakers_open"] == 1
    up.forget()
    assert client.fetch(*range(100)).shorts == ["FAIL upstream"] * 100
    assert not up.requests
    client.send(b"sources\r\n")
    assert b"breaker=open" in client.lines_until(b"END")[0]
    up.answer = lambda r: [ok({})]
    wait_until(lambda: client.fetch("x").items == 1, 2, "an item")
    assert client.fetch(*range(100)).items == 100
    stats = client.stats()
    assert (stats["breakers_open"], stats["breaker_opened"]) == (0, 1)


def test_items_are_kept_and_stand_in_for_failures(stock: Stock) -> None:
    """The cache knows no difference between an API and a table."""
    up, client = stock(
        fresh="300ms", negative="300ms", jitter=0, stale_if_error="1h", retries=0
    )
    up.answer = lambda r: [raw(b"{}", "404 X") if "none" in r.target else ok({"a": 1})]
    for _ in range(3):
        assert client.fetch("kept", "none").shorts == ["ITEM", "MISS"]
    assert sorted(up.targets()) == ["/items/kept", "/items/none"]
    up.answer = lambda r: [raw(b"", "500 X")]

    def answer() -> bytes:
        client.send(b"fetch kept none\r\n")
        lines = [client.line() for _ in range(3)]
        return lines[0].split(b" ")[0] + b" " + lines[1]

    wait_until(lambda: answer() == b"STALE FAIL none upstream", 5, "the old item")
    up.answer = lambda r: [ok({"a": 2})]
    wait_until(lambda: client.fetch("kept").replies[0].rest == b'{"a":2}', 5, "a new one")


def test_a_name_with_several_addresses(
    start_upstream: Callable[..., Upstream],
    start_fetchd: Callable[..., Fetchd],
    tmp_path: Path,
) -> None:
    """One that does not answer is passed over; a changed name is followed."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.77 api.test\n127.0.0.1 api.test\n")
    script = f"mount --bind {hosts} /etc/hosts && exec \"$@\""
    wrapper = ["unshare", "-m", "sh", "-c", script, "sh"]
    tried = subprocess.run([*wrapper, "true"], check=False, capture_output=True)
    if tried.returncode != 0:
        pytest.skip("no mount namespace to be had")
    up = start_upstream()
    other = start_upstream()
    other.answer = lambda r: [ok({"other": 1})]
    config = api(up, refresh="100ms")
    config.sources["stock"]["url"] = f"http://api.test:{up.port}/{{id}}"
    server = start_fetchd(config, wrapper=wrapper)
    client = server.client()
    assert client.fetch(*range(50)).items == 50
    assert b"Host: api.test:%d" % up.port in up.requests[0].headers
    hosts.write_text("127.0.0.78 api.test\n")
    wait_until(lambda: client.fetch("x").failures == 1, 5, "the name to move away")
    hosts.write_text("127.0.0.1 api.test\n")
    wait_until(lambda: client.fetch("x").items == 1, 5, "the name to come back")


def test_a_name_that_does_not_resolve_is_down_not_fatal(
    start_fetchd: Callable[..., Fetchd],
) -> None:
    """Its items fail, at once; whoever else there is goes on."""
    source = {"url": "http://nowhere.invalid/{id}", "fresh": "0"}
    server = start_fetchd(Config(sources={"stock": source}, top={"workers": 1}))
    client = server.client()
    server.wait_log(r"host name=nowhere\.invalid not resolved")
    assert client.fetch("1").shorts == ["FAIL upstream"]


def test_a_dead_api_leaves_the_database_alone(
    shop_db: Any, start_fetchd: Callable[..., Fetchd]
) -> None:
    """Both in one request."""
    config = Config(
        databases={"main": {"socket": shop_db.socket, "schema": "shop", "user": "root"}},
        sources={
            "items": {"table": "items"},
            "stock": {"url": "http://127.0.0.1:1/{id}"},
        },
        top={"workers": 1},
    )
    client = start_fetchd(config).client()
    for _ in range(30):
        answer = client.fetch("1", "stock:1", "2", "stock:2")
        assert answer.shorts == ["ITEM", "FAIL upstream", "ITEM", "FAIL upstream"]
