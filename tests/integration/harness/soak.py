"""soak.py - a kill, a reload and an upgrade every second, under load, for as long as it takes.

Owns: the rounds, what is measured in each, and the verdict: no request fails but those in
flight on a killed worker, and neither memory nor descriptors grow.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Callable, Sequence

from harness import procs
from harness.load import Load, reference
from harness.scenario import Scenario
from harness.wait import SLOW, wait_until
from harness.wire import Client

WORKERS = 4
CONNECTIONS = 12

# Slope of a straight line through the samples, over the whole run.  Half of what a leak of
# one block a round would be in ten minutes; what remains is the allocator's noise.
MASTER_KIB = 512
WORKERS_KIB = 8 * 1024


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Least squares, per second."""
    n = len(samples)
    mean_x = sum(x for x, _ in samples) / n
    mean_y = sum(y for _, y in samples) / n
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    if spread == 0:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread


@dataclass
class Soak:
    """One run: what it did and what it saw."""

    server: Scenario
    seconds: float
    tell: Callable[[str], None] = lambda _: None
    rounds: int = 0
    held: int = 0  # connections of workers at the moment they were killed
    master_kib: list[tuple[float, float]] = field(default_factory=list)
    workers_kib: list[tuple[float, float]] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)

    def run(self) -> str:
        """Runs, judges and returns the figures as text."""
        items = reference(self.server, 500)
        with Load(self.server, items, connections=CONNECTIONS, pause_s=0.01) as load:
            wait_until(load.all_items_after(0, 50), 5)
            begun = time.monotonic()
            while time.monotonic() - begun < self.seconds:
                self._round(time.monotonic() - begun)
                if self.rounds % 60 == 0:
                    self.tell(self._figures(load, time.monotonic() - begun))
            wait_until(load.all_items_after(time.monotonic(), 50), 10)
            took = time.monotonic() - begun
        text = self._figures(load, took)
        self._judge(load, took)
        return text

    def _round(self, at: float) -> None:
        """A kill, a reload and an upgrade, each followed to its end; a second at least."""
        begun = time.monotonic()
        with Client(self.server.address) as client:
            rows = [r for r in client.workers() if r["state"] == "ready"]
        victim = rows[self.rounds % len(rows)]
        self.held += int(victim["connections"]) + 1
        ready = self.server.ready_count()
        self.server.kill_worker(int(victim["pid"]))
        wait_until(lambda: self.server.ready_count() > ready, 10, "a successor")
        self.server.reload()
        self.server.upgrade()
        self.server.wait_workers(WORKERS)
        self.rounds += 1
        wait_until(lambda: time.monotonic() - begun >= 1.0, 2)
        pids = self.server.worker_pids()
        self.master_kib.append((at, procs.rss_kib(self.server.master_pid)))
        self.workers_kib.append((at, sum(procs.rss_kib(p) for p in pids)))
        self.fds.append(procs.fd_count(self.server.master_pid))
        self.server.forget_log()

    def _growth(self, samples: list[tuple[float, float]], took: float) -> float:
        """KiB over the whole run, by the slope of all but its beginning."""
        settled = samples[len(samples) // 5 :]
        return slope(settled) * took if len(settled) > 2 else 0.0

    def _figures(self, load: Load, took: float) -> str:
        counts = load.counts()
        return (
            f"seconds={took:.0f} rounds={self.rounds} kills={self.rounds} "
            f"reloads={self.rounds} upgrades={self.rounds} requests={len(load.outcomes)} "
            f"ok={counts['ok']} lost={counts['lost']} held_by_killed={self.held} "
            f"refused={counts['refused']} wrong={counts['wrong']} "
            f"master_rss_kib={self.master_kib[-1][1]:.0f} "
            f"master_growth_kib={self._growth(self.master_kib, took):.0f} "
            f"workers_rss_kib={self.workers_kib[-1][1]:.0f} "
            f"workers_growth_kib={self._growth(self.workers_kib, took):.0f} "
            f"master_fds={min(self.fds)}..{max(self.fds)}"
        )

    def _judge(self, load: Load, took: float) -> None:
        load.check_nothing_wrong()
        counts, text = load.counts(), self._figures(load, took)
        assert counts["refused"] == 0 and counts["lost"] <= self.held, text
        assert {s for o in load.outcomes for s in o.shorts} == {"ITEM"}, text
        assert max(self.fds) == min(self.fds), text
        assert self._growth(self.master_kib, took) < MASTER_KIB * SLOW, text
        assert self._growth(self.workers_kib, took) < WORKERS_KIB * SLOW, text
