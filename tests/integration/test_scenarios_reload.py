"""test_scenarios_reload.py - SIGHUP: a new generation of workers, or none at all."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Callable

from harness.fetchd import shop
from harness.load import Load, reference
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.scenario import Scenario
from harness.wait import wait_until
from harness.wire import Client

Start = Callable[..., Scenario]
StartProxy = Callable[..., Proxy]


def check_no_failure(load: Load) -> None:
    """Every request of the load got every item."""
    assert load.counts()["ok"] == len(load.outcomes), load.counts()
    assert {short for o in load.outcomes for short in o.shorts} == {"ITEM"}


def test_scenario_16_fifty_hups_under_load_fail_no_request(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=4))
    rng = random.Random(16)
    with Load(server, reference(server, 200), connections=16, pause_s=0.002) as load:
        wait_until(load.all_items_after(0, 50), 5)
        for _ in range(50):
            server.signal(signal.SIGHUP)
            server.pass_time(rng.uniform(0, 0.1))
        server.reload()
        wait_until(load.all_items_after(time.monotonic(), 50), 5)
    check_no_failure(load)
    assert 2 <= server.generation() <= 52
    server.wait_workers(4)


def test_a_pooled_client_that_never_reconnects_does_not_notice_twenty_reloads(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    pool = [server.client() for _ in range(10)]
    half = server.client()
    half.send(b"fetch 1 2")  # a request that is not whole yet moves along
    for n in range(20):
        server.reload()
        for client in pool:
            assert client.fetch(1 + n).items == 1
    half.send(b" 3\n")
    assert half.read_answer([b"1", b"2", b"3"]).items == 3
    stats = half.stats()
    assert stats["total_connections"] == 11 and stats["curr_connections"] == 11
    assert stats["moved_connections"] >= 20 * 11


def test_scenario_17_a_storm_of_hups_ends_with_the_last_one_in_effect(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    for step in range(26):
        server.signal(signal.SIGHUP)
        start = time.monotonic()
        wait_until(lambda: time.monotonic() - start >= step / 1000, 1)
    server.rewrite(workers=3)
    server.signal(signal.SIGHUP)
    server.wait_log(r"reloaded generation=\S+ workers=3")
    assert server.client().fetch(1).items == 1


def test_scenario_18_a_broken_file_changes_nothing_and_is_reported(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    pids, client = server.worker_pids(), server.client()
    good = server.config.text()
    for text, reason in (
        (good.replace("= 2\n", '= "many"\n'), r"fetchd\.conf:2: workers: expected"),
        (good + "no_such_option = 1\n", r"fetchd\.conf:[0-9]+: .*no_such_option"),
        (good.replace("127.0.0.1:0", "192.0.2.1:70"), "cannot listen on 192.0.2.1:70"),
    ):
        server.allowed_errors.append("reload refused")
        server.rewrite(text)
        assert reason and server.reload(rf"reload refused: .*{reason}")
        assert server.worker_pids() == pids
        assert client.fetch(1).items == 1
    server.rewrite(good)
    server.reload(r"reloaded generation=2 ")
    assert not set(server.wait_workers(2)) & set(pids)


def test_scenario_19_a_generation_that_never_gets_ready_is_rolled_back(
    shop_db: MariaDB, start_proxy: StartProxy, start_scenario: Start
) -> None:
    road = start_proxy(shop_db)
    server = start_scenario(shop(shop_db.socket, workers=2, start_timeout="1s"))
    pids, client = server.worker_pids(), server.client()
    road.frozen = True  # whoever connects waits for a greeting
    server.allowed_errors += ["not ready within start_timeout", "reload rolled back"]
    server.config.databases["main"].update(socket=road.socket, connect_timeout="1m")
    server.rewrite()
    assert "was not ready within start_timeout" in server.reload("reload rolled back")
    assert server.wait_workers(2) == pids
    assert client.fetch(1).items == 1
    server.config.databases["main"].update(socket=shop_db.socket)
    server.rewrite()
    server.reload()


def test_a_generation_that_refuses_its_configuration_is_rolled_back(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    pids = server.worker_pids()
    server.config.sources["lost"] = {"database": "main", "table": "no_such_table"}
    server.rewrite()
    server.allowed_errors.append("reload rolled back")
    assert "no_such_table" in server.reload("reload rolled back")
    assert server.wait_workers(2) == pids
    del server.config.sources["lost"]
    server.config.sources["again"] = {"database": "main", "table": "items", "key": "id"}
    server.rewrite()
    server.reload()
    assert server.client().fetch("again:1").items == 1


def test_a_reload_to_a_database_that_is_away_is_rolled_back_while_the_old_one_is_there(
    own_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(own_db.socket, workers=2, start_timeout="1s"))
    pids, client = server.worker_pids(), server.client()
    assert client.fetch(1).items == 1
    server.allowed_errors += ["not ready within start_timeout", "reload rolled back"]
    server.config.databases["main"].update(socket=own_db.socket + "-typo")
    server.rewrite()
    server.reload("reload rolled back")
    assert server.log_lines("not ready: a database is away that the present workers reach")
    assert server.wait_workers(2) == pids and client.fetch(1).items == 1
    # where nobody reaches it any more, it is no reason to refuse
    own_db.stop()
    wait_until(lambda: client.stats()["db_up"] == 0, 5)
    server.reload()
    server.config.databases["main"].update(socket=own_db.socket)
    server.rewrite()
    server.reload()
    own_db.start()
    wait_until(lambda: client.fetch(1).items == 1, 10)


def test_scenario_20_workers_from_4_to_8_to_2_without_a_failure(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=4))
    with Load(server, reference(server, 200), connections=8, pause_s=0.002) as load:
        for count in (8, 2):
            server.rewrite(workers=count)
            server.reload(rf"reloaded generation=\S+ workers={count}")
            server.wait_workers(count)
            with Client(server.address) as client:
                client.wait_stat("workers_ready", count)
                assert client.stats()["workers"] == count
        wait_until(load.all_items_after(time.monotonic(), 50), 5)
    check_no_failure(load)


def test_scenario_23_ttin_and_ttou_add_and_remove_a_worker_never_the_last(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    for count in (3, 4, 5):
        server.signal(signal.SIGTTIN)
        server.wait_workers(count)
    for count in (4, 3, 2, 1):
        server.signal(signal.SIGTTOU)
        server.wait_workers(count)
    server.signal(signal.SIGTTOU)
    server.wait_log("workers stay at 1")
    assert server.client().fetch(1).items == 1
    server.reload(r"reloaded generation=2 workers=2")  # what the file says


def test_scenario_24_winch_drains_the_workers_and_hup_resumes(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    idle = server.client()
    assert idle.fetch(1).items == 1
    server.signal(signal.SIGWINCH)
    assert idle.rest() == b""
    server.wait_workers(0)
    queued = [server.client() for _ in range(20)]
    asked = [client.ask_fetch([1 + n]) for n, client in enumerate(queued)]
    assert not any(client.pending() for client in queued)
    server.reload()
    for client, keys in zip(queued, asked):
        assert client.read_answer(keys).items == 1


def test_who_waits_at_an_address_that_a_reload_removes_is_answered(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    both = ["127.0.0.1:0", "127.0.0.2:0"]
    server = start_scenario(shop(shop_db.socket, workers=1, listen=both))
    host, port = server.addresses()[1].rsplit(":", 1)
    (old,) = server.worker_pids()
    os.kill(old, signal.SIGSTOP)  # nobody accepts for a while
    late = Client((host, int(port)), timeout=5)
    keys = late.ask_fetch([1])
    server.rewrite(listen="127.0.0.1:0")
    server.reload()
    os.kill(old, signal.SIGCONT)
    assert late.read_answer(keys).items == 1
    late.close()
    server.rewrite(listen=both)
    server.reload()


def test_a_reload_changes_the_addresses_it_listens_on(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    path = server.dir / "sock"
    server.rewrite(listen=["127.0.0.1:0", f"unix:{path}"])
    server.reload()
    first, second = server.addresses()
    assert second == f"unix:{path}"  # the port stayed the same, and is not announced again
    assert server.client().fetch(1).items == 1
    with Client(str(path)) as client:
        assert client.fetch(2).items == 1
    server.rewrite(listen=f"unix:{path}", pid_file=str(server.dir / "pid"))
    server.reload()
    server.wait_log("no longer listening address=127.0.0.1:0")
    assert server.log_lines("only after a restart: pid_file")
    server.wait_workers(2)
    wait_until(lambda: refused(server.address), 5, "the port to be closed")
    with Client(str(path)) as client:
        assert client.fetch(3).items == 1
    assert first.startswith("127.0.0.1:")


def refused(address: tuple[str, int]) -> bool:
    """Does nobody listen there?"""
    try:
        Client(address).close()
        return False
    except ConnectionError:
        return True
