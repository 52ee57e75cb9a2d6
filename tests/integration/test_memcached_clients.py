"""test_memcached_clients.py - the memcached clients that people use, in their defaults.

Each is put behind the same few verbs; what it gives back is compared with the bytes that
the native dialect sends.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from typing import Any, Callable, Iterator, Protocol

import memcache
import pylibmc
import pymemcache
import pytest

from harness import npm, procs
from harness.catalogue import ITEMS
from harness.fetchd import Config, Fetchd, database
from harness.mariadb import MariaDB
from harness.wait import slow, wait_until

SCHEMA = "memcached_clients"
BIG = 1 << 20


class Adapter(Protocol):
    """What the tests ask of a client."""

    def get(self, key: str) -> bytes | None:
        """The value; None is a miss."""

    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        """The values that are there."""

    def gets(self, key: str) -> tuple[bytes, str] | None:
        """The value and its cas."""

    def set(self, key: str, value: str) -> bool:
        """Was it stored?"""

    def close(self) -> None:
        """Closes its connections."""


class Pymemcache:
    """pymemcache's plain client."""

    def __init__(self, port: int) -> None:
        self._client = pymemcache.Client(("127.0.0.1", port), timeout=slow(10))

    def get(self, key: str) -> bytes | None:
        return self._client.get(key)

    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        return dict(self._client.get_many(keys))

    def gets(self, key: str) -> tuple[bytes, str] | None:
        value, cas = self._client.gets(key)
        return None if value is None else (value, cas.decode())

    def set(self, key: str, value: str) -> bool:
        return bool(self._client.set(key, value, noreply=False))

    def close(self) -> None:
        self._client.close()


def _bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


class PythonMemcached:
    """python-memcached, which checks values against a bound of its own."""

    def __init__(self, port: int) -> None:
        self._client = memcache.Client(
            [f"127.0.0.1:{port}"],
            cache_cas=True,
            socket_timeout=slow(10),
            dead_retry=0,
            server_max_value_length=4 << 20,
        )

    def get(self, key: str) -> bytes | None:
        return _bytes(self._client.get(key))

    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        return {k: _bytes(v) or b"" for k, v in self._client.get_multi(keys).items()}

    def gets(self, key: str) -> tuple[bytes, str] | None:
        value = _bytes(self._client.gets(key))
        return None if value is None else (value, str(self._client.cas_ids[key.encode()]))

    def set(self, key: str, value: str) -> bool:
        return bool(self._client.set(key, value))

    def close(self) -> None:
        self._client.disconnect_all()


class Pylibmc:
    """pylibmc on libmemcached, in the text protocol."""

    def __init__(self, port: int) -> None:
        self._client = pylibmc.Client(
            [f"127.0.0.1:{port}"],
            behaviors={"cas": True, "receive_timeout": int(slow(10_000_000))},
        )

    def get(self, key: str) -> bytes | None:
        return _bytes(self._client.get(key))

    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        return {k: _bytes(v) or b"" for k, v in self._client.get_multi(keys).items()}

    def gets(self, key: str) -> tuple[bytes, str] | None:
        value, cas = self._client.gets(key)
        return None if value is None else (_bytes(value) or b"", str(cas))

    def set(self, key: str, value: str) -> bool:
        try:
            return bool(self._client.set(key, value))
        except pylibmc.NotStored:
            return False

    def close(self) -> None:
        self._client.disconnect_all()


class Npm:
    """One of the npm clients in a node of its own; see clients/memcached/drive.js."""

    name = ""

    def __init__(self, port: int) -> None:
        modules = npm.modules("memcached")
        self._node = subprocess.Popen(
            ["node", str(npm.CLIENTS / "memcached" / "drive.js"), self.name, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "NODE_PATH": str(modules)},
            preexec_fn=procs.die_with_parent,
        )

    def _ask(self, *words: Any) -> Any:
        assert self._node.stdin and self._node.stdout
        self._node.stdin.write(json.dumps(words).encode() + b"\n")
        self._node.stdin.flush()
        answer = json.loads(self._node.stdout.readline())
        if "error" in answer:
            raise ConnectionError(answer["error"])
        return answer["value"]

    def get(self, key: str) -> bytes | None:
        value = self._ask("get", key)
        return None if value is None else base64.b64decode(value)

    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        return {k: base64.b64decode(v) for k, v in self._ask("get_many", keys).items()}

    def gets(self, key: str) -> tuple[bytes, str] | None:
        found = self._ask("gets", key)
        return None if found is None else (base64.b64decode(found["value"]), found["cas"])

    def set(self, key: str, value: str) -> bool:
        try:
            return bool(self._ask("set", key, value))
        except ConnectionError as error:
            assert "not stored" in str(error).lower().replace("_", " "), error
            return False

    def close(self) -> None:
        assert self._node.stdin
        self._node.stdin.close()
        self._node.wait(timeout=slow(10))


class NodeMemcached(Npm):
    """memcached of 3rd-Eden."""

    name = "memcached"


class MemcacheClient(Npm):
    """memcache-client of electrode."""

    name = "memcache-client"


CLIENTS: list[Callable[[int], Adapter]] = [
    Pymemcache,
    PythonMemcached,
    Pylibmc,
    NodeMemcached,
    MemcacheClient,
]
EACH = pytest.mark.parametrize("make", CLIENTS, ids=lambda c: c.__name__)


@pytest.fixture(scope="module")
def config(shop_db: MariaDB) -> Iterator[Config]:
    """Items by number, and a second source with one item of 1 MiB and one too big."""
    rows = [(1, "x" * (BIG - len('{"id":1,"v":""}'))), (2, "x" * BIG)]
    connection = shop_db.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE DATABASE {SCHEMA}")
        cursor.execute(f"CREATE TABLE {SCHEMA}.huge (id INT PRIMARY KEY, v LONGTEXT)")
        cursor.executemany(f"INSERT INTO {SCHEMA}.huge VALUES (%s,%s)", rows)
    connection.commit()
    connection.close()
    yield Config(
        databases={
            "shop": database(shop_db.socket),
            "huge": database(shop_db.socket, SCHEMA),
        },
        sources={
            "items": {"database": "shop", "table": "items", "key": "id"},
            "tags": {"database": "shop", "table": "tags", "key": "name"},
            "huge": {"database": "huge", "table": "huge", "key": "id"},
        },
    )
    shop_db.sql(f"DROP DATABASE {SCHEMA}")


@pytest.fixture(scope="module")
def fetchd(
    config: Config, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """The server that all clients of this file use."""
    yield from keep_fetchd(config)


def truth(server: Fetchd, *keys: str) -> dict[str, bytes]:
    """The items among 'keys', as the native dialect sends them."""
    client = server.client()
    return {
        r.key.decode(): r.rest for r in client.fetch(*keys).replies if r.status == b"ITEM"
    }


@pytest.fixture
def connect(fetchd: Fetchd) -> Iterator[Callable[..., Adapter]]:
    """Makes a client, closed at the end of the test."""
    made: list[Adapter] = []

    def one(make: Callable[[int], Adapter], server: Fetchd | None = None) -> Adapter:
        made.append(make((server or fetchd).port))
        return made[-1]

    yield one
    for client in made:
        client.close()


Connect = Callable[..., Adapter]


@EACH
def test_get_gives_the_items_bytes(
    fetchd: Fetchd, connect: Connect, make: Callable[[int], Adapter]
) -> None:
    client = connect(make)
    expected = truth(fetchd, "1", "007", "tags:tag-001")
    for key, value in expected.items():
        assert client.get(key) == value


@EACH
def test_a_miss_is_nothing(connect: Connect, make: Callable[[int], Adapter]) -> None:
    client = connect(make)
    for key in ("999999", "no-number", "huge:2", "k" * 250):
        assert client.get(key) is None
    assert client.get("1") is not None


@EACH
def test_many_gives_what_is_there(
    fetchd: Fetchd, connect: Connect, make: Callable[[int], Adapter]
) -> None:
    client = connect(make)
    keys = [str(n) for n in range(ITEMS - 400, ITEMS + 100)]
    keys += ["no-number", "huge:2", "tags:tag-007", "tags:nothing", "0042"]
    expected = truth(fetchd, *keys)
    assert len(expected) == 403
    assert client.get_many(keys) == expected
    assert client.get_many(["999999", "huge:2"]) == {}
    assert client.get_many(["1", "2"]) == truth(fetchd, "1", "2")


@EACH
def test_a_mebibyte_arrives_whole(
    fetchd: Fetchd, connect: Connect, make: Callable[[int], Adapter]
) -> None:
    client = connect(make)
    expected = truth(fetchd, "huge:1")
    assert len(expected["huge:1"]) == BIG
    assert client.get("huge:1") == expected["huge:1"]
    assert client.get_many(["huge:1", "huge:2"]) == expected


@EACH
def test_gets_gives_a_cas(
    fetchd: Fetchd, connect: Connect, make: Callable[[int], Adapter]
) -> None:
    client = connect(make)
    found, again, other = client.gets("1"), client.gets("1"), client.gets("2")
    assert found == again and found and other
    assert found[0] == truth(fetchd, "1")["1"] and found[1] != other[1]


@EACH
def test_set_is_declined_and_the_connection_stays(
    fetchd: Fetchd, connect: Connect, make: Callable[[int], Adapter]
) -> None:
    client = connect(make)
    expected = truth(fetchd, "1")["1"]
    assert client.get("1") == expected
    before = fetchd.client().stats()["total_connections"]
    for value in ("v", "get 1\r\n" * 10, "x" * 100_000):
        assert client.set("1", value) is False
        assert client.get("1") == expected
    assert fetchd.client().stats()["total_connections"] == before + 1  # this one's own


@EACH
def test_a_client_outlives_its_worker(
    config: Config,
    start_fetchd: Callable[..., Fetchd],
    connect: Connect,
    make: Callable[[int], Adapter],
) -> None:
    server = start_fetchd(config)
    server.allowed_errors.append(r"worker slot=\S+ pid=\S+ died")
    expected = truth(server, "1")["1"]
    client = connect(make, server)
    assert client.get("1") == expected
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    server.wait_log(r"worker slot=\S+ pid=\S+ ready", count=4)

    def recovered() -> bool:
        try:
            return client.get("1") == expected
        except Exception:  # pylint: disable=broad-except  # each client has its own
            time.sleep(0.02)
            return False

    wait_until(recovered, 10, "the client to connect again")
