"""Checks that the template and the workflow contain everything that the system picture shows."""

from __future__ import annotations

from typing import Any

from tools.drawing.system_table import GROUPS, LINKS, PEOPLE, PLACES, REKOGNITION, STATE_MACHINE, TASKS
from tools.drawing.workflow_graph import DrawingError, Json, Machine
from tools.sam_template import references

DRAWN_TASKS = [task for column in TASKS for task in column]
BETWEEN = ("AWS::Lambda::EventSourceMapping", "AWS::SNS::Subscription", "AWS::Events::Rule")


def logical_id(name: str) -> str:
    """The logical id of a task's function. Other names are logical ids."""
    return f"{name.replace(' ', '')}Function" if name in DRAWN_TASKS else name


def confirm(resources: dict[str, Json], machine: Machine) -> None:
    """Raise DrawingError that lists everything drawn which the template or the workflow doesn't contain."""
    drawn = {place.id for place in PLACES} - {PEOPLE, REKOGNITION} | {logical_id(task) for task in DRAWN_TASKS} | {STATE_MACHINE}
    wrong = [f"{name} is drawn, but isn't in the template" for name in sorted(drawn - resources.keys())]
    if not wrong:
        wrong = [
            f"{source} and {target} are drawn as connected, but the template doesn't connect them"
            for source, target in _pairs(resources)
            if not _connected(resources, logical_id(source), logical_id(target))
        ]
    tasks = _tasks(machine)
    wrong += [f"the workflow's task \"{name}\" isn't drawn" for name in tasks if name not in DRAWN_TASKS]
    wrong += [f'"{name}" is drawn, but isn\'t a task of the workflow' for name in DRAWN_TASKS if name not in tasks]
    if wrong:
        raise DrawingError("system.svg (tools/drawing/system_table.py): " + "; ".join(wrong))


def _pairs(resources: dict[str, Json]) -> list[tuple[str, str]]:
    """The resources that must be connected: the ends of each arrow. An arrow to a task stands for the state machine."""
    pairs = [
        (source, STATE_MACHINE if target in DRAWN_TASKS else target)
        for link in LINKS
        if link.source != PEOPLE
        for source in next((column for column in TASKS if link.source in column), (link.source,))
        for target in GROUPS.get(link.target, (link.target,))
        if (source, target) != link.without
    ]
    pairs += [(STATE_MACHINE, task) for task in DRAWN_TASKS]
    return pairs + [(alarm, "OperationsTopic") for alarm in of_type(resources, "AWS::CloudWatch::Alarm")]


def of_type(resources: dict[str, Json], kind: str) -> list[str]:
    return [name for name, resource in resources.items() if resource["Type"] == kind]


def _references(value: Any) -> set[str]:
    return set(references(value))


def _tasks(machine: Machine) -> list[str]:
    found = []
    for name, state in machine.states.items():
        found += [name] if state.type == "Task" else [task for branch in state.branches for task in _tasks(branch)]
    return found


def _connected(resources: dict[str, Json], source: str, target: str) -> bool:
    """Whether one refers to the other, directly or in its role's policies, or a mapping, rule or subscription to both."""
    policies = _policies(resources, source)
    if target == REKOGNITION:
        return "'rekognition:" in str(policies)
    between = [_references(body) for body in resources.values() if body["Type"] in BETWEEN]
    return (
        target in _references(resources[source]) | _references(policies)
        or source in _references(resources[target])
        or any({source, target} <= both for both in between)
    )


def _policies(resources: dict[str, Json], name: str) -> Any:
    roles = _references(resources[name].get("Properties", {}).get("Role"))
    return [resources[role]["Properties"].get("Policies", []) for role in sorted(roles) if role in resources]
