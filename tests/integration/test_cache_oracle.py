"""test_cache_oracle.py - no wrong item, whatever is killed, flipped or changed meanwhile.

The long form: FETCHD_ORACLE=5000000 pytest -m soak tests/integration/test_cache_oracle.py
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest

from harness import oracle
from harness.fetchd import Fetchd
from harness.mariadb import MariaDB
from harness.wait import BINARY

Start = Callable[..., Fetchd]


def observe(
    db: MariaDB, start: Start, plan: oracle.Plan, socket: str = "", **more: Any
) -> oracle.Verdict:
    """A run; whoever kills workers does not complain of their deaths."""
    config = oracle.config(db, plan)
    if socket:
        config.databases["main"]["socket"] = socket
    server = start(config, **more)
    server.allowed_errors.append("worker")
    verdict = oracle.run(db, server, plan)
    print(verdict, {k: v for k, v in server.client().stats().items() if "cache" in k})
    return verdict


def test_no_answer_is_wrong_while_workers_die_and_bits_flip(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    verdict = observe(shop_db, start_fetchd, oracle.Plan(replies=150_000))
    assert verdict.wrong == 0, verdict.first_wrong
    assert verdict.writes > 100 and verdict.kills >= 3 and verdict.flips > 100
    assert verdict.failed < verdict.checked


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_no_answer_is_wrong_for_long(shop_db: MariaDB, start_fetchd: Start) -> None:
    if "FETCHD_ORACLE" not in os.environ:
        pytest.skip("set FETCHD_ORACLE to a number of replies")
    plan = oracle.Plan(replies=int(os.environ["FETCHD_ORACLE"]))
    verdict = observe(shop_db, start_fetchd, plan)
    assert verdict.wrong == 0, verdict.first_wrong


@pytest.mark.parametrize(
    "bug,says",
    [
        ({"forget_to_invalidate": True, "silent_share": 0.0, "fresh_s": 60.0}, "too old"),
        ({"fresh_s": 60.0, "silent_share": 1.0}, "too old"),
        ({"corrupt_rows": True}, "not its body"),
        ({"swap_positions": True}, "asked for"),
    ],
    ids=["not invalidated", "too long fresh", "other bytes", "other places"],
)
def test_the_oracle_notices(
    shop_db: MariaDB, start_fetchd: Start, bug: dict[str, Any], says: str
) -> None:
    plan = oracle.Plan(replies=120_000, kill_every_s=0, flips_per_s=0, **bug)
    verdict = observe(shop_db, start_fetchd, plan)
    assert verdict.wrong > 0 and says in verdict.first_wrong


# --- mistakes of the server itself: server/cache/seeded.h

SEEDED = BINARY.replace("/fetchd", "-seeded/fetchd")

# What bits that flip, rows that are silently changed and rows that travel bring to light.
SEEDED_BUGS = {
    "checksum": "not",  # its body, or an item at all
    "key": "asked for",
    "drop": "too old",
    "fill": "too old",
    "fresh": "too old",
}


@pytest.fixture
def observe_seeded(
    shop_db: MariaDB, start_fetchd: Start, start_proxy: Callable[..., Any]
) -> Callable[..., oracle.Verdict]:
    """Runs until something is wrong, and of so many replies at most."""
    if not Path(SEEDED).exists():
        pytest.skip("`make seeded` builds the server with mistakes in it")
    road = start_proxy(shop_db)

    def run(bug: str, replies: int) -> oracle.Verdict:
        flips = 20_000.0 if bug in ("", "checksum") else 0.0
        slow_road = bug in ("", "fill")
        road.delay_s = 0.002
        plan = oracle.Plan(
            replies=replies, kill_every_s=0, flips_per_s=flips, until_wrong=True
        )
        return observe(
            shop_db, start_fetchd, plan, road.socket if slow_road else "",
            binary=SEEDED, env={"FETCHD_SEEDED_BUG": bug},
        )

    return run


@pytest.mark.parametrize("bug", SEEDED_BUGS)
def test_the_oracle_notices_a_server_that_leaves_out(
    observe_seeded: Callable[..., oracle.Verdict], bug: str
) -> None:
    verdict = observe_seeded(bug, 3_000_000)
    assert verdict.wrong > 0 and SEEDED_BUGS[bug] in verdict.first_wrong, verdict


def test_the_oracle_notices_nothing_when_that_server_leaves_nothing_out(
    observe_seeded: Callable[..., oracle.Verdict],
) -> None:
    verdict = observe_seeded("", 15_000)
    assert verdict.wrong == 0, verdict.first_wrong
