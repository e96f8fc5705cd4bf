"""`python -m tools.openapi` writes the OpenAPI document; with --check it only names files that are out of date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "functions"))

from imagewatch.api.openapi import document  # noqa: E402 - the path is set above


def texts() -> dict[Path, str]:
    """Each generated file with its text."""
    found = document()
    return {
        ROOT / "docs" / "openapi.json": json.dumps(found, indent=2, ensure_ascii=False) + "\n",
        ROOT / "functions" / "imagewatch" / "api" / "openapi.json": json.dumps(found, separators=(",", ":"), ensure_ascii=False),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="Write nothing; fail when a file is out of date.")
    args = parser.parse_args()
    outdated = {path: text for path, text in texts().items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in outdated.items():
        name = path.relative_to(ROOT)
        if args.check:
            print(f"{name} is out of date. Run python -m tools.openapi.")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{name} was written.")
    return 1 if args.check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
