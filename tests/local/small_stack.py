"""The emulator with the small template, for the emulator's own tests."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .running_stack import ROOT, RunningStack, started_module

TEMPLATE = ROOT / "tests" / "local" / "small" / "template.yaml"
STACK_NAME = "small"


class SmallStack:
    """The running emulator, the stack's outputs, and executions of its state machines."""

    def __init__(self, stack: RunningStack) -> None:
        self.client = stack.client
        self.endpoint = stack.endpoint
        described = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        self.outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in described["Outputs"]}
        self.states = stack.client("stepfunctions")

    def start(self, do: str, name: str = "", machine: str = "Machine") -> str:
        """Start an execution. Returns its ARN."""
        answer = self.states.start_execution(
            stateMachineArn=self.outputs[f"{machine}Arn"], name=name or uuid.uuid4().hex, input=json.dumps({"do": do})
        )
        return str(answer["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        """The execution's description, when it has ended."""
        eventually(lambda: self.described(execution)["status"] != "RUNNING", f"{execution} did not end")
        return self.described(execution)

    def described(self, execution: str) -> dict[str, Any]:
        return dict(self.states.describe_execution(executionArn=execution))

    def invoke(self, do: str) -> tuple[dict[str, Any], str | None]:
        """Invoke the function `act`. Returns its payload and the function error."""
        answer = self.client("lambda").invoke(FunctionName="act", Payload=json.dumps({"do": do}))
        return json.load(answer["Payload"]), answer.get("FunctionError")


def eventually(condition: Callable[[], Any], otherwise: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    arguments = ("--template", str(TEMPLATE), "--stack-name", STACK_NAME)
    with started_module("local.emulator", tmp_path_factory.mktemp("small"), *arguments) as stack:
        yield SmallStack(stack)
