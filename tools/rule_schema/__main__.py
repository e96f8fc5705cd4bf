"""`python -m tools.rule_schema` writes what is generated; with --check it only names files that are out of date."""

from __future__ import annotations

import sys

from tools import generated

sys.path.insert(0, str(generated.ROOT / "functions"))

from tools.rule_schema.documents import documents

if __name__ == "__main__":
    sys.exit(generated.main("tools.rule_schema", __doc__ or "", documents()))
