"""load.py - clients that keep asking while something breaks, and judge every answer.

Owns: N connections in a closed loop, one thread each.  An item is right when its bytes
equal those of the reference, which the caller took (and checked) beforehand.  A lost
connection is opened again at once; nothing is forgiven silently.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable

from harness.fetchd import Fetchd
from harness.wire import Client, Closed


@dataclass
class Outcome:
    """How one request ended."""

    at: float
    took_s: float
    kind: str  # ok | lost | refused | wrong
    shorts: tuple[str, ...] = ()
    detail: str = ""


def reference(server: Fetchd, count: int) -> dict[bytes, bytes]:
    """key -> the item's bytes for ids 1..count, through the server itself."""
    with Client(server.address) as client:
        answer = client.fetch(*range(1, count + 1))
    assert answer.items == count, answer.done
    return {r.key: r.rest for r in answer.replies}


@dataclass
class Load:
    """Use as a context: the load runs inside the with block."""

    server: Fetchd
    items: dict[bytes, bytes]
    connections: int = 8
    ids: int = 3
    pause_s: float = 0.0  # between requests of one connection
    outcomes: list[Outcome] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        address = self.server.address
        for n in range(self.connections):
            thread = threading.Thread(target=self._run, args=(n, address), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    # --- one connection

    def _run(self, seed: int, address: tuple[str, int]) -> None:
        rng, keys, client = random.Random(seed), list(self.items), None
        while not self._stop.is_set():
            start = time.monotonic()
            try:
                if client is None:
                    client = Client(address)
                asked = rng.sample(keys, self.ids)
                outcome = self._judge(start, client, asked)
            except (ConnectionError, socket.timeout, Closed) as error:
                kind = "refused" if client is None else "lost"
                outcome = Outcome(start, time.monotonic() - start, kind, (), repr(error))
                client = client.close() if client is not None else None
            self.outcomes.append(outcome)
            if self.pause_s:
                self._stop.wait(self.pause_s)
        if client is not None:
            client.close()

    def _judge(self, start: float, client: Client, asked: list[bytes]) -> Outcome:
        try:
            answer = client.fetch(*asked)
            for reply in answer.replies:
                assert reply.status != b"MISS", f"{reply.key!r} is missing"
                if reply.status == b"ITEM":
                    assert (
                        reply.rest == self.items[reply.key]
                    ), f"wrong item for {reply.key!r}"
        except Closed:
            raise
        except AssertionError as error:
            return Outcome(start, time.monotonic() - start, "wrong", (), str(error))
        return Outcome(start, time.monotonic() - start, "ok", tuple(answer.shorts))

    # --- the judgement

    def counts(self) -> Counter[str]:
        """Outcomes by kind."""
        return Counter(o.kind for o in list(self.outcomes))

    def of_kind(self, kind: str) -> list[Outcome]:
        """The outcomes of one kind."""
        return [o for o in list(self.outcomes) if o.kind == kind]

    def since(self, moment: float) -> list[Outcome]:
        """Those of requests that began after a time.monotonic()."""
        return [o for o in list(self.outcomes) if o.at >= moment]

    def all_items_after(self, moment: float, least: int) -> Callable[[], bool]:
        """A fact to wait for: 'least' requests in a row, begun after 'moment', got every item."""

        def fact() -> bool:
            last = self.since(moment)[-least:]
            return len(last) >= least and all(
                o.kind == "ok" and set(o.shorts) == {"ITEM"} for o in last
            )

        return fact

    def check_nothing_wrong(self) -> None:
        """No wrong item and no broken line, whatever else happened."""
        wrong = self.of_kind("wrong")
        assert not wrong, f"{len(wrong)} wrong answers, first: {wrong[0]}"
