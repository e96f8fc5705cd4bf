"""Send Alert on moto: one alert for each rule and image version, written first, sent second, marked third."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any

import pytest

from imagewatch.alerts.channel import Message
from imagewatch.aws.channels import Channel
from imagewatch.aws.dynamodb import WRITE_PAUSES
from imagewatch.errors import ChannelRefused, Throttled, Unavailable
from imagewatch.services.alert_messages import MAX_ALERTS_PER_MESSAGE

from .alerting import (
    SECOND,
    Crash,
    VirtualClock,
    Wire,
    alert_of,
    cooldown,
    fail_messages,
    matches,
    retried,
    rule,
    sent_in,
    suppressed_in,
)
from .conftest import CONTEXT, Event, Stack

pytestmark = pytest.mark.usefixtures("quick_moto")
NOTHING = {"Sent": 0, "SentBefore": 0, "Suppressed": 0, "Queued": 0, "Failed": 0, "Muted": 0}
SECOND_CHANNEL = {"ChannelId": "second", "Kind": "email", "Name": "The same topic again", "Enabled": True, "Status": "ok"}
BROKEN_CHANNEL = {"ChannelId": "broken", "Kind": "slack", "Name": "Without its secret", "Enabled": True, "Status": "ok"}


def names(message: Message, rule_id: str) -> bool:
    return rule_id in [alert.rule_id for alert in message.alerts]


def test_sends_one_message_and_keeps_it_on_record(stack: Stack, send: Any, sample: Any) -> None:
    assert send(sample("send_alert")) == {**NOTHING, "Sent": 1}

    (message,) = stack.mailbox()
    assert message["Subject"] == "Person at the door: person (Face) 97.3 % in samples/astronaut-portrait.jpg"
    assert "uploads/samples/astronaut-portrait.jpg" in message["Message"]
    (alert,) = stack.items("AlertsTable")
    assert (alert["Status"], alert["RuleId"], alert["Severity"]) == ("SENT", "person-at-the-door", "warning")
    assert alert["Deliveries"]["email"]["Status"] == "SENT"
    assert alert["Deliveries"]["email"]["MessageId"] == message["MessageId"]


def test_an_alert_keeps_the_rule_as_it_matched(stack: Stack, send: Any) -> None:
    matched = rule(RuleVersion=7, Severity="critical", Channels=["email"], **cooldown(PerSource=False))
    send(matches("a", matched))
    alert = alert_of(stack, "a")
    assert (alert["Rule"], alert["RuleVersion"], alert["Severity"]) == (matched, 7, "critical")
    (message,) = stack.mailbox()
    assert message["Subject"].startswith("CRITICAL: Person at gate: ")
    assert "Severity:   critical" in message["Message"]
    assert "(id gate, version 7)" in message["Message"]


def test_sending_again_sends_nothing(stack: Stack, send: Any) -> None:
    send(matches("a"))
    assert send(matches("a")) == {**NOTHING, "SentBefore": 1}
    assert send(matches("a", execution="run-again")) == {**NOTHING, "SentBefore": 1}
    assert len(stack.mailbox()) == 1


def test_each_matched_rule_has_its_own_alert(stack: Stack, send: Any) -> None:
    assert send(matches("a", rule(), rule("another")))["Sent"] == 2
    assert {alert["RuleId"]: alert["Status"] for alert in stack.items("AlertsTable")} == {"gate": "SENT", "another": "SENT"}


def test_a_muted_rule_sends_no_alert(stack: Stack, send: Any) -> None:
    assert send(matches("a", rule(Muted="outside its active hours"))) == {**NOTHING, "Muted": 1}
    assert stack.mailbox() == []
    assert stack.items("AlertsTable") == []


def test_a_rule_that_asks_for_digests_is_queued_without_a_slot_and_listed_in_the_digest(
    stack: Stack, send: Any, wire: Wire, time: VirtualClock
) -> None:
    stack.put_item("ChannelsTable", SECOND_CHANNEL)
    wanted = rule("new", Channels=["email", "second"], Delivery="digest")
    wire.writes.clear()
    assert send(matches("a", wanted)) == {**NOTHING, "Queued": 1}
    assert wire.writes == ["PutItem AlertsTable", "UpdateItem AlertsTable"]  # no slot, no message
    assert stack.mailbox() == []
    alert = alert_of(stack, "a", "new")
    assert (alert["Status"], alert["QueuedFor"]) == ("QUEUED", "digest")
    assert set(alert["Deliveries"]) == {"email", "second"}
    assert {(one["Status"], one["Reason"]) for one in alert["Deliveries"].values()} == {("QUEUED", "The rule asks for digests.")}
    assert "LeasedBy" not in alert
    assert send(matches("b", wanted)) == {**NOTHING, "Queued": 1}  # no cooldown suppresses it
    assert send(matches("a", wanted, execution="again"))["Sent"] == 0
    time.pass_seconds(1)
    stack.handler("SendDigest")({})
    assert len(stack.mailbox()) == 2
    assert all("2 matches" in message["Message"] for message in stack.mailbox())
    assert {alert["Status"] for alert in stack.items("AlertsTable") if alert.get("RuleId")} == {"DIGESTED"}


def test_rules_that_ask_for_digests_leave_the_others_immediate(stack: Stack, send: Any) -> None:
    assert send(matches("a", rule("new", Delivery="digest"), rule("gate"))) == {**NOTHING, "Sent": 1, "Queued": 1}
    assert {alert["RuleId"]: alert["Status"] for alert in stack.items("AlertsTable")} == {"new": "QUEUED", "gate": "SENT"}
    assert len(stack.mailbox()) == 1


def test_duplicated_executions_at_the_same_time_send_one_message(stack: Stack, send: Any, wire: Wire) -> None:
    outcomes: list[Event] = []
    threads = [
        threading.Thread(target=lambda n=n: outcomes.append(send(matches("a", execution=f"run-{n}")))) for n in range(20)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(outcome[name] for outcome in outcomes) for name in ("Sent", "SentBefore")] == [1, 19]
    assert len(stack.mailbox()) == 1


# ------------------------------------------------------------------------------------------------------------- channels


def test_each_channel_of_a_rule_gets_the_message(stack: Stack, send: Any) -> None:
    stack.put_item("ChannelsTable", SECOND_CHANNEL)
    send(matches("a", rule(Channels=["email", "second", "email"])))
    assert len(stack.mailbox()) == 2
    assert {name: entry["Status"] for name, entry in alert_of(stack, "a")["Deliveries"].items()} == {
        "email": "SENT",
        "second": "SENT",
    }


def test_a_channel_that_refuses_is_recorded_and_keeps_no_other_from_sending(stack: Stack, send: Any) -> None:
    stack.put_item("ChannelsTable", BROKEN_CHANNEL)
    assert send(matches("a", rule(Channels=["broken", "email"]))) == {**NOTHING, "Sent": 1}
    alert = alert_of(stack, "a")
    assert (alert["Status"], alert["Deliveries"]["broken"]["Status"]) == ("SENT", "FAILED")
    assert "has no SecretParameter" in alert["Deliveries"]["broken"]["Reason"]
    assert len(stack.mailbox()) == 1


def test_what_sns_refuses_permanently_is_recorded_and_does_not_fail_the_image(stack: Stack, send: Any, wire: Wire) -> None:
    with wire.refusing("Publish", "AuthorizationError", 403):
        assert send(matches("a")) == {**NOTHING, "Failed": 1}
    alert = alert_of(stack, "a")
    assert alert["Status"] == "FAILED"
    assert "AuthorizationError" in alert["Deliveries"]["email"]["Reason"]
    assert "QueuedFor" not in alert


def test_an_alert_that_had_failed_is_sent_when_the_image_is_run_again(stack: Stack, send: Any, wire: Wire) -> None:
    with wire.refusing("Publish", "AuthorizationError", 403):
        send(matches("a"))
    assert send(matches("a", execution="run-again"))["Sent"] == 1
    assert alert_of(stack, "a")["Status"] == "SENT"


@pytest.mark.parametrize(("code", "status", "error"), [("Throttled", 400, Throttled), ("InternalFailure", 500, Unavailable)])
def test_a_failing_channel_is_retried_by_the_workflow_and_the_alert_says_why_it_waits(
    stack: Stack, send: Any, wire: Wire, code: str, status: int, error: type[Exception]
) -> None:
    with wire.refusing("Publish", code, status), pytest.raises(error):
        send(matches("a"))
    alert = alert_of(stack, "a")
    assert alert["Status"] == "PENDING"
    assert code in alert["Deliveries"]["email"]["Reason"]
    assert send(matches("a"))["Sent"] == 1
    assert alert_of(stack, "a")["Deliveries"]["email"]["Attempts"] == 2


def test_a_retry_serves_only_the_channel_that_failed(stack: Stack, send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.put_item("ChannelsTable", SECOND_CHANNEL)
    event = matches("a", rule(Channels=["email", "second"], **cooldown()))
    with monkeypatch.context() as outage:
        fail_messages(outage, lambda channel, _: Unavailable("It hangs.") if channel.channel_id == "second" else None)
        with pytest.raises(Unavailable):
            send(event)
    assert len(stack.mailbox()) == 1
    assert send(event)["Sent"] == 1
    assert len(stack.mailbox()) == 1
    assert alert_of(stack, "a")["Status"] == "SENT"


def test_one_rules_failure_does_not_stop_the_other_rules_alerts(stack: Stack, send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.put_item("ChannelsTable", SECOND_CHANNEL)
    original, asked = Channel.send, []

    def refuse(channel: Any, message: Any) -> str:
        asked.append(channel.channel_id)
        if channel.channel_id == "second":
            raise Unavailable("It hangs.")
        return original(channel, message)

    monkeypatch.setattr(Channel, "send", refuse)
    with pytest.raises(Unavailable):
        send(matches("a", rule("one", Channels=["second"]), rule("two", Channels=["second"]), rule("three")))
    assert {a["RuleId"]: a["Status"] for a in stack.items("AlertsTable")} == {"one": "PENDING", "two": "PENDING", "three": "SENT"}
    assert asked == ["second", "email"]  # a channel that hangs is asked once for each image


def test_all_alerts_are_written_before_the_first_is_sent(stack: Stack, send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(channel: Any, message: Any) -> str:
        raise Crash

    monkeypatch.setattr(Channel, "send", die)
    with pytest.raises(Crash):
        send(matches("a", rule("one"), rule("two"), rule("three")))
    left = {alert["RuleId"]: (alert["Status"], "QueuedFor" in alert) for alert in stack.items("AlertsTable")}
    assert left == dict.fromkeys(("one", "two", "three"), ("PENDING", True))  # a digest sends them if no retry does


def test_an_unexpected_error_does_not_stop_the_other_rules_alerts(
    stack: Stack, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_messages(monkeypatch, lambda _, message: ValueError("a damaged record") if names(message, "one") else None)
    with pytest.raises(ValueError, match="a damaged record"):
        send(matches("a", rule("one"), rule("two"), rule("three")))
    assert {a["RuleId"]: a["Status"] for a in stack.items("AlertsTable")} == {"one": "PENDING", "two": "SENT", "three": "SENT"}
    assert len(stack.mailbox()) == 2


def test_an_attempt_that_runs_out_of_time_leaves_the_rest_to_the_next(
    stack: Stack, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([40_000, 25_000, 14_999, 50_000, 50_000, 50_000])
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", partial(next, left))
    for channel_id in ("second", "third"):
        stack.put_item("ChannelsTable", SECOND_CHANNEL | {"ChannelId": channel_id})
    rules = rule("one"), rule("two", Channels=["second"]), rule("three", Channels=["third"])
    with pytest.raises(Unavailable, match="The next continues"):
        send(matches("a", *rules))
    assert len(stack.mailbox()) == 2
    assert send(matches("a", *rules)) == {**NOTHING, "Sent": 1, "SentBefore": 2}
    assert len(stack.mailbox()) == 1


# ---------------------------------------------------------------------------------------------- one message for several rules


def test_three_rules_on_one_channel_make_one_message_that_lists_them(stack: Stack, send: Any) -> None:
    rules = rule("one"), rule("two", Severity="critical"), rule("three", Severity="info", **cooldown())
    assert send(matches("a", *rules)) == {**NOTHING, "Sent": 3}
    (message,) = stack.mailbox()
    assert message["Subject"].startswith("CRITICAL: 3 rules matched in front-door/a.jpg: Person at two, Person at one")
    for rule_id in ("one", "two", "three"):
        alert = alert_of(stack, "a", rule_id)
        assert (alert["Status"], alert["Deliveries"]["email"]["MessageId"]) == ("SENT", message["MessageId"])
        assert f'"Person at {rule_id}"' in message["Message"]
        assert f"imagewatch alerts not-this {alert['AlertId']}" in message["Message"]
    attributes = message["MessageAttributes"]
    assert json.loads(attributes["RuleId"]["Value"]) == ["two", "one", "three"]


def test_each_rule_keeps_its_cooldown_and_its_count_in_a_message_about_several(
    stack: Stack, send: Any, time: VirtualClock
) -> None:
    rules = rule("short", **cooldown(60)), rule("long", **cooldown(3600)), rule("none")
    assert send(matches("a", *rules)) == {**NOTHING, "Sent": 3}
    time.pass_seconds(5)
    assert send(matches("b", *rules)) == {**NOTHING, "Sent": 1, "Suppressed": 2}
    time.pass_seconds(60)
    assert send(matches("c", *rules)) == {**NOTHING, "Sent": 2, "Suppressed": 1}
    assert [sent_in([message]) for message in stack.mailbox()] == [3, 1, 2]
    assert (alert_of(stack, "c", "short")["SuppressedBefore"], alert_of(stack, "b", "long")["Status"]) == (1, "SUPPRESSED")


def test_a_message_about_several_rules_is_sent_once_however_it_is_retried(stack: Stack, send: Any, wire: Wire) -> None:
    rules = [rule(f"rule-{n}", **cooldown()) for n in range(3)]
    calls, crashed, twice = 0, True, 0
    while crashed:
        crashed = retried(
            send, wire, matches(f"image-{calls}", *({**one, "RuleId": f"{one['RuleId']}-{calls}"} for one in rules)), calls
        )
        messages = stack.mailbox()
        assert [sent_in([message]) for message in messages] in ([3], [3, 3]), calls
        twice += len(messages) - 1
        assert {alert["Status"] for alert in stack.items("AlertsTable")} == {"SENT"}, calls
        calls += 1
    assert calls > 8
    assert twice == 1  # only a crash between the message and its record sends it again, as a whole


def test_a_rule_that_spoils_a_message_about_several_does_not_stop_the_others(
    stack: Stack, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_messages(monkeypatch, lambda _, message: ChannelRefused("No.") if names(message, "two") else None)
    assert send(matches("a", rule("one"), rule("two"), rule("three"))) == {**NOTHING, "Sent": 2, "Failed": 1}
    assert alert_of(stack, "a", "two")["Status"] == "FAILED"
    assert len(stack.mailbox()) == 2


def test_very_many_rules_are_listed_in_several_messages(stack: Stack, send: Any, time: VirtualClock) -> None:
    assert (
        send(matches("a", *(rule(f"rule-{n}") for n in range(MAX_ALERTS_PER_MESSAGE + 5))))["Sent"] == MAX_ALERTS_PER_MESSAGE + 5
    )
    assert [sent_in([message]) for message in stack.mailbox()] == [MAX_ALERTS_PER_MESSAGE, 5]


# ---------------------------------------------------------------------------------------------- dead channels


def test_an_alert_whose_only_channel_is_dead_is_sent_by_email_and_says_so(stack: Stack, send: Any) -> None:
    stack.put_item("ChannelsTable", BROKEN_CHANNEL)
    assert send(matches("a", rule(Channels=["broken"]))) == {**NOTHING, "Sent": 1}
    (message,) = stack.mailbox()
    assert "sent by e-mail because these channels failed: broken." in message["Message"]
    alert = alert_of(stack, "a")
    assert (alert["Channels"], alert["Status"]) == (["broken", "email"], "SENT")
    assert (alert["Deliveries"]["broken"]["Status"], alert["Deliveries"]["email"]["FallbackFor"]) == ("FAILED", ["broken"])
    assert send(matches("a", rule(Channels=["broken"]), execution="again")) == {**NOTHING, "SentBefore": 1}


def test_an_alert_without_any_working_channel_has_failed(stack: Stack, send: Any) -> None:
    stack.put_item("ChannelsTable", BROKEN_CHANNEL)
    stack.put_item("ChannelsTable", {"ChannelId": "email", "Enabled": False})
    assert send(matches("a", rule(Channels=["broken"]))) == {**NOTHING, "Failed": 1}
    assert {entry["Status"] for entry in alert_of(stack, "a")["Deliveries"].values()} == {"FAILED"}


# ---------------------------------------------------------------------------------------------------------- rate, urgency


def busy_until(stack: Stack, moment: int) -> None:
    stack.put_item("ChannelsTable", {"ChannelId": "email", "NextSlot": moment})


def test_an_alert_for_which_the_channel_has_no_slot_waits_for_a_digest(stack: Stack, send: Any, time: VirtualClock) -> None:
    busy_until(stack, time.now + 2 * SECOND)
    assert send(matches("a", rule(**cooldown()))) == {**NOTHING, "Queued": 1}
    alert = alert_of(stack, "a")
    assert (alert["Status"], alert["Deliveries"]["email"]["Status"], alert["QueuedFor"]) == ("QUEUED", "QUEUED", "digest")
    assert stack.mailbox() == []
    (held,) = stack.items("CooldownsTable")
    assert "LastSentAt" not in held
    assert "LeasedBy" not in held


def test_an_alert_waits_a_moment_for_its_slot(stack: Stack, send: Any, time: VirtualClock) -> None:
    busy_until(stack, time.now + SECOND // 2)
    assert send(matches("a"))["Sent"] == 1


def test_an_urgent_alert_waits_for_its_slot_and_is_put_into_no_digest(stack: Stack, send: Any, time: VirtualClock) -> None:
    urgent = rule(Severity="critical", BypassQuietHours=True)
    begin = time.now
    busy_until(stack, begin + 15 * SECOND)
    assert send(matches("a", urgent))["Sent"] == 1
    assert time.now >= begin + 15 * SECOND

    busy_until(stack, time.now + 25 * SECOND)
    with pytest.raises(Throttled):
        send(matches("b", urgent))
    assert alert_of(stack, "b")["Status"] == "PENDING"
    time.pass_seconds(10)
    assert send(matches("b", urgent))["Sent"] == 1


def test_even_an_urgent_alert_waits_for_a_digest_in_the_end(stack: Stack, send: Any, time: VirtualClock) -> None:
    urgent = matches("a", rule(Severity="critical", BypassQuietHours=True))
    busy_until(stack, time.now + 3600 * SECOND)
    for _ in range(5):
        with pytest.raises(Throttled):
            send(urgent)
    assert send(urgent)["Queued"] == 1


def test_a_critical_rule_that_does_not_bypass_waits_like_any_other(stack: Stack, send: Any, time: VirtualClock) -> None:
    busy_until(stack, time.now + 2 * SECOND)
    assert send(matches("a", rule(Severity="critical")))["Queued"] == 1


@pytest.mark.slow
def test_an_image_that_matches_very_many_rules_does_not_outlast_the_function(
    stack: Stack, send: Any, time: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = time.now
    outcome = send(matches("a", *(rule(f"rule-{n}") for n in range(150))))
    assert time.now - begin <= 21 * SECOND
    assert outcome["Sent"] >= 80
    assert outcome["Sent"] + outcome["Queued"] == 150


# ------------------------------------------------------------------------------------------- the record after the message


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError"])
@pytest.mark.parametrize("times", range(1, len(WRITE_PAUSES) + 1))
def test_a_record_that_fails_after_its_message_is_written_again_and_the_message_is_not(
    stack: Stack, send: Any, wire: Wire, time: VirtualClock, code: str, times: int
) -> None:
    wire.refuse_after_sending(times, code)
    assert send(matches("a", rule(**cooldown())))["Sent"] == 1
    assert alert_of(stack, "a")["Status"] == "SENT"
    assert send(matches("a"))["SentBefore"] == 1
    assert len(stack.mailbox()) == 1


def test_a_record_that_goes_on_failing_costs_a_second_message_and_no_wrong_count(
    stack: Stack, send: Any, wire: Wire, time: VirtualClock
) -> None:
    quiet = rule(**cooldown())
    wire.refuse_after_sending(len(WRITE_PAUSES) + 1, "ThrottlingException")
    with pytest.raises(Throttled):
        send(matches("a", quiet))
    assert send(matches("b", quiet))["Suppressed"] == 1  # the cooldown stays leased to the retry
    assert send(matches("a", quiet))["Sent"] == 1
    assert alert_of(stack, "a")["Status"] == "SENT"
    assert len(stack.mailbox()) == 2
    time.pass_seconds(600)
    send(matches("c", quiet))
    assert suppressed_in(stack.mailbox()) == 0  # the second message reported b
    assert alert_of(stack, "a")["SuppressedBefore"] == 1


def test_an_image_of_many_rules_is_not_held_up_by_writing_again_for_each(
    stack: Stack, send: Any, wire: Wire, time: VirtualClock
) -> None:
    begin = time.now
    wire.refuse_after_sending(1000, "ThrottlingException")
    with pytest.raises(Throttled):
        send(matches("a", *(rule(f"rule-{n}") for n in range(50))))
    assert time.now - begin <= 25 * SECOND


# --------------------------------------------------------------------------------------------------------------- crashes


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [{}, cooldown(), {**cooldown(), "Channels": ["email", "second"]}], ids=["plain", "cooldown", "two"]
)
def test_the_retry_after_a_crash_at_any_call_sends_what_is_left(
    stack: Stack, send: Any, wire: Wire, time: VirtualClock, more: dict[str, Any]
) -> None:
    stack.put_item("ChannelsTable", SECOND_CHANNEL)
    expected = len(more.get("Channels", ["email"]))
    twice, calls, crashed = 0, 0, True
    while crashed:
        name = f"after-{calls}"
        crashed = retried(send, wire, matches("a", rule(name, **more)), calls)
        messages, calls = stack.mailbox(), calls + 1
        twice += len(messages) - expected
        assert len(messages) in (expected, expected + 1), name
        assert alert_of(stack, "a", name)["Status"] == "SENT", name
        assert "QueuedFor" not in alert_of(stack, "a", name), name
        time.pass_seconds(60)
        if more:
            # The cooldown runs, counts, and the next alert reports exactly what it suppressed.
            assert [send(matches(f"{n}", rule(name, **more)))["Suppressed"] for n in range(3)] == [1, 1, 1], name
            time.pass_seconds(600)
            send(matches("next", rule(name, **more)))
            assert [suppressed_in([message]) for message in stack.mailbox()] == [3] * expected, name
    assert calls > 3
    assert twice == expected  # only a crash between the sending and its record sends again: a message can't be unsent


def test_a_crash_while_a_match_is_counted_counts_it_once(stack: Stack, send: Any, wire: Wire, time: VirtualClock) -> None:
    calls, crashed = 0, True
    while crashed:
        quiet = rule(f"after-{calls}", **cooldown())
        send(matches("first", quiet))
        crashed = retried(send, wire, matches("second", quiet), calls)
        assert alert_of(stack, "second", quiet["RuleId"])["Status"] == "SUPPRESSED"
        (item,) = [entry for entry in stack.items("CooldownsTable") if entry["CooldownId"] == quiet["RuleId"]]
        assert (item["Suppressed"], "PendingTokens" in item) == (1, False), calls
        time.pass_seconds(601)
        stack.mailbox()
        send(matches("third", quiet))
        assert suppressed_in(stack.mailbox()) == 1
        calls += 1
    assert calls > 4


def test_a_match_that_was_counted_before_its_crash_is_not_sent_when_the_retry_comes_late(
    stack: Stack, send: Any, wire: Wire, time: VirtualClock
) -> None:
    quiet = rule(**cooldown(1))
    send(matches("first", quiet))
    wire.cut(2)  # recorded, counted
    with pytest.raises(Crash):
        send(matches("second", quiet))
    wire.cut(None)
    time.pass_seconds(60)
    assert send(matches("third", quiet))["Sent"] == 1
    assert send(matches("second", quiet)) == {**NOTHING, "Suppressed": 1}
    assert suppressed_in(stack.mailbox()) == 1
    time.pass_seconds(60)
    send(matches("fourth", quiet))
    assert suppressed_in(stack.mailbox()) == 0
