"""`python -m local.sam_environment`: the files for `sam local invoke`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from local.sam_environment import aws_variables, endpoint_from_container, environments, with_declared_variables
from local.viewer.stack import Stack

from .pipeline import Pipeline
from .running_stack import ROOT, RunningStack, free_port

BUILT = """
Globals:
  Function:
    Environment:
      Variables:
        POWERTOOLS_SERVICE_NAME: imagewatch
Resources:
  SomeRole:
    Properties: {Version: '2012-10-17', Role: {Fn::GetAtt: [OtherRole, Arn]}, Switch: 'off'}
"""


def asked(*options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "local.sam_environment", *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_prints_each_functions_environment_by_its_logical_id(stack: RunningStack) -> None:
    done = asked("--endpoint-url", stack.endpoint, "--host", "172.17.0.1")

    assert done.returncode == 0, done.stderr
    printed, outputs = json.loads(done.stdout), Pipeline(stack).outputs
    events = {path.stem for path in (ROOT / "events").glob("*.json")}
    assert set(printed) == {"".join(word.capitalize() for word in event.split("_")) + "Function" for event in events}
    assert printed["StoreAnalysisFunction"]["IMAGES_TABLE"] == outputs["ImagesTableName"]
    assert printed["StartAnalysisFunction"]["STATE_MACHINE_ARN"] == outputs["StateMachineArn"]
    assert printed["DetectLabelsFunction"]["FLOOR_CONFIDENCE"] == "40"


def test_each_environment_is_the_one_that_the_stacks_own_worker_gets(stack: RunningStack) -> None:
    found = environments(Stack(stack.endpoint), "http://elsewhere:1")

    for function in stack.client("lambda").list_functions()["Functions"]:
        logical_id = function["FunctionName"].split("-")[1]
        assert found[logical_id] == {**function["Environment"]["Variables"], **aws_variables("http://elsewhere:1")}


def test_every_function_calls_this_machine_as_the_root_user(stack: RunningStack) -> None:
    port = stack.endpoint.rsplit(":", 1)[1]
    printed = json.loads(asked("--endpoint-url", stack.endpoint, "--host", "host.docker.internal").stdout)

    for variables in printed.values():
        assert variables["AWS_ENDPOINT_URL"] == f"http://host.docker.internal:{port}"
        assert variables["AWS_ACCESS_KEY_ID"] == "local"
        assert variables["AWS_REGION"] == "us-east-1"


@pytest.mark.parametrize("endpoint", ["http://localhost:4566", "http://127.0.0.1:4566"])
def test_this_machine_has_another_name_inside_a_container(endpoint: str) -> None:
    assert endpoint_from_container(endpoint, "172.17.0.1") == "http://172.17.0.1:4566"


def test_an_endpoint_that_a_container_can_reach_stays_as_it_is() -> None:
    assert endpoint_from_container("http://192.0.2.7:4566", "172.17.0.1") == "http://192.0.2.7:4566"


def test_a_stack_that_does_not_run_is_named() -> None:
    endpoint = f"http://localhost:{free_port()}"
    done = asked("--endpoint-url", endpoint)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"The local stack at {endpoint} doesn't answer")
    assert "Traceback" not in done.stderr


def test_declares_the_variables_that_sam_would_drop_and_changes_nothing_else() -> None:
    before, after = yaml.safe_load(BUILT), yaml.safe_load(with_declared_variables(BUILT))

    variables = after["Globals"]["Function"]["Environment"]["Variables"]
    assert set(variables) == {"POWERTOOLS_SERVICE_NAME", *aws_variables("")}
    assert after["Resources"] == before["Resources"]


def test_refuses_a_template_that_sam_did_not_build() -> None:
    done = asked("--template", "template.yaml")

    assert (done.returncode, done.stdout) == (1, "")
    assert "sam build" in done.stderr
