"""`python -m bench [TABLE ...]`: what Imagewatch costs and what the local engine recognises, as tables. Nothing is asserted."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "functions"))

from rich.console import Console

from bench import calls, cases, cold, cost, months, rules, search, throughput, warm
from bench.eyes import measure as eyes
from bench.tables import Table

WIDTH = 150  # columns of a terminal that doesn't say how wide it is


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    arguments.add_argument("tables", nargs="*", metavar="TABLE", help=f"{', '.join(TABLES)}; all of them when none is named.")
    arguments.add_argument("--json", action="store_true", help="Print the tables as JSON.")
    arguments.add_argument("--rounds", type=int, help="cold, warm: runs of each program or function.")
    arguments.add_argument("--images", type=int, nargs="+", default=[200], help="throughput: sizes of the library to grow to.")
    arguments.add_argument("--side", type=int, default=throughput.SIDE, help="throughput: pixels of the long side.")
    arguments.add_argument("--months", action="store_true", help="cost: the months of docs/cost.md, as Markdown.")
    arguments.add_argument("--write", action="store_true", help="cost --months: write them into docs/cost.md.")
    arguments.add_argument("--save", action="store_true", help="calls, warm: keep the result in measured.json, for the cost.")
    return arguments


def main() -> int:
    """Exit code 0, or 2 for a table that isn't known."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a stack that was started is stopped too
    if unknown := [name for name in options.tables if name not in TABLES]:
        print(f"There is no table {', '.join(unknown)}; there are {', '.join(TABLES)}.", file=sys.stderr)
        return 2
    if options.months:
        print(months.printed(), end="")
        if options.write:
            months.write_document()
        return 0
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    made: list[Table] = []
    for name in options.tables or TABLES:
        for table in TABLES[name](options):
            made.append(table)
            if not options.json:
                table.show(console)
    if options.json:
        print(json.dumps([table.plain() for table in made], indent=2, ensure_ascii=False))
    return 0


def _cold(options: argparse.Namespace) -> Sequence[Table]:
    return [cold.table(options.rounds or cold.ROUNDS)]


def _warm(options: argparse.Namespace) -> Sequence[Table]:
    taken = warm.measure(options.rounds or warm.ROUNDS)
    if options.save:
        _keep(cpu_milliseconds=warm.milliseconds_by_function(taken))
    return [warm.table(taken)]


def _calls(options: argparse.Namespace) -> Sequence[Table]:
    facts = cases.measure()
    changed = calls.differences(facts, cost.measured()[0]) if cost.MEASURED.exists() else []
    if options.save:
        _keep(facts={name: asdict(fact) for name, fact in facts.items()})
    elif changed:
        print("Not as in bench/measured.json, from which the cost is reckoned (--save keeps this):", file=sys.stderr)
        print(*(f"  {line}" for line in changed), sep="\n", file=sys.stderr)
    return calls.tables(facts)


def _cost(_: argparse.Namespace) -> Sequence[Table]:
    return cost.tables()


def _rules(_: argparse.Namespace) -> Sequence[Table]:
    return [rules.table(rules.measured())]


def _throughput(options: argparse.Namespace) -> Sequence[Table]:
    return [throughput.table(*throughput.measure(options.images, options.side))]


def _eyes(_: argparse.Namespace) -> Sequence[Table]:
    return eyes.tables()


def _keep(**measured: Any) -> None:
    kept = json.loads(cost.MEASURED.read_text(encoding="utf-8")) if cost.MEASURED.exists() else {}
    cost.MEASURED.write_text(json.dumps({**kept, **measured}, indent=1) + "\n", encoding="utf-8")


TABLES: dict[str, Callable[[argparse.Namespace], Sequence[Table]]] = {
    "cold": _cold,
    "warm": _warm,
    "calls": _calls,
    "cost": _cost,
    "rules": _rules,
    "search": lambda _: [search.table()],
    "throughput": _throughput,
    "eyes": _eyes,
}

if __name__ == "__main__":
    sys.exit(main())
