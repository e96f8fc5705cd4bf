"""`python -m tools.mutants` applies mutants one by one and runs tests on each; exit code 1 if a mutant survives.

`table` takes the mutants of table.toml, `sample` takes generated ones of functions/imagewatch.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.mutants import table
from tools.mutants.checkout import Checkout, checkout


@dataclass(frozen=True)
class Trial:
    """One mutant, ready to be tried."""

    name: str
    try_in: Callable[[Checkout], bool]
    """Whether the mutant survives in this checkout: all its tests pass."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=["table", "sample"], help="which mutants (default: both)")
    parser.add_argument("--only", default="", help="mutants of the table whose name contains this text")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="chooses the generated mutants (default: the time)")
    parser.add_argument("--count", type=int, default=40, help="how many mutants are generated")
    options = parser.parse_args()
    kinds = options.kinds or ["table", "sample"]
    survivors = []
    with checkout() as tree:
        trials = [*(_of_table(options.only) if "table" in kinds else ())]
        trials += [*(_of_sample(tree, options.seed, options.count) if "sample" in kinds else ())]
        for number, trial in enumerate(trials, 1):
            survives = trial.try_in(tree)
            print(f"{number}/{len(trials)} {'SURVIVES' if survives else 'noticed '}  {trial.name}", flush=True)
            if survives:
                survivors.append(trial.name)
    print(f"{len(survivors)} of {len(trials)} mutants survive.")
    return 1 if survivors else 0


def _of_table(only: str) -> Iterator[Trial]:
    for mutant in table.read():
        if only.lower() in mutant.name.lower():
            yield Trial(mutant.name, lambda tree, mutant=mutant: _survives(tree, mutant))  # type: ignore[misc]


def _survives(tree: Checkout, mutant: table.Mutant) -> bool:
    text = (tree.folder / mutant.file).read_text(encoding="utf-8")
    with tree.changed(mutant.file, mutant.applied_to(text)):
        return tree.test(mutant.tests).passed


def _of_sample(tree: Checkout, seed: int, count: int) -> Iterator[Trial]:
    from tools.mutants import sample  # needs Cosmic Ray, which only `make mutants` installs

    print(f"Generating {count} mutants with seed {seed} ...", flush=True)
    for mutant in sample.draw(tree, seed, count):
        yield Trial(mutant.name, lambda tree, mutant=mutant: sample.survives(tree, mutant))  # type: ignore[misc]


if __name__ == "__main__":
    sys.exit(main())
