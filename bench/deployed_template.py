"""template.yaml as CloudFormation would see it, read once."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from tools.sam_template import Template, load_template

logging.getLogger("samtranslator").setLevel(logging.CRITICAL)  # it misses the telemetry that it doesn't send here


@cache
def load(**parameters: str) -> Template:
    """The expanded template with these parameters. Not to be changed: it is shared."""
    return load_template(Path(__file__).resolve().parents[1] / "template.yaml", parameters)
