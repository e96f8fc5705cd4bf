"""The arrows of the workflow picture."""

from __future__ import annotations

from collections.abc import Iterator

from tools.drawing.svg import Point, text_width, wrap
from tools.drawing.workflow_boxes import GAP, LABEL, Box, Wire, downwards
from tools.drawing.workflow_graph import Arrow, DrawingError
from tools.drawing.workflow_layout import MARGIN, Block, Plan

LANE = 34  # pixels between the boxes and the line that passes them
CORNER = 8


def connect(plan: Plan) -> None:
    """Add all arrows to `plan`, then move everything to the left margin."""
    lanes = 0
    for arrow in plan.machine.arrows:
        if arrow.source in plan.main and arrow.target in plan.main:
            if plan.main.index(arrow.target) == plan.main.index(arrow.source) + 1:
                plan.wires.append(_straight(plan, arrow))
            else:
                plan.wires.append(_bypass(plan, arrow, lanes))
                lanes += 1
        elif arrow.source in plan.detours or arrow.target in plan.detours:
            plan.wires.append(_detour(plan, arrow))
    for block in plan.blocks:
        plan.wires += _gather(plan, block)
        plan.wires += _inside(plan, block)
    left = min(_left(wire) for wire in plan.wires)
    left = min(left, *(box.x for box in plan.boxes.values()))
    everything: list[Box | Wire] = [*plan.boxes.values(), *plan.wires]
    for thing in everything:
        thing.move(MARGIN - left, 0)


def _left(wire: Wire) -> float:
    words = max((text_width(line, LABEL) for line in wire.labels), default=0)
    return min(min(x for x, _ in wire.points), wire.at[0] - words if wire.anchor == "end" else wire.at[0])


def _straight(plan: Plan, arrow: Arrow) -> Wire:
    source, target = plan.boxes[arrow.source], plan.boxes[arrow.target]
    return downwards((source.cx, source.bottom), (target.cx, target.y), arrow)


def _bypass(plan: Plan, arrow: Arrow, lanes: int) -> Wire:
    """An arrow that passes the boxes between its ends on the left."""
    first, last = plan.main.index(arrow.source), plan.main.index(arrow.target)
    if last < first:
        raise DrawingError(f'"{arrow.source}" leads back to "{arrow.target}": loops can\'t be drawn')
    source, target = plan.boxes[arrow.source], plan.boxes[arrow.target]
    x = min(plan.boxes[name].x for name in plan.main[first + 1 : last]) - LANE
    entry: list[Point] = [(x, target.cy), (target.x, target.cy)]
    if source.x < x - CORNER:  # a wide box covers the lane: the arrow leaves at its lower edge
        labels = wrap(arrow.label, LABEL, 80)
        between = plan.boxes[plan.main[first + 1]]
        middle = between.cy + 15 * (len(labels) - 1) / 2 + 4
        return Wire([(x, source.bottom), *entry], arrow.kind, labels, (x - 9, middle), "end")
    return Wire([(source.x, source.cy), (x, source.cy), *entry], arrow.kind, [arrow.label], (source.x - 9, source.cy - 7), "end")


def _detour(plan: Plan, arrow: Arrow) -> Wire:
    source, target = plan.boxes[arrow.source], plan.boxes[arrow.target]
    if arrow.target in plan.detours:
        y = plan.ports[arrow.source, arrow.target]
        return Wire([(source.right, y), (target.x, y)], arrow.kind, [arrow.label], (source.right + 9, y - 6))
    turn, entry = target.y - GAP / 2, target.cx + target.width / 4
    points = [(source.cx, source.bottom), (source.cx, turn), (entry, turn), (entry, target.y)]
    if target.y < source.bottom:
        raise DrawingError(f'"{arrow.source}" leads upwards to "{arrow.target}": this is not supported')
    return Wire(points, arrow.kind, [arrow.label] if arrow.label else [], (source.cx + 10, turn - 4))


def _gather(plan: Plan, block: Block) -> Iterator[Wire]:
    """The arrows to a block: a line from each source to the trunk, and one from the trunk to the head."""
    head, trunk, arrows = plan.boxes[block.head], block.trunk, plan.sources(block)
    kind = "catch" if all(arrow.kind == "catch" for arrow in arrows) else "next"
    heights = [plan.ports[arrow.source, block.head] for arrow in arrows]
    bent = [y for y in heights if abs(y - head.cy) > 1]
    for reach in {min([*bent, head.cy]): None, max([*bent, head.cy]): None}:
        if abs(reach - head.cy) > 2 * CORNER:
            away = CORNER if reach < head.cy else -CORNER
            points = [(trunk, reach + away), (trunk, head.cy), (trunk + 2 * CORNER, head.cy)]
            yield Wire(points, kind, head=False, bundle=block.head)
    for arrow, y in zip(arrows, heights, strict=True):
        source = plan.boxes[arrow.source]
        label, at = [arrow.label] if arrow.label else [], (source.right + 9, y - 6)
        away = CORNER if y < head.cy else -CORNER
        straight = abs(y - head.cy) <= 1
        points = [(source.right, y), (trunk, y), (trunk, y if straight else y + away)]
        yield Wire(points[: 2 if straight else 3], arrow.kind, label, at, head=False, bundle=block.head)
    yield Wire([(trunk, head.cy), (head.x, head.cy)], kind, bundle=block.head)


def _inside(plan: Plan, block: Block) -> Iterator[Wire]:
    """The arrows from the head to the states after it, and to the next block."""
    for name in sorted(block.names, key=list(plan.boxes).index):
        source = plan.boxes[name]
        for arrow in plan.machine.leaving(name):
            target = plan.boxes[arrow.target]
            if arrow.target in block.names:
                x = target.cx if source.x < target.cx < source.right else source.cx
                yield downwards((x, source.bottom), (target.cx, target.y), arrow)
            else:
                yield _onwards(plan, source, target, arrow)


def _onwards(plan: Plan, source: Box, target: Box, arrow: Arrow) -> Wire:
    """An arrow at the right edge of the column to the block below."""
    order = [block.head for block in plan.blocks]
    if arrow.source not in order or order.index(arrow.source) + 1 != order.index(arrow.target):
        raise DrawingError(f'"{arrow.source}" leads to "{arrow.target}", which is not the next recording state: draw that first')
    x = source.right - 16
    return Wire([(x, source.bottom), (x, target.y)], arrow.kind, [arrow.label], (x - 9, target.y - 16), "end")
