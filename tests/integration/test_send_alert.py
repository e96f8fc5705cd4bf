"""Send Alert on moto: written first, published second, marked third; a crash between them is healed by the retry."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from imagewatch.aws import alerts_table, alerts_topic, clients
from imagewatch.errors import Throttled

from .conftest import Stack


def send(stack: Stack, event: dict[str, Any]) -> dict[str, int]:
    answer: dict[str, int] = stack.handler("SendAlert")(event)
    return answer


def test_sends_one_message_and_keeps_it_on_record(stack: Stack, sample: Any) -> None:
    assert send(stack, sample("send_alert")) == {"Sent": 1, "SentBefore": 0, "Failed": 0}

    (message,) = stack.mailbox()
    assert message["Subject"] == "Person at the door: person (Face) 97.3 % in astronaut-portrait.jpg"
    assert "uploads/samples/astronaut-portrait.jpg" in message["Message"]
    (alert,) = stack.items("AlertsTable")
    assert (alert["Status"], alert["RuleId"]) == ("SENT", "person-at-the-door")
    assert alert["MessageId"] == message["MessageId"]


def test_sending_again_sends_nothing(stack: Stack, sample: Any) -> None:
    send(stack, sample("send_alert"))
    assert send(stack, sample("send_alert")) == {"Sent": 0, "SentBefore": 1, "Failed": 0}
    assert len(stack.mailbox()) == 1


def test_each_matched_rule_has_its_own_alert(stack: Stack, sample: Any) -> None:
    event = sample("send_alert")
    event["Rules"].append({**event["Rules"][0], "RuleId": "another", "Name": "Another rule"})
    assert send(stack, event)["Sent"] == 2
    assert len(stack.mailbox()) == 2


def test_a_crash_after_writing_and_before_publishing_is_healed(
    stack: Stack, sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = stack.handler("SendAlert")
    with monkeypatch.context() as crash:
        crash.setattr(alerts_topic, "publish", lambda *_: (_ for _ in ()).throw(SystemError("crash")))
        with pytest.raises(SystemError):
            handler(sample("send_alert"))
    assert stack.mailbox() == []
    assert handler(sample("send_alert"))["Sent"] == 1
    assert len(stack.mailbox()) == 1


def test_a_throttled_publish_is_retried_by_the_workflow_and_the_alert_says_why_it_waits(stack: Stack, sample: Any) -> None:
    handler = stack.handler("SendAlert")
    with Stubber(clients.client("sns")) as stub:
        stub.add_client_error("publish", "Throttled", "Rate exceeded", 400)
        with pytest.raises(Throttled):
            handler(sample("send_alert"))
    (alert,) = stack.items("AlertsTable")
    assert alert["Status"] == "PENDING"
    assert "Rate exceeded" in alert["Reason"]


def test_what_sns_refuses_for_good_is_recorded_and_does_not_fail_the_image(stack: Stack, sample: Any) -> None:
    handler = stack.handler("SendAlert")
    with Stubber(clients.client("sns")) as stub:
        stub.add_client_error("publish", "AuthorizationError", "not authorized to perform: SNS:Publish", 403)
        assert handler(sample("send_alert")) == {"Sent": 0, "SentBefore": 0, "Failed": 1}
    (alert,) = stack.items("AlertsTable")
    assert alert["Status"] == "FAILED"
    assert "not authorized" in alert["Reason"]


def test_one_rules_failure_does_not_keep_the_other_rules_alerts_back(stack: Stack, sample: Any) -> None:
    event = sample("send_alert")
    event["Rules"].append({**event["Rules"][0], "RuleId": "another", "Name": "Another rule"})
    handler = stack.handler("SendAlert")
    with Stubber(clients.client("sns")) as stub:
        stub.add_client_error("publish", "Throttled", "Rate exceeded", 400)
        stub.add_response(
            "publish", {"MessageId": "m2"}, {"TopicArn": ANY, "Subject": ANY, "Message": ANY, "MessageAttributes": ANY}
        )
        with pytest.raises(Throttled):
            handler(event)
    assert {alert["RuleId"]: alert["Status"] for alert in stack.items("AlertsTable")} == {
        "person-at-the-door": "PENDING",
        "another": "SENT",
    }


def test_a_crash_between_publishing_and_marking_sends_at_most_once_more(
    stack: Stack, sample: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = stack.handler("SendAlert")
    with monkeypatch.context() as crash:
        crash.setattr(alerts_table, "mark_sent", lambda *_: (_ for _ in ()).throw(SystemError("crash")))
        with pytest.raises(SystemError):
            handler(sample("send_alert"))
    handler(sample("send_alert"))
    handler(sample("send_alert"))
    assert len(stack.mailbox()) == 2
