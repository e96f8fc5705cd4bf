"""Files that are generated and checked in: writes them, or names those that are out of date."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(program: str, description: str, texts: Mapping[Path, str]) -> int:
    """Runs a generator's command line; `texts` has each file with its text.

    Returns the exit code: 1 if a check finds a file that is out of date.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--check", action="store_true", help="Write nothing; fail when a file is out of date.")
    is_check = parser.parse_args().check
    outdated = {path: text for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    for path, text in outdated.items():
        if is_check:
            print(f"{path.relative_to(ROOT)} is out of date. Run python -m {program}.")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} was written.")
    return 1 if is_check and outdated else 0
