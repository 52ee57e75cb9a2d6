"""wait.py - waiting for a fact, never for a while.

Owns: how long is too long, and which binary is under test.  FETCHD_SLOW (a factor)
stretches every limit for builds that are slow on purpose; by default it is 3 for a
binary with sanitizers and 1 for any other.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable, TypeVar

T = TypeVar("T")

REPO = Path(__file__).resolve().parents[3]
BINARY = str(REPO / os.environ.get("FETCHD_BIN", "build/fetchd"))


def _factor() -> float:
    """How much slower than usual the binary may be."""
    if "FETCHD_SLOW" in os.environ:
        return max(1.0, float(os.environ["FETCHD_SLOW"]))
    try:
        return 3.0 if b"__asan_init" in Path(BINARY).read_bytes() else 1.0
    except OSError:
        return 1.0


SLOW = _factor()

POLL_S = 0.01


def slow(seconds: float) -> float:
    """A time limit, stretched for slow builds."""
    return seconds * SLOW


def wait_until(fact: Callable[[], T], timeout: float, what: str = "") -> T:
    """Polls until fact() is true and returns it; fails after 'timeout' seconds (stretched)."""
    end = time.monotonic() + slow(timeout)
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(
                f"waited {slow(timeout):g} s in vain for {what or fact.__name__}; last: {value!r}"
            )
        time.sleep(POLL_S)


def elapsed_ms(since: float) -> float:
    """Milliseconds since a time.monotonic()."""
    return (time.monotonic() - since) * 1000.0


def median(values: list[float]) -> float:
    """The middle value."""
    return sorted(values)[len(values) // 2]
