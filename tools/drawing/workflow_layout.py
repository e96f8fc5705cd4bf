"""The position of each state: the main path in one column, detours beside it, recording states and ends on the right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tools.drawing.svg import text_width
from tools.drawing.workflow_boxes import GAP, LABEL, Box, Wire, box_of, layered
from tools.drawing.workflow_graph import Arrow, DrawingError, Machine

MARGIN, TOP = 26, 92
TRUNK = 18  # pixels between the lines that lead to two blocks
PORT, DETOUR_PORT = 24, 36  # pixels between arrows at the same side of a box


@dataclass
class Block:
    """A recording state in the right column with the states after it, by layer. `trunk` is the x of the line that leads to it."""

    head: str
    layers: list[list[str]]
    trunk: float = 0

    @property
    def names(self) -> set[str]:
        return {self.head, *(name for layer in self.layers for name in layer)}


@dataclass
class Plan:
    """An arrangement. The main column's axis is x = 0 until the last step."""

    machine: Machine
    boxes: dict[str, Box]
    main: list[str]
    blocks: list[Block] = field(default_factory=list)
    detours: list[str] = field(default_factory=list)
    ports: dict[tuple[str, str], float] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)

    def block_of(self, name: str) -> Block | None:
        return next((block for block in self.blocks if name in block.names), None)

    def sources(self, block: Block) -> list[Arrow]:
        """The arrows from the main path and its detours to a block's head."""
        return [arrow for arrow in self.machine.reaching(block.head) if self.block_of(arrow.source) is None]


def arrange(machine: Machine) -> Plan:
    """Place all states. Raises DrawingError for an unsupported graph."""
    main = main_path(machine)
    plan = Plan(machine, {name: box_of(machine.states[name]) for name in layered(machine)}, main)
    plan.detours = [name for name in plan.boxes if name not in main and _rejoins(plan, name)]
    plan.blocks = _blocks(plan)
    _stack_main(plan)
    _place_detours(plan)
    _place_blocks(plan)
    return plan


def main_path(machine: Machine) -> list[str]:
    """The longest path from the start to an end without errors."""
    longest: dict[str, list[str]] = {}
    for name in reversed(layered(machine)):
        ways = [longest[arrow.target] for arrow in machine.leaving(name, "next")]
        longest[name] = [name, *max(ways, key=len, default=[])]
    return longest[machine.start]


def _rejoins(plan: Plan, name: str) -> bool:
    ahead = [arrow.target for arrow in plan.machine.leaving(name, "next")]
    return any(target in plan.main or _rejoins(plan, target) for target in ahead)


def _blocks(plan: Plan) -> list[Block]:
    beside = [name for name in plan.boxes if name not in plan.main and name not in plan.detours]
    path = [*plan.main, *plan.detours]
    heads = [name for name in beside if any(arrow.source in path for arrow in plan.machine.reaching(name))]
    blocks = [Block(head, []) for head in heads]
    taken = set(heads)
    for block in blocks:
        layer = [block.head]
        while layer:
            following = [arrow.target for name in layer for arrow in plan.machine.leaving(name)]
            layer = [name for name in dict.fromkeys(following) if name not in taken]
            taken |= set(layer)
            block.layers += [layer] * bool(layer)
    return blocks


def _stack_main(plan: Plan) -> None:
    y: float = TOP
    for name in plan.main:
        box = plan.boxes[name]
        offsets = _port_offsets(plan, name)
        span = max(offsets.values(), default=0) - min(offsets.values(), default=0)
        row = max(box.height, span + 34)
        box.height = row if box.state.type == "Task" else box.height
        box.place(-box.width / 2, y + (row - box.height) / 2)
        plan.ports |= {(name, target): box.cy + offset for target, offset in offsets.items()}
        y += row + GAP


def _port_offsets(plan: Plan, name: str) -> dict[str, float]:
    """The heights at which arrows leave to the right: first those to the blocks, in their order, then those to detours."""
    targets = {arrow.target for arrow in plan.machine.leaving(name)}
    heads = [block.head for block in plan.blocks if block.head in targets]
    detours = [detour for detour in plan.detours if detour in targets]
    offsets = {head: float(PORT * index) for index, head in enumerate(heads)}
    start = PORT * (len(heads) - 1) + DETOUR_PORT if heads else 0
    offsets |= {detour: float(start + DETOUR_PORT * index) for index, detour in enumerate(detours)}
    middle = max(offsets.values(), default=0) / 2
    return {target: offset - middle for target, offset in offsets.items()}


def _place_detours(plan: Plan) -> None:
    for name in plan.detours:
        reaching = plan.machine.reaching(name)
        if len(reaching) != 1 or reaching[0].source not in plan.main:
            raise DrawingError(f'"{name}" is a detour with several steps or sources: this is not supported')
        source, box = plan.boxes[reaching[0].source], plan.boxes[name]
        box.place(source.right + label_width(reaching) + 26, plan.ports[source.state.name, name] - box.height / 2)


def _place_blocks(plan: Plan) -> None:
    column = max(plan.boxes[name].right for name in [*plan.main, *plan.detours])
    trunk = column + 16
    for block in plan.blocks:
        for arrow in plan.sources(block):
            trunk = max(trunk, plan.boxes[arrow.source].right + label_width([arrow]) + 24)
        block.trunk = trunk
        trunk += TRUNK
    left, free = trunk + 16, TOP - 20.0
    rows = [layer for block in plan.blocks for layer in ([block.head], *block.layers)]
    width = max((_row_width(plan, row) for row in rows), default=0)
    for block in plan.blocks:
        head = plan.boxes[block.head]
        head.width = width
        beside = plan.sources(block)[-1 if block is plan.blocks[-1] else 0]  # the last block is at the height of its last source
        head.place(left, max(plan.ports[beside.source, block.head] - head.height / 2, free))
        free = _place_layers(plan, block, head) + GAP


def _place_layers(plan: Plan, block: Block, head: Box) -> float:
    bottom = head.bottom
    for layer in block.layers:
        boxes = [plan.boxes[name] for name in layer]
        x = head.cx - _row_width(plan, layer) / 2
        for box in boxes:
            box.place(x, bottom + GAP)
            x = box.right + 12
        bottom = max(box.bottom for box in boxes)
    return bottom


def _row_width(plan: Plan, names: list[str]) -> float:
    return sum(plan.boxes[name].width for name in names) + 12 * (len(names) - 1)


def label_width(arrows: Iterable[Arrow]) -> float:
    return max((text_width(arrow.label, LABEL) for arrow in arrows), default=0)
