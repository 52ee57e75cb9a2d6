"""test_watchdog.py - a worker that is alive but does not run is found out by its heart."""

from __future__ import annotations

import os
import signal
import time
from typing import Callable

import pytest

from harness.fetchd import Fetchd, shop
from harness.mariadb import MariaDB
from harness.wait import SLOW, wait_until

Start = Callable[..., Fetchd]



def stop_a_worker(server: Fetchd) -> int:
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)
    return victim


@pytest.mark.timeout(30)
def test_a_worker_that_comes_back_in_time_is_left_alone(
    shop_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=2))
    victim = stop_a_worker(server)
    server.wait_log(rf"pid={victim} does not respond silent_ms=")
    os.kill(victim, signal.SIGCONT)
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 1.5 * SLOW, 10, "the watchdog's looks")
    assert victim in server.worker_pids()
    assert not server.log_lines("hangs")


@pytest.mark.timeout(40)
def test_scenario_44_a_database_that_hangs_is_no_reason_to_kill_workers(
    own_db: MariaDB, start_fetchd: Start
) -> None:
    server = start_fetchd(
        shop(own_db.socket, workers=2, hang_timeout="1500ms", deadline="100ms")
    )
    workers = set(server.worker_pids())
    own_db.pause()
    try:
        since = time.monotonic()
        client = server.client()
        while time.monotonic() - since < 3.0:
            client.fetch(1, 2)
    finally:
        own_db.resume()
    assert set(server.worker_pids()) == workers
    assert not server.log_lines("does not respond")
