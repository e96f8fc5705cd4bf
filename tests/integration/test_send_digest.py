"""Send Digest on moto: what is queued is sent once, with its numbers, and the next run finishes what a crashed run has left."""

from __future__ import annotations

import json
import re
import threading

import pytest

from imagewatch import timestamps
from imagewatch.aws.channels import Channel
from imagewatch.aws.dynamodb import WRITE_PAUSES
from imagewatch.aws.tables import alerts as alerts_table
from imagewatch.aws.tables import cooldowns as cooldowns_table
from imagewatch.aws.tables import digests as digests_table
from imagewatch.errors import ChannelGone, ChannelRefused, Throttled, Unavailable
from imagewatch.services import digests as digesting

from .alerting import (
    SECOND,
    Crash,
    VirtualClock,
    Wire,
    alert_of,
    cooldown,
    digested_in,
    fail_messages,
    matches,
    rule,
    suppressed_in,
)
from .conftest import Event, Stack

pytestmark = pytest.mark.usefixtures("quick_moto")
NOTHING = {"Digests": 0, "Alerts": 0, "Suppressed": 0, "Failed": 0, "Delayed": 0}
SECOND_CHANNEL = {"ChannelId": "second", "Kind": "email", "Name": "The same topic again", "Enabled": True, "Status": "ok"}


class Alerting:
    """Both functions, each in its environment, and a clock."""

    def __init__(self, stack: Stack, wire: Wire, time: VirtualClock) -> None:
        self.stack, self.wire, self.time = stack, wire, time

    def send(self, event: Event) -> Event:
        answer: Event = self.stack.handler("SendAlert")(event)
        return answer

    def digest(self) -> Event:
        answer: Event = self.stack.handler("SendDigest")({})
        return answer

    def queue(self, *events: Event) -> None:
        """Sends these while no channel has a slot."""
        for channel in ("email", "second"):
            self.stack.client("dynamodb").update_item(
                TableName="ChannelsTable",
                Key={"ChannelId": {"S": channel}},
                UpdateExpression="SET NextSlot = :later",
                ExpressionAttributeValues={":later": {"N": str(self.time.now + 2 * SECOND)}},
            )
        for event in events:
            assert self.send(event)["Queued"] == len(event["Rules"])
        self.time.pass_seconds(10)


@pytest.fixture
def alerting(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Alerting:
    return Alerting(stack, Wire(monkeypatch), VirtualClock(monkeypatch))


def test_nothing_waits_and_nothing_is_sent(alerting: Alerting) -> None:
    assert alerting.digest() == NOTHING
    assert alerting.stack.mailbox() == []


def test_a_digest_has_its_numbers_its_time_and_the_best_matches(alerting: Alerting) -> None:
    for n in range(12):
        found = {"Term": "person", "Label": "Person", "Kind": "name", "Confidence": 80 + n, "Count": 1}
        alerting.queue(matches(f"image-{n:02}", rule(Name="Person at gate", Matches=[found], Severity="critical")))
        alerting.time.pass_seconds(20)
    alerting.queue(matches("car", rule("yard", Name="Car in the yard")))
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Alerts": 13}

    (message,) = alerting.stack.mailbox()
    assert message["Subject"] == "CRITICAL: 13 matches of 2 rules in 6 minutes"
    lines = message["Message"].splitlines()
    assert '12 matches of "Person at gate" in 6 minutes (critical), the best ones below:' in lines
    assert [line.split(",")[0].strip() for line in lines if "front-door/image" in line and "http" not in line] == [
        "Person 91 %",
        "Person 90 %",
        "Person 89 %",
    ]
    assert "  and 9 more" in lines
    assert '1 match of "Car in the yard" (warning):' in lines
    assert sum(line.startswith("    http") for line in lines) == 4
    assert digested_in([message]) == 13


def test_each_alert_names_its_digest_and_is_no_longer_queued(alerting: Alerting) -> None:
    alerting.queue(matches("a"), matches("b"))
    alerting.digest()
    (digest,) = [item for item in alerting.stack.items("AlertsTable") if re.fullmatch("digest#[0-9a-f]{32}", item["AlertId"])]
    assert (digest["Status"], digest["Count"], "QueuedFor" in digest) == ("SENT", 2, False)
    for name in ("a", "b"):
        alert = alert_of(alerting.stack, name)
        assert (alert["Status"], alert["DigestId"], "QueuedFor" in alert) == ("DIGESTED", digest["DigestId"], False)
        assert alert["Deliveries"]["email"]["DigestId"] == digest["DigestId"]
    assert alerting.digest() == NOTHING
    assert alerting.send(matches("a"))["SentBefore"] == 1
    assert len(alerting.stack.mailbox()) == 1


def test_one_match_is_one_match(alerting: Alerting) -> None:
    alerting.queue(matches("a"))
    alerting.digest()
    (message,) = alerting.stack.mailbox()
    assert message["Subject"] == "1 match of Person at gate"
    assert '1 match of "Person at gate" (warning):' in message["Message"]


def test_each_channel_gets_its_own_digest(alerting: Alerting) -> None:
    alerting.stack.put_item("ChannelsTable", SECOND_CHANNEL)
    alerting.queue(matches("a", rule(Channels=["email", "second"])), matches("b", rule(Channels=["second"])))
    assert alerting.digest() == {**NOTHING, "Digests": 2, "Alerts": 3}
    assert sorted(message["Subject"].split(" of ")[0] for message in alerting.stack.mailbox()) == ["1 match", "2 matches"]
    assert {alert_of(alerting.stack, name)["Status"] for name in "ab"} == {"DIGESTED"}


def test_a_channel_that_fails_holds_up_only_its_own_digests(alerting: Alerting, monkeypatch: pytest.MonkeyPatch) -> None:
    alerting.stack.put_item("ChannelsTable", SECOND_CHANNEL)
    alerting.queue(matches("a", rule(Channels=["email", "second"])), matches("b", rule(Channels=["second"])))
    with monkeypatch.context() as outage:
        break_channels(outage, {"second": Unavailable("It hangs.")})
        assert alerting.digest() == {**NOTHING, "Digests": 1, "Alerts": 1, "Delayed": 1}
        alerting.queue(matches("c", rule(Channels=["email"])), matches("d", rule(Channels=["second"])))
        assert alerting.digest() == {**NOTHING, "Digests": 1, "Alerts": 1, "Delayed": 1}
    assert alert_of(alerting.stack, "a")["Status"] == "QUEUED"
    assert alerting.digest() == {**NOTHING, "Digests": 2, "Alerts": 3}
    assert {alert_of(alerting.stack, name)["Status"] for name in "abcd"} == {"DIGESTED"}
    assert digested_in(alerting.stack.mailbox()) == 5


def test_a_channel_that_is_gone_is_recorded_on_each_alert(alerting: Alerting, monkeypatch: pytest.MonkeyPatch) -> None:
    alerting.queue(matches("a"), matches("b"))
    with monkeypatch.context() as gone:
        gone.setattr(Channel, "send", lambda *_: (_ for _ in ()).throw(ChannelGone("It is gone.")))
        assert alerting.digest() == {**NOTHING, "Failed": 2}
    alert = alert_of(alerting.stack, "a")
    assert (alert["Status"], "QueuedFor" in alert) == ("FAILED", False)
    assert "It is gone." in alert["Deliveries"]["email"]["Reason"]
    assert alerting.digest() == NOTHING


def test_a_digest_that_fails_for_a_day_is_given_up_and_says_so(alerting: Alerting) -> None:
    alerting.queue(matches("a"))
    with alerting.wire.refusing("Publish", "InternalFailure", 500):
        assert alerting.digest()["Delayed"] == 1
        alerting.time.pass_seconds(24 * 3600)
        assert alerting.digest()["Failed"] == 1
    assert "Given up after 24 hours" in alert_of(alerting.stack, "a")["Deliveries"]["email"]["Reason"]


def test_a_digest_waits_for_its_slot(alerting: Alerting) -> None:
    alerting.queue(matches("a"))
    begin = alerting.time.now
    alerting.stack.put_item("ChannelsTable", {"ChannelId": "email", "NextSlot": begin + 5 * SECOND})
    assert alerting.digest()["Digests"] == 1
    assert alerting.time.now >= begin + 5 * SECOND


def test_very_many_alerts_are_sent_in_several_digests(alerting: Alerting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digesting, "MAX_MEMBERS", 50)
    alerting.queue(matches("a", *(rule(f"rule-{n:03}") for n in range(120))))
    assert alerting.digest() == {**NOTHING, "Digests": 2, "Alerts": 120}
    assert digested_in(alerting.stack.mailbox()) == 120


# ---------------------------------------------------------------------------------------------- cooldowns and their counts


def test_a_digest_starts_the_cooldowns_of_its_rules_and_reports_what_they_suppressed(alerting: Alerting) -> None:
    quiet = rule(**cooldown())
    alerting.send(matches("first", quiet))
    for n in range(3):
        alerting.send(matches(f"kept-{n}", quiet))
    alerting.time.pass_seconds(600)
    alerting.queue(matches("queued", quiet))
    alerting.stack.mailbox()
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Alerts": 1, "Suppressed": 3}
    assert suppressed_in(alerting.stack.mailbox()) == 3
    assert alerting.send(matches("after", quiet))["Suppressed"] == 1


def test_a_digest_reports_a_count_an_hour_after_its_cooldown_if_no_alert_has(alerting: Alerting) -> None:
    quiet = rule(**cooldown())
    alerting.send(matches("first", quiet))
    alerting.send(matches("kept", quiet))
    alerting.stack.mailbox()
    alerting.time.pass_seconds(600 + 3599)
    assert alerting.digest() == NOTHING
    alerting.time.pass_seconds(1)
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Suppressed": 1}
    (message,) = alerting.stack.mailbox()
    assert message["Subject"] == "1 suppressed match of Person at gate"
    assert suppressed_in([message]) == 1
    assert alerting.digest() == NOTHING
    assert alerting.send(matches("next", quiet))["Sent"] == 1  # a report of a count is not an alert: no cooldown started
    assert suppressed_in(alerting.stack.mailbox()) == 0


def test_a_count_that_cannot_be_sent_is_still_unreported(alerting: Alerting) -> None:
    quiet = rule(**cooldown())
    alerting.send(matches("first", quiet))
    alerting.send(matches("kept", quiet))
    alerting.stack.mailbox()
    alerting.time.pass_seconds(2 * 3600)
    with alerting.wire.refusing("Publish", "InternalFailure", 500):
        assert alerting.digest()["Delayed"] == 1
    assert alerting.digest()["Suppressed"] == 1
    assert suppressed_in(alerting.stack.mailbox()) == 1


BOTH = {"Channels": ["second", "email"], **cooldown()}


def leave_unreported(alerting: Alerting, *quiet: Event) -> None:
    """Two matches of each rule are suppressed, and no alert reports them in time. "second" comes first, and can be broken."""
    alerting.stack.put_item("ChannelsTable", SECOND_CHANNEL)
    for each in quiet:
        for name in ("first", "kept", "kept-too"):
            alerting.send(matches(f"{each['RuleId']}-{name}", each))
            alerting.time.pass_seconds(5)
    alerting.stack.mailbox()
    alerting.time.pass_seconds(2 * 3600)


def break_channels(patch: pytest.MonkeyPatch, broken: dict[str, Exception]) -> None:
    fail_messages(patch, lambda channel, _: broken.get(channel.channel_id))


def digests_of(alerting: Alerting) -> list[Event]:
    return [item for item in alerting.stack.items("AlertsTable") if re.fullmatch("digest#[0-9a-f]{32}", item["AlertId"])]


def failed_alerts(text: str) -> int:
    """What the metric that AlertsRefusedAlarm looks at has counted."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith('{"_aws"')]
    return sum(sum(line["AlertsFailed"]) for line in lines if "AlertsFailed" in line)


@pytest.mark.parametrize(
    "error", [ChannelRefused("No."), ChannelGone("It is gone."), Unavailable("It hangs."), Throttled("Wait.")]
)
def test_a_count_goes_to_the_next_channel_of_its_rule_when_the_first_takes_nothing(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    leave_unreported(alerting, rule(**BOTH))
    break_channels(monkeypatch, {"second": error})
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Suppressed": 2}
    assert suppressed_in(alerting.stack.mailbox()) == 2
    assert [(item["Channel"], item["Status"], "Reason" in item) for item in digests_of(alerting)] == [("email", "SENT", False)]
    assert alerting.digest() == NOTHING
    assert suppressed_in(alerting.stack.mailbox()) == 0


@pytest.mark.parametrize("record", [{**SECOND_CHANNEL, "Enabled": False}, {**SECOND_CHANNEL, "Status": "disabled"}, None])
def test_a_count_goes_past_a_channel_that_is_switched_off_or_removed(alerting: Alerting, record: Event | None) -> None:
    leave_unreported(alerting, rule(**BOTH))
    if record:
        alerting.stack.put_item("ChannelsTable", record)
    else:
        alerting.stack.client("dynamodb").delete_item(TableName="ChannelsTable", Key={"ChannelId": {"S": "second"}})
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Suppressed": 2}
    assert len(digests_of(alerting)) == 1


def test_a_count_that_no_channel_accepts_stays_unreported_raises_an_alarm_and_leaves_one_record(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_unreported(alerting, rule(**BOTH))
    with monkeypatch.context() as outage:
        break_channels(outage, {"second": ChannelRefused("No."), "email": Unavailable("It hangs.")})
        for _ in range(3):
            capsys.readouterr()
            assert alerting.digest() == {**NOTHING, "Failed": 1}
            assert failed_alerts(capsys.readouterr().out) == 1
            alerting.time.pass_seconds(300)
        (digest,) = digests_of(alerting)
        assert (digest["Status"], digest["Count"], digest["Reason"]) == ("PENDING", 0, "Not sent yet: It hangs.")
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Suppressed": 2}
    assert suppressed_in(alerting.stack.mailbox()) == 2
    assert [item["Status"] for item in digests_of(alerting)] == ["SENT"]
    assert not [item for item in alerting.stack.items("AlertsTable") if "QueuedFor" in item]


def test_a_count_that_waits_for_a_busy_channel_rings_only_after_a_day(
    alerting: Alerting, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_unreported(alerting, rule(**cooldown()))
    with alerting.wire.refusing("Publish", "InternalFailure", 500):
        assert alerting.digest() == {**NOTHING, "Delayed": 1}
        assert failed_alerts(capsys.readouterr().out) == 0
        alerting.time.pass_seconds(24 * 3600)
        assert alerting.digest() == {**NOTHING, "Failed": 1}
    assert failed_alerts(capsys.readouterr().out) == 1
    assert alerting.digest()["Suppressed"] == 2


def test_a_count_leaves_the_digest_of_a_channel_that_refuses_it(alerting: Alerting, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_unreported(alerting, rule(**BOTH))
    alerting.queue(matches("a", rule("other", Channels=["second"])))
    break_channels(monkeypatch, {"second": ChannelGone("It is gone.")})
    assert alerting.digest() == {**NOTHING, "Digests": 2, "Alerts": 1, "Suppressed": 2, "Failed": 1}
    alert = alert_of(alerting.stack, "a", "other")
    assert {name: entry["Status"] for name, entry in alert["Deliveries"].items()} == {"second": "FAILED", "email": "DIGESTED"}
    messages = alerting.stack.mailbox()
    assert suppressed_in(messages) == 2
    assert digested_in(messages) == 1
    assert any("Sent by e-mail because these channels failed: second." in message["Message"] for message in messages)


def test_counts_that_no_channel_accepts_do_not_delay_those_behind_them(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cooldowns_table, "MAX_DUE_REPORTS", 1)
    alerting.stack.put_item("ChannelsTable", {**SECOND_CHANNEL, "ChannelId": "third"})
    dead = [rule(f"dead-{n}", Channels=["second"], **cooldown()) for n in range(3)]
    leave_unreported(alerting, *dead, rule("alive", Channels=["third"], **cooldown()))
    break_channels(monkeypatch, dict.fromkeys(("second", "email"), ChannelGone("It is gone.")))
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Suppressed": 2, "Failed": 3}


@pytest.mark.parametrize("error", [ChannelRefused("No."), ChannelGone("It is gone.")])
def test_a_count_whose_only_channel_refuses_it_is_sent_by_e_mail_and_raises_the_alarm(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    quiet = [rule(f"quiet-{n}", Name=f"Quiet {n}", Channels=["second"], **cooldown()) for n in range(2)]
    leave_unreported(alerting, *quiet)
    break_channels(monkeypatch, {"second": error})
    capsys.readouterr()
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Suppressed": 4, "Failed": 2}
    assert failed_alerts(capsys.readouterr().out) == 2
    messages = alerting.stack.mailbox()
    assert suppressed_in(messages) == 4
    (text,) = [message["Message"] for message in messages if "suppressed" in message["Subject"]]
    assert text.count("Sent by e-mail because these channels failed: second.") == 2
    assert alerting.digest() == NOTHING
    assert suppressed_in(alerting.stack.mailbox()) == 0


def test_a_count_whose_only_channel_hangs_waits_for_it_for_a_day_before_it_is_sent_by_e_mail(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_unreported(alerting, rule(Channels=["second"], **cooldown()))
    break_channels(monkeypatch, {"second": Unavailable("It hangs.")})
    assert alerting.digest() == {**NOTHING, "Delayed": 1}
    alerting.time.pass_seconds(24 * 3600)
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Suppressed": 2, "Failed": 1}
    assert suppressed_in(alerting.stack.mailbox()) == 2


def test_an_e_mail_names_the_failed_channels_of_a_rule_once_for_its_alerts_and_its_counts(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = rule(Channels=["second"], **cooldown())
    leave_unreported(alerting, quiet)
    alerting.queue(matches("a", quiet))
    break_channels(monkeypatch, {"second": ChannelGone("It is gone.")})
    alerting.digest()
    messages = alerting.stack.mailbox()
    assert (digested_in(messages), suppressed_in(messages)) == (1, 2)
    assert "".join(message["Message"] for message in messages).count("because these channels failed: second.") == 1


def test_a_record_that_waited_with_a_count_is_finished_when_an_alert_has_reported_it(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = rule(**cooldown())
    leave_unreported(alerting, quiet)
    with alerting.wire.refusing("Publish", "InternalFailure", 500):
        assert alerting.digest()["Delayed"] == 1
    assert alerting.send(matches("next", quiet))["Sent"] == 1
    assert suppressed_in(alerting.stack.mailbox()) == 2
    assert alerting.digest() == NOTHING
    assert not [item for item in alerting.stack.items("AlertsTable") if "QueuedFor" in item]


# --------------------------------------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize("times", range(1, len(WRITE_PAUSES) + 1))
def test_a_record_that_fails_after_its_digest_is_written_again_and_the_digest_is_not_sent_again(
    alerting: Alerting, times: int
) -> None:
    alerting.queue(matches("a"))
    alerting.wire.refuse_after_sending(times, "ThrottlingException")
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Alerts": 1}
    assert alerting.digest() == NOTHING
    assert len(alerting.stack.mailbox()) == 1


def test_a_digest_whose_record_goes_on_failing_is_sent_once_more_with_the_same_numbers(alerting: Alerting) -> None:
    alerting.queue(matches("a"), matches("b"))
    alerting.wire.refuse_after_sending(len(WRITE_PAUSES) + 1, "ThrottlingException")
    assert alerting.digest() == {**NOTHING, "Delayed": 1}
    assert alerting.digest() == {**NOTHING, "Digests": 1, "Alerts": 2}
    first, second = alerting.stack.mailbox()
    assert first["Message"] == second["Message"]


@pytest.mark.slow
def test_the_next_run_finishes_what_a_run_that_crashed_at_any_call_has_left(alerting: Alerting) -> None:
    twice, calls, crashed = 0, 0, True
    digest = alerting.stack.handler("SendDigest")
    while crashed:
        quiet = rule(f"after-{calls}", **cooldown())
        alerting.send(matches("first", quiet))
        alerting.send(matches("kept", quiet))
        alerting.time.pass_seconds(600)
        alerting.queue(*(matches(f"queued-{n}", quiet) for n in range(2)))
        alerting.stack.mailbox()
        alerting.wire.cut(calls)
        try:
            digest({})
            crashed = False
        except Crash:
            crashed = True
        alerting.wire.cut(None)
        alerting.time.pass_seconds(300)
        digest({})
        messages = alerting.stack.mailbox()
        assert len(messages) in (1, 2), calls
        if len(messages) == 2:
            twice += 1
            assert messages[0]["Message"] == messages[1]["Message"], calls
        assert (digested_in(messages[:1]), suppressed_in(messages[:1])) == (2, 1), calls
        assert {alert_of(alerting.stack, f"queued-{n}", quiet["RuleId"])["Status"] for n in range(2)} == {"DIGESTED"}, calls
        assert alerting.send(matches("after", quiet))["Suppressed"] == 1, calls
        alerting.time.pass_seconds(600)
        assert alerting.send(matches("last", quiet))["Sent"] == 1, calls
        calls += 1
    assert calls > 8
    assert twice == 1  # between the sending and its record: a message can't be unsent
    assert not [item for item in alerting.stack.items("AlertsTable") if "QueuedFor" in item]


def test_two_runs_at_the_same_time_send_everything_once(alerting: Alerting) -> None:
    alerting.queue(*(matches(f"image-{n}") for n in range(10)))
    digest = alerting.stack.handler("SendDigest")
    outcomes: list[Event] = []
    threads = [threading.Thread(target=lambda: outcomes.append(digest({}))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcome.get("Alerts", 0) for outcome in outcomes) == 10
    assert digested_in(alerting.stack.mailbox()) == 10


def test_an_alert_whose_sender_has_crashed_is_sent(alerting: Alerting) -> None:
    send, digest = alerting.stack.handler("SendAlert"), alerting.stack.handler("SendDigest")
    alerting.wire.cut(1)
    with pytest.raises(Crash):
        send(matches("a"))
    alerting.wire.cut(None)
    alerting.time.pass_seconds(alerts_table.LEASE_SECONDS + alerts_table.ABANDONED_SECONDS - 1)
    assert digest({}) == NOTHING  # a retry may still come
    alerting.time.pass_seconds(1)
    assert digest({})["Alerts"] == 1
    assert alert_of(alerting.stack, "a")["Deliveries"]["email"]["Reason"] == "Its sender was interrupted."
    assert alerting.send(matches("a"))["SentBefore"] == 1


def test_an_alert_that_no_retry_could_send_is_sent(alerting: Alerting) -> None:
    with alerting.wire.refusing("Publish", "Throttled"), pytest.raises(Throttled):
        alerting.send(matches("a"))
    alerting.time.pass_seconds(3600)
    assert alerting.digest()["Alerts"] == 1
    delivery = alert_of(alerting.stack, "a")["Deliveries"]["email"]
    assert delivery["Status"] == "DIGESTED"
    assert delivery["Reason"].startswith("Not sent yet: ")  # why it was late, and not that its sender was interrupted


def test_a_match_whose_sender_crashed_after_counting_it_is_not_reported_twice(alerting: Alerting) -> None:
    quiet = rule(**cooldown())
    alerting.send(matches("first", quiet))
    send = alerting.stack.handler("SendAlert")
    alerting.wire.cut(2)  # opened, counted
    with pytest.raises(Crash):
        send(matches("second", quiet))
    alerting.wire.cut(None)
    alerting.time.pass_seconds(3600)
    assert alerting.digest() == NOTHING
    assert alert_of(alerting.stack, "second")["Status"] == "SUPPRESSED"
    alerting.time.pass_seconds(3600)
    assert alerting.digest()["Suppressed"] == 1


def test_the_lease_of_a_crashed_run_ends(alerting: Alerting) -> None:
    digest = alerting.stack.handler("SendDigest")
    with alerting.stack.environment("SendDigest"):
        assert digests_table.acquire_run_lease("a run that crashes")
    assert digest({}) == {"Busy": True}
    alerting.time.pass_seconds(digests_table.RUN_SECONDS)
    assert digest({}) == NOTHING
    assert timestamps.now() == alerting.time.now


def test_it_runs_before_the_next_is_due_and_outlives_its_lock(alerting: Alerting) -> None:
    properties = alerting.stack.template.resources["SendDigestFunction"]["Properties"]
    assert digesting.WORK_SECONDS < properties["Timeout"] < digests_table.RUN_SECONDS < 300
    (schedule,) = [
        resource["Properties"]["ScheduleExpression"]
        for name, resource in alerting.stack.template.resources.items()
        if name.startswith("SendDigestFunction") and resource["Type"] == "AWS::Events::Rule"
    ]
    assert alerting.stack.resolve(schedule) == "rate(5 minutes)"
    assert alerting.stack.template.resources["SendAlertFunction"]["Properties"]["Timeout"] < alerts_table.LEASE_SECONDS
