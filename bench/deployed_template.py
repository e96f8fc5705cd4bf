"""template.yaml as CloudFormation sees it. It is read once."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from tools.sam_template import Template, load_template

logging.getLogger("samtranslator").setLevel(logging.CRITICAL)  # it warns that it sends no telemetry


@cache
def load(**parameters: str) -> Template:
    """The expanded template with these parameters. Callers share it and must not change it."""
    return load_template(Path(__file__).resolve().parents[1] / "template.yaml", parameters)
