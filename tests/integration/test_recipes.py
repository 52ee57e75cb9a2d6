"""test_recipes.py - the README's recipes, as they stand there.

Each block of Python behind "Recipes" is run against a server, its address alone replaced;
what it says it replaces ("before") is run too, against the same server, where a client
for it is here.
"""

from __future__ import annotations

import asyncio
import json
import re
import textwrap
from typing import Any, Callable, Iterator

import pymemcache.client.base
import pytest
import redis

from harness.fetchd import Config, Fetchd, shop
from harness.mariadb import MariaDB
from harness.pyclient import address, pyclient
from harness.wait import REPO

IDS = [3, 1, 999_999, 2]


@pytest.fixture(scope="module")
def named(
    shop_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[tuple[Fetchd, str]]:
    """A server and its unix socket."""
    path = f"{shop_db.socket}.recipes"
    for server in keep_fetchd(shop(shop_db.socket, listen=["127.0.0.1:0", f"unix:{path}"])):
        yield server, path


def blocks(title: str) -> list[str]:
    """The Python of a section."""
    text = (REPO / "README.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.partition(f"\n## {title}")[2], flags=re.MULTILINE)[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def recipes() -> list[tuple[str, str]]:
    """What was before, and what is now."""
    return [
        (before, now) if now else ("", before)
        for before, _, now in (block.partition("\n\n") for block in blocks("Recipes"))
    ]


def run(code: str, named: tuple[Fetchd, str], **names: Any) -> dict[str, Any]:
    """Runs it, in a coroutine if it needs one; the names that it leaves."""
    server, path = named
    code = code.replace("127.0.0.1:7070", address(server)).replace(
        "unix:/run/fetchd/fetchd.sock", f"unix:{path}"
    )
    space: dict[str, Any] = {
        "ids": IDS, "json": json, "asyncio": asyncio, "redis": redis,
        "Fetchd": pyclient.Fetchd, "AsyncFetchd": pyclient.AsyncFetchd,
        "pymemcache": pymemcache, **names,
    }  # fmt: skip
    if "await " in code:
        body = textwrap.indent(code, "    ")
        exec(f"async def main():\n{body}\n    globals().update(locals())", space)
        asyncio.run(space["main"]())
    else:
        exec(code, space)
    return space


def test_there_are_the_three_and_each_takes_three_lines_at_most() -> None:
    found = recipes()
    assert ["redis.mget" in b for b, _ in found[:3]] == [True, False, False]
    assert "get_many" in found[1][0] and "session.get" in found[2][0]
    for _, now in found:
        assert len(now.strip().splitlines()) <= 3


def test_instead_of_redis_mget(named: tuple[Fetchd, str]) -> None:
    before, now = recipes()[0]
    left = run(now, named)
    assert [item and item["name"] for item in left["items"]] == ["item 3", "item 1", None, "item 2"]
    assert [r.status for r in left["results"]] == ["found", "found", "miss", "found"]
    left["shop"].close()
    with redis.Redis(port=named[0].port) as client:
        old = run(before.replace('f"item:{i}"', 'f"items:{i}"'), named, redis=client)
    assert old["items"] == left["items"]


def test_instead_of_get_many(named: tuple[Fetchd, str]) -> None:
    before, now = recipes()[1]
    left = run(now, named)
    assert {n: item["name"] for n, item in left["found"].items()} == {
        n: f"item {n}" for n in (3, 1, 2)
    }
    left["shop"].close()
    client = pymemcache.client.base.Client(named[0].address)
    old = run(before, named, memcache=client)
    client.close()
    assert {int(n): json.loads(text) for n, text in old["found"].items()} == left["found"]


def test_instead_of_gather(named: tuple[Fetchd, str]) -> None:
    left = run(recipes()[2][1], named)
    assert [r.status for r in left["results"]] == ["found", "found", "miss", "found"]


def test_features_as_columns(named: tuple[Fetchd, str]) -> None:
    with pyclient.Fetchd(address(named[0])) as client:
        left = run(recipes()[3][1], named, shop=client)
    assert len(left["price"]) == 4 and left["price"][2] == 0.0
    assert all(isinstance(p, float) for p in left["price"])


def test_existing_clients_are_pointed_at_it(named: tuple[Fetchd, str]) -> None:
    server = named[0]
    code = blocks("memcached and Redis clients")[0]
    assert "get_many" in code and "mget" in code
    for line in code.splitlines():
        expression = line.partition("  #")[0].replace("7070", str(server.port))
        got = eval(expression, {"pymemcache": pymemcache, "redis": redis})
        values = list(got.values()) if isinstance(got, dict) else got
        assert [json.loads(v)["id"] for v in values[:2]] == [1, 2]
