"""The runbooks of docs/operations.md, executed unchanged against the local stack."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from imagewatch.aws.dynamodb import from_item, to_item
from tests.integration.receiver import listening
from uploader.cli import main

from .pipeline import Pipeline
from .running_stack import ROOT, RunningStack, started

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
RUNBOOKS = dict(re.findall(r"<!-- runbook: ([\w ]+) -->\n```bash\n(.*?)```", TEXT, re.DOTALL))
SAMPLE = ROOT / "samples" / "astronaut-portrait.jpg"


def run(pipeline: Pipeline, *names: str, **variables: str) -> str:
    """Run the setup and the named runbooks in one shell. Returns their output."""
    here = [
        'aws() { command aws --endpoint-url "$ENDPOINT" "$@"; }',
        'imagewatch() { PYTHONPATH=functions python -m uploader "$@" --endpoint-url "$ENDPOINT"; }',
    ]
    script = "\n".join(["set -euo pipefail", *here, *(RUNBOOKS[name] for name in ("setup", *names))])
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ENDPOINT": pipeline.stack.endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        **variables,
    }
    done = subprocess.run(["bash", "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def own_pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    """A stack for a test that deletes its data."""
    with started(tmp_path) as stack:
        yield Pipeline(stack)


def test_images_without_moderation_are_listed_with_the_reason(pipeline: Pipeline) -> None:
    key = pipeline.upload(SAMPLE.read_bytes())
    record = pipeline.ended(key)
    lines = [line.split("\t") for line in run(pipeline, "unmoderated").splitlines()]
    assert [record["ImageId"], key, record["Moderation"]["Reason"]] in lines


def test_cleaning_up_deletes_all_data(own_pipeline: Pipeline) -> None:
    stack = own_pipeline.stack
    key = own_pipeline.upload(SAMPLE.read_bytes())
    own_pipeline.ended(key)
    stack.client("s3").delete_object(Bucket=own_pipeline.bucket, Key=key)  # a delete marker above an older version
    own_pipeline.eventually(lambda: own_pipeline.record(key) is None, "the record was not removed")
    stack.client("ssm").put_parameter(Name="/imagewatch/imagewatch/channels/home", Value="secret", Type="SecureString")
    run(own_pipeline, "delete the data")
    assert stack.client("s3").list_buckets()["Buckets"] == []
    assert len(stack.client("dynamodb").list_tables()["TableNames"]) == 1  # the rate limiter's, which `sam delete` removes
    assert stack.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"] == []
    assert stack.client("ssm").get_parameters_by_path(Path="/imagewatch", Recursive=True)["Parameters"] == []


def test_failed_requests_of_the_api_are_listed_with_the_reason(pipeline: Pipeline) -> None:
    access = operators_token(pipeline.stack)
    pipeline.fault(service="lambda", operation="Invoke", error="ServiceException", count=1, match="ApiMeFunction")
    with pytest.raises(HTTPError):
        urlopen(Request(f"{pipeline.outputs['ApiUrl']}/me", headers={"Authorization": access}))

    def shown() -> list[dict[str, str]]:
        return [json.loads(line) for line in run(pipeline, "api errors").splitlines() if line.startswith("{")]

    pipeline.eventually(shown, "the failed request is not in the access log", 120)
    (line,) = shown()
    assert (line["route"], line["status"]) == ("GET /me", "500")
    assert len(line["integrationError"]) > 1


def operators_token(stack: RunningStack) -> str:
    command = [sys.executable, "-m", "local.sign_in", "--endpoint", stack.endpoint, "--state", str(stack.state), "--token"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_every_runbook_is_executed_by_a_test() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert RUNBOOKS
    for name in RUNBOOKS:
        assert f'"{name}"' in here, name


def test_images_that_wait_to_be_counted_are_counted(pipeline: Pipeline) -> None:
    pipeline.ended(pipeline.upload(SAMPLE.read_bytes()))
    assert int(run(pipeline, "marks")) >= 0
    pipeline.eventually(lambda: int(run(pipeline, "marks")) == 0, "Index Changes has left marks", 180)


def test_the_history_of_one_image_is_shown(pipeline: Pipeline) -> None:
    key = pipeline.upload(SAMPLE.read_bytes())
    record = pipeline.ended(key)
    shown = run(pipeline, "story", KEY=key)
    assert shown.splitlines()[0].split("\t")[0] == "ANALYZED"
    assert "Validate Image" in shown
    assert '"message":"Labels detected."' in shown
    assert all(record["ImageId"] in line for line in shown.splitlines() if line.startswith('{"level"'))


def test_a_failed_image_is_found_and_redriven_without_a_second_alert(pipeline: Pipeline) -> None:
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
    assert pipeline.ended(key)["Reason"] == "The analysis was stopped manually: stopped by hand."


def test_images_whose_analysis_has_not_ended_are_shown(pipeline: Pipeline) -> None:
    pipeline.fault(service="rekognition", operation="DetectLabels", error="ThrottlingException", rate=1)
    key = pipeline.upload(SAMPLE.read_bytes())
    pipeline.eventually(lambda: pipeline.record(key) is not None, "no record")
    record = pipeline.record(key)
    assert record is not None
    assert record["ImageId"] in run(pipeline, "analyzing")
    pipeline.eventually(lambda: "Detect Labels" in pipeline.states(record), "not started")
    run(pipeline, "stop", EXECUTION=record["ExecutionArn"])
    pipeline.ended(key)
    assert record["ImageId"] not in run(pipeline, "analyzing")


def test_dead_letters_are_shown_and_redriven(pipeline: Pipeline) -> None:
    sqs, marker = pipeline.stack.client("sqs"), uuid.uuid4().hex
    dead = pipeline.outputs["DeadLetterQueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody=f'{{"Event": "s3:TestEvent", "marker": "{marker}"}}')
    assert marker in run(pipeline, "look at dead letters")
    time.sleep(5.5)  # reading the messages hides them for five seconds
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
    shown = run(pipeline, "unsent alerts")
    assert key in shown
    assert "FAILED" in shown
    assert "operator@example.com" in shown


def keep_busy(pipeline: Pipeline, channel: str, seconds: float) -> None:
    """The time of the channel's next slot."""
    pipeline.stack.client("dynamodb").update_item(
        TableName=pipeline.outputs["ChannelsTableName"],
        Key=to_item({"ChannelId": channel}),
        UpdateExpression="SET NextSlot = :then",
        ExpressionAttributeValues=to_item({":then": round((time.time() + seconds) * 1_000_000)}),
    )


def test_alerts_that_wait_for_a_digest_are_shown_with_what_failed_and_sent_now(pipeline: Pipeline) -> None:
    pipeline.watch("person")
    keep_busy(pipeline, "email", 60)
    key = pipeline.upload(SAMPLE.read_bytes())
    pipeline.ended(key)
    keep_busy(pipeline, "email", 0)
    (alert,) = [one for one in alerts_of(pipeline) if one["Key"]["S"] == key]
    assert alert["Status"]["S"] == "QUEUED"
    assert alert["AlertId"]["S"] in run(pipeline, "waiting alerts")

    pipeline.fault(service="sns", operation="Publish", error="InternalError", rate=1)
    assert '"Delayed": 1' in run(pipeline, "send the digest now")
    assert "PENDING\tNot sent yet" in run(pipeline, "waiting alerts")
    with urlopen(Request(f"{pipeline.stack.endpoint}/_local/faults", method="DELETE")):
        assert '"Digests": 1' in run(pipeline, "send the digest now")
    assert run(pipeline, "waiting alerts") == ""
    assert [mail["subject"] for mail in pipeline.mail_about(key)] == ["1 match of Looking for person"]


def alerts_of(pipeline: Pipeline) -> list[dict[str, Any]]:
    items = pipeline.stack.client("dynamodb").scan(TableName=pipeline.outputs["AlertsTableName"])["Items"]
    return [item for item in items if "RuleId" in item]


def test_the_cooldowns_are_shown_with_their_suppressed_counts(pipeline: Pipeline) -> None:
    quiet = {"RuleId": "quiet", "Name": "Quiet", "Enabled": True, "Cooldown": {"Seconds": 3600}}
    quiet["AnyOf"] = [{"Term": "person", "MinConfidence": 50}]
    pipeline.stack.client("dynamodb").put_item(TableName=pipeline.outputs["WatchlistTableName"], Item=to_item(quiet))
    for _ in range(2):
        pipeline.ended(pipeline.upload(SAMPLE.read_bytes()))
    (line,) = [line.split("\t") for line in run(pipeline, "cooldowns").splitlines() if line.startswith("quiet")]
    assert (line[1], line[3]) == ("3600", "1")


def test_a_failed_channel_is_found_repaired_enabled_and_its_alerts_are_sent(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as receiver:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{receiver.url('/slack')}\n"))
        assert main(["channels", "add", "ops", "--kind", "slack", "--endpoint-url", pipeline.stack.endpoint]) == 0
        rule = {"RuleId": "ops-only", "Name": "Ops only", "Enabled": True, "Channels": ["ops"]}
        rule["AnyOf"] = [{"Term": "person", "MinConfidence": 50}]
        pipeline.stack.client("dynamodb").put_item(TableName=pipeline.outputs["WatchlistTableName"], Item=to_item(rule))
        receiver.answer(410, b"channel_is_archived")
        assert "ops\tslack\tdisabled" in run(pipeline, "check the channels")
        key = pipeline.upload(SAMPLE.read_bytes())
        record = pipeline.ended(key)
        missed = run(pipeline, "missed alerts", CHANNEL="ops")
        # The alert was sent by e-mail instead, so nothing is missing; the list shows which channel it missed.
        assert [line.split("\t")[1:] for line in missed.splitlines()] == [["Ops only", key, record["ImageId"], "SENT"]]
        assert pipeline.mail_about(key)

        receiver.answer(200, b"ok")
        assert "sent    ops: ok" in run(pipeline, "enable the channel", CHANNEL="ops")
        execution = {"ExecutionArn": run(pipeline, "rerun", IMAGE_ID=record["ImageId"]).strip()}
        pipeline.eventually(partial(has_succeeded, pipeline, execution), "it did not run again")
        later = pipeline.upload(SAMPLE.read_bytes(), "later.jpg")
        pipeline.ended(later)
        pipeline.eventually(lambda: later in receiver.received[-1].body.decode(), "the channel got no alert")
        pipeline.clear()
        assert main(["channels", "remove", "ops", "--endpoint-url", pipeline.stack.endpoint]) == 0


def test_a_loud_rule_is_quietened_looked_at_and_disabled(pipeline: Pipeline) -> None:
    def rule() -> dict[str, Any]:
        key = to_item({"RuleId": "watch-person"})
        item = pipeline.stack.client("dynamodb").get_item(TableName=pipeline.outputs["WatchlistTableName"], Key=key)["Item"]
        return from_item(item)

    pipeline.watch("person")
    assert "would have matched" in run(pipeline, "quieten a rule", RULE_ID="watch-person")
    assert datetime.fromisoformat(rule()["SnoozedUntil"]) > datetime.now(UTC) + timedelta(hours=7)
    run(pipeline, "disable rule", RULE_ID="watch-person")
    assert rule()["Enabled"] is False
