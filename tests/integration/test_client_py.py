"""test_client_py.py - scripts/fetchd.py against a server that is well: what comes back is
exactly what was asked, in its order, whoever else asks at the same time."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import threading
from decimal import Decimal
from functools import partial
from typing import Any, Callable, Iterator

import pytest

from harness import strict
from harness.catalogue import ITEMS, TAG_NAMES
from harness.fetchd import Config, Fetchd, shop
from harness.mariadb import MariaDB
from harness.pyclient import SCRIPT, FakeServer, address, pyclient, statuses
from harness.wait import slow

Start = Callable[..., Fetchd]
Keep = Callable[[Config], Iterator[Fetchd]]
MS = int(slow(15000))


@pytest.fixture(scope="module")
def patient(shop_db: MariaDB, keep_fetchd: Keep) -> Iterator[Fetchd]:
    """A server that listens on a unix socket too."""
    config = shop(shop_db.socket, listen=["127.0.0.1:0", f"unix:{shop_db.socket}.fetchd"])
    yield from keep_fetchd(config)


@pytest.fixture(params=["threads", "asyncio"])
def client(patient: Fetchd, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Either twin, spoken to in the same way."""
    if request.param == "threads":
        with pyclient.Fetchd(address(patient), deadline_ms=MS) as one:
            yield one
    else:
        with Twin(pyclient.AsyncFetchd(address(patient), deadline_ms=MS)) as twin:
            yield twin


class Twin:
    """AsyncFetchd without await: each call runs in a loop of its own."""

    def __init__(self, client: Any) -> None:
        self._client, self._loop = client, asyncio.new_event_loop()

    def __enter__(self) -> "Twin":
        return self

    def __exit__(self, *_: Any) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **more: Any) -> Any:
            return await getattr(self._client, name)(*args, **more)

        return lambda *args, **more: self._loop.run_until_complete(call(*args, **more))


# --- what comes back


def test_results_stand_where_their_ids_stood(client: Any) -> None:
    ids = [3, "3", 10**9, 1, "x", 3, 5000, 0, "tags:tag-001", "tags:no", "007"]
    results = client.fetch(ids)
    assert [r.id for r in results] == ids
    assert statuses(results) == (
        "found found miss found badid found found miss found miss found".split()
    )
    assert [bool(r) for r in results] == [r.status == "found" for r in results]
    assert results[0].item == results[1].item == results[5].item
    assert [r.item["name"] for r in results if r and "name" in r.item] == (
        ["item 3", "item 3", "item 1", "item 3", "item 5000", "tag-001", "item 7"]
    )
    assert results[4].failed and not results[2].failed
    assert results[0].age_ms is None


def test_ids_that_cannot_be_sent_fail_alone(client: Any) -> None:
    bad: list[Any] = [
        "", "a b", "a\nb", "a\r\nquit", "\x00", "\x7f", "x" * 251, "é" * 126, "\ud800",
        None, 1.5, b"7", True, (1,), 10**400, -(10**250),
    ]  # fmt: skip
    ids = [1, *[w for b in bad for w in (b, 2)]]
    results = client.fetch(ids)
    assert [r.id for r in results] == ids
    for wanted, r in zip(ids, results):
        if type(wanted) is int and wanted in (1, 2):
            assert r.item["id"] == wanted
        else:
            assert (r.status, r.item, r.detail) == ("badid", None, "not a key")
    assert client.fetch(["9" * 250, "é" * 125])[0].status == "miss"
    assert statuses(client.fetch(bad)) == ["badid"] * len(bad)
    assert client.fetch([]) == [] and client.items([]) == {}


def test_integers_of_other_types_are_ids(client: Any) -> None:
    class Number:
        def __index__(self) -> int:
            return 7

    class Text(str):
        def __str__(self) -> str:
            return "wrong"

        def __format__(self, spec: str) -> str:
            return "wrong"

    assert [r.item["id"] for r in client.fetch([Number(), Text("8")])] == [7, 8]


def test_keys_of_a_text_source_are_taken_as_they_are(client: Any) -> None:
    names = [*TAG_NAMES, "tags:tag-001", ":", "--", "@@tags.tag-001", "größ"]
    results = client.fetch(names, source="tags")
    assert [r.item["name"] for r in results if r] == TAG_NAMES
    assert statuses(results[len(TAG_NAMES) :]) == ["miss"] * 5
    assert client.fetch(["5", "items:5", "tags:5"], source="")[0].item["id"] == 5
    assert statuses(client.fetch(["items:5", "tags:5"], source="")) == ["badid"] * 2
    assert statuses(client.fetch([5, "tag-001"], source="tagz")) == ["badid"] * 2


def test_items_are_what_mariadb_holds_to_the_last_digit(
    patient: Fetchd, shop_db: MariaDB
) -> None:
    rows = strict.mariadb_objects(shop_db, "shop", "items", "id", ("tags",))
    with pyclient.Fetchd(address(patient), deadline_ms=MS, loads=None) as texts:
        for r in texts.fetch(range(1, 1501)):
            assert strict.same(strict.parse(r.item.encode()), rows[str(r.id)])
    exact = partial(json.loads, parse_float=Decimal)
    with pyclient.Fetchd(address(patient), deadline_ms=MS, loads=exact) as decimals:
        for r in decimals.fetch([1, 2, 3]):
            assert r.item["price"] == Decimal(rows[str(r.id)]["price"])


def test_fields_are_those_that_were_asked_in_that_order(client: Any) -> None:
    (r,) = client.fetch([4], fields=["kind", "id", "tags.n"])
    assert list(r.item.items()) == [("kind", "🎈"), ("id", 4), ("tags.n", 4)]
    with pytest.raises(pyclient.RequestError) as error:
        client.fetch([1], fields=["nonsense"])
    assert error.value.code == "option" and "no such field" in str(error.value)
    assert client.fetch([1])[0].item["id"] == 1  # that connection lives on
    for fields in ("id", ["id,kind"], ["a b"], ["a\r\nquit"], [""]):
        with pytest.raises(ValueError):
            client.fetch([1], fields=fields)


def test_arguments_that_make_no_sense_are_said_to_be_so(client: Any) -> None:
    wrong: list[dict[str, Any]] = [
        {"ids": "123"},
        {"ids": [1], "source": "a b"},
        {"ids": [1], "source": "a\r\nquit\r\n"},
    ]
    for how in wrong:
        with pytest.raises(ValueError):
            client.fetch(**how)
    with pytest.raises(pyclient.RequestError):
        client.fetch([1], deadline_ms=1e9)
    for text in ":7070 ::1:7070 [::1] unix: a:b host host: host:0".split() + [""]:
        with pytest.raises(ValueError):
            pyclient.Fetchd(text)


def test_the_helpers_agree_with_fetch(client: Any) -> None:
    ids = [1, 1, 99999, "x", 2, "a b"]
    one, two = client.fetch([1, 2])
    assert client.items(ids) == {1: one.item, 2: two.item}
    columns = client.columns(ids, ["name", "stock"])
    assert columns.status == ["found", "found", "miss", "failed", "found", "badid"]
    items = [r.item or {} for r in client.fetch(ids)]
    assert columns == {f: [i.get(f) for i in items] for f in ("name", "stock")}
    assert client.ping() > 0
    assert int(client.stats()["requests"]) > 0


def test_partial_answers_raise_only_when_asked(client: Any) -> None:
    results = client.fetch([1, 9999999], raise_on_partial=True)
    assert statuses(results) == ["found", "miss"]
    with pytest.raises(pyclient.PartialError) as error:
        client.fetch([1, "x"], raise_on_partial=True)
    assert statuses(error.value.results) == ["found", "badid"]


def test_more_ids_than_a_request_may_have_come_back_in_order(client: Any) -> None:
    rng = random.Random(4)
    ids = [rng.randrange(1, ITEMS + 2000) for _ in range(25_000)]
    results = client.fetch(ids, fields=["id"])
    assert [r.id for r in results] == ids
    for n, r in zip(ids, results):
        assert (r.item and r.item["id"]) == (n if n <= ITEMS else None), r
        assert r.status == ("found" if n <= ITEMS else "miss")
    columns = client.columns(ids, ["id"])
    assert columns["id"] == [n if n <= ITEMS else None for n in ids]


def test_the_deadline_of_a_late_chunk_is_what_is_left_of_the_whole(
    patient: Fetchd,
) -> None:
    def say(line: bytes) -> Any:
        assert line.count(b"deadline=") == 1
        threading.Event().wait(0.02)
        tag, keys = line.split(b" ")[0], line.partition(b"-- ")[2].split()
        yield b"".join(tag + b" MISS " + key + b"\r\n" for key in keys)
        yield tag + b" DONE 0 0 0 ms=1\r\n"

    with FakeServer(say) as fake, pyclient.Fetchd(fake.address, chunk=2) as client:
        results = client.fetch(range(40), deadline_ms=5000)
        assert statuses(results) == ["miss"] * 40
        left = [int(x.partition(b"deadline=")[2].split()[0]) for x in fake.lines]
    assert len(left) == 20 and 4900 < left[0] <= 5000
    assert left == sorted(left, reverse=True) and left[0] - left[-1] >= 200


def test_stale_items_are_items_that_say_how_old_they_are() -> None:
    def say(line: bytes) -> Any:
        tag = line.split(b" ")[0]
        yield tag + b' STALE 1 1500 {"a": "b c"}\r\n' + tag + b' ITEM 2 {"a":2}\r\n'
        yield tag + b" FAIL 3 stale\r\n" + tag + b" FAIL 4 upstream\r\n"
        yield tag + b" DONE 2 0 2 ms=1 more=words\r\n"

    with FakeServer(say) as fake, pyclient.Fetchd(fake.address) as client:
        stale, found, *failed = client.fetch([1, 2, 3, 4])
    assert stale == (1, "stale", {"a": "b c"}, 1500, "") and stale and not stale.failed
    assert found == (2, "found", {"a": 2}, None, "")
    assert statuses(failed) == ["toostale", "upstream"] and not any(failed)


# --- many at once


def test_fifty_threads_share_one_client(patient: Fetchd) -> None:
    wrong: list[Any] = []

    def run(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(20):
            ids = [rng.randrange(1, ITEMS + 500) for _ in range(rng.randrange(1, 60))]
            for n, r in zip(ids, client.fetch(ids, fields=["id", "name"])):
                want = {"id": n, "name": f"item {n}"} if n <= ITEMS else None
                if (r.id, r.item) != (n, want):
                    wrong.append((n, r))

    with pyclient.Fetchd(address(patient), deadline_ms=MS) as client:
        threads = [threading.Thread(target=run, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:3]


def test_two_hundred_tasks_share_two_connections(patient: Fetchd) -> None:
    async def run(client: Any, seed: int) -> int:
        rng, count = random.Random(seed), 0
        for _ in range(5):
            ids = [rng.randrange(1, ITEMS + 500) for _ in range(rng.randrange(1, 60))]
            for n, r in zip(ids, await client.fetch(ids, fields=["id"])):
                assert (r.id, r.item) == (n, {"id": n} if n <= ITEMS else None)
                count += 1
        return count

    async def main() -> None:
        async with pyclient.AsyncFetchd(address(patient), deadline_ms=MS) as client:
            before = int((await client.stats())["total_connections"])
            counts = await asyncio.gather(*(run(client, n) for n in range(200)))
            assert sum(counts) > 10_000
            after = int((await client.stats())["total_connections"])
            assert after - before <= 1

    asyncio.run(main())


def test_a_cancelled_task_leaves_the_others_right(patient: Fetchd) -> None:
    async def fetch(client: Any, first: int) -> list[int]:
        results = await client.fetch(range(first, first + 300), fields=["id"])
        return [r.item["id"] for r in results]

    async def main() -> None:
        rng = random.Random(1)
        async with pyclient.AsyncFetchd(
            address(patient), deadline_ms=MS, connections=1, chunk=50
        ) as client:
            for _ in range(10):
                tasks = [asyncio.ensure_future(fetch(client, n)) for n in range(1, 41)]
                for _ in range(rng.randrange(40)):
                    await asyncio.sleep(0)
                gone = set(rng.sample(range(40), 20))
                for n in gone:
                    tasks[n].cancel()
                done = await asyncio.gather(*tasks, return_exceptions=True)
                for n, got in enumerate(done):
                    if not (n in gone and isinstance(got, asyncio.CancelledError)):
                        assert got == list(range(n + 1, n + 301))
            (link,) = client._links
            assert not link.open

    asyncio.run(main())


def test_one_client_may_serve_one_event_loop_after_the_other(patient: Fetchd) -> None:
    client = pyclient.AsyncFetchd(address(patient), deadline_ms=MS)

    async def once(last: bool) -> Any:
        got = await client.fetch([1])
        if last:
            await client.close()
        return got

    assert asyncio.run(once(False))[0] and asyncio.run(once(True))[0]


def test_a_unix_socket_is_an_address_too(patient: Fetchd, shop_db: MariaDB) -> None:
    where = f"unix:{shop_db.socket}.fetchd"
    with pyclient.Fetchd(where, deadline_ms=MS) as client:
        assert client.fetch([1])[0]

    async def main() -> None:
        async with pyclient.AsyncFetchd(where, deadline_ms=MS) as client:
            assert (await client.fetch([1]))[0]

    asyncio.run(main())


# --- the command


def run(*args: str, stdin: str = "") -> tuple[int, str, str]:
    """Exit code, output, complaints."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *args],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=slow(30),
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_prints_a_line_for_each_id(patient: Fetchd) -> None:
    at = ["--address", address(patient), "--deadline", str(MS)]
    code, out, _ = run(*at, "--fields", "id,name", "1", "2")
    assert (code, out) == (
        0,
        '1 found {"id":1,"name":"item 1"}\n2 found {"id":2,"name":"item 2"}\n',
    )
    code, out, _ = run(*at, "--fields", "id", "-", "x", stdin="3 999999\n4")
    assert code == 1
    assert out == '3 found {"id":3}\n999999 miss \n4 found {"id":4}\nx badid \n'
    code, out, _ = run(*at, "--json", "--fields", "price", "1", "x")
    first, second = map(json.loads, out.splitlines())
    assert code == 1 and first["item"]["price"] and second["item"] is None
    assert (first["id"], first["status"], second["status"]) == ("1", "found", "badid")
    tags = ["--source", "tags", "--fields", "name,uses", "tag-007"]
    code, out, _ = run(*at, "--table", *tags)
    assert (code, out) == (0, "id\tstatus\tname\tuses\ntag-007\tfound\ttag-007\t7\n")
    code, out, _ = run(*at, "--stats")
    assert code == 0 and "total_connections " in out


def test_the_command_says_why_it_could_not_ask(patient: Fetchd) -> None:
    at = ["--address", address(patient)]
    for args, words in (
        ([*at, "--fields", "nonsense", "1"], "no such field"),
        ([*at], "no ids"),
        (["--address", "127.0.0.1:1", "1"], "refused"),
        (["--address", "nonsense", "1"], "expected host:port"),
        (["--address", "127.0.0.1:1", "--stats"], "refused"),
        (["--nonsense"], "unrecognized"),
    ):
        code, out, complaint = run(*args)
        assert (code, out) == (2, "") and words in complaint, args
    code, out, _ = run("--help")
    assert code == 0 and "Example: fetchd.py" in out
