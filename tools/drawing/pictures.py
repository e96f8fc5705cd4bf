"""Draws docs/workflow.svg and docs/system.svg, or checks whether they are up to date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tools.drawing.system_picture import draw_system
from tools.drawing.system_table import STATE_MACHINE
from tools.drawing.workflow_graph import DrawingError, options_of, read_machine
from tools.drawing.workflow_picture import draw_workflow
from tools.sam_template import load_template

ROOT = Path(__file__).resolve().parents[2]


def pictures() -> dict[Path, str]:
    """The path of each picture with its current content. Raises DrawingError if a picture can't be drawn."""
    definition = json.loads((ROOT / "statemachine" / "analyze_image.asl.json").read_text(encoding="utf-8"))
    template = load_template(ROOT / "template.yaml", {}).body
    machine = read_machine(definition, options_of(template, STATE_MACHINE))
    folder = ROOT / "docs"
    return {folder / "workflow.svg": draw_workflow(machine), folder / "system.svg": draw_system(template, machine)}


def outdated() -> list[str]:
    """The names of the pictures whose files differ from their current content."""
    return [path.name for path, drawn in pictures().items() if not path.exists() or path.read_text(encoding="utf-8") != drawn]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.drawing", description="Draw the documentation's pictures from the workflow and the template."
    )
    parser.add_argument("--check", action="store_true", help="Write nothing. Exit with 1 if a picture is out of date.")
    arguments = parser.parse_args()
    try:
        if not arguments.check:
            for path, drawn in pictures().items():
                path.write_text(drawn, encoding="utf-8")
                print(f"docs/{path.name}")
            return 0
        old = outdated()
    except DrawingError as error:
        print(f"tools.drawing: {error}", file=sys.stderr)
        return 1
    for name in old:
        print(f"docs/{name} is out of date: run python -m tools.drawing", file=sys.stderr)
    return 1 if old else 0
