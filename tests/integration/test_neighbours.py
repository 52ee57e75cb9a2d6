"""test_neighbours.py - what a client that asks for much costs one that asks for little.

The others' p99 is at most twice as long as when they are alone.  A worker that is never
idle is a worker that others of the machine push aside, so what is judged are the moments
in which it had its core (see harness.neighbours); scripts/measure prints all figures.
"""

from __future__ import annotations

import os
from typing import Callable

import pytest

from harness.crowd import percentile
from harness.fetchd import Fetchd, shop
from harness.mariadb import MariaDB
from harness.neighbours import Neighbour, Times, all_first, calm, put_before, windows
from harness.wait import SLOW, median

MEASURE = "FETCHD_MEASURE" in os.environ
CALM_MS = 0.25 if MEASURE else 0.1  # waiting for a core in a window of 20 ms
FEW = 100 if MEASURE else 200  # answers from which a p99 can be told
ROUNDS = 3
# What the clock, the loopback and the processes that measure add on a machine of tests.
GRAIN_MS = 0.0 if MEASURE else 0.1
# What a fetch waits for beside that: the statement that is under way and, in its own, the
# ids of the other (see server/source/draw.c), while the two share mariadbd's core too.
FETCH_GRAIN_MS = 0.0 if MEASURE else 0.25
# Beside other tests on the same cores only gross faults can be told; scripts/measure holds
# it to the promise.
ALLOWED = 1.0 if MEASURE else 2.0

PING = (b"ping", b"PONG")
SMALL = (b"fetch 5001 5002 5003 5004 5005", b"DONE ")  # of which nothing is kept
MANY = b" ".join(b"%d" % n for n in range(1, 5001))
FLOODS = {
    "pings": PING,
    "fetch of 100 ids": (b"fetch " + MANY[:291], b"DONE "),
    "get of 100 ids": (b"get " + MANY[:291], b"END"),
    "fetch of 5,000 ids": (b"fetch " + MANY, b"DONE "),
    "fetch of 5,000 bad ids": (b"fetch " + MANY.replace(b" ", b" x"), b"DONE "),
    "an array of 5,000 ids": (b"fetch as=array " + MANY, b"DONE "),
    "a map of 5,000 ids": (b"fetch as=map " + MANY, b"DONE "),
    "columns of 5,000 ids": (b"fetch as=columns " + MANY, b"DONE "),
    "4 columns of 5,000 ids": (b"fetch as=columns fields=id,name,stock,note " + MANY, b"DONE "),
}


def told(times: list[float]) -> str:
    """The figures of a row."""
    if not times:
        return "none"
    shares = tuple(percentile(times, share) for share in (0.5, 0.99, 0.999))
    return "p50 %.3f p99 %.3f p99.9 %.3f" % shares + f" ({len(times)})"


def probe(
    server: Fetchd, ask: tuple[bytes, bytes], flood: tuple[bytes, bytes] | None, seconds: float
) -> tuple[Times, list[float]]:
    """Small requests, a little apart, alone or beside the flood: all, and those in calm
    moments."""
    (pid,) = server.worker_pids()
    with Neighbour("probe", server.address, *ask, first=2) as one:
        if flood is None:
            seen = list(windows(pid, seconds))
        else:
            with Neighbour("flood", server.address, *flood):
                seen = list(windows(pid, seconds))
    return one.times, calm(one.times, seen, CALM_MS)


def check_beside(server: Fetchd, ask: tuple[bytes, bytes], name: str, grain_ms: float) -> None:
    """Alone and beside the flood in turn: a hiccup of the machine hits one round, a long
    turn of the loop all.  The middle round counts; beside other tests, the best, and of
    what the database is asked its p50."""
    p99s: dict[str, list[float]] = {"alone": [], "beside": []}
    for _ in range(ROUNDS):
        quiet_all, quiet = probe(server, ask, None, 0.8)
        loud_all, loud = probe(server, ask, FLOODS[name], 1.2)
        for kind, times, free in (("alone", quiet_all, quiet), ("beside", loud_all, loud)):
            whole = told([ms for _, ms in times])
            what = ask[0].split()[0].decode()
            print(f"{what} ms {kind} {name}: {whole}, core free {told(free)}")
        # with sanitizers the smallest pieces of work are as long as the bound
        if SLOW > 1:
            return
        if ask is not PING:  # whether the database had its core, the worker cannot tell
            quiet, loud = ([ms for _, ms in times] for times in (quiet_all, loud_all))
        if len(quiet) >= FEW and len(loud) >= FEW:
            share = 0.99 if ask is PING or MEASURE else 0.5
            p99s["alone"].append(percentile(quiet, share))
            p99s["beside"].append(percentile(loud, share))
            if not MEASURE and judge(p99s, min, grain_ms) <= ALLOWED:
                return
    if not p99s["alone"]:
        pytest.skip("the machine has no core for the server: nothing to judge by")
    rounds = ", ".join(f"{kind} " + "/".join("%.2f" % ms for ms in p99s[kind]) for kind in p99s)
    print(f"p99 of each round, ms: {rounds} ({name})")
    over = judge(p99s, median if MEASURE else min, grain_ms)
    assert over <= ALLOWED, "p99 beside the flood, over what it may be"


def judge(
    p99s: dict[str, list[float]], one: Callable[[list[float]], float], grain_ms: float
) -> float:
    """What it takes beside the flood, over twice what it takes alone."""
    return one(p99s["beside"]) / (2 * median(p99s["alone"]) + grain_ms)


@pytest.mark.parametrize("name", FLOODS)
def test_a_client_that_asks_for_much_does_not_hold_up_another(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd], name: str
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=1))
    # beside other tests only a rank gives the worker a core; what that adds is allowed
    with (put_before if MEASURE else all_first)(*server.worker_pids()):
        check_beside(server, PING, name, GRAIN_MS)


@pytest.mark.parametrize("name", ["pings", "fetch of 100 ids", "fetch of 5,000 ids"])
def test_nor_does_it_hold_up_who_asks_the_database_for_few(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd], name: str
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=1))
    # The database is a part of what is judged.  Put before the others only, the two would
    # take turns of 3 ms at a core.
    with all_first(shop_db.pid, *server.worker_pids()):
        check_beside(server, SMALL, name, FETCH_GRAIN_MS)
