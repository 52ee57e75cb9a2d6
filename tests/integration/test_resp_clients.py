"""test_resp_clients.py - Redis clients of Debian read from fetchd with default options."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import subprocess
import time
from typing import Any, Callable, Iterator

import pytest
import redis
import redis.asyncio

from harness.fetchd import Config, Fetchd
from harness.mariadb import MariaDB
from harness.resp import HUGE, HUGE_BODY, kill_workers, shelf
from harness.wait import slow

READONLY = "You can't write against a read only replica."


@pytest.fixture(scope="module")
def shelf_server(
    shop_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """fetchd in front of the catalogue and an item of 1 MiB."""
    yield from keep_fetchd(shelf(shop_db))


# --- redis-cli


def cli(server: Fetchd, *words: str, given: str = "") -> str:
    """What redis-cli prints."""
    done = subprocess.run(
        ["redis-cli", "-p", str(server.port), *words],
        input=given,
        text=True,
        capture_output=True,
        timeout=slow(20),
        check=False,
    )
    assert done.stderr == "", done.stderr
    return done.stdout


@pytest.mark.parametrize("version", ["-2", "-3"])
def test_redis_cli_reads(shelf_server: Fetchd, version: str) -> None:
    said = cli(shelf_server, version, "--no-raw", "mget", "1", "abc", "999999", "2")
    lines = said.splitlines()
    assert lines[0].startswith('1) "{\\"id\\":1,')
    assert lines[1].startswith("2) (error) BADID ")
    assert lines[2] == "3) (nil)"
    assert lines[3].startswith('4) "{\\"id\\":2,')
    assert json.loads(cli(shelf_server, version, "get", "7"))["id"] == 7
    assert cli(shelf_server, version, "get", "999999") == "\n"
    assert cli(shelf_server, version, "set", "1", "x") == f"READONLY {READONLY}\n\n"
    assert cli(shelf_server, version, "hget", "7", "name") == "item 7\n"
    assert cli(shelf_server, version, "hget", HUGE, "body") == HUGE_BODY + "\n"
    assert json.loads(cli(shelf_server, version, "get", HUGE))["body"] == HUGE_BODY
    assert "redis_version:7.0.15" in cli(shelf_server, version, "info")
    assert cli(shelf_server, version, "ping") == "PONG\n"


class Terminal:
    """redis-cli at a terminal."""

    def __init__(self, server: Fetchd) -> None:
        pid, self.fd = pty.fork()
        if pid == 0:
            os.environ.update(TERM="dumb", REDISCLI_HISTFILE="/dev/null")
            os.execvp("redis-cli", ["redis-cli", "-p", str(server.port)])
        self.pid = pid
        self.seen = ""

    def until(self, pattern: str) -> str:
        """Everything printed up to 'pattern'."""
        end = time.monotonic() + slow(10)
        while not (found := re.search(pattern, self.seen)):
            left = end - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], self.seen
            self.seen += os.read(self.fd, 65536).decode()
        said, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return said

    def ask(self, line: str, pattern: str) -> str:
        """Types a line and waits for what must come."""
        os.write(self.fd, line.encode() + b"\r")
        return self.until(pattern)

    def close(self) -> None:
        """Leaves as people do."""
        os.write(self.fd, b"exit\r")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def test_redis_cli_at_a_terminal(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    server = start_fetchd(shelf(shop_db))
    terminal = Terminal(server)
    prompt = re.escape(f"127.0.0.1:{server.port}> ")
    terminal.until(prompt)
    terminal.ask("get 1", r'"\{\\"id\\":1,')
    terminal.ask("hgetall tags:tag-001", r'1\) "name"\r\n2\) "tag-001"\r\n3\) "label"')
    terminal.ask("help mget", r"Items as JSON")
    terminal.ask("hello 3", r'1# "server" => "redis"')
    terminal.ask("get 999999", r"\(nil\)")
    terminal.ask("select 5", r"\(error\) ERR DB index is out of range")
    kill_workers(server)
    terminal.ask("get 1", r"closed the connection\r\n.*not connected> ")
    terminal.ask("get 1", r'"\{\\"id\\":1,')  # it connects again by itself
    terminal.close()


def test_redis_cli_takes_commands_from_a_pipe(shelf_server: Fetchd) -> None:
    said = cli(shelf_server, given="ping\nhget 3 id\nset 1 2\nmget 999999\nping again\n")
    assert said.split("\n") == ["PONG", "3", f"READONLY {READONLY}", "", "", "again", ""]


def test_redis_cli_measures_and_counts(shelf_server: Fetchd) -> None:
    said = cli(shelf_server, "--latency", "--raw", "-i", "1")
    assert re.match(r"\d+ \d+ [\d.]+ \d+", said), said
    assert cli(shelf_server, "-r", "3", "echo", "hello") == "hello\n" * 3
    assert cli(shelf_server, "-n", "0", "get", "999999") == "\n"


# --- redis-benchmark


def benchmark(server: Fetchd, *words: str) -> str:
    """What redis-benchmark prints."""
    done = subprocess.run(
        ["redis-benchmark", "-p", str(server.port), "-n", "2000", "-q", *words],
        text=True,
        capture_output=True,
        timeout=slow(50),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_redis_benchmark_asks_for_padded_numbers(shelf_server: Fetchd) -> None:
    with shelf_server.client() as client:
        before = client.stats()["items"]
    said = benchmark(shelf_server, "-t", "ping")
    assert re.search(r"PING_INLINE: [\d.]+ requests per second", said), said
    assert re.search(r"PING_MBULK: [\d.]+ requests per second", said), said
    said += benchmark(shelf_server, "-P", "16", "-r", "5000", "get", "__rand_int__")
    said += benchmark(shelf_server, "-3", "-r", "5000", "mget", "1", "__rand_int__")
    assert "WARN" not in said and "rror" not in said, said
    with shelf_server.client() as client:
        assert client.stats()["items"] - before >= 1900 + 3900


def test_redis_benchmark_get_of_a_text_source(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    config = shelf(shop_db)  # it asks for "key:000000000429", and "key" names no source
    config.sources = {"tags": config.sources["tags"]}
    server = start_fetchd(config)
    said = benchmark(server, "-t", "get,ping", "-r", "5000", "-c", "10")
    assert re.search(r"GET: [\d.]+ requests per second", said), said
    assert "rror" not in said, said
    with server.client() as client:
        assert client.stats()["misses"] >= 2000


def test_redis_benchmark_reads_misses_failures_and_a_mebibyte(shelf_server: Fetchd) -> None:
    with shelf_server.client() as client:
        before = client.stats()
        said = benchmark(shelf_server, "-n", "200", "mget", "1", "abc", "999999", "2")
        said += benchmark(shelf_server, "-n", "20", "-c", "2", "get", HUGE)
        after = client.stats()
    assert said.count("requests per second") == 2 and "WARN" not in said, said
    grown = {name: after[name] - before[name] for name in ("items", "misses", "fail_badid")}
    assert grown["items"] >= 420 and grown["misses"] == grown["fail_badid"] >= 200
    assert after["bytes_written"] - before["bytes_written"] > 20 * 2**20


def test_redis_benchmark_ends_when_its_worker_is_killed(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    server = start_fetchd(shelf(shop_db))
    words = ["redis-benchmark", "-p", str(server.port), "-n", "100000000", "-q", "get", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        server.client().wait_stat("items", 100)
        kill_workers(server)
        out, _ = running.communicate(timeout=slow(20))
        assert running.returncode != 0 and b"Error: " in out, out[-300:]


# --- redis-py


@pytest.fixture
def py(shelf_server: Fetchd) -> Iterator[redis.Redis]:
    """redis-py as its documentation makes one."""
    with redis.Redis(port=shelf_server.port) as one:
        yield one


def test_redis_py_reads(py: redis.Redis) -> None:
    assert py.ping()
    assert json.loads(py.get(7))["id"] == 7
    assert py.get(999_999) is None
    assert [v and json.loads(v)["id"] for v in py.mget(1, 999_999, 3)] == [1, None, 3]
    assert py.hmget(7, "id", "name", "nosuch") == [b"7", b"item 7", None]
    assert py.hget("tags:🎈", "label") == "label of 🎈".encode()
    assert py.hgetall("tags:tag-001") == {
        b"name": b"tag-001",
        b"label": b"label of tag-001",
        b"uses": b"1",
    }
    assert py.exists(1, 2, 999_999) == 2
    assert py.type(1) == b"string" and py.ttl(1) == -1 and py.dbsize() == 0
    assert py.echo("x") == b"x" and py.delete(1) == 0
    assert py.client_setname("me") and py.client_getname() == "me"
    assert py.client_id() > 0 and py.client_info()["name"] == "me"
    assert py.config_get("save") == {"save": ""}


def test_redis_py_sees_failed_items_among_the_others(py: redis.Redis) -> None:
    values = py.mget(1, "abc", 999_999, 2)
    assert json.loads(values[0])["id"] == 1 and json.loads(values[3])["id"] == 2
    assert isinstance(values[1], redis.ResponseError) and "BADID" in str(values[1])
    assert values[2] is None
    with pytest.raises(redis.ResponseError, match="BADID"):
        py.get("abc")
    assert py.ping()


def test_redis_py_carries_a_mebibyte(py: redis.Redis) -> None:
    assert json.loads(py.get(HUGE))["body"] == HUGE_BODY
    assert py.hget(HUGE, "body").decode() == HUGE_BODY
    assert [len(v) for v in py.mget(HUGE, HUGE)] == [py.strlen(HUGE)] * 2


def test_redis_py_is_refused_writes(py: redis.Redis) -> None:
    for write in (
        lambda: py.set(1, "x"),
        lambda: py.setex(1, 5, "x"),
        lambda: py.mset({"1": "x"}),
        lambda: py.hset(1, "a", "b"),
        lambda: py.expire(1, 5),
    ):
        with pytest.raises(redis.exceptions.ReadOnlyError, match="read only replica"):
            write()
    assert py.get(1) is not None


def test_redis_py_understands_info_and_command(py: redis.Redis) -> None:
    info = py.info()
    assert info["redis_version"] == "7.0.15" and info["loading"] == 0
    assert info["role"] == "slave" and info["keyspace_hits"] >= 0
    assert py.info("fetchd")["requests"] >= 0
    assert py.command_count() > 20 and py.command()["get"]["arity"] == 2


def test_redis_py_pipelines(py: redis.Redis) -> None:
    with py.pipeline(transaction=False) as pipe:
        for n in range(1, 201):
            pipe.get(n)
        pipe.get("abc")
        pipe.set(1, "x")
        values = pipe.execute(raise_on_error=False)
    assert [json.loads(v)["id"] for v in values[:200]] == list(range(1, 201))
    assert "BADID" in str(values[200])
    assert isinstance(values[201], redis.exceptions.ReadOnlyError)


def test_redis_py_hears_at_once_that_the_server_is_full(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    config = shelf(shop_db)
    config.limits["connections"] = 1
    server = start_fetchd(config)
    with server.client() as taken, redis.Redis(port=server.port) as one:
        assert taken.ask(b"ping") == b"PONG"
        start = time.monotonic()
        with pytest.raises(redis.RedisError):  # which one: how far its first words got
            one.get(1)
        assert time.monotonic() - start < slow(1)


def test_redis_py_with_a_name_and_a_database(shelf_server: Fetchd) -> None:
    with redis.Redis(port=shelf_server.port, client_name="me", db=0) as one:
        assert one.client_getname() == "me"
    with redis.Redis(port=shelf_server.port, db=3) as one:
        with pytest.raises(redis.ResponseError, match="out of range"):
            one.ping()


def test_redis_py_lives_on_when_a_worker_is_killed(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    server = start_fetchd(shelf(shop_db))
    with redis.Redis(port=server.port) as one:
        assert one.get(1)
        kill_workers(server)
        try:
            value = one.get(1)
        except redis.ConnectionError:
            value = one.get(1)
        assert json.loads(value)["id"] == 1


def test_redis_py_asyncio(shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]) -> None:
    server = start_fetchd(shelf(shop_db))

    async def conversation() -> None:
        one: Any = redis.asyncio.Redis(port=server.port)
        assert json.loads(await one.get(7))["id"] == 7
        values = await asyncio.gather(*[one.get(n) for n in range(1, 51)])
        assert [json.loads(v)["id"] for v in values] == list(range(1, 51))
        values = await one.mget(1, "abc", 999_999)
        assert isinstance(values[1], redis.ResponseError) and values[2] is None
        assert json.loads(await one.get(HUGE))["body"] == HUGE_BODY
        with pytest.raises(redis.exceptions.ReadOnlyError):
            await one.set(1, "x")
        kill_workers(server)
        for _ in range(60):  # each pooled connection notices for itself
            try:
                values = await one.mget(1, 2)
                break
            except redis.ConnectionError:
                continue
        assert [json.loads(v)["id"] for v in values] == [1, 2]
        await one.close()
        await one.connection_pool.disconnect()

    asyncio.run(conversation())
