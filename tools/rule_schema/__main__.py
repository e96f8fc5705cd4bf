"""`python -m tools.rule_schema` writes what is generated; with --check it only names files that are out of date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "functions"))

from tools.rule_schema.documents import documents


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.rule_schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="Write nothing; fail when a file is out of date.")
    args = parser.parse_args()
    outdated = {path: text for path, text in documents().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in outdated.items():
        if args.check:
            print(f"{path.name} is out of date. Run python -m tools.rule_schema.")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path.name} was written.")
    return 1 if args.check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
