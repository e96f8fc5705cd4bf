"""Evaluates the deployed alarms every few seconds, and publishes to their topics when a state changes."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

from moto.cloudwatch.models import Alarm, cloudwatch_backends
from moto.sqs.models import Queue, sqs_backends

from local.emulator.cloudwatch.evaluation import ALARM, OK, evaluate
from local.emulator.cloudwatch.metrics import Metric, Metrics
from local.emulator.moto_patches.replacing import Restore, replace
from local.emulator.timestamps import iso
from tools.sam_template import ACCOUNT_ID

log = logging.getLogger(__name__)

EVALUATION_SECONDS = 5.0
MAX_SUBJECT = 99  # characters, of SNS
Publish = Callable[[str, str, str], None]


class Alarms:
    """The account's metric alarms. `publish(topic ARN, subject, message)` publishes with MessageStructure json.

    AWS evaluates an alarm each minute. Here the last period always ends now, so that an alarm is visible within seconds.
    """

    def __init__(self, metrics: Metrics, region: str, publish: Publish, clock: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._region = region
        self._publish = publish
        self._clock = clock
        self._stopping = threading.Event()
        self.problem: str | None = None

    def install(self) -> Restore:
        """Run an alarm's actions at each change of its state, also by SetAlarmState. Returns a function that restores moto."""
        update, alarms = Alarm.update_state, self

        def update_state(alarm: Alarm, reason: str, reason_data: str, state_value: str) -> None:
            before = alarm.state_value
            update(alarm, reason, reason_data, state_value)
            if state_value != before:
                alarms._run_actions(alarm, before)

        return replace((Alarm, "update_state", update_state))

    def start(self) -> None:
        threading.Thread(target=self._run, name="alarms", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def states(self) -> dict[str, str]:
        """The state of each alarm by name."""
        return {alarm.name: alarm.state_value for alarm in self._alarms()}

    def _alarms(self) -> list[Alarm]:
        return [alarm for alarm in list(cloudwatch_backends[ACCOUNT_ID][self._region].alarms.values()) if alarm.rule is None]

    def _run(self) -> None:
        while not self._stopping.wait(EVALUATION_SECONDS):
            try:
                self.evaluate_all()
                self.problem = None
            except Exception as error:
                log.exception("evaluating alarms failed")
                self.problem = f"alarms can't be evaluated: {error}"

    def evaluate_all(self) -> None:
        """Evaluate each alarm on a statistic. Alarms on percentiles and metric math keep their state."""
        for alarm in self._alarms():
            if alarm.statistic and alarm.metric_name:
                self._evaluate(alarm)

    def _evaluate(self, alarm: Alarm) -> None:
        now = self._clock()
        metric = Metric.of(alarm.namespace, alarm.metric_name, {one.name: one.value for one in alarm.dimensions})
        if alarm.namespace == "AWS/SQS":
            self._sample_queue(metric, now)
        count = int(alarm.evaluation_periods)
        values = [one.value(alarm.statistic) for one in self._metrics.periods(metric, int(alarm.period), count, now)]
        found = evaluate(
            values,
            comparison=alarm.comparison_operator,
            threshold=float(alarm.threshold),
            datapoints_to_alarm=int(alarm.datapoints_to_alarm or count),
            missing=alarm.treat_missing_data or "missing",
        )
        if found and found[0] != alarm.state_value:
            alarm.update_state(found[1], "{}", found[0])

    def _sample_queue(self, metric: Metric, now: float) -> None:
        """Record the queue's metric as of now. SQS sends it once a minute."""
        queue = sqs_backends[ACCOUNT_ID][self._region].queues.get(dict(metric.dimensions).get("QueueName", ""))
        if queue and (value := queue_metric(queue, metric.name, now)) is not None:
            self._metrics.record(metric, value, now)

    def _run_actions(self, alarm: Alarm, before: str) -> None:
        log.warning("alarm %s: %s -> %s: %s", alarm.name, before, alarm.state_value, alarm.state_reason)
        if not alarm.actions_enabled:
            return
        actions = {ALARM: alarm.alarm_actions, OK: alarm.ok_actions}.get(alarm.state_value, alarm.insufficient_data_actions)
        for action in actions or []:
            if ":sns:" in action:
                subject = f'{alarm.state_value}: "{alarm.name}" in {self._region}'
                self._publish(
                    action, subject[:99], json.dumps({"default": document(alarm, before), "email": text(alarm, before)})
                )


def queue_metric(queue: Queue, name: str, now: float) -> float | None:
    """The current value of a queue's metric, or None for a metric that isn't supported. `now` is in seconds."""
    messages = list(queue._messages)
    visible = sum(1 for message in messages if message.visible and not message.delayed)
    delayed = sum(1 for message in messages if message.delayed)
    sent = [float(message.sent_timestamp) / 1000 for message in messages if message.sent_timestamp]
    values = {
        "ApproximateNumberOfMessagesVisible": float(visible),
        "ApproximateNumberOfMessagesDelayed": float(delayed),
        "ApproximateNumberOfMessagesNotVisible": float(len(messages) - visible - delayed),
        "ApproximateAgeOfOldestMessage": max(now - min(sent), 0.0) if sent else 0.0,
    }
    return values.get(name)


def document(alarm: Alarm, before: str) -> str:
    """The JSON message that CloudWatch publishes to a topic."""
    described: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT_ID,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _changed_at(alarm),
        "Region": alarm.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": (alarm.statistic or "").upper(),
            "Dimensions": [{"name": one.name, "value": one.value} for one in alarm.dimensions],
            "Period": int(alarm.period or 0),
            "EvaluationPeriods": int(alarm.evaluation_periods),
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": float(alarm.threshold or 0),
            "TreatMissingData": alarm.treat_missing_data or "missing",
        },
    }
    return json.dumps(described)


def text(alarm: Alarm, before: str) -> str:
    """The e-mail of a change, similar to that of CloudWatch."""
    dimensions = ", ".join(f"{one.name} = {one.value}" for one in alarm.dimensions)
    return "\n".join(
        [
            f'The CloudWatch alarm "{alarm.name}" in {alarm.region_name} has entered the {alarm.state_value} state.',
            "",
            f"- Description:             {alarm.description or ''}",
            f"- State change:            {before} -> {alarm.state_value}",
            f"- Reason for state change: {alarm.state_reason}",
            f"- Timestamp:               {_changed_at(alarm)}",
            f"- Metric:                  {alarm.namespace} {alarm.metric_name} ({alarm.statistic}), {dimensions}",
            f"- Period:                  {alarm.period} seconds",
        ]
    )


def _changed_at(alarm: Alarm) -> str:
    return iso(alarm.state_updated_timestamp.replace(tzinfo=UTC))  # moto's times are in UTC, without saying so
