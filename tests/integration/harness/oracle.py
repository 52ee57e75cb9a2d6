"""oracle.py - knows what every answer may say, whatever happens meanwhile.

Owns: a table whose rows are computed from (id, version), one writer, readers in every
dialect, and the judgement of each item that a reader was shown:

  - its body is that of its id and version, and it is the id that was asked for there;
  - its version was written (at most 'ceiling' of the id);
  - its version is at least 'floor' of the id as it was before the request was sent.  The
    writer raises the floor when an invalidation was acknowledged, and, for changes that it
    tells nobody, when the source's bound of freshness has passed since the commit.

Workers are killed and bits of the cache are flipped meanwhile.  Lost connections and
failures are no mistake; a wrong item, an old one or a MISS is.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import random
import re
import signal
import time
from collections import deque
from dataclasses import dataclass
from hashlib import md5
from typing import Any, Callable, Sequence

from harness import procs
from harness.fetchd import Config, Fetchd, database
from harness.mariadb import MariaDB
from harness.wire import Client

IDS = 20_000
FRESH_S = 0.3
_CONTEXT = multiprocessing.get_context("fork")
_ITEM = re.compile(rb'\{"id":(\d+),"ver":(\d+),"body":"([0-9a-f]{32})"\}$')


def body(key: int, version: int) -> bytes:
    """What the row says in that version."""
    return md5(b"%d:%d" % (key, version)).hexdigest().encode()


@dataclass
class Verdict:
    """What a run came to."""

    checked: int = 0
    failed: int = 0  # no item, but a reason: allowed
    lost: int = 0  # requests whose connection went away: allowed
    writes: int = 0
    kills: int = 0
    flips: int = 0
    wrong: int = 0
    first_wrong: str = ""


@dataclass
class Plan:
    """What happens in a run, and which mistakes are made on purpose."""

    replies: int = 20_000
    kill_every_s: float = 0.2
    flips_per_s: float = 200.0
    until_wrong: bool = False  # the first mistake ends the run
    fresh_s: float = FRESH_S  # of the server; the oracle believes FRESH_S
    silent_share: float = 0.3  # changes that nobody is told of
    forget_to_invalidate: bool = False  # a seeded bug: acknowledged, not done
    corrupt_rows: bool = False  # a seeded bug: rows that are not what they should be
    swap_positions: bool = False  # a seeded bug: items stand at each other's places


def config(db: MariaDB, plan: Plan) -> Config:
    """Four workers, a cache too small for all items, workers that are replaced at once."""
    db.sql(
        "CREATE OR REPLACE DATABASE oracle",
        "USE oracle",
        "CREATE TABLE o (id INT PRIMARY KEY, ver INT, body CHAR(32))",
        f"INSERT INTO o SELECT seq, 0, MD5(CONCAT(seq,':0')) FROM seq_1_to_{IDS}",
    )
    return Config(
        databases={"main": database(db.socket, "oracle")},
        sources={
            "o": {
                "table": "o",
                "fresh": f"{int(plan.fresh_s * 1000)}ms",
                "columns": ["id", "ver", "body"],
            }
        },
        top={"workers": 4, "respawn_min": "1ms", "respawn_max": "50ms", "deadline": "2s"},
        cache={"size": "1M"},
    )


# --- readers


def _ask_native(client: Client, keys: Sequence[int]) -> list[bytes]:
    client.send(b"fetch " + b" ".join(b"%d" % k for k in keys) + b"\r\n")
    found = []
    for key in keys:
        line = client.line()
        word, shown, *rest = line.split(b" ", 3 if line.startswith(b"STALE") else 2)
        assert int(shown) == key, f"asked for {key}, got {line[:80]!r}"
        found.append(rest[-1] if word in (b"ITEM", b"STALE") else word)
    assert client.line().startswith(b"DONE ")
    return found


def _ask_memcached(client: Client, keys: Sequence[int]) -> list[bytes]:
    client.send(b"get " + b" ".join(b"%d" % k for k in keys) + b"\r\n")
    found = {}
    while (line := client.line()) != b"END":
        found[int(line.split(b" ")[1])] = client.line()
    return [found.get(k, b"FAIL") for k in keys]


def _ask_resp(client: Client, keys: Sequence[int]) -> list[bytes]:
    words = [b"MGET", *(b"%d" % k for k in keys)]
    client.send(
        b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
    )
    assert client.line() == b"*%d" % len(keys)
    found = []
    for _ in keys:
        line = client.line()
        if line.startswith(b"-"):
            found.append(b"FAIL")
        else:
            found.append(b"MISS" if line == b"$-1" else client.line())
    return found


_DIALECTS = (_ask_native, _ask_memcached, _ask_resp)


class _Board:
    """What the processes share."""

    def __init__(self) -> None:
        self.floor = _CONTEXT.RawArray("I", IDS + 1)
        self.ceiling = _CONTEXT.RawArray("I", IDS + 1)
        self.checked = _CONTEXT.RawArray("Q", 8)
        self.wrong = _CONTEXT.RawArray("Q", 8)
        self.stop = _CONTEXT.Event()
        self.results: Any = _CONTEXT.Queue()


def _judge(board: _Board, key: int, floor: int, item: bytes) -> str:
    """What is wrong with an item; "" when nothing is."""
    if item == b"MISS":
        return f"id {key} is said not to exist"
    match = _ITEM.match(item)
    if not match:
        return f"id {key}: not an item: {item[:80]!r}"
    shown, version = int(match[1]), int(match[2])
    if shown != key:
        return f"asked for {key}, got {shown}"
    if match[3] != body(key, version):
        return f"id {key} version {version}: not its body"
    if version > board.ceiling[key]:
        return f"id {key} version {version} was never written"
    if version < floor:
        return f"id {key} version {version} is too old: {floor} was promised"
    return ""


def _pick(rng: random.Random) -> int:
    return 1 + int(IDS * rng.random() ** 4)


def _read(board: _Board, address: Any, number: int, plan: Plan) -> None:
    rng, ask = random.Random(number), _DIALECTS[number % 3]
    verdict, client = Verdict(), None
    while not board.stop.is_set():
        keys = list({_pick(rng) for _ in range(50)})
        floors = [board.floor[k] for k in keys]
        try:
            client = client or Client(address, 5)
            found = ask(client, keys)
        except (OSError, AssertionError) as error:
            if isinstance(error, AssertionError) and "closed" not in str(error):
                verdict.wrong += 1
                verdict.first_wrong = verdict.first_wrong or str(error)
            verdict.lost += 1
            client = None
            continue
        if plan.swap_positions:
            found[0], found[-1] = found[-1], found[0]
        for key, floor, item in zip(keys, floors, found):
            if item == b"FAIL":
                verdict.failed += 1
                continue
            verdict.checked += 1
            if trouble := _judge(board, key, floor, item):
                verdict.wrong += 1
                verdict.first_wrong = verdict.first_wrong or trouble
        board.checked[number] = verdict.checked
        board.wrong[number] = verdict.wrong
    board.results.put(verdict)


# --- the writer


class _Writer:
    def __init__(self, board: _Board, address: Any, db: MariaDB, plan: Plan) -> None:
        self.board, self.address, self.plan = board, address, plan
        self.rng, self.client = random.Random(99), None
        self.cursor = db.connect().cursor()
        self.silent: deque[tuple[float, int, int]] = deque()
        self.writes = 0

    def run(self) -> None:
        """Until it is told to stop."""
        while not self.board.stop.is_set():
            self._write(_pick(self.rng))
            self._promise_silent()
        self.board.results.put(Verdict(writes=self.writes))

    def _write(self, key: int) -> None:
        version = self.board.ceiling[key] + 1
        shown = version + (1 if self.plan.corrupt_rows else 0)
        self.board.ceiling[key] = version
        self.cursor.execute(
            "UPDATE oracle.o SET ver=%s, body=%s WHERE id=%s",
            (version, body(key, shown), key),
        )
        self.writes += 1
        if self.rng.random() < self.plan.silent_share:
            self.silent.append((time.monotonic() + FRESH_S + 0.002, key, version))
        elif self.plan.forget_to_invalidate or self._invalidate(key):
            self.board.floor[key] = max(self.board.floor[key], version)

    def _invalidate(self, key: int) -> bool:
        """True: it was acknowledged."""
        try:
            self.client = self.client or Client(self.address, 5)
            return self.client.ask(b"invalidate %d" % key).startswith(b"INVALIDATED ")
        except (OSError, AssertionError):
            self.client = None  # perhaps done, perhaps not: nothing is promised
            return False

    def _promise_silent(self) -> None:
        while self.silent and self.silent[0][0] <= time.monotonic():
            _, key, version = self.silent.popleft()
            self.board.floor[key] = max(self.board.floor[key], version)


# --- mischief


class _Mischief:
    """Kills workers and flips bits, from the test's own process."""

    def __init__(self, server: Fetchd, plan: Plan) -> None:
        self.server, self.plan, self.rng = server, plan, random.Random(7)
        self.kills = self.flips = 0
        self.began = time.monotonic()
        self.next_kill = self.began + plan.kill_every_s
        self.region = self._map()

    def _map(self) -> mmap.mmap:
        pid = self.server.master_pid
        largest = max(
            (f"/proc/{pid}/fd/{name.split('=')[0]}" for name in procs.fd_names(pid)
             if "memfd" in name),
            key=lambda path: os.stat(path).st_size,
        )
        fd = os.open(largest, os.O_RDWR)
        try:
            return mmap.mmap(fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)

    def step(self) -> None:
        """What is due by now."""
        due = int(self.plan.flips_per_s * (time.monotonic() - self.began))
        for _ in range(due - self.flips):
            at = self.rng.randrange(len(self.region))
            self.region[at] ^= 1 << self.rng.randrange(8)
            self.flips += 1
        if self.plan.kill_every_s and time.monotonic() >= self.next_kill:
            self.next_kill += self.plan.kill_every_s
            pids = self.server.worker_pids()
            if pids:
                procs.kill_if_alive(self.rng.choice(pids), signal.SIGKILL)
                self.kills += 1


def run(db: MariaDB, server: Fetchd, plan: Plan, readers: int = 3) -> Verdict:
    """Runs until 'plan.replies' items were judged, and sums up."""
    board = _Board()
    address = server.address
    writer = lambda: _Writer(board, address, db, plan).run()  # noqa: E731
    jobs: list[Callable[[], None]] = [writer]
    jobs += [lambda n=n: _read(board, address, n, plan) for n in range(readers)]
    crew = [_CONTEXT.Process(target=job, daemon=True) for job in jobs]
    for one in crew:
        one.start()
    mischief = _Mischief(server, plan)
    total = Verdict()
    last = (time.monotonic(), 0)
    while sum(board.checked) < plan.replies and not (plan.until_wrong and any(board.wrong)):
        time.sleep(0.02)
        mischief.step()
        if sum(board.checked) > last[1]:
            last = (time.monotonic(), sum(board.checked))
        assert time.monotonic() - last[0] < 30, "no answers any more"
    board.stop.set()
    for _ in crew:
        one = board.results.get(timeout=30)
        for name in ("checked", "failed", "lost", "writes", "wrong"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        total.first_wrong = total.first_wrong or one.first_wrong
    for one in crew:
        one.join()
    mischief.region.close()
    total.kills, total.flips = mischief.kills, mischief.flips
    return total
