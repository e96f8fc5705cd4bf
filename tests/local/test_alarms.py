"""The emulator evaluates a template's alarms and sends their e-mails to the mailbox."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from .small_stack import SmallStack, eventually


def mails(small: SmallStack, alarm: str) -> list[dict[str, Any]]:
    with urlopen(f"{small.endpoint}/_local/mailbox") as answer:
        return [mail for mail in json.load(answer) if f'"{alarm}"' in mail["subject"]]


def state(small: SmallStack, alarm: str) -> str:
    (described,) = small.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(described["StateValue"])


def test_an_alarm_on_a_functions_errors_rings_and_ends(small: SmallStack) -> None:
    assert small.invoke("say")[1] is None
    eventually(lambda: state(small, "act-errors") != "ALARM", "an earlier alarm did not end")
    before = len(mails(small, "act-errors"))  # other tests of this stack let the function fail too

    assert small.invoke("fail")[1] == "Unhandled"

    eventually(lambda: state(small, "act-errors") == "ALARM", "the alarm did not ring")
    eventually(lambda: state(small, "act-errors") == "OK", "the alarm did not end")
    eventually(lambda: len(mails(small, "act-errors")) >= before + 2, "no e-mails were sent")
    rang, ended = mails(small, "act-errors")[-2:]
    assert (rang["to"], rang["subject"]) == ("operations@example.com", 'ALARM: "act-errors" in us-east-1')
    assert "The function act failed." in rang["body"]
    assert "Threshold crossed: 1 datapoint was greater than or equal to the threshold (1)" in rang["body"]
    assert ended["subject"] == 'OK: "act-errors" in us-east-1'


def test_an_alarm_on_a_metric_in_a_functions_log_rings(small: SmallStack) -> None:
    assert small.invoke("measure")[1] is None

    eventually(lambda: mails(small, "measured"), "the alarm did not ring")


def test_an_alarm_on_the_age_of_a_queues_oldest_message_rings(small: SmallStack) -> None:
    sqs = small.client("sqs")
    sqs.send_message(QueueUrl=sqs.list_queues(QueueNamePrefix="small-Idle")["QueueUrls"][0], MessageBody="no function reads this")

    eventually(lambda: mails(small, "leftover"), "the alarm did not ring")


def test_an_alarm_on_refused_invocations_rings(small: SmallStack) -> None:
    small.client("cloudwatch").put_metric_alarm(
        AlarmName="act-throttles",
        Namespace="AWS/Lambda",
        MetricName="Throttles",
        Dimensions=[{"Name": "FunctionName", "Value": "act"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    fault = {"service": "lambda", "operation": "Invoke", "match": ["act"], "error": "TooManyRequestsException", "count": 1}
    with urlopen(Request(f"{small.endpoint}/_local/faults", json.dumps(fault).encode(), {"Content-Type": "application/json"})):
        pass
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        small.invoke("say")

    eventually(lambda: state(small, "act-throttles") == "ALARM", "the alarm did not ring")


def test_set_alarm_state_rings_an_alarm(small: SmallStack) -> None:
    before = len(mails(small, "leftover"))
    cloudwatch = small.client("cloudwatch")
    for value in ("OK", "ALARM"):
        cloudwatch.set_alarm_state(AlarmName="leftover", StateValue=value, StateReason="a drill")

    eventually(lambda: len(mails(small, "leftover")) > before, "no e-mail was sent")
    assert "a drill" in mails(small, "leftover")[-1]["body"]
