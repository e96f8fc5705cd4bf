"""Whether the template says what the picture of the system shows; what it doesn't confirm can't be drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tools.drawing.system_table import GROUPS, LINKS, PEOPLE, PLACES, REKOGNITION, STATE_MACHINE, TASKS
from tools.drawing.workflow_graph import DrawingError, Json, Machine

DRAWN_TASKS = [task for column in TASKS for task in column]
BETWEEN = ("AWS::Lambda::EventSourceMapping", "AWS::SNS::Subscription", "AWS::Events::Rule")


def logical_id(name: str) -> str:
    """A task's function; every other name is a logical id already."""
    return f"{name.replace(' ', '')}Function" if name in DRAWN_TASKS else name


def confirm(resources: dict[str, Json], machine: Machine) -> None:
    """Raises DrawingError with everything that is drawn and that the template or the workflow no longer says."""
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
        raise DrawingError("system.svg (docs/drawing/system_table.py): " + "; ".join(wrong))


def _pairs(resources: dict[str, Json]) -> list[tuple[str, str]]:
    """Who must know whom: each arrow's ends, where an arrow to a task of the workflow means the workflow."""
    pairs = [
        (source, STATE_MACHINE if target in DRAWN_TASKS else target)
        for link in LINKS
        if link.source != PEOPLE
        for source in next((column for column in TASKS if link.source in column), (link.source,))
        for target in GROUPS.get(link.target, (link.target,))
    ]
    pairs += [(STATE_MACHINE, task) for task in DRAWN_TASKS]
    return pairs + [(alarm, "OperationsTopic") for alarm in of_type(resources, "AWS::CloudWatch::Alarm")]


def of_type(resources: dict[str, Json], kind: str) -> list[str]:
    return [name for name, resource in resources.items() if resource["Type"] == kind]


def mentions(value: Any) -> set[str]:
    """The logical ids that a part of a template refers to by Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(value, dict):
        found = {value["Ref"]} if isinstance(value.get("Ref"), str) else set()
        attribute, text = value.get("Fn::GetAtt"), value.get("Fn::Sub")
        if attribute:
            found.add(attribute[0] if isinstance(attribute, list) else attribute.split(".")[0])
        if isinstance(text, str):
            found |= set(re.findall(r"\$\{(\w+)", text))
        return found | _all(value.values())
    return _all(value) if isinstance(value, list) else set()


def _all(values: Iterable[Any]) -> set[str]:
    return {name for value in values for name in mentions(value)}


def _tasks(machine: Machine) -> list[str]:
    found = []
    for name, state in machine.states.items():
        found += [name] if state.type == "Task" else [task for branch in state.branches for task in _tasks(branch)]
    return found


def _connected(resources: dict[str, Json], source: str, target: str) -> bool:
    """One refers to the other (itself or in its role's policies), or a mapping, rule or subscription refers to both."""
    policies = _policies(resources, source)
    if target == REKOGNITION:
        return "'rekognition:" in str(policies)
    between = [mentions(body) for body in resources.values() if body["Type"] in BETWEEN]
    return (
        target in mentions(resources[source]) | mentions(policies)
        or source in mentions(resources[target])
        or any({source, target} <= both for both in between)
    )


def _policies(resources: dict[str, Json], name: str) -> Any:
    roles = mentions(resources[name].get("Properties", {}).get("Role"))
    return [resources[role]["Properties"].get("Policies", []) for role in sorted(roles) if role in resources]
