"""The real AWS CLI against the running stack: `aws --endpoint-url http://localhost:4566 ...`."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagewatch.aws.dynamodb import from_item
from imagewatch.images.version import image_id
from tests.index_rows import stored_rows

from .pipeline import Pipeline
from .running_stack import ROOT, RunningStack

CLI = Path(sys.executable).parent / "aws"
KEY = "uploads/gate/portrait.jpg"


class Aws:
    """The AWS CLI without a configuration. In a command, @NAME stands for one of `names`."""

    def __init__(self, pipeline: Pipeline, home: Path) -> None:
        self.pipeline = pipeline
        self.home = home
        self.names = {**pipeline.outputs, "KEY": KEY, "ImageId": image_id(pipeline.bucket, KEY), "TMP": str(home)}
        self._environment = {
            "PATH": os.defpath,
            "HOME": str(home),
            "AWS_CONFIG_FILE": str(home / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
        }

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        words = [re.sub(r"@(\w+)", lambda name: self.names[name[1]], word) for word in shlex.split(command)]
        full = [str(CLI), "--endpoint-url", self.pipeline.stack.endpoint, *words]
        return subprocess.run(full, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=60, check=False)

    def __call__(self, command: str) -> Any:
        """The output, parsed if it is JSON."""
        done = self.run(command)
        assert done.returncode == 0, f"aws {command}: {done.stderr}"
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout


@pytest.fixture(scope="module")
def aws(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The CLI after it has uploaded a portrait that was analyzed and caused an alert."""
    pipeline = Pipeline(stack)
    pipeline.clear()
    pipeline.watch("person")
    aws = Aws(pipeline, tmp_path_factory.mktemp("home"))
    assert "upload: samples/astronaut-portrait.jpg" in aws("s3 cp samples/astronaut-portrait.jpg s3://@ImagesBucketName/@KEY")
    aws.names["Execution"] = pipeline.ended(KEY)["ExecutionArn"]
    yield aws
    pipeline.clear()


def with_bytes(item: dict[str, Any]) -> dict[str, Any]:
    """An item of the AWS CLI's JSON, which has binary values in base64, as boto3 returns it."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in item.items()}


def names(resources: list[dict[str, Any]]) -> set[str]:
    return {resource["LogicalResourceId"] for resource in resources}


Judge = Callable[[Any, dict[str, str]], bool]
QUESTIONS: list[tuple[str, Judge]] = [
    ("sts get-caller-identity", lambda got, at: got["Account"] == "123456789012"),
    ("s3 ls", lambda got, at: {at["ImagesBucketName"], at["RenditionsBucketName"]} <= set(got.split())),
    ("s3 ls s3://@ImagesBucketName/uploads/gate/", lambda got, at: got.split()[-2:] == ["58085", "portrait.jpg"]),
    ("s3 cp s3://@ImagesBucketName/@KEY @TMP/back.jpg", lambda got, at: Path(at["TMP"], "back.jpg").stat().st_size == 58085),
    (
        "sqs get-queue-attributes --queue-url @IntakeQueueUrl --attribute-names All",
        lambda got, at: (
            json.loads(got["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == 20
            and got["Attributes"]["VisibilityTimeout"] == "360"
            and got["Attributes"]["ApproximateNumberOfMessages"].isdigit()
        ),
    ),
    (
        "stepfunctions list-executions --state-machine-arn @StateMachineArn --status-filter SUCCEEDED",
        lambda got, at: at["Execution"] in [execution["executionArn"] for execution in got["executions"]],
    ),
    (
        "dynamodb scan --table-name @ImagesTableName",
        lambda got, at: at["ImageId"] in [from_item(item)["ImageId"] for item in got["Items"]],
    ),
    (
        "dynamodb query --table-name @ImagesTableName --index-name BySource --key-condition-expression '#s = :gate'"
        """ --expression-attribute-names '{"#s": "Source"}' --expression-attribute-values '{":gate": {"S": "gate"}}'""",
        lambda got, at: at["ImageId"] in [item["ImageId"]["S"] for item in got["Items"]],
    ),
    (
        "dynamodb query --table-name @SearchIndexTableName --key-condition-expression 'Posting = :posting'"
        """ --expression-attribute-values '{":posting": {"S": "operators|time|label:person"}}' --no-scan-index-forward""",
        lambda got, at: at["ImageId"] in [row.image_id for row in stored_rows(map(from_item, map(with_bytes, got["Items"])))],
    ),
    (
        "cloudformation describe-stacks --stack-name imagewatch --query Stacks[0]",
        lambda got, at: (
            {output["OutputKey"] for output in got["Outputs"]} >= {"ImagesBucketName", "StateMachineArn", "AlertsTopicArn"}
            and got["StackStatus"] == "CREATE_COMPLETE"
            and {"AlertEmail", "WebUrl"} <= {parameter["ParameterKey"] for parameter in got["Parameters"]}
        ),
    ),
    (
        "cloudformation describe-stack-resources --stack-name imagewatch",
        lambda got, at: {"ImagesBucket", "AnalyzeImageStateMachine"} <= names(got["StackResources"]),
    ),
    (
        "cloudformation list-stack-resources --stack-name imagewatch",
        lambda got, at: {"DetectLabelsFunction", "DetectLabelsRole"} <= names(got["StackResourceSummaries"]),
    ),
    (
        "cloudformation get-template --stack-name imagewatch",
        lambda got, at: got["TemplateBody"] == (ROOT / "template.yaml").read_text(encoding="utf-8"),
    ),
    (
        """rekognition detect-labels --image '{"S3Object": {"Bucket": "@ImagesBucketName", "Name": "@KEY"}}'""",
        lambda got, at: "Person" in [label["Name"] for label in got["Labels"]],
    ),
    (
        "rekognition detect-labels --image-bytes fileb://samples/cat-phone-held-sideways.jpg --max-labels 1",
        lambda got, at: [label["Name"] for label in got["Labels"]] == ["Cat"],
    ),
    (
        "lambda list-functions --query Functions[].FunctionName",
        lambda got, at: (
            any("DetectLabelsFunction" in name for name in got) and len(got) == len(list((ROOT / "events").glob("*.json")))
        ),
    ),
    ("sns list-subscriptions", lambda got, at: got["Subscriptions"][0]["Endpoint"] == "operator@example.com"),
    (
        "events list-rules",
        lambda got, at: (
            [at["StateMachineArn"] in rule["EventPattern"] for rule in got["Rules"] if "EventPattern" in rule] == [True]
        ),
    ),
    (
        "logs describe-log-groups",
        lambda got, at: "/imagewatch/imagewatch/functions" in [group["logGroupName"] for group in got["logGroups"]],
    ),
]


@pytest.mark.parametrize(("command", "judge"), [pytest.param(*question, id=question[0][:60]) for question in QUESTIONS])
def test_answers_the_cli_as_aws_would(aws: Aws, command: str, judge: Judge) -> None:
    answer = aws(command)

    assert judge(answer, aws.names), answer


def test_an_executions_history_names_every_state_with_its_input(aws: Aws) -> None:
    """The CLI requests all pages."""
    events = aws("stepfunctions get-execution-history --execution-arn @Execution --page-size 7")["events"]

    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("ExecutionStarted", "ExecutionSucceeded")
    inputs = {
        event["stateEnteredEventDetails"]["name"]: json.loads(event["stateEnteredEventDetails"]["input"])
        for event in events
        if "stateEnteredEventDetails" in event
    }
    assert list(inputs)[:2] == ["Validate Image", "Analyze Image"]
    assert {"Detect Labels", "Detect Moderation", "Store Analysis", "Evaluate Watchlist", "Send Alert"} <= inputs.keys()
    assert inputs["Validate Image"]["image"]["Key"] == KEY


def test_a_history_without_data_still_names_the_states(aws: Aws) -> None:
    events = aws("stepfunctions get-execution-history --execution-arn @Execution --no-include-execution-data")["events"]

    entered = [event["stateEnteredEventDetails"] for event in events if "stateEnteredEventDetails" in event]
    assert entered[0] == {"name": "Validate Image"}
    assert KEY not in json.dumps(events)


def test_one_images_log_is_found_by_its_id_in_order(aws: Aws) -> None:
    pattern = '{ $.image_id = "@ImageId" && $.message = * }'
    events = aws(f"logs filter-log-events --log-group-name /imagewatch/imagewatch/functions --filter-pattern '{pattern}'")[
        "events"
    ]

    lines = [json.loads(event["message"]) for event in events]
    messages = [line["message"] for line in lines]
    assert messages.index("Image is valid.") < messages.index("Watchlist evaluated.")
    assert "Execution started." in messages  # logged by Start Analysis
    assert {line["image_id"] for line in lines} == {aws.names["ImageId"]}
    assert {line["execution_id"] for line in lines} == {aws.names["Execution"]}
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)


def test_a_function_is_invoked_with_its_sample_event(aws: Aws) -> None:
    function = aws.pipeline.function("DetectModeration")
    aws.pipeline.stack.client("s3").copy_object(
        Bucket=aws.pipeline.bucket,
        Key="uploads/samples/astronaut-portrait.jpg",  # the sample event is about this key
        CopySource={"Bucket": aws.pipeline.bucket, "Key": KEY},
    )

    answer = aws(f"lambda invoke --function-name {function} --payload fileb://events/detect_moderation.json @TMP/out.json")

    assert answer == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads(Path(aws.names["TMP"], "out.json").read_text())["Status"] == "NOT_CHECKED"


def test_a_handler_that_fails_shows_its_error_to_the_caller(aws: Aws) -> None:
    answer = aws(f"lambda invoke --function-name {aws.pipeline.function('DetectText')} --payload '{{}}' @TMP/out.json")

    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(Path(aws.names["TMP"], "out.json").read_text())["errorType"] == "KeyError"


def test_an_execution_is_started_and_stopped_by_hand(aws: Aws) -> None:
    record = aws.pipeline.record(KEY)
    assert record is not None
    described = aws.pipeline.execution(record)
    Path(aws.names["TMP"], "input.json").write_text(described["input"])
    aws.pipeline.fault(
        service="rekognition", operation="DetectLabels", error="ThrottlingException", rate=1
    )  # it waits for retries
    try:
        arn = aws(
            "stepfunctions start-execution --state-machine-arn @StateMachineArn --name by-hand --input file://@TMP/input.json"
        )["executionArn"]
        running = aws("stepfunctions list-executions --state-machine-arn @StateMachineArn --status-filter RUNNING")
        aws(f"stepfunctions stop-execution --execution-arn {arn} --error Stopped --cause 'by hand'")
        stopped = aws(f"stepfunctions describe-execution --execution-arn {arn}")
    finally:
        aws.pipeline.clear()

    assert arn == aws.names["StateMachineArn"].replace(":stateMachine:", ":execution:") + ":by-hand"
    assert arn in [execution["executionArn"] for execution in running["executions"]]
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Stopped", "by hand")


def test_the_record_of_a_removed_image_is_deleted(aws: Aws) -> None:
    key = "uploads/gate/soon-gone.jpg"
    aws(f"s3 cp samples/astronaut-portrait.jpg s3://@ImagesBucketName/{key}")
    aws.pipeline.ended(key)

    assert "delete: s3://" in aws(f"s3 rm s3://@ImagesBucketName/{key}")

    aws.pipeline.eventually(lambda: aws.pipeline.record(key) is None, f"{key} still has a record")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("cloudformation describe-stacks --stack-name other", "(ValidationError)"),
        ("stepfunctions start-execution --state-machine-arn @StateMachineArn --input {", "(InvalidExecutionInput)"),
        (
            "logs filter-log-events --log-group-name /imagewatch/imagewatch/functions --filter-pattern '[ip, user]'",
            "(InvalidParameterException)",
        ),
        (
            """rekognition detect-labels --image '{"S3Object": {"Bucket": "nowhere", "Name": "y"}}'""",
            "(InvalidS3ObjectException)",
        ),
    ],
)
def test_an_error_has_the_message_of_aws(aws: Aws, command: str, message: str) -> None:
    done = aws.run(command)

    assert done.returncode != 0
    assert message in done.stderr
