"""`imagewatch rules preview` and `apply` from their arguments to their exit codes: findings on moto, runs by a stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from imagewatch.images.version import ImageVersion
from uploader.aws.session import Aws
from uploader.backfill import runs, stored_images
from uploader.backfill.runs import estimate
from uploader.backfill.stored_images import Size
from uploader.cli import main

from .conftest import Stack
from .test_rules_cli import at_a_terminal, document

Output = pytest.CaptureFixture[str]
OUTPUTS = ("WatchlistTable", "AlertsTable", "ImagesTable", "ChannelsTable")
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:imagewatch-apply-rule"
RULE = {"RuleId": "gate", "Name": "Gate", "Version": 3, "AnyOf": [{"Term": "Person", "MinConfidence": 80}], "Channels": ["email"]}
PROGRESS = {"Done": False, "Cursor": {"ImageId": "x"}, "Rule": RULE, "Pages": 2, "Examined": 40, "Matched": 7, "Recorded": 5,
            "Cleared": 1, "Skipped": 0, "Alerts": {"Sent": 0, "Suppressed": 0}}  # fmt: skip


class Workflow:
    """Step Functions as far as a run needs it: each look at a run finds it one step further."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.steps: list[tuple[str, dict[str, Any]]] = [
            ("RUNNING", {}),
            ("RUNNING", PROGRESS),
            ("SUCCEEDED", {**PROGRESS, "Done": True}),
        ]
        self.looks = 0
        self.stopped: list[str] = []
        self.resumed: list[str] = []
        self.cause = ""
        self.input = "{}"
        self.after_stop: dict[str, Any] = PROGRESS
        self.on_look: Callable[[], None] = lambda: None

    @property
    def now(self) -> tuple[str, dict[str, Any]]:
        return self.steps[min(self.looks, len(self.steps) - 1)]

    def start_execution(self, **arguments: Any) -> dict[str, Any]:
        self.started.append(arguments)
        return {"executionArn": f"{MACHINE.replace('stateMachine', 'execution')}:{arguments['name']}"}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self.on_look()
        failed = {"error": "InvalidRun", "cause": self.cause} if self.cause else {}
        return {"executionArn": executionArn, "status": self.now[0], "input": self.input, **failed}

    def get_execution_history(self, **arguments: Any) -> dict[str, Any]:
        assert arguments["reverseOrder"] is True
        progress = self.now[1]
        self.looks += 1
        page = {"name": "Evaluate Page", "output": json.dumps({"run": {}, "progress": progress})}
        begin = {"name": "Begin", "output": json.dumps({"progress": {"WaitSeconds": 31}})}
        events = [{"stateExitedEventDetails": page}] if progress else []
        return {"events": [{"stateEnteredEventDetails": {"name": "More Pages?"}}, *events, {"stateExitedEventDetails": begin}]}

    def stop_execution(self, executionArn: str, **_: Any) -> None:  # noqa: N803
        self.stopped.append(executionArn)
        self.steps = [("ABORTED", self.after_stop)]

    def redrive_execution(self, executionArn: str) -> None:  # noqa: N803
        self.resumed.append(executionArn)
        self.steps = [("SUCCEEDED", {**PROGRESS, "Done": True})]


@pytest.fixture
def workflow(monkeypatch: pytest.MonkeyPatch) -> Workflow:
    workflow = Workflow()
    monkeypatch.setattr(Aws, "stepfunctions", workflow)
    monkeypatch.setattr(runs, "SECONDS_BETWEEN", 0)
    return workflow


@pytest.fixture
def deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workflow: Workflow) -> Stack:
    values = {f"{name}Name": stack.name(name) for name in OUTPUTS} | {"ApplyRuleStateMachineArn": MACHINE}
    values |= {"AlertsTopicArn": stack.name("AlertsTopic"), "OperationsTopicArn": stack.name("OperationsTopic")}
    body = {
        "Parameters": {"WebUrl": {"Type": "String"}},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in values.items()},
    }
    stack.client("cloudformation").create_stack(
        StackName="imagewatch",
        TemplateBody=json.dumps(body),
        Parameters=[{"ParameterKey": "WebUrl", "ParameterValue": "https://watch.example.com/"}],
    )
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    stack.put_item("WatchlistTable", RULE)
    return stack


def ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def put_image(stack: Stack, hours: float, label: str = "Person", confidence: float = 90.0, **more: Any) -> str:
    image = ImageVersion("images", f"uploads/yard/{hours:g}.jpg", "v1", "", "", 1, ago(hours))
    found = {"Name": label, "Confidence": confidence, "Parents": [], "Aliases": [], "Categories": [], "Instances": []}
    moderation = {"Status": "CHECKED", "Labels": []}
    record = {**image.to_state(), "Status": "ANALYZED", "Labels": [found], "Moderation": moderation, "Width": None, **more}
    stack.put_item("ImagesTable", record)
    return image.image_id


# ----------------------------------------------------------------------------------------------------------------- preview


def test_a_rule_of_the_watchlist_is_matched_against_the_images_of_that_time(deployed: Stack, capsys: Output) -> None:
    shown = put_image(deployed, 1)
    for hours, more in ((2, {"label": "Car"}), (3, {}), (24 * 40, {}), (4, {"Status": "REJECTED"}), (0.01, {})):
        put_image(deployed, hours, **more)  # type: ignore[arg-type]
    assert main(["rules", "preview", "gate", "--until", "30m"]) == 0
    printed = capsys.readouterr().out
    assert "Gate (gate) would have matched 2 of 3 images, and sent 2 messages" in printed
    assert f"    https://watch.example.com/images/{shown}" in printed
    assert main(["rules", "preview", "gate", "--since", "60d", "--json", "--examples", "1"]) == 0
    (found,) = document(capsys)["rules"]
    assert (found["images"], found["matched"], len(found["matches"]), found["matches_omitted"]) == (5, 4, 1, 3)


def test_a_rule_in_a_file_is_compared_with_the_one_that_is_there(deployed: Stack, capsys: Output) -> None:
    for hours, confidence in ((1, 85.0), (2, 95.0)):
        put_image(deployed, hours, confidence=confidence)
    put_image(deployed, 3, label="Cat")
    Path("new.yaml").write_text(
        "- {RuleId: gate, Name: Gate, AnyOf: [{Term: person, MinConfidence: 90}, {Term: cat}], Cooldown: {Seconds: 36000}}\n"
        "- {Name: Cats, AnyOf: [{Term: catt}]}\n"
    )
    assert main(["rules", "preview", "new.yaml"]) == 0
    printed = capsys.readouterr()
    assert (
        "Gate (gate) would have matched 2 of 3 images, and sent 1 message (1 suppressed by the cooldown of 10 hours)"
        in printed.out
    )
    assert "version 3 would have matched 2 and sent 2): gains 1, loses 1 images." in printed.out
    assert "  + yard/3.jpg: Cat 90 %" in printed.out
    assert "  - yard/1.jpg: Person 85 %" in printed.out
    assert "Cats (cats) would have matched 0 of 3 images" in printed.out
    assert "'catt' is not a known name. Did you mean Cat" in printed.err
    assert {item["RuleId"] for item in deployed.items("WatchlistTable")} == {"gate"}
    assert main(["rules", "preview", "new.yaml", "--json"]) == 0
    gate, cats = document(capsys)["rules"]
    assert (gate["compared"]["gains"], gate["compared"]["loses"]) == (["uploads/yard/3.jpg"], ["uploads/yard/1.jpg"])
    assert "compared" not in cats


def test_a_rule_that_is_silent_now_says_so(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", {**RULE, "Enabled": False, "SnoozedUntil": "2099-01-01T00:00:00.000Z"})
    put_image(deployed, 1)
    assert main(["rules", "preview", "gate"]) == 0
    printed = capsys.readouterr().out
    assert "would have matched 1 of 1 image, and sent 1 message" in printed
    assert "It is disabled now; this is what it would do." in printed
    assert "the rule is snoozed until 2099-01-01 00:00 UTC" in printed


def test_text_and_numbers_of_stored_findings_are_read_as_the_functions_read_them(deployed: Stack, capsys: Output) -> None:
    box = {"Left": 0.1, "Top": 0.1, "Width": 0.5, "Height": 0.5}
    put_image(deployed, 1, Text=[{"Text": "EXIT", "Type": "LINE", "Confidence": 99, "BoundingBox": box}])
    Path("text.yaml").write_text("{Name: Exit, AnyOf: [{Term: exit, In: text, MinConfidence: 99, MinArea: 0.25}]}")
    assert main(["rules", "preview", "text.yaml", "--json"]) == 0
    (match,) = document(capsys)["rules"][0]["matches"][0]["matches"]
    assert (match["Kind"], match["Confidence"], match["Box"]) == ("text", 99, box)


def test_many_pages_in_parallel_are_read_once_each(deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    for number in range(30):
        put_image(deployed, 1 + number)
    real = stored_images.StoredImages._arguments
    monkeypatch.setattr(stored_images.StoredImages, "_arguments", lambda *args: {**real(*args), "Limit": 3})
    assert main(["rules", "preview", "gate", "--json"]) == 0
    found = document(capsys)["rules"][0]
    assert (found["images"], found["matched"]) == (30, 30)
    assert len({match["image_id"] for match in found["matches"]}) == 30


class Refusing:
    """A DynamoDB client whose every Scan fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))

    def scan(self, **_: Any) -> None:
        raise self._error


def test_a_table_that_cannot_be_read_ends_the_command_with_the_reason(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    denied = Refusing(ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Scan"))
    monkeypatch.setattr(Aws, "dynamodb", deployed.client("dynamodb"))
    monkeypatch.setattr(Aws, "new_dynamodb", lambda _: denied)
    assert main(["rules", "preview", "gate"]) == 1
    assert "access denied: these credentials may not read the images (dynamodb:Scan)" in capsys.readouterr().err


def test_a_part_of_the_table_that_breaks_off_is_no_smaller_table(deployed: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Aws, "dynamodb", deployed.client("dynamodb"))
    monkeypatch.setattr(Aws, "new_dynamodb", lambda _: Refusing(KeyError("an unexpected error")))
    with pytest.raises(KeyError, match="an unexpected error"):
        main(["rules", "preview", "gate"])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["gaet"], 1, "there is no rule gaet. Did you mean gate?"),
        (["missing.yaml"], 2, "there is no such file"),
        (["gate", "--since", "1d", "--until", "2d"], 2, "--since must be before --until"),
    ],
)
def test_what_cannot_be_previewed_says_why(deployed: Stack, capsys: Output, arguments: list[str], code: int, says: str) -> None:
    assert main(["rules", "preview", *arguments]) == code
    assert says in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------------- apply


def test_a_run_is_started_and_followed_to_its_end(deployed: Stack, workflow: Workflow, capsys: Output) -> None:
    assert main(["rules", "apply", "gate", "--since", "2026-01-01T00:00:00Z", "--until", "2026-11-01T00:00:00Z"]) == 0
    (started,) = workflow.started
    assert started["stateMachineArn"] == MACHINE
    assert len(started["name"]) <= 80
    assert json.loads(started["input"]) == {
        "run": {"RuleId": "gate", "Since": "2026-01-01T00:00:00.000Z", "Until": "2026-11-01T00:00:00.000Z", "Alert": False}
    }
    printed = capsys.readouterr().out
    assert "Applies gate, version 3, to images from 2026-01-01 00:00 UTC to 2026-11-01 00:00 UTC, and sends nothing." in printed
    assert "Rekognition isn't called." in printed
    assert "applied  40 images: 7 match, 1 no longer match; 6 records changed" in printed


def test_without_an_end_the_run_takes_its_own_start(deployed: Stack, workflow: Workflow) -> None:
    assert main(["rules", "apply", "gate"]) == 0
    assert "Until" not in json.loads(workflow.started[0]["input"])["run"]


def test_a_run_that_fails_is_an_exit_code_a_reason_and_a_way_on(deployed: Stack, workflow: Workflow, capsys: Output) -> None:
    workflow.steps = [("RUNNING", {}), ("FAILED", PROGRESS)]
    workflow.cause = json.dumps({"errorMessage": "There is no rule gate on the watchlist.", "errorType": "InvalidRun"})
    assert main(["rules", "apply", "gate", "--region", "us-east-1"]) == 1
    printed = capsys.readouterr().out
    assert "failed  so far 40 images: 7 match" in printed
    assert "InvalidRun There is no rule gate on the watchlist." in printed
    assert "imagewatch rules apply --resume arn:aws:states" in printed
    assert printed.rstrip().endswith("--region us-east-1")


def test_a_detached_run_goes_on_by_itself(deployed: Stack, workflow: Workflow, capsys: Output) -> None:
    assert main(["rules", "apply", "gate", "--detach", "--json"]) == 0
    reported = document(capsys)
    assert (reported["status"], reported["progress"]) == ("RUNNING", {})
    assert main(["rules", "apply", "--follow", reported["execution"], "--json"]) == 0
    reported = document(capsys)
    assert (reported["status"], reported["progress"]["Matched"], reported["progress"]["Done"]) == ("SUCCEEDED", 7, True)
    assert not {"Rule", "Cursor"} & set(reported["progress"])
    assert len(workflow.started) == 1


def test_ctrl_c_ends_the_watching_and_not_the_run(deployed: Stack, workflow: Workflow, capsys: Output) -> None:
    def interrupt() -> None:
        if workflow.looks == 2:
            raise KeyboardInterrupt

    workflow.on_look = interrupt
    assert main(["rules", "apply", "gate"]) == 130
    printed = capsys.readouterr().out
    assert "running  so far 40 images" in printed
    assert "The run continues." in printed
    assert "imagewatch rules apply --follow arn:aws:states" in printed
    assert workflow.stopped == []


def test_a_run_can_be_stopped_and_resumed(deployed: Stack, workflow: Workflow, capsys: Output) -> None:
    arn = f"{MACHINE.replace('stateMachine', 'execution')}:gate-1"
    assert main(["rules", "apply", "--resume", arn]) == 1
    assert "there is nothing to resume: the run is running." in capsys.readouterr().err
    assert main(["rules", "apply", "--stop", arn]) == 0
    assert "--resume" in capsys.readouterr().out
    assert main(["rules", "apply", "--resume", arn]) == 0
    assert "applied" in capsys.readouterr().out
    assert (workflow.stopped, workflow.resumed) == ([arn], [arn])


@pytest.mark.parametrize(
    ("alert", "does"), [(True, "may still record matches and send alerts."), (False, "may still record matches.")]
)
def test_a_run_that_was_stopped_says_that_its_page_goes_on(
    deployed: Stack, workflow: Workflow, capsys: Output, alert: bool, does: str
) -> None:
    arn = f"{MACHINE.replace('stateMachine', 'execution')}:gate-1"
    workflow.input = json.dumps({"run": {"RuleId": "gate", "Alert": alert}})
    workflow.after_stop = {}  # stopped within its first page
    for arguments, code in ((["--stop", arn], 0), (["--follow", arn], 1)):
        assert main(["rules", "apply", *arguments]) == code
        printed = capsys.readouterr().out
        assert "aborted  so far no page has ended yet\n" in printed
        assert f"The current page ends about 20 seconds after the stop and {does}" in printed
        assert "--resume" in printed


def test_what_is_no_run_of_this_stack_is_left_alone(deployed: Stack, workflow: Workflow, capsys: Output) -> None:
    other = "arn:aws:states:us-east-1:123456789012:execution:imagewatch-AnalyzeImageStateMachine-1:a-photo"
    for option in ("--stop", "--resume", "--follow"):
        assert main(["rules", "apply", option, other]) == 2
        assert "is not a run of this stack" in capsys.readouterr().err
    assert (workflow.stopped, workflow.resumed, workflow.looks) == ([], [], 0)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "name the rule to apply; or a run"),
        (["gate", "--follow", "arn"], 2, "name the rule to apply; or a run"),
        (["--follow", "arn", "--dry-run"], 2, "a run has begun already"),
        (["gaet"], 1, "there is no rule gaet"),
        (["off"], 1, "the rule off is disabled, so it matches nothing"),
        (["gate", "--since", "1d", "--until", "2d"], 2, "--since must be before --until"),
        (["gate", "--alert"], 2, "--alert sends messages to people; say --yes."),
    ],
)
def test_what_cannot_be_applied_says_why(
    deployed: Stack, workflow: Workflow, capsys: Output, arguments: list[str], code: int, says: str
) -> None:
    deployed.put_item("WatchlistTable", {**RULE, "RuleId": "off", "Enabled": False})
    assert main(["rules", "apply", *arguments]) == code
    assert says in capsys.readouterr().err
    assert workflow.started == []


def test_alerts_are_asked_for_with_their_number(
    deployed: Stack, workflow: Workflow, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for hours in (1, 2, 3):
        put_image(deployed, hours)
    at_a_terminal(monkeypatch, "n")
    assert main(["rules", "apply", "gate", "--alert"]) == 1
    printed = capsys.readouterr()
    assert "It will match 3 of 3 images." in printed.out
    assert "That is at most 3 messages:" in printed.out
    assert "Start it? [y/N]" in printed.err
    assert workflow.started == []
    at_a_terminal(monkeypatch, "yes")
    assert main(["rules", "apply", "gate", "--alert"]) == 0
    assert json.loads(workflow.started[0]["input"])["run"]["Alert"] is True
    assert main(["rules", "apply", "gate", "--alert", "--yes"]) == 0
    assert len(workflow.started) == 2


def test_a_dry_run_says_what_a_run_would_do(deployed: Stack, workflow: Workflow, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", {**RULE, "Cooldown": {"Seconds": 60, "PerSource": False}})
    for hours in (1, 2, 3):
        put_image(deployed, hours)
    messages = {"messages_at_most": 3, "messages_within_cooldown": 1}
    assert main(["rules", "apply", "gate", "--alert", "--dry-run", "--json"]) == 0
    assert document(capsys) == {"dry_run": True, "rule": "gate", "images": 3, "matched": 3, **messages}
    assert main(["rules", "apply", "gate", "--alert", "--dry-run"]) == 0
    reported = "That is at most 3 messages (1 if it lasts no longer than the cooldown of 1 minute): "
    assert reported in capsys.readouterr().out
    deployed.put_item("WatchlistTable", {**RULE, "SnoozedUntil": "2099-01-01T00:00:00.000Z"})
    assert main(["rules", "apply", "gate", "--alert", "--dry-run"]) == 0
    assert "It is snoozed until 2099-01-01 00:00 UTC, so it sends no message." in capsys.readouterr().out
    assert workflow.started == []


def test_a_dry_run_says_what_is_muted_and_that_matches_wait_for_a_digest(
    deployed: Stack, workflow: Workflow, capsys: Output
) -> None:
    deployed.put_item("WatchlistTable", {**RULE, "Delivery": "digest"})
    deployed.put_item("WatchlistTable", {"RuleId": "#mutes", "Version": 1, "Sources": {"yard": "2099-01-01T00:00:00.000Z"}})
    put_image(deployed, 1)
    assert main(["rules", "apply", "gate", "--alert", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "Muted until 2099-01-01 00:00 UTC: yard" in out
    assert "It sends no message for each match: its matches wait for the next digest of each channel." in out
    assert "messages" not in out.replace("sends no message", "")


def test_what_a_run_costs_is_said_by_the_size_of_the_table() -> None:
    assert "about 50,000 images (836.0 MB): about $0.01, and about $0.01 for each 1,000" in estimate(Size(50_000, 836_000_000))
    assert "about 10 images (0.0 MB): less than a cent" in estimate(Size(10, 1000))
    assert "DynamoDB doesn't report their size yet" in estimate(Size(10, 0))
    assert "about $12.76" in estimate(Size(50_000_000, 836_000_000_000))


def test_a_stack_without_the_workflow_says_so(stack: Stack, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"WatchlistTableName": {"Value": stack.name("WatchlistTable")}},
    }
    stack.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(body))
    stack.put_item("WatchlistTable", RULE)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert main(["rules", "apply", "gate"]) == 1
    assert "has no output ApplyRuleStateMachineArn" in capsys.readouterr().err
