"""Draws docs/workflow.svg from the workflow's definition."""

from __future__ import annotations

from html import escape
from itertools import groupby
from math import ceil

from tools.drawing.svg import Point, document, halo, line, polygon, rect, text, text_width
from tools.drawing.workflow_boxes import LABEL, NOTE_LEADING, Box, Wire
from tools.drawing.workflow_graph import Machine
from tools.drawing.workflow_layout import MARGIN, TOP, Plan, arrange
from tools.drawing.workflow_wires import connect

CAPTION_Y, START_Y, LEGEND = 38, 62, 62
SHAPES = {"Choice": "choice", "Succeed": "good", "Fail": "bad", "Task": "task"}


def draw_workflow(machine: Machine) -> str:
    """The picture as SVG. Raises DrawingError for an unsupported graph."""
    plan = arrange(machine)
    connect(plan)
    boxes = list(plan.boxes.values())
    width = ceil(max([box.right for box in boxes] + [_right(wire) for wire in plan.wires])) + MARGIN
    height = max(box.bottom for box in boxes) + LEGEND
    body = [
        text(MARGIN, CAPTION_Y, plan.machine.comment.split(". ")[0].rstrip(".") + ".", "note"),
        *_start(plan),
        *_lines(plan.wires),
        *(part for box in boxes for part in _state(box)),
        *(part for wire in plan.wires for part in _label(wire)),
        *_legend(plan, height - 26),
    ]
    return document(width, height, "The workflow", f"The states of the workflow: {', '.join(_names(plan.machine))}.", body)


def _names(machine: Machine) -> list[str]:
    found = []
    for name, state in machine.states.items():
        found += [name, *(inner for branch in state.branches for inner in _names(branch))]
    return found


def _right(wire: Wire) -> float:
    return wire.at[0] + max((text_width(words, LABEL) for words in wire.labels), default=0) if wire.anchor == "start" else 0


def _start(plan: Plan) -> list[str]:
    first = plan.boxes[plan.machine.start]
    dot = f'<circle class="dot" cx="{first.cx:g}" cy="{START_Y}" r="5"/>'
    return [dot, line([(first.cx, START_Y), (first.cx, TOP)], "next")]


def _lines(wires: list[Wire]) -> list[str]:
    """The lines by bundle, with the halos of a bundle first."""
    parts = []
    for _, bundle in groupby(wires, key=lambda wire: wire.bundle or id(wire)):
        together = list(bundle)
        parts += [halo(wire.points) for wire in together]
        parts += [line(wire.points, wire.kind, wire.head) for wire in together]
    return parts


def _label(wire: Wire, css: str = "label") -> list[str]:
    x, y = wire.at
    above = len(wire.labels) - 1
    return [text(x, y - NOTE_LEADING * (above - row), words, css, wire.anchor) for row, words in enumerate(wire.labels)]


def _state(box: Box) -> list[str]:
    """A state with its comment and retries as tooltip."""
    state = box.state
    details = ". ".join(part for part in (state.comment.rstrip("."), f"Retried {state.retries}" if state.retries else "") if part)
    tooltip = [f"<title>{escape(details + '.', quote=False)}</title>"] if details else []
    return [f'<g class="state" data-state="{escape(state.name)}">', *tooltip, *_shape(box), "</g>"]


def _shape(box: Box) -> list[str]:
    kind = box.state.type
    css = SHAPES.get(kind, "plain") + (" optional" if box.state.optional else "")
    if box.state.branches:
        return _frame(box)
    if kind in ("Succeed", "Fail"):
        return _end(box, css)
    if kind == "Choice":
        corners = [(box.x, box.cy), (box.cx, box.y), (box.right, box.cy), (box.cx, box.bottom)]
        return [polygon(corners, css), text(box.cx, box.cy + 5, box.state.name, "name", "middle")]
    parts = [rect(box.x, box.y, box.width, box.height, css)]
    if kind != "Task":
        return [*parts, text(box.cx, box.cy + 4.5, box.state.name, "small", "middle")]
    baseline = box.cy + 5 - (NOTE_LEADING * len(box.notes) + 2 * bool(box.notes)) / 2
    parts.append(text(box.cx, baseline, box.state.name, "name", "middle"))
    for row, words in enumerate(box.notes, start=1):
        parts.append(text(box.cx, baseline + 2 + NOTE_LEADING * row, words, "note", "middle"))
    return parts + ([retry_mark((box.right - 13, box.y + 13))] if box.state.retries else [])


def _frame(box: Box) -> list[str]:
    aside = "all at the same time" if box.state.type == "Parallel" else "for each item"
    return [
        rect(box.x, box.y, box.width, box.height, "inset", 12),
        text(box.x + 16, box.y + 26, box.state.name, "name", aside=aside),
        *(part for wire in box.wires for part in (line(wire.points, wire.kind, wire.head), *_label(wire, "note"))),
        *(part for inner in box.inner for part in _state(inner)),
    ]


def _end(box: Box, css: str) -> list[str]:
    return [
        rect(box.x, box.y, box.width, box.height, css, box.height / 2),
        text(box.cx, box.cy + 4.5, box.state.name, "small", "middle"),
    ]


def retry_mark(centre: Point) -> str:
    """A small circular arrow."""
    x, y = centre
    circle = f'<path class="mark" d="M{x + 2.2:g} {y - 3.8:g}A4.4 4.4 0 1 0 {x + 4.4:g} {y:g}"/>'
    return circle + f'<path class="mark" d="M{x + 2.6:g} {y - 6.6:g}L{x + 2.2:g} {y - 3.8:g}L{x - 0.6:g} {y - 4.4:g}"/>'


def _legend(plan: Plan, y: float) -> list[str]:
    """The legend."""
    samples: list[tuple[str, float, str]] = [
        (line([(0, 0), (30, 0)], "next"), 30, "next"),
        (line([(0, 0), (30, 0)], "catch"), 30, "after an error"),
        (retry_mark((6, 0)), 12, "retried, with growing pauses"),
        (rect(0, -8, 26, 16, "task optional", 4), 26, "optional"),
        (rect(0, -8, 26, 16, "good", 8), 26, "result"),
        (rect(0, -8, 26, 16, "bad", 8), 26, "failure"),
    ]
    parts, x = [], float(MARGIN)
    for sample, wide, words in samples:
        parts.append(f'<g transform="translate({x:g} {y:g})">{sample}{text(wide + 8, 4, words, "note")}</g>')
        x += wide + 8 + text_width(words, 11.5) + 24
    return parts
