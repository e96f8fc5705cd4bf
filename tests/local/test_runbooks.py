"""The runbooks of docs/operations.md, executed as they stand there against the local stack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from imagewatch.aws.items import to_item

from .conftest import ROOT, RunningStack
from .pipeline import Pipeline

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
RUNBOOKS = dict(re.findall(r"<!-- runbook: ([\w ]+) -->\n```bash\n(.*?)```", TEXT, re.DOTALL))
SAMPLE = ROOT / "samples" / "astronaut-portrait.jpg"


@pytest.fixture
def pipeline(stack: RunningStack) -> Iterator[Pipeline]:
    pipeline = Pipeline(stack)
    pipeline.clear()
    yield pipeline
    pipeline.clear()


def run(pipeline: Pipeline, *names: str, **variables: str) -> str:
    """Runs the setup and then the named runbooks in one shell; returns what they print."""
    script = "\n".join(
        ["set -euo pipefail", 'aws() { command aws --endpoint-url "$ENDPOINT" "$@"; }', *(RUNBOOKS[n] for n in ("setup", *names))]
    )
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ENDPOINT": pipeline.stack.endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        **variables,
    }
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_runbook_is_executed_by_a_test() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert RUNBOOKS
    for name in RUNBOOKS:
        assert f'"{name}"' in here, name


def test_tells_one_images_story(pipeline: Pipeline) -> None:
    key = pipeline.upload(SAMPLE.read_bytes())
    record = pipeline.ended(key)
    told = run(pipeline, "story", KEY=key)
    assert told.splitlines()[0].split("\t")[0] == "ANALYZED"
    assert "Validate Image" in told
    assert '"message":"Labels detected."' in told
    assert all(record["ImageId"] in line for line in told.splitlines() if line.startswith('{"level"'))


def test_a_failed_image_is_found_and_run_again_without_a_second_alert(pipeline: Pipeline) -> None:
    pipeline.watch("person")
    pipeline.fault(service="dynamodb", operation="Scan", error="AccessDeniedException", count=1)
    key = pipeline.upload(SAMPLE.read_bytes())
    failed = pipeline.ended(key)
    assert failed["Status"] == "FAILED"
    assert failed["ImageId"] in run(pipeline, "failed")

    for _ in range(2):
        execution = {"ExecutionArn": run(pipeline, "rerun", IMAGE_ID=failed["ImageId"]).strip()}
        pipeline.eventually(partial(has_succeeded, pipeline, execution), "it did not run again")
        record = pipeline.record(key)
        assert record is not None
        assert record["Status"] == "ANALYZED"
        assert len(pipeline.mail_about(key)) == 1


def has_succeeded(pipeline: Pipeline, record: dict[str, str]) -> bool:
    return bool(pipeline.execution(record)["status"] == "SUCCEEDED")


def test_an_execution_is_stopped(pipeline: Pipeline) -> None:
    pipeline.fault(service="rekognition", operation="DetectLabels", error="ThrottlingException", rate=1)
    key = pipeline.upload(SAMPLE.read_bytes())
    pipeline.eventually(lambda: pipeline.record(key) is not None, "no record")
    record = pipeline.record(key)
    assert record is not None
    pipeline.eventually(lambda: "Detect Labels" in pipeline.states(record), "not started")
    run(pipeline, "stop", EXECUTION=record["ExecutionArn"])
    assert pipeline.ended(key)["Reason"] == "The analysis was stopped by hand: stopped by hand."


def test_dead_letters_are_looked_at_and_sent_back(pipeline: Pipeline) -> None:
    sqs, marker = pipeline.stack.client("sqs"), uuid.uuid4().hex
    dead = pipeline.outputs["DeadLetterQueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody=f'{{"Event": "s3:TestEvent", "marker": "{marker}"}}')
    assert marker in run(pipeline, "look at dead letters")
    time.sleep(5.5)  # the look hides them for five seconds
    run(pipeline, "redrive")

    def left() -> int:
        answer = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
        return int(answer["ApproximateNumberOfMessages"]) + int(answer["ApproximateNumberOfMessagesNotVisible"])

    pipeline.eventually(lambda: left() == 0, "dead letters were not moved")


def test_the_backlog_is_shown(pipeline: Pipeline) -> None:
    assert "ApproximateNumberOfMessages" in run(pipeline, "backlog")


def test_unsent_alerts_and_the_subscriptions_are_shown(pipeline: Pipeline) -> None:
    pipeline.watch("person")
    pipeline.fault(service="sns", operation="Publish", error="AuthorizationError", count=1)
    key = pipeline.upload(SAMPLE.read_bytes())
    pipeline.ended(key)
    told = run(pipeline, "unsent alerts")
    assert key in told
    assert "FAILED" in told
    assert "operator@example.com" in told


def test_a_loud_rule_is_disabled(pipeline: Pipeline) -> None:
    pipeline.watch("person")
    run(pipeline, "disable rule", RULE_ID="watch-person")
    item = pipeline.stack.client("dynamodb").get_item(
        TableName=pipeline.outputs["WatchlistTableName"], Key=to_item({"RuleId": "watch-person"})
    )["Item"]
    assert item["Enabled"] == {"BOOL": False}
