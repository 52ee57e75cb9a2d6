"""test_cost.py - no dialect costs another: the worker's CPU for an id, by its own clock.

The same ids are asked in each dialect in turn, a little at a time, so that whatever else
the machine does falls on all of them; the middle of the ratios is judged.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Callable

from harness.fetchd import Fetchd, shop
from harness.mariadb import MariaDB
from harness.resp import RespClient, encode
from harness.wait import median
from harness.wire import Client

ROUNDS, REQUESTS, IDS = 41, 20, 100
MOST = 0.15


def cpu_ns(pid: int) -> int:
    """What a process has run so far, in nanoseconds."""
    text = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    return int(text.split()[0])


def native(client: RespClient, asked: list[list[bytes]]) -> None:
    """All of the requests as fetch, until the last one's last line."""
    client.send(b"".join(b"fetch " + b" ".join(keys) + b"\r\n" for keys in asked))
    left = len(asked)
    while left > 0:
        left -= client.line().startswith(b"DONE %d 0 0 " % IDS)


def memcached(client: RespClient, asked: list[list[bytes]]) -> None:
    """The same as get."""
    client.send(b"".join(b"get " + b" ".join(keys) + b"\r\n" for keys in asked))
    left = len(asked)
    while left > 0:
        left -= client.line() == b"END"


def resp(client: RespClient, asked: list[list[bytes]]) -> None:
    """The same as MGET."""
    client.send(b"".join(encode("MGET", *keys) for keys in asked))
    for _ in asked:
        assert len(client.raw_reply()) > IDS * 100


DIALECTS = {"fetch": native, "get": memcached, "MGET": resp}


def test_an_id_costs_the_same_in_every_dialect(
    shop_db: MariaDB, start_fetchd: Callable[..., Fetchd]
) -> None:
    server = start_fetchd(shop(shop_db.socket, workers=1))
    (pid,) = server.worker_pids()
    rng = random.Random(7)
    clients = {name: RespClient(server.address) for name in DIALECTS}
    spent: dict[str, list[int]] = {name: [] for name in DIALECTS}
    order = list(DIALECTS)
    for _ in range(ROUNDS):
        asked = [[b"%d" % rng.randrange(1, 5001) for _ in range(IDS)] for _ in range(REQUESTS)]
        order.append(order.pop(0))
        for name in order:
            before = cpu_ns(pid)
            DIALECTS[name](clients[name], asked)
            with Client(server.address) as fence:  # it has seen the end of it
                assert fence.ask(b"ping") == b"PONG"
            spent[name].append(cpu_ns(pid) - before)
    for client in clients.values():
        client.close()
    ids = REQUESTS * IDS
    ratios = {
        name: median([n / base for n, base in zip(spent[name], spent["fetch"])])
        for name in DIALECTS
    }
    print(
        "cpu us an id: "
        + ", ".join(
            f"{name} {median([float(n) for n in spent[name]]) / ids / 1000:.3f}"
            f" (ratio {ratios[name]:.3f})"
            for name in DIALECTS
        )
    )
    assert max(ratios.values()) / min(ratios.values()) <= 1 + MOST
