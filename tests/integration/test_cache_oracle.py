"""test_cache_oracle.py - no wrong item, whatever is killed, flipped or changed meanwhile.

The long form: FETCHD_ORACLE=5000000 pytest -m soak tests/integration/test_cache_oracle.py
"""

from __future__ import annotations

import os
from typing import Any, Callable

import pytest

from harness import oracle
from harness.fetchd import Fetchd
from harness.mariadb import MariaDB

Start = Callable[..., Fetchd]


def observe(db: MariaDB, start: Start, plan: oracle.Plan) -> oracle.Verdict:
    """A run; whoever kills workers does not complain of their deaths."""
    server = start(oracle.config(db, plan))
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
