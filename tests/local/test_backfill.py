"""A rule applied to stored images on the real workflow: pages, failures, a redrive, and no calls of Rekognition."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from imagewatch.aws.dynamodb import to_item

from .pipeline import Pipeline
from .running_stack import ROOT, RunningStack, started

PORTRAIT = (ROOT / "samples" / "astronaut-portrait.jpg").read_bytes()
IMAGES = 5
NO_ALERTS = {"Sent": 0, "SentBefore": 0, "Suppressed": 0, "Queued": 0, "Failed": 0, "Muted": 0}
Event = dict[str, Any]


class History(Pipeline):
    """Images that were analyzed before the rule existed, and backfills of the rule."""

    def __init__(self, stack: RunningStack) -> None:
        super().__init__(stack)
        self.states_client = stack.client("stepfunctions")
        self.keys = [self.upload(PORTRAIT, f"past-{n}.jpg") for n in range(IMAGES)]
        self.ids = sorted(self.ended(key)["ImageId"] for key in self.keys)  # the local table's order
        self.rule_id = ""

    def begin(self) -> None:
        """Remove the faults, and choose a new rule."""
        self.clear()
        self.rule_id = f"rule-{uuid.uuid4().hex[:8]}"
        self.write_rule()

    def write_rule(self, **more: Any) -> None:
        rule = {
            "RuleId": self.rule_id,
            "Name": f"Rule {self.rule_id}",
            "AnyOf": [{"Term": "person", "MinConfidence": 50}],
            **more,
        }
        self.stack.client("dynamodb").put_item(TableName=self.outputs["WatchlistTableName"], Item=to_item(rule))

    def start(self, **run: Any) -> str:
        answer = self.states_client.start_execution(
            stateMachineArn=self.outputs["ApplyRuleStateMachineArn"],
            name=uuid.uuid4().hex,
            input=json.dumps({"run": {"RuleId": self.rule_id, **run}}),
        )
        return str(answer["executionArn"])

    def over(self, arn: str) -> Event:
        """The execution, when it has ended."""
        self.eventually(lambda: self.described(arn)["status"] != "RUNNING", f"{arn} did not end")
        return self.described(arn)

    def described(self, arn: str) -> Event:
        return dict(self.states_client.describe_execution(executionArn=arn))

    def applied(self, **run: Any) -> Event:
        """The progress at the end of a run that succeeds."""
        return progress_of(self.over(self.start(**run)))

    def matched(self) -> int:
        """How many records show the rule."""
        records = [self.record(key) or {} for key in self.keys]
        return sum(self.rule_id in {rule["RuleId"] for rule in record["MatchedRules"]} for record in records)

    def mails(self) -> list[int]:
        """The number of the rule's messages about each image."""
        return [len([mail for mail in self.mail_about(key) if self.rule_id in mail["body"]]) for key in self.keys]

    def refuse(self, image_id: str, error: str, **more: Any) -> None:
        """Make DynamoDB refuse writes to this image's record."""
        where = [self.outputs["ImagesTableName"], image_id]
        self.fault(service="dynamodb", operation="UpdateItem", error=error, match=where, **more)

    def history(self, arn: str) -> list[Event]:
        pages = self.states_client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]


def progress_of(execution: Event) -> Event:
    assert execution["status"] == "SUCCEEDED", execution
    progress: Event = json.loads(execution["output"])["progress"]
    assert (progress["Done"], progress["Cursor"]) == (True, None)
    return progress


def counts(progress: Event) -> tuple[int, ...]:
    return tuple(progress[name] for name in ("Examined", "Matched", "Recorded", "Cleared", "Skipped"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with started(tmp_path_factory.mktemp("state")) as stack:
        yield History(stack)


@pytest.fixture
def past(images: History) -> History:
    images.begin()
    return images


def test_a_backfill_records_matches_without_alerts_and_without_calls_of_rekognition(past: History) -> None:
    past.fault(service="rekognition", operation="*", error="AccessDeniedException", rate=1)
    assert past.matched() == 0
    progress = past.applied()

    assert counts(progress) == (IMAGES, IMAGES, IMAGES, 0, 0)
    assert (progress["Alerts"], past.mails()) == (NO_ALERTS, [0] * IMAGES)
    assert past.matched() == IMAGES
    with urlopen(f"{past.stack.endpoint}/_local/faults") as answer:
        assert [fault["hits"] for fault in json.load(answer)] == [0]


def test_a_repeated_backfill_changes_nothing(past: History) -> None:
    past.applied()
    assert counts(past.applied(Alert=True)) == (IMAGES, IMAGES, 0, 0, 0)
    assert past.applied(Alert=True)["Alerts"] == {**NO_ALERTS, "SentBefore": IMAGES}
    assert past.mails() == [1] * IMAGES


def test_a_failure_in_the_middle_is_resumed_without_loss_and_without_a_second_alert(past: History) -> None:
    past.refuse(past.ids[1], "ThrottlingException", count=2)  # both attempts: the first page ends before this image
    past.refuse(past.ids[3], "AccessDeniedException", rate=1)  # the second page fails here and isn't retried
    arn = past.start(Alert=True)
    failed = past.over(arn)
    assert (failed["status"], failed["error"], failed["redriveStatus"]) == ("FAILED", "ClientError", "REDRIVABLE")
    assert sorted(past.mails()) == [0, 0, 1, 1, 1]
    entered = [event["stateEnteredEventDetails"] for event in past.history(arn) if "stateEnteredEventDetails" in event]
    assert [state["name"] for state in entered[3:]] == ["Evaluate Page", "More Pages?", "Evaluate Page"]
    assert json.loads(entered[-1]["input"])["progress"]["Cursor"] == {"ImageId": past.ids[0]}

    past.clear()  # this deletes the rule too: the run continues with the rule that it has read
    past.states_client.redrive_execution(executionArn=arn)
    progress = progress_of(past.over(arn))

    assert past.mails() == [1] * IMAGES
    assert past.matched() == IMAGES
    assert (progress["Examined"], progress["Pages"]) == (IMAGES, 2)
    assert progress["Alerts"] == {**NO_ALERTS, "Sent": 3, "SentBefore": 2}
    assert past.described(arn)["redriveCount"] == 1


def test_a_throttled_page_is_retried(past: History) -> None:
    past.refuse(past.ids[2], "ThrottlingException", count=6)
    arn = past.start()
    assert counts(progress_of(past.over(arn))) == (IMAGES, IMAGES, IMAGES, 0, 0)
    failures = [e["lambdaFunctionFailedEventDetails"] for e in past.history(arn) if "lambdaFunctionFailedEventDetails" in e]
    assert [failure["error"] for failure in failures] == ["Throttled", "Throttled"]


def test_a_page_whose_function_crashes_is_retried(past: History) -> None:
    function = past.function("EvaluatePage")
    past.fault(service="lambda", operation="Invoke", error="Crash", count=1, after_calls=4, match=function)
    progress = past.applied()
    assert (progress["Examined"], past.matched()) == (IMAGES, IMAGES)


def test_a_page_ends_after_its_time_limit_and_the_next_page_continues(past: History) -> None:
    for image_id in past.ids[:3]:
        past.fault(service="dynamodb", operation="UpdateItem", error="Timeout", delay_seconds=7, count=1, match=[image_id])
    arn = past.start()
    progress = progress_of(past.over(arn))
    assert (progress["Examined"], past.matched()) == (IMAGES, IMAGES)
    left = [event["stateExitedEventDetails"] for event in past.history(arn) if "stateExitedEventDetails" in event]
    pages = [json.loads(state["output"])["progress"] for state in left if state["name"] == "Evaluate Page"]
    examined = [page["Examined"] for page in pages]
    assert 0 < examined[0] < IMAGES
    assert examined == sorted({*examined, IMAGES}), "each page continues where the last one ended"
    assert progress["Pages"] == len(pages)


def test_a_run_that_is_stopped_can_be_resumed(past: History) -> None:
    past.refuse(past.ids[2], "ThrottlingException", rate=1)
    arn = past.start(Alert=True)
    past.eventually(lambda: sum(past.mails()) == 2, "the first page was not done")
    past.states_client.stop_execution(executionArn=arn, error="Operator", cause="wrong rule")
    assert past.described(arn)["status"] == "ABORTED"
    past.clear()
    past.write_rule()  # the first page may not have passed on the rule yet
    past.states_client.redrive_execution(executionArn=arn)
    assert progress_of(past.over(arn))["Examined"] == IMAGES
    # The stopped page may still own the lease of one image, which the resumed page then skips.
    past.eventually(lambda: past.mails() == [1] * IMAGES, "some image has no message or several")


def test_an_impossible_run_fails_with_the_reason(past: History) -> None:
    ended = past.over(past.start(RuleId="no-such-rule"))
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRun")
    assert json.loads(ended["cause"])["errorMessage"].startswith("There is no rule no-such-rule on the watchlist.")


def test_a_run_waits_until_no_old_watchlist_is_in_use(tmp_path: Any) -> None:
    with started(tmp_path, "--parameter", "WatchlistMaxAgeSeconds=3") as stack:
        pipeline = Pipeline(stack)
        pipeline.watch("person")
        states = stack.client("stepfunctions")
        machine = pipeline.outputs["ApplyRuleStateMachineArn"]
        arn = states.start_execution(stateMachineArn=machine, input='{"run": {"RuleId": "watch-person"}}')["executionArn"]
        pipeline.eventually(lambda: states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", "the run did not end")
        described = states.describe_execution(executionArn=arn)
    assert (described["stopDate"] - described["startDate"]).total_seconds() > 4


def test_a_long_backfill_is_continued_by_another_execution(past: History) -> None:
    """The real definition, with a limit of no page: each execution hands over at once; then with the limit of the template."""
    machine = past.outputs["ApplyRuleStateMachineArn"]
    definition = past.states_client.describe_state_machine(stateMachineArn=machine)["definition"]
    limited = definition.replace("States.StringToJson('2000')", "States.StringToJson('0')")
    assert limited != definition
    past.states_client.update_state_machine(stateMachineArn=machine, definition=limited)
    try:
        first = past.over(past.start(Since="2020-01-01T00:00:00Z"))
    finally:
        past.states_client.update_state_machine(stateMachineArn=machine, definition=definition)
    handed_over = json.loads(first["output"])["progress"]
    assert (first["status"], handed_over["Done"], handed_over["Pages"]) == ("SUCCEEDED", False, 0)
    chain = [past.over(handed_over["ContinuedBy"])]
    while "ContinuedBy" in json.loads(chain[-1]["output"])["progress"]:
        chain.append(past.over(json.loads(chain[-1]["output"])["progress"]["ContinuedBy"]))
    assert counts(progress_of(chain[-1])) == (IMAGES, IMAGES, IMAGES, 0, 0)
    assert json.loads(chain[-1]["input"])["run"]["Since"] == "2020-01-01T00:00:00.000Z"
    assert past.matched() == IMAGES
