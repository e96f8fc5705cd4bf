"""Draws docs/system.svg: the path of one image from S3 to the alert, with the template's resources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from tools.drawing.svg import Point, document, line, rect, text, wrap
from tools.drawing.system_facts import confirm, of_type
from tools.drawing.system_table import GROUPS, LINKS, PEOPLE, PLACES, REKOGNITION, RULE, STATE_MACHINE, TASKS, Link, Place
from tools.drawing.workflow_graph import Json, Machine
from tools.drawing.workflow_layout import main_path

WIDTH, HEIGHT = 890, 776
LEFT, BOX, STEP = 36, 142, 169
ROWS = (60, 146, 464, 546, 682)
BOX_HEIGHT, TASK_HEIGHT, TASK_STEP, TASK_TOP = 56, 31, 36, 272
FRAME = (26, 240, 838, 176)
STRIP = (26, 636, 838, 114)
TITLES = {
    "AWS::S3::Bucket": ("S3 bucket", "store", "bucket"),
    "AWS::DynamoDB::Table": ("DynamoDB table", "store", "table"),
    "AWS::SQS::Queue": ("SQS queue", "message", "queue"),
    "AWS::SNS::Topic": ("SNS topic", "message", "bell"),
    "AWS::SNS::Subscription": ("e-mail", "plain", "letter"),
    "AWS::Events::Rule": ("EventBridge rule", "message", "switch"),
    "AWS::Lambda::Function": ("Lambda function", "task", "lambda"),
    "AWS::CloudWatch::Alarm": ("CloudWatch alarm", "choice", "alarm"),
}
OUTSIDE = {PEOPLE: ("", "plain", "camera"), REKOGNITION: ("", "choice", "eye")}
SUFFIXES = r"(Bucket|Table|Queue|Topic|Function|Subscription)$|^.*Function(?=.)"
ICONS = {  # SVG paths in a square of 18 by 18 pixels
    "bucket": "M2 4.5C2 2 16 2 16 4.5C16 7 2 7 2 4.5L4 14.5C4.5 16.5 13.5 16.5 14 14.5L16 4.5",
    "table": "M2 3H16V15.500H2ZM2 7.200H16M2 11.400H16M7 7.200V15.500",
    "queue": "M2 5H5V13H2ZM7.500 5H10.500V13H7.500ZM13 5H16V13H13Z",
    "bell": "M3 13.500H15L13.500 11V7.500C13.500 1.500 4.500 1.500 4.500 7.500V11ZM7.500 15.500C8 16.700 10 16.700 10.500 15.500",
    "letter": "M2 4H16V14.500H2ZM2 4.500L9 10L16 4.500",
    "switch": "M2 9H6M6 9L12 4.500M6 9L12 13.500M12 4.500H16M12 13.500H16",
    "lambda": "M4 3H7L13.500 15.500H15.500M8.500 6.500L3.500 15.500",
    "alarm": "M9 2.500L16.500 15.500H1.500ZM9 7V11M9 13.300V13.400",
    "camera": "M2 5.500H5.500L7 3.500H11L12.500 5.500H16V14.500H2ZM12 10A3 3 0 1 1 6 10A3 3 0 1 1 12 10",
    "eye": "M1.500 9C5 3 13 3 16.500 9C13 15 5 15 1.500 9ZM11.500 9A2.500 2.500 0 1 1 6.500 9A2.500 2.500 0 1 1 11.500 9",
}


@dataclass(frozen=True)
class Area:
    """The position and size of a box."""

    x: float
    y: float
    width: float
    height: float

    def port(self, side: str, shift: float) -> Point:
        """The point on an edge (t, b, l, r), `shift` pixels right of or below its middle."""
        middle = self.x + self.width / 2 + shift, self.y + self.height / 2 + shift
        ends = {"t": self.y, "b": self.y + self.height, "l": self.x, "r": self.x + self.width}
        return (middle[0], ends[side]) if side in "tb" else (ends[side], middle[1])


def draw_system(template: Json, machine: Machine) -> str:
    """The picture as SVG. Raises DrawingError if the template lacks a resource or connection that it shows."""
    resources: dict[str, Json] = template["Resources"]
    confirm(resources, machine)
    words = {
        "alarms": str(len(of_type(resources, "AWS::CloudWatch::Alarm"))),
        "ends": _statuses(resources[RULE]),
        "tries": str(resources["IntakeQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]),
    }
    areas = _areas()
    body = [
        text(LEFT - 10, 38, "The path of one image: from the bucket to the alert.", "note"),
        rect(*FRAME, "inset", 12),
        text(LEFT + STEP, FRAME[1] + 22, _name(STATE_MACHINE), "name", aside="Step Functions workflow"),
        rect(*STRIP, "inset", 12),
        text(LEFT + 2 * STEP, STRIP[1] + 29, "When an execution or a message fails", "small"),
        *(rect(area.x, area.y, area.width, area.height, "inset", 12) for area in (areas[group] for group in GROUPS)),
        *(line(_points(link, areas), link.kind) for link in LINKS),
        *(_arrow_between(areas[before[0]], areas[after[0]]) for before, after in pairwise(TASKS)),
        *(part for column in TASKS for task in column for part in _task(task, areas[task], machine)),
        *(part for place in PLACES for part in _place(place, areas[place.id], resources, words)),
        *(_label(link, areas, words) for link in LINKS if link.label),
    ]
    shown = ", ".join(name for name in areas if name in resources)
    return document(WIDTH, HEIGHT, "The system", f"Resources on an image's path: {shown}.", body)


def _statuses(rule: Json) -> str:
    """The execution statuses that the rule matches, as text."""
    statuses = [status.replace("_", " ").lower() for status in rule["Properties"]["EventPattern"]["detail"]["status"]]
    return ", ".join(statuses)


def _areas() -> dict[str, Area]:
    """The areas of the table's places, the workflow's tasks, the groups and the workflow's frame."""
    areas = {place.id: Area(LEFT + STEP * place.column, ROWS[place.row], BOX, BOX_HEIGHT) for place in PLACES}
    for column, tasks in enumerate(TASKS):
        for row, task in enumerate(tasks):
            areas[task] = Area(LEFT + STEP * column, TASK_TOP + TASK_STEP * row, BOX, TASK_HEIGHT)
    for group, members in GROUPS.items():
        first, last = areas[members[0]], areas[members[-1]]
        areas[group] = Area(first.x - 9, first.y - 9, BOX + 18, last.y + BOX_HEIGHT - first.y + 18)
    return areas | {STATE_MACHINE: Area(*FRAME)}


def _points(link: Link, areas: dict[str, Area]) -> list[Point]:
    """The points of a link from edge to edge. A corner is added if the last two points aren't aligned."""
    start, end = areas[link.source].port(*link.leaves), areas[link.target].port(*link.arrives)
    points = [start]
    for axis, value in link.via:
        points.append((value, points[-1][1]) if axis == "x" else (points[-1][0], value))
    last = points[-1]
    if last[0] != end[0] and last[1] != end[1]:
        upright = link.via[-1][0] == "x" if link.via else link.leaves[0] in "tb"
        points.append((last[0], end[1]) if upright else (end[0], last[1]))
    return [*points, end]


def _label(link: Link, areas: dict[str, Area], words: dict[str, str]) -> str:
    x, bottom = _points(link, areas)[-1]
    return text(*(link.at or (x + 9, bottom - 14)), link.label.format(**words), "label", link.anchor)


def _arrow_between(before: Area, after: Area) -> str:
    return line([before.port("r", 0), after.port("l", 0)], "next")


def _task(name: str, area: Area, machine: Machine) -> list[str]:
    """A task of the workflow. Tasks that only an error leads to have a plain style."""
    path = main_path(machine)
    branches = [branch for step in path for branch in machine.states[step].branches]
    normal = set(path) | {inner for branch in branches for inner in branch.states}
    state = machine.states.get(name)
    css = ("task" if name in normal else "plain") + (" optional" if state and state.optional else "")
    label = text(area.x + area.width / 2, area.y + 21.5, name, "small", "middle")
    return [rect(area.x, area.y, area.width, area.height, css), label]


def _place(place: Place, area: Area, resources: dict[str, Json], words: dict[str, str]) -> list[str]:
    title, css, icon = OUTSIDE[place.id] if place.id in OUTSIDE else TITLES[resources[place.id]["Type"]]
    lines = wrap(place.name.format(**words) or _name(place.id), 12.5, area.width - 42)
    baseline = area.y + area.height / 2 + 4.5 - 7.5 * len(lines)
    mark = f'<path class="mark" transform="translate({area.x + 10:g} {area.y + area.height / 2 - 9:g})" d="{ICONS[icon]}"/>'
    return [
        rect(area.x, area.y, area.width, area.height, css),
        mark,
        *(text(area.x + 38, baseline + 15 * row, words_, "small") for row, words_ in enumerate(lines)),
        text(area.x + 38, baseline + 15 * len(lines), place.note or title, "note"),
    ]


def _name(logical_id: str) -> str:
    """A logical id as words, without the resource kind at its end: IntakeQueue -> Intake."""
    bare = re.sub(SUFFIXES, "", logical_id).removesuffix("StateMachine")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)
