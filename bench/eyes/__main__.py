"""`python -m bench.eyes`: the tables of `make bench` about recognition. With --fit, fits the confidences again."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from bench.eyes import fit, measure
from bench.eyes.photos import available, labelled


def main() -> int:
    """Returns 0."""
    arguments = argparse.ArgumentParser(prog="python -m bench.eyes", description=__doc__)
    arguments.add_argument("--fit", action="store_true", help="Fit the confidences on one half of the photos and keep them.")
    if arguments.parse_args().fit:
        coefficients = fit.fit(fit.boxes(available(labelled())))
        fit.write(coefficients)
        print(coefficients)
    for table in measure.tables():
        table.show(Console(width=None if sys.stdout.isatty() else 150))
    return 0


if __name__ == "__main__":
    sys.exit(main())
