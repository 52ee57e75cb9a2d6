"""test_soak.py - the short form of scripts/soak; FETCHD_SOAK=60 makes it a minute."""

from __future__ import annotations

import os
from typing import Callable

import pytest

from harness.fetchd import shop
from harness.mariadb import MariaDB
from harness.scenario import Scenario
from harness.soak import WORKERS, Soak

SOAK_S = float(os.environ.get("FETCHD_SOAK", "6"))


@pytest.mark.soak
@pytest.mark.timeout(60 + 3 * SOAK_S)
def test_a_kill_a_reload_and_an_upgrade_every_second_fail_no_other_request(
    shop_db: MariaDB, start_scenario: Callable[..., Scenario]
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=WORKERS))
    Soak(server, SOAK_S).run()
