"""test_resp_node.py - node-redis and ioredis read from fetchd with default options.

The clients are installed on demand (npm ci) into a cache outside of the tree; without
npm, or when it can reach no registry, these tests are skipped and say so.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness.fetchd import Config, Fetchd
from harness.mariadb import MariaDB
from harness.resp import HUGE, HUGE_BODY, kill_workers, shelf
from harness.wait import slow

HERE = Path(__file__).parent / "clients" / "resp"


def cache_dir() -> Path:
    """Where this very set of packages is installed."""
    lock = (HERE / "package-lock.json").read_bytes()
    base = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return Path(base) / "fetchd-tests" / f"resp-{hashlib.sha256(lock).hexdigest()[:12]}"


def install(cache: Path) -> str:
    """Installs the packages, once; "" or why that cannot be."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with open(cache / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return "" if (cache / "done").exists() else npm_ci(cache)
    except OSError as error:
        return str(error)


def npm_ci(cache: Path) -> str:
    """Runs npm; "" or what it said."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, cache)
    try:
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=cache,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "npm ci took more than five minutes"
    if done.returncode != 0:
        return f"npm ci failed: {done.stdout[-500:]}"
    (cache / "done").touch()
    return ""


@pytest.fixture(scope="module")
def packages() -> Path:
    """The directory with the clients in it."""
    cache = cache_dir()
    if why := install(cache):
        pytest.skip(f"no npm clients of Redis: {why}")
    return cache


class Node:
    """One client in a node of its own."""

    def __init__(
        self, packages: Path, server: Fetchd, library: str, options: str = "{}"
    ) -> None:
        words = ["node", str(HERE / "drive.js"), library, str(server.port), options]
        self._process = subprocess.Popen(
            words,
            env={**os.environ, "NODE_PATH": str(packages / "node_modules")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        assert self._read() == {"value": "ready"}

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{self._process.args} ended"
        said = json.loads(line)
        assert isinstance(said, dict)
        return said

    def ask(self, *words: Any) -> dict[str, Any]:
        """One command: {"value": ...} or {"error": ...}."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._read()

    def value(self, *words: Any) -> Any:
        """What the client returned."""
        said = self.ask(*words)
        assert "value" in said, said
        return said["value"]

    def close(self) -> None:
        """The client says goodbye, and node ends well."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(slow(10)) == 0
        self._process.stdout.close()


@pytest.fixture(scope="module")
def shelf_server(
    shop_db: MariaDB, keep_fetchd: Callable[[Config], Iterator[Fetchd]]
) -> Iterator[Fetchd]:
    """fetchd in front of the catalogue and an item of 1 MiB."""
    yield from keep_fetchd(shelf(shop_db))


# package, options, the oldest node that it runs on
CLIENTS = [
    ("redis", "{}", 20),
    ("redis", '{"RESP": 2}', 20),
    ("redis-5", "{}", 18),
    ("redis-5", '{"RESP": 3}', 18),
    ("ioredis", "{}", 20),
    ("ioredis-5", "{}", 12),
]


def check_node(oldest: int) -> None:
    """Skips the test when node is too old for the client."""
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    version = said.stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < oldest:
        pytest.skip(f"this client needs node {oldest}; here is {version}")


@pytest.fixture(params=CLIENTS, ids=lambda p: "".join(p[:2]).replace("{}", ""))
def node(
    request: pytest.FixtureRequest, packages: Path, shelf_server: Fetchd
) -> Iterator[Node]:
    """Each client in turn."""
    name, options, oldest = request.param
    check_node(oldest)
    one = Node(packages, shelf_server, name, options)
    yield one
    one.close()


@pytest.mark.timeout(400)
def test_the_packages_are_installed_or_skipped(packages: Path) -> None:
    assert (packages / "node_modules" / "redis").is_dir()
    assert (packages / "node_modules" / "ioredis").is_dir()


def test_node_clients_read(node: Node) -> None:
    assert node.value("ping") == "PONG"
    assert json.loads(node.value("get", "7"))["id"] == 7
    assert node.value("get", "999999") is None
    values = node.value("mGet", ["1", "999999", "3"])
    assert [v and json.loads(v)["id"] for v in values] == [1, None, 3]
    assert node.value("hmGet", "7", ["id", "name", "no"]) == ["7", "item 7", None]
    assert node.value("hGetAll", "tags:tag-001") == {
        "name": "tag-001",
        "label": "label of tag-001",
        "uses": "1",
    }
    assert node.value("exists", "1") == 1
    assert "redis_version:7.0.15" in node.value("info")


def test_node_clients_see_failed_items_among_the_others(node: Node) -> None:
    said = node.ask("mGet", ["1", "abc", "999999", "2"])
    values = said.get("value") or said["values"]
    assert json.loads(values[0])["id"] == 1 and json.loads(values[3])["id"] == 2
    assert values[1]["error"].startswith("BADID ") and values[2] is None
    assert node.ask("get", "abc")["error"].startswith("BADID ")
    assert node.value("ping") == "PONG"


def test_node_clients_carry_a_mebibyte(node: Node) -> None:
    assert json.loads(node.value("get", HUGE))["body"] == HUGE_BODY
    assert node.value("hmGet", HUGE, ["id", "body"]) == ["1", HUGE_BODY]


def test_node_clients_are_refused_writes(node: Node) -> None:
    for words in (["set", "1", "x"], ["hSet", "1", "a", "b"], ["expire", "1", 5]):
        assert node.ask(*words)["error"].startswith("READONLY ")
    assert node.value("get", "1") is not None


@pytest.mark.parametrize(
    "client,oldest", [("redis", 20), ("redis-5", 18), ("ioredis", 20), ("ioredis-5", 12)]
)
def test_node_clients_live_on_when_a_worker_is_killed(
    packages: Path,
    shop_db: MariaDB,
    start_fetchd: Callable[..., Fetchd],
    client: str,
    oldest: int,
) -> None:
    check_node(oldest)
    server = start_fetchd(shelf(shop_db))
    node = Node(packages, server, client)
    assert json.loads(node.value("get", "1"))["id"] == 1
    kill_workers(server)
    said = node.ask("get", "1")
    if "error" in said:  # it had not yet heard that the connection is gone
        said = node.ask("get", "1")
    assert json.loads(said["value"])["id"] == 1
    node.close()
