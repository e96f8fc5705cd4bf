"""`python -m tests.chaos [--images 1000] [--seed N]`: prints its seed and counts. Exit code 1: a promise was broken."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "functions"))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .storm import Outcome, run


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    arguments.add_argument("--images", type=int, default=1000, help="Number of images (1000).")
    arguments.add_argument("--seed", type=int, help="Repeats the plan and the random faults of an earlier run.")
    options = arguments.parse_args()
    seed = random.randrange(2**31) if options.seed is None else options.seed
    console = Console()
    console.print(f"{options.images} images, seed {seed}")
    columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars, tempfile.TemporaryDirectory() as folder:
        tasks = {stage: bars.add_task(stage, total=None) for stage in ("uploading", "analysing", "redriving")}
        outcome = run(
            options.images,
            seed,
            Path(folder),
            lambda stage, done, total: bars.update(tasks[stage], completed=done, total=total),
        )
    return report(outcome, options.images)


def report(outcome: Outcome, images: int) -> int:
    for what, number in outcome.counts.items():
        print(f"{number:8,}  {what}")
    for sentence in outcome.broken:
        print(f"BROKEN: {sentence}")
    if outcome.broken:
        print(f"Repeat: python -m tests.chaos --images {images} --seed {outcome.seed}")
        return 1
    print("Every promise was kept.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
