"""`python -m tests.fuzz [--seconds 60] [--seed N] [--only N]`: exit code 1 when an image is neither read nor rejected."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "functions"))

from rich.console import Console
from rich.progress import Progress

from tests.hard_images import VARIANTS

from .mutations import MOST_BYTES, mutated
from .sandbox import Sandbox

TARGET = "imagewatch.images.decoding:examine"
IMAGE_SECONDS = 30.0  # a quarter of the function's timeout
FINDINGS = Path(".local") / "fuzz-findings"


def main() -> int:
    options = arguments()
    seed = random.randrange(2**31) if options.seed is None else options.seed
    console = Console()
    console.print(f"Seed {seed}. Creating the seed files ...")
    seeds = {name: data for name, data in ((name, make()) for name, make in VARIANTS.items()) if 0 < len(data) <= MOST_BYTES}
    sandbox, verdicts, findings = Sandbox(TARGET, IMAGE_SECONDS), Counter[str](), 0
    began = time.monotonic()
    numbers = [options.only] if options.only is not None else range(sys.maxsize)
    with Progress(console=console) as bar:
        task = bar.add_task(f"{len(seeds)} seed files", total=options.seconds)
        for number in numbers:
            if time.monotonic() - began >= options.seconds:
                break
            name, data = mutated(seeds, random.Random(f"{seed}/{number}"))
            verdict, what = sandbox.examine(data)
            verdicts[verdict] += 1
            if verdict == "finding":
                findings += 1
                console.print(
                    f"FINDING {number} ({name}): {what}\n  {keep(seed, number, data)}; repeat: --seed {seed} --only {number}"
                )
            bar.update(task, completed=time.monotonic() - began)
    sandbox.close()
    for verdict, count in verdicts.items():
        console.print(f"{count:8,}  {verdict}")
    console.print(f"{sum(verdicts.values()) / (time.monotonic() - began):8.0f}  a second")
    return 1 if findings else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="Duration (60).")
    parser.add_argument("--seed", type=int, help="Repeats an earlier run.")
    parser.add_argument("--only", type=int, help="Repeats one image of that run.")
    return parser.parse_args()


def keep(seed: int, number: int, data: bytes) -> Path:
    FINDINGS.mkdir(parents=True, exist_ok=True)
    path = FINDINGS / f"{seed}-{number}.bin"
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    sys.exit(main())
