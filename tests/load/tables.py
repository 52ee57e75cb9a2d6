"""tables.py - what was measured, in words a terminal can show."""
import collections
import statistics

from bench import median

QUIET = 0.95       # of the core for us, or the round is called noisy
QUANTILES = ("p50", "p90", "p99", "p99.9", "max")

HEAD = (f"{'side':<12}{'requests/s':>11}{'items/s':>10} "
        + "".join(f"{q + ' us':>9}" for q in QUANTILES)
        + f"{'failed':>8}{'missed':>8}{'stmts/s':>9}{'ids/stmt':>9}"
        + "   cpu us/item: generator server database")


def print_side(side, rounds):
    lat = [median(rounds, lambda r, q=q: r["latency_us"][q]) for q in QUANTILES[:-1]]
    lat.append(max(r["latency_us"]["max"] for r in rounds))
    cpu = [median(rounds, lambda r, p=p: r["us_per_item"][p])
           for p in ("generator", "server", "database")]
    print(f"{side:<12}{median(rounds, lambda r: r['requests_per_s']):>11.0f}"
          f"{median(rounds, lambda r: r['items_per_s']):>10.0f} "
          + "".join(f"{v:>9.0f}" for v in lat)
          + f"{sum(r['failures'] + r['errors'] for r in rounds):>8}"
          f"{sum(r['misses'] for r in rounds):>8}"
          f"{median(rounds, lambda r: r['statements_per_s']):>9.0f}"
          f"{median(rounds, lambda r: r['ids_per_statement']):>9.1f}"
          f"{cpu[0]:>25.2f}{cpu[1]:>7.2f}{cpu[2]:>9.2f}")


def print_failures(rounds):
    for kind in ("fail", "error"):
        codes = collections.Counter()
        for r in rounds:
            codes.update(r[kind])
        if codes:
            print(f"    {kind}: " + ", ".join(f"{c} {n}" for c, n in codes.items()))


def subject_of(side, sides):
    """Which fetchd a side is compared with: one-by-one with the one without a cache."""
    return "uncached" if side == "one-by-one" and "uncached" in sides else "fetchd"


def ratio(by_side, side):
    """(median, least, most) of items/s of fetchd over the side's, turn by turn; and the
    same of items for each second of processor."""
    subject = subject_of(side, by_side)
    ratios = [(ours["items_per_s"] + ours["misses"] / ours["seconds"])
              / max(theirs["items_per_s"] + theirs["misses"] / theirs["seconds"], 1)
              for ours, theirs in zip(by_side[subject], by_side[side])]
    ours, theirs = (median(by_side[name], lambda r: sum(r["us_per_item"].values()))
                    for name in (subject, side))
    return statistics.median(ratios), min(ratios), max(ratios), theirs / ours


def print_open(opened):
    for side, r in opened.items():
        lat = r["latency_us"]
        print(f"    open loop, {side}: {r['rate']:.0f} requests/s asked, "
              f"{r['requests_per_s']:.0f} answered, "
              + ", ".join(f"{q} {lat[q]}" for q in QUANTILES) + " us")


def print_cell(cell, by_side, opened):
    print(f"{cell}\n{HEAD}")
    for side, rounds in by_side.items():
        print_side(side, rounds)
        print_failures(rounds)
    print_open(opened)
    print(flush=True)


def print_ratios(every):
    """One row for each cell, one column for each side that fetchd is compared with."""
    others = [side for side in every[0][1] if side not in ("fetchd", "uncached")]
    if not others:
        return
    width = max(len(str(cell)) for cell, _, _ in every)
    print("items/s of fetchd over those of each other, median of the turns (least .. "
          "most), and by processor time")
    print(" " * width + "".join(f"   {side:>26}" for side in others))
    for cell, by_side, _ in every:
        print(f"{str(cell):<{width}}" + "".join(
            "   {:>6.2f} ({:>5.2f} ..{:>5.2f}){:>6.2f}".format(*ratio(by_side, side))
            for side in others))
    print()


def print_latencies(every):
    opened = [(cell, o) for cell, _, o in every if o]
    if not opened:
        return
    sides = list(opened[0][1])
    width = max(len(str(cell)) for cell, _ in opened)
    print("p99 in an open loop, us")
    print(" " * width + "".join(f"{side:>12}" for side in sides))
    for cell, o in opened:
        print(f"{str(cell):<{width}}"
              + "".join(f"{o[side]['latency_us']['p99']:>12}" for side in sides))
    print()


def print_cpu(every):
    """Processor seconds of each process, all rounds together."""
    for side in every[0][1]:
        rounds = [r for _, by_side, _ in every for r in by_side[side]]
        total = {name: sum(r[name] for r in rounds)
                 for name in ("cpu_s", "server_cpu_s", "database_cpu_s")}
        print(f"cpu seconds, {side} rounds: generator {total['cpu_s']:.2f}, server "
              f"{total['server_cpu_s']:.2f}, database {total['database_cpu_s']:.2f}")


def print_noise(args, rounds):
    """On one core a closed loop leaves nothing idle: what is missing, others took."""
    busy = min(r["busy"] for r in rounds)
    open_loop = args.rate and not args.rate.endswith("%")
    if args.pin == "same" and not open_loop and busy < QUIET:
        print(f"NOISY: in one round other processes had {100 - 100 * busy:.0f} % of the "
              "core; items/s and latencies are worth little, ratios and processor time "
              "more")


def print_summary(args, to, every):
    where = f"core {sorted(to)}" if to else "not pinned"
    print(f"pipeline {args.pipeline}, {args.rows:,} rows, {args.workers} worker(s), "
          f"medians of {args.rounds} rounds of {args.seconds:g} s, pin {args.pin} "
          f"({where}), transport {args.transport}, dialect {args.dialect}")
    print_ratios(every)
    print_latencies(every)
    print_cpu(every)
    rounds = [r for _, by_side, _ in every for r in sum(by_side.values(), [])]
    print_noise(args, rounds)
    rounds += [r for _, _, opened in every for r in opened.values()]
    exact, wrong = (sum(r[name] for r in rounds) for name in ("exact", "wrong"))
    print(f"checked every byte of {exact:,} items, {wrong:,} wrong answers")
