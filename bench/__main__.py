"""`python -m bench [TABLE ...]`: what Imagewatch costs and what the local engine recognises, as tables. It asserts nothing."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "functions"))

from rich.console import Console

from bench import backlog, calls, cases, cold, cost, hot_keys, months, rules, search, search_tables, throughput, warm
from bench.eyes import measure as eyes
from bench.tables import Table

WIDTH = 150  # columns, when the output is not a terminal


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    arguments.add_argument("tables", nargs="*", metavar="TABLE", help=f"{', '.join(TABLES)}. Default: all.")
    arguments.add_argument("--json", action="store_true", help="Print the tables as JSON.")
    arguments.add_argument("--rounds", type=int, help="cold, warm: number of runs of each program or function.")
    arguments.add_argument("--images", type=int, nargs="+", default=[200], help="throughput: sizes to which the library grows.")
    arguments.add_argument("--side", type=int, default=throughput.SIDE, help="throughput: the long side of a photo in pixels.")
    arguments.add_argument("--months", action="store_true", help="cost: print the monthly tables of docs/cost.md as Markdown.")
    arguments.add_argument("--write", action="store_true", help="cost --months: write the tables into docs/cost.md.")
    arguments.add_argument(
        "--save", action="store_true", help="calls, warm: save the result to measured.json, which the cost is calculated from."
    )
    return arguments


def main() -> int:
    """Exit code 0; 1 when a table could not be measured; 2 for an unknown table."""
    options = parser().parse_args()
    if unknown := [name for name in options.tables if name not in TABLES]:
        print(f"Unknown table: {', '.join(unknown)}. Tables: {', '.join(TABLES)}.", file=sys.stderr)
        return 2
    if options.months:
        print(months.printed(), end="")
        if options.write:
            months.write_document()
        return 0
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    made: list[Table] = []
    failed: list[str] = []
    for name in options.tables or TABLES:
        try:
            tables = TABLES[name](options)
        except Exception:  # noqa: BLE001 (the other tables are printed nevertheless, and the exit code says that one is missing)
            traceback.print_exc()
            failed.append(name)
            continue
        made += tables
        if not options.json:
            for table in tables:
                table.show(console)
    if options.json:
        print(json.dumps([table.plain() for table in made], indent=2, ensure_ascii=False))
    if failed:
        print(f"Not measured, for the reason above: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _cold(options: argparse.Namespace) -> Sequence[Table]:
    return [cold.table(options.rounds or cold.ROUNDS)]


def _warm(options: argparse.Namespace) -> Sequence[Table]:
    taken = warm.measure(options.rounds or warm.ROUNDS)
    if options.save:
        _save(cpu_milliseconds=warm.milliseconds_by_function(taken))
    return [warm.table(taken)]


def _calls(options: argparse.Namespace) -> Sequence[Table]:
    facts = cases.measure()
    changed = calls.differences(facts, cost.measured()[0]) if cost.MEASURED.exists() else []
    if options.save:
        _save(facts={name: asdict(fact) for name, fact in facts.items()})
    elif changed:
        print(
            "These counts differ from bench/measured.json, which the cost is calculated from. --save replaces it:",
            file=sys.stderr,
        )
        print(*(f"  {line}" for line in changed), sep="\n", file=sys.stderr)
    return calls.tables(facts)


def _cost(_: argparse.Namespace) -> Sequence[Table]:
    return cost.tables()


def _rules(_: argparse.Namespace) -> Sequence[Table]:
    return [rules.table(rules.measured())]


def _backlog(_: argparse.Namespace) -> Sequence[Table]:
    return [backlog.table()]


def _throughput(options: argparse.Namespace) -> Sequence[Table]:
    return [throughput.table(*throughput.measure(options.images, options.side))]


def _eyes(_: argparse.Namespace) -> Sequence[Table]:
    return eyes.tables()


def _save(**measured: Any) -> None:
    saved = json.loads(cost.MEASURED.read_text(encoding="utf-8")) if cost.MEASURED.exists() else {}
    cost.MEASURED.write_text(json.dumps({**saved, **measured}, indent=1) + "\n", encoding="utf-8")


TABLES: dict[str, Callable[[argparse.Namespace], Sequence[Table]]] = {
    "cold": _cold,
    "warm": _warm,
    "calls": _calls,
    "cost": _cost,
    "rules": _rules,
    "search": lambda _: [search.table(), hot_keys.table(), search_tables.table()],
    "backlog": _backlog,
    "throughput": _throughput,
    "eyes": _eyes,
}

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a stack that was started is then stopped
    sys.exit(main())
