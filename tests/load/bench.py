"""bench.py - rounds: one run of the generator, what it reached and what it cost.

A side is what one column of the comparison measures.  Sides take turns (A B C A B C ...)
so that whatever else the machine does falls on all of them; ratios are taken between
runs of the same turn.
"""
import itertools
import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass

import procs
from procs import Failure, say
from servers import Echo, loadgen

WARM_UP_S = 0.3
SWEEP_IDS = 500


@dataclass(frozen=True)
class Cell:
    """One point of the matrix."""

    zipf: float
    hits: float
    connections: int
    ids: int

    def __str__(self):
        popularity = f"zipf {self.zipf:g}" if self.zipf else "uniform"
        return (f"{popularity}, {100 * self.hits:g} % hits, "
                f"{self.connections} connections, {self.ids} ids")


def matrix(args):
    return [Cell(*point) for point in itertools.product(args.zipf, args.hits,
                                                        args.connections, args.ids)]


def median(rounds, pick):
    return statistics.median(pick(r) for r in rounds)


class Bench:
    """Drives the sides and keeps what they reached."""

    def __init__(self, args, database, servers, to):
        self.args, self.database, self.to = args, database, to
        self.servers = {server.name: server for server in servers}
        self.wrong = False
        self.sides = list(self.servers)
        if "one-by-one" in args.compare:
            self.sides.append("one-by-one")

    def server(self, side, cell=None):
        """What serves this side; None: MariaDB alone."""
        server = self.servers.get(side)
        if isinstance(server, Echo) and cell and server.hits != cell.hits:
            server.process.kill()  # it holds nothing worth a goodbye
            server.process.wait()
            server = self.servers[side] = Echo(self.args, server.stack, self.to,
                                               cell.hits)
        return server

    def command(self, side, cell, more):
        a = self.args
        command = [loadgen(a), "--json", "--ids", str(cell.ids), "--rows", str(a.rows),
                   "--zipf", str(cell.zipf), "--hits", str(cell.hits), *more]
        server = self.server(side, cell)
        if server:
            return command + ["fetch", "--dialect", server.dialect, "--address",
                              server.address, "--connections", str(cell.connections),
                              "--pipeline", str(a.pipeline), "--verify", a.verify]
        # A connection with P requests in flight stands for P clients.
        return command + ["one-by-one", *self.database.options, "--connections",
                          str(cell.connections * a.pipeline), "--threads", str(a.threads)]

    def generate(self, side, cell, more, patience):
        command = self.command(side, cell, more)
        before = os.times()
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=patience,
                              preexec_fn=procs.child(self.to), check=False)
        after = os.times()
        if not done.stdout:
            raise Failure(f"the load generator ended with {done.returncode}")
        result = json.loads(done.stdout)
        result["generator_cpu_s"] = (after.children_user + after.children_system
                                     - before.children_user - before.children_system)
        if done.returncode != 0 or result["all_requests"] == 0:
            self.wrong = True
            say(f"load-test: {side}, {cell}: WRONG: {result['wrong']} wrong answers, "
                f"{result['lost']} lost, {result['all_items']} items, "
                f"failures {result['fail']}, errors {result['error']}")
            for line in self.complaints(side):
                say(f"  {line}")
        return result

    def complaints(self, side):
        server = self.server(side)
        return server.complaints() if server else []

    def counters(self, side):
        server = self.server(side)
        stats = server.stats() if server else {}
        return {"server": server.cpu() if server else 0.0,
                "database": procs.cpu_seconds(self.database.pid),
                "statements": int(stats.get("statements", 0)),
                "statement_ids": int(stats.get("statement_ids", 0))}

    def round(self, side, cell, more, seconds):
        """One run with what it cost each process and the database."""
        self.server(side, cell)  # so that the counters are of the one that will serve
        before, start = self.counters(side), time.monotonic()
        result = self.generate(side, cell, more, seconds + 60)
        wall = time.monotonic() - start
        after = self.counters(side)
        gained = {name: after[name] - before[name] for name in after}
        items = max(result["all_items"] + result["misses"], 1)
        result.update(
            side=side, cell=vars(cell),
            server_cpu_s=gained["server"], database_cpu_s=gained["database"],
            busy=(result["generator_cpu_s"] + gained["server"]
                  + gained["database"]) / wall,
            us_per_item={"generator": result["cpu_s"] * 1e6 / items,
                         "server": gained["server"] * 1e6 / items,
                         "database": gained["database"] * 1e6 / items})
        if side == "one-by-one":
            gained["statements"] = gained["statement_ids"] = items
        result["ids_per_statement"] = (gained["statement_ids"] / gained["statements"]
                                       if gained["statements"] else 0.0)
        result["statements_per_s"] = gained["statements"] / max(result["seconds"], 1e-6)
        return result

    def warm(self):
        """Each server hands out every item once: what is cached is cached then, and
        whatever else is slow the first time is over."""
        for side, server in self.servers.items():
            say(f"load-test: {side}: a sweep over all ids")
            for hits in self.args.hits:
                cell = Cell(0, hits, 8, min(SWEEP_IDS, self.args.rows))
                self.generate(side, cell, ["--sweep"], 300)

    def measure(self, cell):
        """All rounds of one cell, sides alternating: {side: [round, ...]}."""
        a = self.args
        rounds = {side: [] for side in self.sides}
        for side in self.sides:
            self.generate(side, cell, ["--seconds", str(WARM_UP_S), "--seed",
                                       str(a.seed)], 60)
        for n in range(a.rounds):
            for side in self.sides:
                more = ["--seconds", str(a.seconds), "--seed", str(a.seed + 1 + n)]
                if a.rate and not a.rate.endswith("%") and side != "one-by-one":
                    more += ["--rate", a.rate]
                rounds[side].append(self.round(side, cell, more, a.seconds))
        return rounds

    def measure_open(self, cell, rounds):
        """Open loop at a share of what each side reached in the closed one."""
        if not (self.args.rate or "").endswith("%"):
            return {}
        share = float(self.args.rate[:-1]) / 100
        opened = {}
        for side in rounds:
            if side == "one-by-one":
                continue
            rate = share * median(rounds[side], lambda r: r["requests_per_s"])
            opened[side] = self.round(side, cell, [
                "--seconds", str(self.args.seconds), "--seed", str(self.args.seed),
                "--rate", f"{max(rate, 1):.1f}"], self.args.seconds)
            opened[side]["rate"] = rate
        return opened
