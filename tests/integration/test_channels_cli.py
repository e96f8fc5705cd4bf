"""`imagewatch channels` and `imagewatch alerts` from their arguments to their exit codes, against moto and the real function."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from uploader.aws.session import Aws
from uploader.channels.subscriptions import Subscription
from uploader.cli import main

from .conftest import Stack, sample_event
from .receiver import Receiver

Output = pytest.CaptureFixture[str]
KEY = "a key of at least sixteen characters"
OUTPUTS = ("ChannelsTable", "WatchlistTable", "AlertsTable")
IDS = [f"{n:032x}" for n in range(40)]


@pytest.fixture
def deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack with its outputs; the function that sends tests is the real one, in this process."""
    values = {f"{name}Name": stack.name(name) for name in OUTPUTS}
    values |= {"AlertsTopicArn": stack.name("AlertsTopic"), "OperationsTopicArn": stack.name("OperationsTopic")}
    values |= {"CheckChannelsFunctionName": "check-channels", "ImagesTableName": stack.name("ImagesTable")}
    values |= {"ImagesBucketName": stack.name("ImagesBucket")}
    body = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in values.items()},
    }
    stack.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(body))

    def invoke(FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert FunctionName == "check-channels"
        return {"Payload": io.BytesIO(json.dumps(stack.handler("CheckChannels")(json.loads(Payload))).encode())}

    monkeypatch.setattr(Aws, "functions", SimpleNamespace(invoke=invoke))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return stack


def add(monkeypatch: pytest.MonkeyPatch, secret: str, *arguments: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{secret}\n" if secret else ""))
    return main(["channels", "add", *arguments])


def document(out: Output) -> Any:
    return json.loads(out.readouterr().out)


def channel(stack: Stack, channel_id: str) -> dict[str, Any]:
    (found,) = [item for item in stack.items("ChannelsTable") if item["ChannelId"] == channel_id]
    return found


# ---------------------------------------------------------------------------------------------------------------- channels


def test_a_channel_that_is_added_works_and_its_secret_is_shown_nowhere(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, capsys: Output
) -> None:
    assert add(monkeypatch, receiver.url("/very-secret"), "ops", "--kind", "slack", "--name", "Operators") == 0
    assert add(monkeypatch, KEY, "home", "--kind", "webhook", "--url", receiver.url("/home")) == 0
    assert main(["channels", "list"]) == 0
    assert main(["channels", "list", "--json"]) == 0
    capsys.readouterr()
    assert main(["alerts", "test"]) == 0
    assert main(["alerts", "test", "--channel", "ops", "--json"]) == 0

    assert [got.path for got in receiver.received] == ["/home", "/very-secret", "/very-secret"]
    parameter = deployed.client("ssm").get_parameter(Name="/imagewatch/imagewatch/channels/ops", WithDecryption=True)["Parameter"]
    assert (parameter["Type"], parameter["Value"]) == ("SecureString", receiver.url("/very-secret"))
    printed = capsys.readouterr()
    stored = json.dumps(deployed.items("ChannelsTable"))
    for text in (printed.out, printed.err, stored):
        assert "very-secret" not in text
        assert KEY not in text


def test_adding_again_replaces_and_forgets_what_was_wrong(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    add(monkeypatch, KEY, "home", "--kind", "webhook", "--url", "https://old.example.com/")
    deployed.put_item(
        "ChannelsTable",
        {
            **channel(deployed, "home"),
            "Status": "disabled",
            "CheckedAt": "2026-11-20T06:00:00Z",
            "PausedUntil": 9e9,
            "NextSlot": 5,
        },
    )
    assert add(monkeypatch, "https://hooks.slack.com/services/T/B/x", "home", "--kind", "slack") == 0
    assert "Replaced the channel home" in capsys.readouterr().out
    found = channel(deployed, "home")
    assert (found["Kind"], found["Status"], found["NextSlot"]) == ("slack", "unchecked", 5)
    assert not {"Url", "PausedUntil", "CheckedAt"} & set(found)


@pytest.mark.parametrize(
    ("secret", "arguments", "reason"),
    [
        ("", ("home", "--kind", "webhook", "--url", "https://x.example.com/"), "none was given"),
        ("short", ("home", "--kind", "webhook", "--url", "https://x.example.com/"), "at least 16 characters"),
        (KEY, ("home", "--kind", "webhook"), "needs its address"),
        (KEY, ("home", "--kind", "webhook", "--url", "http://x.example.com/"), "https://"),
        (KEY, ("home", "--kind", "webhook", "--url", "nonsense"), "not an address"),
        ("http://hooks.slack.com/services/secret", ("ops", "--kind", "slack"), "https://"),
        ("https://user:pw@hooks.slack.com/secret", ("ops", "--kind", "slack"), "not an address"),
        ("https://h/secret", ("ops", "--kind", "slack", "--url", "https://h/secret"), "is asked for"),
        (KEY, ("email", "--kind", "webhook", "--url", "https://x.example.com/"), "there already"),
        (KEY, ("Not An Id", "--kind", "webhook", "--url", "https://x.example.com/"), "can't be a channel's id"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_anything_is_stored(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output, secret: str, arguments: tuple[str, ...], reason: str
) -> None:
    assert add(monkeypatch, secret, *arguments) == 2
    assert reason in capsys.readouterr().err
    assert deployed.items("ChannelsTable") == []
    assert deployed.client("ssm").describe_parameters()["Parameters"] == []


def test_the_list_shows_the_state_of_each_channel_and_who_is_subscribed(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    add(monkeypatch, KEY, "home", "--kind", "webhook", "--url", "https://home.example.com/secret-looking-path")
    deployed.put_item(
        "ChannelsTable",
        {
            **channel(deployed, "home"),
            "Status": "disabled",
            "StatusReason": "gone since\x1b[31m Friday",
            "CheckedAt": "2026-11-20T06:00:00Z",
        },
    )
    deployed.put_item("ChannelsTable", {"ChannelId": "a-clock-without-a-channel", "NextSlot": 1})
    deployed.put_item("WatchlistTable", {"RuleId": "night", "Channels": ["home", "email"]})
    deployed.put_item("WatchlistTable", {"RuleId": "older"})
    capsys.readouterr()

    assert main(["channels", "list", "--json"]) == 0
    shown = document(capsys)
    email, home = shown["channels"]
    assert (email["id"], email["state"], email["reason"], email["rules"]) == (
        "email", "ok", "1 of 1 addresses confirmed", ["night", "older"],
    )  # fmt: skip
    assert (home["state"], home["host"], home["rules"]) == ("disabled", "home.example.com", ["night"])
    assert "secret-looking-path" not in json.dumps(shown)
    assert [entry["state"] for entry in shown["subscriptions"]] == ["confirmed"]

    assert main(["channels", "list"]) == 0
    printed = capsys.readouterr().out
    assert "gone since" in printed
    assert "\x1b" not in printed


def listed(channel_id: str, out: Output) -> tuple[str, str, bool]:
    """(state, reason, whether it has a date), as scripts see them."""
    out.readouterr()
    assert main(["channels", "list", "--json"]) == 0
    (found,) = [entry for entry in document(out)["channels"] if entry["id"] == channel_id]
    return found["state"], found["reason"], found["checked_at"] is not None


def test_an_unchecked_channel_is_not_called_ok_and_a_test_is_a_check(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, capsys: Output
) -> None:
    add(monkeypatch, receiver.url(), "ops", "--kind", "slack")
    assert listed("ops", capsys) == ("unchecked", "Not checked yet", False)
    receiver.answer(403, b"action_prohibited")
    assert main(["alerts", "test", "--channel", "ops"]) == 1
    assert listed("ops", capsys) == ("failing", 'Slack refused the message (HTTP 403: "action_prohibited").', True)
    receiver.answer(200, b"ok")
    assert main(["alerts", "test", "--channel", "ops"]) == 0
    assert listed("ops", capsys) == ("ok", "accepted a test (ok)", True)

    assert main(["channels", "disable", "ops"]) == 0
    assert listed("ops", capsys)[0] == "off"
    assert main(["channels", "enable", "ops"]) == 0
    assert listed("ops", capsys) == ("unchecked", "Not checked since it was switched on", False)
    assert main(["channels", "list"]) == 0
    assert "unchecked" in capsys.readouterr().out


def test_switching_a_channel_off_and_on(deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    add(monkeypatch, KEY, "home", "--kind", "webhook", "--url", "https://home.example.com/")
    deployed.put_item("ChannelsTable", {**channel(deployed, "home"), "Status": "disabled"})
    assert main(["channels", "disable", "home"]) == 0
    assert channel(deployed, "home")["Enabled"] is False
    assert main(["channels", "enable", "home"]) == 0
    assert (channel(deployed, "home")["Enabled"], channel(deployed, "home")["Status"]) == (True, "unchecked")
    assert main(["channels", "disable", "email"]) == 0
    assert channel(deployed, "email")["Enabled"] is False
    capsys.readouterr()
    for action in ("enable", "disable", "remove"):
        assert main(["channels", action, "nowhere"]) == 1
        assert "there is no channel nowhere" in capsys.readouterr().err
    assert {item["ChannelId"] for item in deployed.items("ChannelsTable")} == {"home", "email"}


def test_a_channel_that_rules_use_is_removed_only_by_force_and_with_its_secret(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    add(monkeypatch, KEY, "home", "--kind", "webhook", "--url", "https://home.example.com/")
    deployed.put_item("WatchlistTable", {"RuleId": "night", "Channels": ["home"]})
    assert main(["channels", "remove", "home"]) == 1
    assert "night" in capsys.readouterr().err
    assert main(["channels", "remove", "home", "--force"]) == 0
    assert deployed.items("ChannelsTable") == []
    assert deployed.client("ssm").describe_parameters()["Parameters"] == []
    assert main(["channels", "remove", "email"]) == 2


def test_a_stack_without_channels_says_so(stack: Stack, capsys: Output) -> None:
    body = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"Old": {"Value": "x"}}}
    stack.client("cloudformation").create_stack(StackName="imagewatch", TemplateBody=json.dumps(body))
    assert main(["channels", "list"]) == 1
    assert "has no output ChannelsTableName" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------------ alerts


def put_alert(stack: Stack, number: int, confidence: float, rule: str = "night", **more: Any) -> str:
    matches = [{"Term": "person", "Label": "Person", "Confidence": confidence}]
    stack.put_item(
        "AlertsTable",
        {
            "AlertId": IDS[number],
            "RuleId": rule,
            "RuleName": "Night",
            "ImageId": "i",
            "Status": "SENT",
            "CreatedAt": f"2099-11-20T16:{number:02}:00.000Z",
            "Subject": f"Night: person {confidence:g} %",
            "Rule": {"RuleId": rule, "Matches": matches},
            "Deliveries": {"email": {"Status": "SENT"}},
            **more,
        },
    )
    return IDS[number]


def test_the_newest_alerts_are_listed_with_their_outcome(deployed: Stack, capsys: Output) -> None:
    put_alert(deployed, 1, 91)
    failed = {"email": {"Status": "SENT"}, "ops": {"Status": "FAILED", "Reason": "Slack refused it"}}
    put_alert(deployed, 2, 92, Deliveries=failed, NotThis={"By": "me"})
    put_alert(deployed, 3, 93, rule="day")
    put_alert(deployed, 4, 94, CreatedAt="2001-01-01T00:00:00.000Z")
    deployed.put_item("AlertsTable", {"AlertId": "digest#1", "Status": "SENT", "CreatedAt": "2099-11-20T17:00:00.000Z"})

    assert main(["alerts", "list", "--json"]) == 0
    assert [alert["AlertId"] for alert in document(capsys)["alerts"]] == [IDS[3], IDS[2], IDS[1]]
    assert main(["alerts", "list", "--rule", "night", "--limit", "1", "--json"]) == 0
    assert [alert["AlertId"] for alert in document(capsys)["alerts"]] == [IDS[2]]
    assert main(["alerts", "list"]) == 0
    printed = capsys.readouterr().out
    assert "not this: Night: person 92 %" in printed
    assert "ops failed (Slack refused it)" in printed


def test_a_rule_that_never_was_has_no_list_of_alerts_and_a_deleted_one_has(deployed: Stack, capsys: Output) -> None:
    for action in (["list", "--rule", "missing"], ["list", "--rule", "missing", "--json"], ["precision", "missing"]):
        assert main(["alerts", *action]) == 1
        printed = capsys.readouterr()
        assert "there is no rule missing, and no alert of one. `imagewatch rules list` shows the rules." in printed.err
        assert printed.out == ""
    put_alert(deployed, 1, 91, rule="deleted", CreatedAt="2001-01-01T00:00:00.000Z")
    deployed.put_item("WatchlistTable", {"RuleId": "quiet", "Name": "Quiet", "AnyOf": [{"Term": "car"}]})
    for rule in ("deleted", "quiet"):
        assert main(["alerts", "list", "--rule", rule]) == 0
        assert "No alerts since" in capsys.readouterr().out
        assert main(["alerts", "precision", rule]) == 0
        assert f"{rule}: no alert of this rule was sent in that time." in capsys.readouterr().out


def test_an_alert_is_shown_with_the_rule_as_it_was(deployed: Stack, capsys: Output) -> None:
    was = {"RuleId": "night", "Name": "Night", "Version": 3, "AnyOf": [{"Term": "person", "MinConfidence": 85}]}
    deployed.put_item("WatchlistTable", {**was, "Version": 4, "AnyOf": [{"Term": "car", "MinConfidence": 60}]})
    matches = [{"Term": "person", "Label": "Face", "Confidence": 91.0}]
    kept = {"RuleId": "night", "RuleVersion": 3, "Matches": matches, "Definition": was}
    mark = {"At": "2099-11-20T17:00:00.000Z", "By": "ann", "Note": "a\x1b[31m coat"}
    put_alert(deployed, 1, 91, Rule=kept, Key="uploads/gate/a.jpg", SuppressedBefore=12, NotThis=mark)

    assert main(["alerts", "show", IDS[1]]) == 0
    printed = capsys.readouterr().out
    for text in (
        "Night: person 91 % (sent)",
        "person (Face) 91 %",
        "uploads/gate/a.jpg",
        "12 suppressed before it",
        "marked as wrong by ann",
        "version 3 of night",
        "{Term: person, MinConfidence: 85}",
    ):
        assert text in printed
    assert "car" not in printed
    assert "\x1b[31m" not in printed
    assert main(["alerts", "show", IDS[1], "--json"]) == 0
    assert document(capsys)["Rule"]["Definition"] == was

    put_alert(deployed, 2, 92)
    assert main(["alerts", "show", IDS[2]]) == 0
    assert "it isn't kept here" in capsys.readouterr().out
    put_alert(deployed, 3, 93, Rule={"Name": "night"}, RuleVersion=2)
    assert main(["alerts", "show", IDS[3]]) == 0
    assert "version 2 of night; its record is damaged" in capsys.readouterr().out
    assert main(["alerts", "show", "f" * 32]) == 1
    assert main(["alerts", "show", "nonsense"]) == 2


def test_marking_wrong_alerts_gives_the_rule_a_precision_and_a_threshold(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", {"RuleId": "night", "AnyOf": [{"Term": "Person", "MinConfidence": 80}]})
    for number, confidence in enumerate([91.57, 95, 97, 82, 85, 93]):
        put_alert(deployed, number, confidence)
    for number in (3, 4, 5):
        assert main(["alerts", "not-this", IDS[number], "--note", "a coat\non a hook"]) == 0
    mark = next(item for item in deployed.items("AlertsTable") if item["AlertId"] == IDS[3])["NotThis"]
    assert mark["Note"] == "a coat\non a hook"
    assert set(mark) == {"At", "By", "Note"}
    capsys.readouterr()

    assert main(["alerts", "precision", "night", "--json"]) == 0
    numbers: Mapping[str, Any] = document(capsys)
    assert (numbers["right"], numbers["wrong"], numbers["spared"]) == (3, 3, 2)
    assert numbers["proposals"] == [{"term": "person", "threshold": 91.5, "now": 80}]
    assert main(["alerts", "precision", "night"]) == 0
    printed = capsys.readouterr().out
    assert "night: 3 of 6 alerts were right (50 %); 3 were marked as wrong." in printed
    assert "person: at least 91.5 % (now 80 %)" in printed
    assert "kept 3 of 3 right ones and spared 2 of 3 wrong ones: 75 % right." in printed

    assert main(["alerts", "not-this", IDS[5], "--undo"]) == 0
    assert main(["alerts", "precision", "night", "--json"]) == 0
    capsys.readouterr()
    assert all("NotThis" not in item for item in deployed.items("AlertsTable") if item["AlertId"] == IDS[5])


def test_marks_that_cannot_be_made_say_why(deployed: Stack, capsys: Output) -> None:
    assert main(["alerts", "not-this", "nonsense"]) == 2
    assert main(["alerts", "not-this", "f" * 32]) == 1
    assert "there is no alert ffff" in capsys.readouterr().err
    assert main(["alerts", "not-this", IDS[0], "--undo", "--note", "x"]) == 2
    assert main(["alerts", "precision", "missing"]) == 1
    assert "there is no rule missing" in capsys.readouterr().err
    assert deployed.items("AlertsTable") == []


def test_a_rule_whose_alerts_were_not_sent_has_no_precision(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", {"RuleId": "night"})
    put_alert(deployed, 1, 90, Status="SUPPRESSED")
    assert main(["alerts", "precision", "night"]) == 0
    assert "no alert of this rule was sent" in capsys.readouterr().out


def test_a_test_that_fails_is_an_exit_code_and_a_reason(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, receiver: Receiver, capsys: Output
) -> None:
    add(monkeypatch, receiver.url(), "ops", "--kind", "slack")
    receiver.answer(403, b"action_prohibited")
    assert main(["alerts", "test"]) == 1
    printed = capsys.readouterr().out
    assert "sent    email" in printed
    assert "failed  ops: Slack refused the message" in printed


def test_a_subscription_is_confirmed_so_that_a_click_cannot_end_it(
    deployed: Stack, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    asked: list[dict[str, Any]] = []

    def confirm_subscription(**arguments: Any) -> dict[str, str]:
        asked.append(arguments)
        return {"SubscriptionArn": "arn"}

    monkeypatch.setattr(Aws, "sns", SimpleNamespace(confirm_subscription=confirm_subscription))
    token = "2336412f37fb687f5d51e6e2425929f52bc0c4dd"
    operations, alerts = deployed.name("OperationsTopic"), deployed.name("AlertsTopic")
    link = f"https://sns.us-east-1.amazonaws.com/confirmation.html?TopicArn={operations}&Token={token}&Endpoint=a@example.com"
    assert main(["alerts", "confirm", link]) == 0
    assert main(["alerts", "confirm", token]) == 0
    assert main(["alerts", "confirm", token, "--topic", "operations"]) == 0
    assert [(call["TopicArn"], call["Token"], call["AuthenticateOnUnsubscribe"]) for call in asked] == [
        (operations, token, "true"),
        (alerts, token, "true"),
        (operations, token, "true"),
    ]
    for wrong in (
        "nonsense",
        "https://sns.us-east-1.amazonaws.com/confirmation.html",
        link.replace(operations, operations + "x"),
    ):
        assert main(["alerts", "confirm", wrong]) == 2
    assert len(asked) == 3


@pytest.mark.parametrize("age", ["7", "d7", "0d", "1w", "-1d", ""])
def test_an_age_that_is_none_is_refused(age: str, capsys: Output) -> None:
    assert main(["alerts", "list", f"--since={age}"]) == 2
    assert "is no age" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------- e-mail addresses, and why


def test_further_addresses_are_subscribed_listed_and_removed(deployed: Stack, capsys: Output) -> None:
    assert main(["channels", "add", "email", "ann@example.com"]) == 0
    assert "asks ann@example.com to confirm" in capsys.readouterr().out
    assert main(["channels", "list", "--json"]) == 0
    endpoints = {entry["endpoint"]: entry for entry in document(capsys)["subscriptions"] if entry["topic"] == "alerts"}
    assert endpoints["ann@example.com"]["protocol"] == "email"
    if endpoints["ann@example.com"]["state"] == "confirmed":  # moto confirms at once
        assert main(["channels", "add", "email", "Ann@Example.com"]) == 0
        assert "confirmed already" in capsys.readouterr().out
        assert main(["channels", "remove", "email", "ann@example.com"]) == 0
        assert main(["channels", "list", "--json"]) == 0
        capsys.readouterr()
        assert main(["channels", "remove", "email", "ann@example.com"]) == 1
        assert "is not subscribed" in capsys.readouterr().err


def test_an_address_that_has_not_confirmed_cannot_be_removed_and_says_why(
    deployed: Stack, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = Subscription("alerts", "email", "bob@example.com", "unconfirmed", None)
    monkeypatch.setattr("uploader.channels.subscriptions.subscriptions", lambda *_: [pending])
    assert main(["channels", "remove", "email", "bob@example.com"]) == 1
    assert "has not confirmed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("email", "no-address"), "not an e-mail address"),
        (("email",), "there already"),
        (("ops", "ann@example.com", "--kind", "slack"), "only the channel email"),
        (("ops",), "--kind slack or --kind webhook"),
    ],
)
def test_addresses_are_for_email_only(deployed: Stack, capsys: Output, arguments: tuple[str, ...], reason: str) -> None:
    assert main(["channels", "add", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_why_answers_for_each_rule_what_it_did(deployed: Stack, capsys: Output) -> None:
    image = sample_event("store_analysis")["Image"]
    term = [{"Term": "person", "MinConfidence": 50}]
    for rule_id, more in {"sent": {}, "other": {"AnyOf": [{"Term": "cat"}]}, "quiet": {}}.items():
        record = {"RuleId": rule_id, "Name": rule_id.title(), "Enabled": True, "AnyOf": term, **more}
        deployed.put_item("WatchlistTable", record)
    match = {"Term": "person", "Label": "Person", "Kind": "name", "Confidence": 97.3, "Count": 1}
    matched = [
        {"RuleId": "sent", "Name": "Sent", "Matches": [match]},
        {"RuleId": "quiet", "Name": "Quiet", "Matches": [match], "Muted": "outside its active hours"},
    ]
    labels = [{"Name": "Person", "Confidence": 97.3, "Parents": [], "Aliases": [], "Categories": [], "Instances": []}]
    checked = {"Status": "CHECKED", "Labels": []}
    found = {**image, "Status": "ANALYZED", "Labels": labels, "Moderation": checked, "MatchedRules": matched}
    deployed.put_item("ImagesTable", found)
    event = {**sample_event("send_alert"), "Image": image, "Rules": matched[:1]}
    deployed.handler("SendAlert")(event)
    capsys.readouterr()

    assert main(["alerts", "why", image["ImageId"], "--json"]) == 0
    answer = document(capsys)
    assert {one["rule_id"]: one["outcome"] for one in answer["rules"]} == {
        "sent": "SENT",
        "quiet": "MUTED",
        "other": "NOT_MATCHED",
    }
    assert main(["alerts", "why", image["ImageId"]]) == 0
    printed = capsys.readouterr().out
    assert "sent: sent" in printed
    assert "outside its active hours" in printed
    assert main(["alerts", "why", "front-door/nothing.jpg"]) == 1
    assert "there is no image front-door/nothing.jpg" in capsys.readouterr().err
    deployed.put_item("ImagesTable", {**found, "MatchedRules": [{"Name": "sent"}]})
    assert main(["alerts", "why", image["ImageId"]]) == 1
    assert "is damaged (KeyError: 'RuleId')" in " ".join(capsys.readouterr().err.split())


def test_a_rule_without_a_judged_alert_has_no_precision(deployed: Stack, capsys: Output) -> None:
    deployed.put_item("WatchlistTable", {"RuleId": "night"})
    for number in (1, 2):
        put_alert(deployed, number, 90)
    assert main(["alerts", "precision", "night"]) == 0
    printed = capsys.readouterr().out
    assert "2 alerts, none judged" in printed
    assert "100 %" not in printed
    assert main(["alerts", "precision", "night", "--json"]) == 0
    numbers = document(capsys)
    assert (numbers["judged"], numbers["precision"]) == (False, None)
