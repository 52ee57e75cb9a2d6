"""test_client_py_faults.py - scripts/fetchd.py when server, workers or database
fail: every id gets a true status, nothing hangs, and what is well again is used again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from typing import Any, Callable, Iterator

import pytest

from harness import procs
from harness.fetchd import Fetchd, shop
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.pyclient import FakeServer, address, honest, pyclient, statuses, timed
from harness.wait import slow, wait_until

Start = Callable[..., Fetchd]
StartProxy = Callable[..., Proxy]
Fetch = Callable[..., Any]

DEATH = r"worker slot=\S+ pid=\S+ died"
AWAY = {"database", "timeout"}
# beyond deadline and slack, what a loaded two-core machine may add
EXTRA_S = slow(0.3)


class Asker:
    """fetch() of either twin, from any thread; its connections live until close()."""

    def __init__(self, twin: str, where: str, **options: Any) -> None:
        self._sync = pyclient.Fetchd(where, **options) if twin == "threads" else None
        if self._sync is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
            self._thread.start()
            self._async = pyclient.AsyncFetchd(where, **options)

    def __getattr__(self, name: str) -> Fetch:
        if self._sync is not None:
            method: Fetch = getattr(self._sync, name)
            return method

        async def call(*args: Any, **more: Any) -> Any:
            return await getattr(self._async, name)(*args, **more)

        return lambda *args, **more: asyncio.run_coroutine_threadsafe(
            call(*args, **more), self._loop
        ).result(slow(30))

    def end(self) -> None:
        """Hangs up."""
        self.close()
        if self._sync is None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()


@pytest.fixture(params=["threads", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """connect(address, **options): a client of either kind."""
    made: list[Asker] = []

    def make(where: str, **options: Any) -> Asker:
        made.append(Asker(request.param, where, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


# --- the database


def test_a_database_that_is_down_is_the_status_of_each_id(
    own_db: MariaDB, start_fetchd: Start, connect: Fetch
) -> None:
    client = connect(address(start_fetchd(shop(own_db.socket))), deadline_ms=5000)
    wait_until(lambda: all(client.fetch([1, 2])), 5)
    own_db.kill9()
    down = ["database", "database", "badid"]
    wait_until(lambda: statuses(client.fetch([1, 2, "x"])) == down, 5)
    assert client.columns([1, "x"], ["name"]).status == ["failed"] * 2
    own_db.start()
    wait_until(lambda: all(client.fetch([1, 2])), 5)


def test_a_deadline_that_passes_is_the_status_of_what_is_missing(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start, connect: Fetch
) -> None:
    road = start_proxy(shop_db)
    client = connect(address(start_fetchd(shop(road.socket, workers=1))))
    wait_until(lambda: all(client.fetch([1], deadline_ms=5000)), 5)
    road.delay_s = 0.3
    with timed(0.09, 0.1 + EXTRA_S):
        results = client.fetch([1, "x", 2], deadline_ms=100)
    assert statuses(results) == ["timeout", "badid", "timeout"]
    assert results[0].detail == ""  # the server's word, not our own limit
    road.delay_s = 0.0
    wait_until(lambda: all(client.fetch([1, 2], deadline_ms=5000)), 5)


# --- workers and servers


def test_a_worker_killed_underneath_is_replaced_without_a_word(
    shop_db: MariaDB, start_fetchd: Start, connect: Fetch
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=1))
    server.allowed_errors.append(DEATH)
    client = connect(address(server), deadline_ms=10000)
    for _ in range(3):
        assert all(client.fetch([1, 2, 3]))
        (victim,) = server.worker_pids()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in server.worker_pids(), 5)
        assert statuses(client.fetch([1, 2, 3])) == ["found"] * 3


def test_a_worker_that_dies_with_the_request_costs_a_second_try_or_a_status(
    shop_db: MariaDB, start_proxy: StartProxy, start_fetchd: Start, connect: Fetch
) -> None:
    road = start_proxy(shop_db)
    server = start_fetchd(shop(road.socket, workers=1))
    server.allowed_errors.append(DEATH)
    client = connect(address(server), deadline_ms=8000)
    wait_until(lambda: all(client.fetch([1])), 5)
    road.frozen = True
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(client.fetch([1, 2])))
    thread.start()
    (victim,) = server.worker_pids()
    wait_until(lambda: server.client().stats()["queued_ids"] or road.fetches(), 5)
    procs.kill_if_alive(victim)
    road.frozen = False
    road.reset_all()
    thread.join(slow(10))
    assert len(got) == 2 and set(statuses(got)) <= {"found", "database"}


def test_a_server_that_was_restarted_is_asked_anew(
    shop_db: MariaDB, start_fetchd: Start, connect: Fetch
) -> None:
    where = f"unix:{shop_db.socket}.again"
    config = shop(shop_db.socket, listen=["127.0.0.1:0", where])
    client = connect(where, deadline_ms=5000)
    server = start_fetchd(config)
    assert all(client.fetch([1, 2]))
    server.stop()
    gone = client.fetch([1, "a b"])
    assert statuses(gone) == ["connection", "badid"] and gone[0].detail
    with pytest.raises(ConnectionError):
        client.fetch([1], raise_on_connection=True)
    for method in ("ping", "stats"):
        with pytest.raises(ConnectionError):
            getattr(client, method)()
    start_fetchd(config)
    assert all(client.fetch([1, 2]))


def test_a_forked_process_has_connections_of_its_own(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(shop_db.socket))
    client = pyclient.Fetchd(address(server), deadline_ms=5000)
    assert all(client.fetch([1]))
    pid = os.fork()
    if pid == 0:
        same = [client.fetch([n])[0].item["id"] for n in range(100, 200)]
        os._exit(0 if same == list(range(100, 200)) else 1)
    assert [client.fetch([n])[0].item["id"] for n in range(1, 101)] == list(range(1, 101))
    assert os.waitpid(pid, 0)[1] == 0
    client.close()


# --- answers that are none


def silent(line: bytes) -> Iterator[bytes]:
    """Hears and says nothing."""
    yield from ()


def half(line: bytes) -> Iterator[bytes | None]:
    """Breaks off within the second item."""
    parts = list(honest(line))
    yield parts[0] + parts[1][:10]
    yield None


def test_a_server_that_never_answers_costs_the_deadline_and_the_slack(
    connect: Fetch,
) -> None:
    with FakeServer(silent) as fake:
        client = connect(fake.address, slack_ms=50, timeout_ms=300)
        with timed(0.149, 0.15 + EXTRA_S):
            assert statuses(client.fetch([1, 2], deadline_ms=100)) == ["timeout"] * 2
        with timed(0.299, 0.3 + EXTRA_S):
            assert statuses(client.fetch(range(3000))) == ["timeout"] * 3000
        with timed(0.299, 0.3 + EXTRA_S), pytest.raises(ConnectionError):
            client.ping()
        with timed(0.149, 0.15 + EXTRA_S):
            assert client.columns([1], ["a"], deadline_ms=100).status == ["timeout"]
        with timed(0, EXTRA_S):
            results = client.fetch([1, "a b"], deadline_ms=-100)
            assert statuses(results) == ["timeout", "badid"]


def test_a_server_that_never_accepts_costs_no_more(connect: Fetch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        client = connect(f"127.0.0.1:{listener.getsockname()[1]}", slack_ms=50)
        with timed(0.149, 0.15 + EXTRA_S):
            assert statuses(client.fetch([1, 2], deadline_ms=100)) == ["timeout"] * 2
        for one in crowd:
            one.close()


def test_what_came_before_the_server_hung_up_counts_and_nothing_is_asked_twice(
    connect: Fetch,
) -> None:
    whole = [True]
    with FakeServer(lambda line: honest(line) if whole[0] else half(line)) as fake:
        client = connect(fake.address, deadline_ms=5000)
        assert all(client.fetch([1]))
        whole[0] = False  # now on a pooled connection, then on a fresh one
        for _ in range(2):
            with timed(0, EXTRA_S):
                results = client.fetch([1, 2, 3])
            assert statuses(results) == ["found", "connection", "connection"]
        assert len(fake.lines) == 3


def test_a_pooled_connection_that_went_stale_is_replaced_once(connect: Fetch) -> None:
    answers = [True]

    def say(line: bytes) -> Iterator[bytes | None]:
        yield from honest(line) if answers[0] else iter([None])

    with FakeServer(say) as fake:
        client = connect(fake.address, deadline_ms=5000)
        assert all(client.fetch([1]))
        fake.hang_up()
        assert all(client.fetch([1, 2])) and fake.connects == 2
        answers[0] = False
        asked = len(fake.lines)
        assert statuses(client.fetch([3])) == ["connection"]
        assert fake.lines[asked:] and len(fake.lines) - asked == 2
        asked = len(fake.lines)
        assert statuses(client.fetch([4])) == ["connection"]
        assert len(fake.lines) - asked == 1


NONSENSE = {
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "another key": b"#T ITEM 2 {}\r\n#T DONE 1 0 0 ms=1\r\n",
    "too few lines": b"#T DONE 0 0 0 ms=1\r\n",
    "too many lines": b"#T MISS 1\r\n#T MISS 1\r\n#T DONE 0 2 0 ms=1\r\n",
    "no JSON": b"#T ITEM 1 {]\r\n#T DONE 1 0 0 ms=1\r\n",
    "two in one": b"#T ITEM 1 {},{}\r\n#T DONE 1 0 0 ms=1\r\n",
    "no item": b"#T ITEM 1\r\n#T DONE 1 0 0 ms=1\r\n",
    "an age that is none": b"#T STALE 1 x {}\r\n#T DONE 1 0 0 ms=1\r\n",
    "a line of another verb": b"#T STAT 1 {}\r\n#T DONE 1 0 0 ms=1\r\n",
    "bytes": bytes(range(128, 256)) + b"\r\n",
    "full": b"ERROR Too many open connections\r\n",
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_connection_trouble_and_nobody_waits(
    connect: Fetch, what: str
) -> None:
    def say(line: bytes) -> Iterator[bytes]:
        yield NONSENSE[what].replace(b"#T", line.split(b" ")[0])

    with FakeServer(say) as fake:
        client = connect(fake.address, deadline_ms=5000)
        for _ in range(2):
            with timed(0, EXTRA_S):
                (result,) = client.fetch([1])
            assert result.status == "connection" and result.detail and not result
        if what == "full":
            assert "Too many open connections" in result.detail
        assert client.columns([1], ["a"]).status == ["connection"]


def test_refusals_are_exceptions_but_a_busy_server_is_a_status(connect: Fetch) -> None:
    words = [b"ERROR busy later\r\n"]

    def say(line: bytes) -> Iterator[bytes]:
        yield line.split(b" ")[0] + b" " + words[0]

    with FakeServer(say) as fake:
        client = connect(fake.address, deadline_ms=5000)
        assert statuses(client.fetch([1, 2])) == ["overload"] * 2
        for text, code in ((b"ERROR\r\n", "unknown"), (b"ERROR auth who?\r\n", "auth")):
            words[0] = text
            with pytest.raises(pyclient.RequestError) as error:
                client.fetch([1, 2])
            assert error.value.code == code


def test_a_connection_that_was_late_is_not_used_again(connect: Fetch) -> None:
    def say(line: bytes) -> Iterator[bytes]:
        yield from honest(line) if len(fake.lines) > 1 else iter([])

    with FakeServer(say) as fake:
        client = connect(fake.address, slack_ms=20, connections=1)
        assert statuses(client.fetch([1], deadline_ms=30)) == ["timeout"]
        for n in range(2, 9):
            (r,) = client.fetch([n], deadline_ms=2000)
            assert r.item == {"id": str(n)}
        assert fake.connects == 2


def test_a_silent_connection_takes_no_more_calls_but_harms_none() -> None:
    hold = threading.Event()

    def say(line: bytes) -> Iterator[bytes]:
        if b" slow" in line:
            hold.wait(slow(5))
        yield from honest(line)

    async def main(where: str) -> None:
        async with pyclient.AsyncFetchd(where, connections=1, slack_ms=20) as client:
            patient = asyncio.ensure_future(client.fetch(["slow"], deadline_ms=5000))
            await asyncio.sleep(0.05)
            assert statuses(await client.fetch([1], deadline_ms=50)) == ["timeout"]
            assert statuses(await client.fetch([2], deadline_ms=5000)) == ["found"]
            assert not patient.done()
            hold.set()
            assert statuses(await patient) == ["found"]

    with FakeServer(say) as fake:
        asyncio.run(main(fake.address))
        assert fake.connects == 2


def test_big_requests_and_big_answers_do_not_wait_for_each_other(connect: Fetch) -> None:
    def say(line: bytes) -> Iterator[bytes]:
        tag, keys = line.split(b" ")[0], line.partition(b"-- ")[2].split()
        for key in keys:
            yield b'%s ITEM %s {"a":"%s"}\r\n' % (tag, key, b"x" * 1000)
        yield tag + b" DONE 1 0 0 ms=1\r\n"

    with FakeServer(say) as fake:
        client = connect(fake.address, chunk=2000)
        ids = [f"{n:0240d}" for n in range(16_000)]
        results = client.fetch(ids, deadline_ms=int(slow(20000)))
        assert [r.id for r in results] == ids and all(results)


def test_a_cancelled_call_leaves_nothing_behind() -> None:
    async def main(where: str) -> None:
        async with pyclient.AsyncFetchd(where) as client:
            task = asyncio.ensure_future(client.fetch([1], deadline_ms=5000))
            while not fake.lines:
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            (link,) = client._links
            assert not link.open and not link.why

    with FakeServer(silent) as fake:
        asyncio.run(main(fake.address))


def test_closing_in_the_middle_ends_what_is_under_way() -> None:
    async def main(where: str) -> None:
        client = pyclient.AsyncFetchd(where)
        task = asyncio.ensure_future(client.fetch([1], deadline_ms=5000))
        while not fake.lines:
            await asyncio.sleep(0.005)
        await client.close()
        assert statuses(await task) == ["connection"]

    with FakeServer(silent) as fake:
        start = time.monotonic()
        asyncio.run(main(fake.address))
        assert time.monotonic() - start < 1 + EXTRA_S
