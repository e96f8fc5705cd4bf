"""The retry law on the real workflow with injected faults: transient errors are retried with growing delays, permanent errors
aren't, and the record has the reason. Each case is one image; all images are processed at the same time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from imagewatch.aws.dynamodb import from_item
from imagewatch.images.version import image_id
from tests.recorded_images import picture, record

from .pipeline import TERMINAL, Pipeline
from .retry_cases import ALWAYS, CASES, Case
from .running_stack import ROOT, started

NAMES = {case.name: case for case in CASES}
DEFINITION = (ROOT / "statemachine" / "analyze_image.asl.json").read_text()
# Maximum delays in the workflow: 1, 2, 4 seconds for faults; 2, 4, 8 ... for throttles. Full jitter takes any part of it.
THROTTLES = ("Throttled", "Lambda.TooManyRequestsException")
MAX_DELAYS = {error: [2, 4, 8, 16, 32, 60, 60, 60] for error in THROTTLES}
MAX_DELAYS_OF_OTHERS = [1, 2, 4]
LOADED_MACHINE_SECONDS = 5.0


@dataclass(frozen=True)
class Outcome:
    """The outcome of a case's image."""

    record: dict[str, Any]
    alerts: list[dict[str, Any]]
    mails: int
    tries: int
    hits: int
    delays: list[tuple[str, int, float]]
    """(error, number of the retry from 0, delay in seconds) of each retry in the execution."""


class Law:
    """Uploads an image for each case, waits until all have ended, and reads the outcomes."""

    def __init__(self, pipeline: Pipeline, recordings: Path) -> None:
        self.pipeline, self.recordings = pipeline, recordings

    def outcomes(self, cases: dict[str, Case]) -> dict[str, Outcome]:
        keys = {name: f"uploads/law/{number}.jpg" for number, name in enumerate(cases)}
        rules = {name: self.fault(case, keys[name]) for name, case in cases.items()}
        for number, (name, case) in enumerate(cases.items()):
            body = b"milk, eggs, bread" if case.text else picture(number)
            record(self.recordings, body, {"Person": 99.0})
            self.pipeline.stack.client("s3").put_object(Bucket=self.pipeline.bucket, Key=keys[name], Body=body)
            time.sleep(0.2)  # about the rate limit of the channel
        self.pipeline.eventually(lambda: self.all_ended(keys), "not all images ended", 300)
        hits = {rule["id"]: rule["hits"] for rule in self.faults()}
        return {name: self.outcome(case, keys[name], hits[rules[name]]) for name, case in cases.items()}

    def fault(self, case: Case, key: str) -> int:
        """Inject the case's faults. Returns the id of the main fault."""
        image = image_id(self.pipeline.bucket, key)
        for further in case.also:
            self.post({**further, "rate": 1, "match": [key]})
        # Requests to S3 and Rekognition contain the key, others the image's id.
        subject = key if case.service == "rekognition" or case.operation in ("GetObject", "HeadObject") else image
        if case.within:  # the alert's record contains the message's subject, which contains the file's name
            subject = f"/{key.rpartition('/')[2]}"
        fault: dict[str, Any] = {"service": case.service, "operation": case.operation, "error": case.error}
        fault["match"] = [subject, case.function, *([case.body] if case.body else [])]
        fault |= {"rate": 1} if case.failures == ALWAYS and not case.within else {"count": case.faulty_calls}
        return self.post(fault)

    def post(self, fault: dict[str, Any]) -> int:
        self.pipeline.fault(**fault)
        return int(self.faults()[-1]["id"])

    def faults(self) -> list[dict[str, Any]]:
        with urlopen(f"{self.pipeline.stack.endpoint}/_local/faults") as answer:
            return list(json.load(answer))

    def all_ended(self, keys: dict[str, str]) -> bool:
        records = {item["Key"]: item["Status"] for item in self.items("ImagesTable")}
        with urlopen(f"{self.pipeline.stack.endpoint}/_local/health") as answer:
            running = json.load(answer)["components"]["executions"]["running"]
        return running == 0 and all(records.get(key) in TERMINAL for key in keys.values())

    def items(self, table: str) -> list[dict[str, Any]]:
        pages = self.pipeline.stack.client("dynamodb").get_paginator("scan")
        found = pages.paginate(TableName=self.pipeline.outputs[f"{table}Name"])
        return [from_item(item) for page in found for item in page["Items"]]

    def outcome(self, case: Case, key: str, hits: int) -> Outcome:
        found = self.pipeline.record(key)
        assert found is not None
        pages = self.pipeline.stack.client("stepfunctions").get_paginator("get_execution_history")
        events = [event for page in pages.paginate(executionArn=found["ExecutionArn"]) for event in page["events"]]
        scheduled = [event for event in events if "lambdaFunctionScheduledEventDetails" in event]
        tries = sum(case.function in event["lambdaFunctionScheduledEventDetails"]["resource"] for event in scheduled)
        alerts = [alert for alert in self.items("AlertsTable") if alert["ImageId"] == found["ImageId"]]
        return Outcome(found, alerts, len(self.pipeline.mail_about(found["ImageId"])), tries, hits, list(delays(events)))


def delays(events: list[dict[str, Any]]) -> Iterator[tuple[str, int, float]]:
    """The delay of each retry, from the failure of an attempt to the next attempt."""
    by_id, numbers = {event["id"]: event for event in events}, dict[int, int]()
    for event in events:
        before = by_id.get(event["previousEventId"], {})
        if "lambdaFunctionScheduledEventDetails" in event and "lambdaFunctionFailedEventDetails" in before:
            number = numbers[event["id"]] = numbers.get(attempt_of(before, by_id), -1) + 1
            seconds = (event["timestamp"] - before["timestamp"]).total_seconds()
            yield before["lambdaFunctionFailedEventDetails"]["error"], number, seconds


def attempt_of(event: dict[str, Any], by_id: dict[int, dict[str, Any]]) -> int:
    """The id of the Scheduled event that started the attempt of this event."""
    while "lambdaFunctionScheduledEventDetails" not in event:
        event = by_id[event["previousEventId"]]
    return int(event["id"])


@pytest.fixture(scope="module")
def law(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Law]:
    recordings = tmp_path_factory.mktemp("recordings")
    options = ("--recorded", str(recordings), "--parameter", "MaxAlertsPerSecond=9", "--parameter", "TextDetection=on")
    with started(tmp_path_factory.mktemp("law"), *options) as stack:
        pipeline = Pipeline(stack)
        # A critical alert waits for a slot. Others would be queued for a digest.
        pipeline.watch("person", Severity="critical", BypassQuietHours=True)
        yield Law(pipeline, recordings)


@pytest.fixture(scope="module")
def outcomes(law: Law) -> dict[str, Outcome]:
    return law.outcomes(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_error_is_retried_as_specified_and_the_record_has_the_reason(name: str, outcomes: dict[str, Outcome]) -> None:
    case, outcome = NAMES[name], outcomes[name]
    assert (outcome.tries, outcome.hits) == (case.tries, case.faulty_calls)
    assert outcome.record["Status"] == case.status, outcome.record.get("Reason")
    record = outcome.record
    said = record.get("Reason") or record.get("Moderation", {}).get("Reason")
    said = said or record.get("TextUnavailable") or record.get("AlertFailure", "")
    assert case.reason in said
    assert said == "" or said.endswith((".", "…"))
    assert bool(said) is bool(case.reason)


@pytest.mark.parametrize("name", NAMES)
def test_each_error_leaves_the_alert_with_the_specified_status(name: str, outcomes: dict[str, Outcome]) -> None:
    case, outcome = NAMES[name], outcomes[name]
    assert [alert["Status"] for alert in outcome.alerts] == ([case.alert] if case.alert else [])
    assert outcome.mails == (1 if case.alert == "SENT" else 0)
    reasons = [alert["Deliveries"]["email"]["Reason"] for alert in outcome.alerts if alert["Status"] != "SENT"]
    assert all(case.alert_reason in reason for reason in reasons)


def test_retries_are_delayed_randomly_up_to_the_workflows_maximum(outcomes: dict[str, Outcome]) -> None:
    found = [pause for outcome in outcomes.values() for pause in outcome.delays]
    for error, number, seconds in found:
        longest = MAX_DELAYS.get(error, MAX_DELAYS_OF_OTHERS)[number]
        assert seconds <= longest + LOADED_MACHINE_SECONDS, (error, number, seconds)
    first = [seconds for error, number, seconds in found if number == 0]
    assert len(first) >= 40
    assert max(first) - min(first) > 0.5  # the retries are spread
    third = [seconds for error, number, seconds in found if number == 2]
    assert sum(third) / len(third) > sum(first) / len(first)


def test_the_maximum_delays_are_the_workflows() -> None:
    retries = [state["Retry"] for state in all_states(json.loads(DEFINITION)["States"]) if "Retry" in state]
    assert len(retries) >= 8
    for faults, throttles in retries:
        assert [capped(faults, number) for number in range(faults["MaxAttempts"])] == MAX_DELAYS_OF_OTHERS
        assert [capped(throttles, number) for number in range(throttles["MaxAttempts"])] == MAX_DELAYS["Throttled"]


def capped(retrier: dict[str, Any], number: int) -> float:
    return float(min(retrier["MaxDelaySeconds"], retrier["IntervalSeconds"] * retrier["BackoffRate"] ** number))


def all_states(states: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for state in states.values():
        yield state
        for branch in state.get("Branches", []):
            yield from all_states(branch["States"])


@pytest.mark.parametrize(("error", "transient"), [("ThrottlingException", True), ("AccessDeniedException", False)])
def test_reading_the_watchlist_is_retried_after_a_transient_error(law: Law, error: str, transient: bool) -> None:
    law.pipeline.fault(service="dynamodb", operation="Scan", error=error, match="EvaluateWatchlist", count=2 if transient else 1)
    body = picture(len(error) + 1000)
    record(law.recordings, body, {"Person": 99.0})
    ended = law.pipeline.ended(law.pipeline.upload(body))
    assert ended["Status"] == ("ANALYZED" if transient else "FAILED")
    assert transient or f"({error}) when calling the Scan operation" in ended["Reason"]


@pytest.mark.parametrize(
    ("service", "operation", "error"),
    [
        ("dynamodb", "UpdateItem", "ProvisionedThroughputExceededException"),
        ("dynamodb", "UpdateItem", "InternalServerError"),
        ("states", "StartExecution", "ThrottlingException"),
        ("states", "StartExecution", "AccessDeniedException"),  # SQS redelivers after any failure
    ],
)
def test_a_failure_at_the_intake_is_retried_through_the_queue(law: Law, service: str, operation: str, error: str) -> None:
    queue = {"QueueUrl": law.pipeline.outputs["IntakeQueueUrl"]}
    sqs = law.pipeline.stack.client("sqs")
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "1"})
    time.sleep(3)  # a running poll still uses the old visibility timeout
    key = f"uploads/intake/{operation}-{error}.jpg"
    law.pipeline.fault(
        service=service, operation=operation, error=error, count=2, match=["StartAnalysis", image_id(law.pipeline.bucket, key)]
    )
    body = picture(len(key) + 2000)
    record(law.recordings, body, {})
    law.pipeline.stack.client("s3").put_object(Bucket=law.pipeline.bucket, Key=key, Body=body)
    assert law.pipeline.ended(key)["Status"] == "ANALYZED"
    assert law.faults()[-1]["hits"] == 2
