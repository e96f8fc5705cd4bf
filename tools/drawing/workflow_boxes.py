"""The size of each state's box, and the arrangement of branches inside a frame."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.drawing.svg import Point, text_width, wrap
from tools.drawing.workflow_graph import Arrow, DrawingError, Machine, State, first_sentence

TASK_WIDTH, BRANCH_WIDTH = 212, 206
GAP = 42  # between one row and the next
FRAME_TOP, FRAME_EDGE, FRAME_GAP = 42, 16, 16
LABEL, NOTE, NAME = 11.5, 11.5, 14
NOTE_LINES, NOTE_LEADING = 3, 15


@dataclass
class Box:
    """A state with its position. `notes` are the lines below its name."""

    state: State
    width: float
    height: float
    notes: list[str] = field(default_factory=list)
    x: float = 0
    y: float = 0
    inner: list[Box] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def cx(self) -> float:
        return self.x + self.width / 2

    @property
    def cy(self) -> float:
        return self.y + self.height / 2

    def move(self, dx: float, dy: float) -> None:
        """Move the box with its content."""
        self.x += dx
        self.y += dy
        for box in self.inner:
            box.move(dx, dy)
        for wire in self.wires:
            wire.move(dx, dy)

    def place(self, x: float, y: float) -> None:
        self.move(x - self.x, y - self.y)


@dataclass
class Wire:
    """A drawn arrow. `labels` are lines of text; the last one has its baseline at `at`."""

    points: list[Point]
    kind: str
    labels: list[str] = field(default_factory=list)
    at: Point = (0, 0)
    anchor: str = "start"
    head: bool = True
    bundle: str = ""  # lines of one bundle join; other lines cross over them

    def move(self, dx: float, dy: float) -> None:
        self.points = [(x + dx, y + dy) for x, y in self.points]
        self.at = (self.at[0] + dx, self.at[1] + dy)


def downwards(start: Point, end: Point, arrow: Arrow) -> Wire:
    """An arrow from a bottom edge to a top edge, with two corners half-way if needed. The label is on the right."""
    middle = (start[1] + end[1]) / 2
    points = [start, end] if start[0] == end[0] else [start, (start[0], middle), (end[0], middle), end]
    return Wire(points, arrow.kind, [arrow.label] if arrow.label else [], (end[0] + 10, middle + 2))


def box_of(state: State, width: float = TASK_WIDTH) -> Box:
    """The state's box at the origin: a frame for branches, a pill for an end, a diamond for a choice."""
    if state.branches:
        return _frame(state)
    if state.type in ("Succeed", "Fail"):
        return Box(state, text_width(state.name, 13, bold=True) + 30, 34)
    if state.type == "Choice":
        return Box(state, max(150, text_width(state.name, NAME, bold=True) * 1.6), 72)
    if state.type == "Task":
        notes = _notes(state, width - 26)
        return Box(state, width, 37 + NOTE_LEADING * len(notes) + (2 if notes else 0), notes)
    return Box(state, text_width(state.name, 12.5, bold=True) + 28, 36)


def _notes(state: State, width: float) -> list[str]:
    """The first sentence of the comment, if it fits. The tooltip has the whole comment."""
    lines = wrap(first_sentence(state.comment), NOTE, width) if state.comment else []
    return ["optional"] * state.optional + (lines if len(lines) <= NOTE_LINES else [])


def _frame(state: State) -> Box:
    frame = Box(state, 0, 0)
    x: float = FRAME_EDGE
    for branch in state.branches:
        column, wires, width = _column(branch)
        for box in column:
            box.move(x, FRAME_TOP)
        for wire in wires:
            wire.move(x, FRAME_TOP)
        frame.inner += column
        frame.wires += wires
        x += width + FRAME_GAP
    frame.width = max(x - FRAME_GAP + FRAME_EDGE, text_width(state.name, NAME, bold=True) + 150)
    frame.height = max(box.bottom for box in frame.inner) + FRAME_EDGE
    return frame


def _column(branch: Machine) -> tuple[list[Box], list[Wire], float]:
    """The states of a branch from top to bottom, in the order of the arrows, with the arrows and the width."""
    boxes = {name: box_of(branch.states[name], BRANCH_WIDTH) for name in layered(branch)}
    width = max(box.width for box in boxes.values())
    y: float = 0
    for box in boxes.values():
        box.place((width - box.width) / 2, y)
        y = box.bottom + GAP - 4
    order = list(boxes)
    wires = []
    for arrow in branch.arrows:
        source, target = boxes[arrow.source], boxes[arrow.target]
        if order.index(arrow.target) != order.index(arrow.source) + 1:
            raise DrawingError(f'inside a branch, "{arrow.source}" skips states before "{arrow.target}": this is not supported')
        wires.append(downwards((source.cx, source.bottom), (target.cx, target.y), arrow))
    return list(boxes.values()), wires, width


def layered(machine: Machine) -> list[str]:
    """The states in topological order. Raises DrawingError for a loop."""
    done: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise DrawingError(f'"{path[-1]}" leads back to "{name}": loops are not supported')
        for arrow in reversed(machine.leaving(name)):
            if arrow.target not in done:
                visit(arrow.target, (*path, name))
        done.setdefault(name)

    visit(machine.start, ())
    return list(done)[::-1]
