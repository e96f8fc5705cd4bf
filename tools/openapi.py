"""`python -m tools.openapi` writes the OpenAPI document; with --check it only names files that are out of date."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools import generated
from tools.generated import ROOT

sys.path.insert(0, str(ROOT / "functions"))

from imagewatch.api.openapi import document


def texts() -> dict[Path, str]:
    """Each generated file with its text."""
    found = document()
    return {
        ROOT / "docs" / "openapi.json": json.dumps(found, indent=2, ensure_ascii=False) + "\n",
        ROOT / "functions" / "imagewatch" / "api" / "openapi.json": json.dumps(found, separators=(",", ":"), ensure_ascii=False),
    }


if __name__ == "__main__":
    sys.exit(generated.main("tools.openapi", __doc__ or "", texts()))
