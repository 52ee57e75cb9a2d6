"""conftest.py - what every test of whole processes finds ready.

Shared by the tests of one xdist worker (read only): shop_db, server, client.
Made for one test: own_db, start_fetchd, start_proxy, start_upstream; their ends are
checked here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import fetchd as fetchd_module
from harness import mariadb
from harness.daemon import Daemon
from harness.fetchd import Config, Fetchd
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.upstream import Upstream
from harness.scenario import Scenario
from harness.wait import BINARY, SLOW
from harness.wire import Client

_running: list[Fetchd] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is not there: run make first, or set FETCHD_BIN", 2)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    for item in items:
        marker = item.get_closest_marker("timeout")
        limit = float(marker.args[0] if marker else config.getini("timeout"))
        item.add_marker(pytest.mark.timeout(limit * SLOW), append=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Iterator[None]:
    report = (yield).get_result()
    if report.failed and report.when == "call":
        for server in _running:
            report.sections.append(
                (f"log of {' '.join(server.words)}", server.log()[-5000:])
            )


def _shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that all xdist workers of this run see."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped MariaDB with the catalogue in it, to be copied."""
    return mariadb.template(_shared_dir(tmp_path_factory))


@pytest.fixture(scope="session")
def shop_db(template: Path) -> Iterator[MariaDB]:
    """A MariaDB with the catalogue; look, do not touch (a schema of your own is fine)."""
    db = MariaDB(template)
    try:
        db.start()
        yield db
    finally:
        db.close()


@pytest.fixture
def own_db(template: Path) -> Iterator[MariaDB]:
    """A MariaDB with the catalogue for this test alone: break it."""
    db = MariaDB(template)
    try:
        db.start()
        yield db
    finally:
        db.close()


@pytest.fixture(scope="session")
def server(shop_db: MariaDB) -> Iterator[Fetchd]:
    """fetchd with two workers in front of the catalogue."""
    yield from _keep(fetchd_module.shop(shop_db.socket))


def _keep(config: Config) -> Iterator[Fetchd]:
    """Runs a server for longer than a test; its end is checked like any other."""
    running = Fetchd(config)
    _running.append(running)
    try:
        yield running.start()
    finally:
        _running.remove(running)
        running.check_end()


@pytest.fixture(scope="session")
def keep_fetchd() -> Callable[[Config], Iterator[Fetchd]]:
    """For module fixtures: `yield from keep_fetchd(config)`."""
    return _keep


@pytest.fixture
def client(server: Fetchd) -> Iterator[Client]:
    """A fresh connection to the shared server."""
    with Client(server.address) as connection:
        yield connection


def _start_and_check(kind: type[Fetchd]) -> Iterator[Callable[..., Any]]:
    """Starts servers for a test and checks their ends after it."""
    started: list[Fetchd] = []

    def start(config: Config | str | None, ready: bool = True, **more: Any) -> Fetchd:
        one = kind(config, **more)
        started.append(one)
        _running.append(one)
        return one.start() if ready else one.launch()

    yield start
    troubles = []
    for one in reversed(started):
        _running.remove(one)
        try:
            one.check_end()
        except AssertionError as error:
            troubles.append(str(error))
    assert not troubles, "\n\n".join(troubles)


@pytest.fixture
def start_fetchd() -> Iterator[Callable[..., Fetchd]]:
    """Starts servers for this test: start_fetchd(config, ready=True, **more)."""
    yield from _start_and_check(Fetchd)


@pytest.fixture
def start_scenario() -> Iterator[Callable[..., Scenario]]:
    """The same for the scenarios of the process model: harness/scenario.py."""
    yield from _start_and_check(Scenario)


@pytest.fixture
def make_daemon() -> Iterator[Callable[[Config], Daemon]]:
    """Servers in the background: make_daemon(config).start(); the verdict comes here."""
    made: list[Daemon] = []

    def make(config: Config) -> Daemon:
        made.append(Daemon(config))
        return made[-1]

    yield make
    troubles = []
    for one in made:
        try:
            one.check_end()
        except AssertionError as error:
            troubles.append(str(error))
    assert not troubles, "\n\n".join(troubles)


@pytest.fixture
def start_proxy() -> Iterator[Callable[..., Proxy]]:
    """Opens roads to a MariaDB: start_proxy(db, tcp=False)."""
    started: list[Proxy] = []

    def start(db: MariaDB, tcp: bool = False) -> Proxy:
        started.append(Proxy(db.socket, tcp))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def start_upstream() -> Iterator[Callable[..., Upstream]]:
    """Opens HTTP APIs: start_upstream(tls=None, host="127.0.0.1")."""
    started: list[Upstream] = []

    def start(**how: Any) -> Upstream:
        started.append(Upstream(**how))
        return started[-1]

    yield start
    for one in started:
        one.close()
