"""test_handover.py - a connection that moves to another worker is the same connection."""

from __future__ import annotations

import os
import signal
from typing import Callable

from harness import procs
from harness.fetchd import shop
from harness.mariadb import MariaDB
from harness.proxy import Proxy
from harness.resp import RespClient, encode
from harness.scenario import Scenario
from harness.wait import wait_until
from harness.wire import Client

Start = Callable[..., Scenario]
StartProxy = Callable[..., Proxy]


def moved(client: Client) -> int:
    """Connections that moved so far, by the server's count."""
    return client.stats()["moved_connections"]


def test_what_a_dialect_remembers_moves_along(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=1))
    resp = RespClient(server.address)
    resp.send(encode("HELLO", 3, "SETNAME", "ranker"))
    before = resp.reply()
    half = RespClient(server.address)  # in the middle of an array of bulk strings
    half.send(encode("PING"))
    assert half.reply() == "PONG"
    whole = encode("ECHO", "a word in two parts")
    half.send(whole[:-9])
    block = server.client()  # in the middle of a data block that is to be swallowed
    block.send(b"set 1 0 0 10\r\n01234")
    tagged = server.client()
    assert tagged.fetch(1).items == 1
    server.reload()
    server.wait_workers(1)
    resp.send(encode("CLIENT", "GETNAME") + encode("HELLO"))
    assert resp.reply() == b"ranker"
    after = resp.reply()
    assert after[b"proto"] == 3 and after[b"id"] == before[b"id"]
    half.send(whole[-9:])
    assert half.reply() == b"a word in two parts"
    block.send(b"56789\r\nmn\r\n")
    assert [block.line(), block.line()] == [b"NOT_STORED", b"MN"]
    assert moved(tagged) == 4
    resp.close()
    half.close()


def test_a_long_half_of_a_request_moves_along(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=1))
    client = server.client()
    keys = [b"%d" % (1 + n % 500) for n in range(9000)]
    line = b"fetch " + b" ".join(keys)
    client.send(line[:-100])
    assert len(line) > 32 << 10
    with Client(server.address) as other:
        other.wait_stat("bytes_read", len(line) - 100)
    server.reload()
    server.wait_workers(1)
    client.send(line[-100:] + b"\n")
    assert client.read_answer(keys).items == len(keys)


def test_requests_behind_the_one_in_flight_are_answered_by_the_heir(
    shop_db: MariaDB, start_proxy: StartProxy, start_scenario: Start
) -> None:
    road = start_proxy(shop_db)
    config = shop(road.socket, workers=1)
    config.databases["main"]["connect_timeout"] = "10s"
    server = start_scenario(config)
    client = server.client()
    assert client.fetch(1).items == 1
    road.delay_s = 0.2
    keys = client.ask_fetch([5])
    wait_until(lambda: road.fetches(b"5"), 5, "the statement to be sent")
    server.signal(signal.SIGHUP)
    server.wait_log(r"reloaded generation=2")
    more = [client.ask_fetch([10 + n]) for n in range(300)]
    assert client.read_answer(keys).items == 1
    road.delay_s = 0.0
    for asked in more:
        assert client.read_answer(asked).items == 1
    assert moved(client) == 1


def test_a_client_that_never_pauses_moves_all_the_same(
    shop_db: MariaDB, start_proxy: StartProxy, start_scenario: Start
) -> None:
    road = start_proxy(shop_db)
    config = shop(road.socket, workers=1, drain_timeout="2s")
    config.databases["main"]["connect_timeout"] = "10s"
    server = start_scenario(config)
    client, asked = server.client(), []
    assert client.fetch(1).items == 1
    road.delay_s = 0.02  # at any moment something is in flight
    old = server.worker_pids()[0]
    for n in range(4):
        asked.append(client.ask_fetch([1 + n]))
    server.signal(signal.SIGHUP)
    n = 4
    while procs.alive(old):
        assert client.read_answer(asked.pop(0)).items == 1
        n += 1
        asked.append(client.ask_fetch([1 + n % 400]))
    for keys in asked:
        assert client.read_answer(keys).items == 1
    assert moved(client) == 1 and not server.log_lines("drain: out of time")


def test_who_does_not_read_his_answer_moves_when_he_has(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=1))
    client = server.client(rcvbuf=4096)
    requests = 60
    client.send(b"fetch big:7\n" * requests)
    with Client(server.address) as other:
        other.wait_stat("items", requests // 4)
    server.signal(signal.SIGHUP)
    server.wait_log(r"reloaded generation=2")
    for _ in range(requests):
        assert client.read_answer([b"big:7"]).items == 1
    assert client.fetch(1).items == 1
    server.wait_workers(1)
    assert moved(client) == 1


def test_a_hundred_connections_are_shared_among_more_workers(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2))
    clients = [server.client() for _ in range(120)]
    for client in clients:
        assert client.ask(b"ping") == b"PONG"
    for count in (6, 3):
        server.rewrite(workers=count)
        server.reload(rf"reloaded generation=\S+ workers={count}")
        server.wait_workers(count)
        shares = [
            int(row["connections"])
            for row in clients[0].workers()
            if row["state"] == "ready"
        ]
        assert len(shares) == count and sum(shares) == 120, shares
        assert max(shares) <= 2 * min(shares), shares
    for client in clients:
        assert client.fetch(1).items == 1


def test_at_the_limit_of_connections_a_reload_refuses_nobody(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    config = shop(shop_db.socket, workers=2)
    config.limits = {"connections": 20}
    server = start_scenario(config)
    clients = [server.client() for _ in range(20)]
    for client in clients:
        assert client.ask(b"ping") == b"PONG"
    server.reload()
    server.wait_workers(2)
    for client in clients:
        assert client.ask(b"ping") == b"PONG"
    stats = clients[0].stats()
    assert stats["curr_connections"] == 20 and stats["rejected_connections"] == 0
    assert server.client().rest().startswith(b"ERROR")


def test_an_heir_that_dies_on_the_way_takes_nobody_along(
    shop_db: MariaDB, start_scenario: Start
) -> None:
    server = start_scenario(shop(shop_db.socket, workers=2, hang_timeout="1500ms"))
    server.allowed_errors.append("hangs")
    server.mature()
    clients = [server.client() for _ in range(60)]
    for client in clients:
        assert client.ask(b"ping") == b"PONG"
    # The only heir is stopped with some of the connections on their way to it, and dies.
    heir, retiree = server.worker_pids()
    mine = [c for c in clients if server.worker_of(c) == retiree]
    server.workers = None
    os.kill(heir, signal.SIGSTOP)
    wait_until(lambda: procs.state(heir) == "T", 2)
    server.signal(signal.SIGTTOU)
    server.wait_log(r"worker slot=\S+ pid=\d+ retires")
    server.wait_log("heirs=1")
    server.kill_worker(heir)
    server.wait_log(r"an heir is gone slot=\d+ unreceipted=[1-9]")
    server.wait_workers(1)
    for client in mine:
        assert client.fetch(1).items == 1
    stats = mine[0].stats()
    assert stats["moved_connections"] >= len(mine)
    assert stats["curr_connections"] == len(mine), "each is counted once"
