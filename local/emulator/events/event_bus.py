"""Delivers AWS services' own events to the targets of EventBridge rules; moto matches, we invoke."""

from __future__ import annotations

import datetime
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.events.models import Rule, events_backends

from local.emulator.cloudformation import Permission
from local.emulator.lambda_.runner import LambdaRunner

log = logging.getLogger(__name__)


class EventBus:
    """The default bus. Function targets need a permission for events.amazonaws.com, as on AWS."""

    def __init__(self, region: str, runner: LambdaRunner, permissions: Callable[[], list[Permission]]) -> None:
        self._backend = events_backends[DEFAULT_ACCOUNT_ID][region]
        self._region = region
        self._runner = runner
        self._permissions = permissions

    def install(self) -> None:
        """Let events that arrive through PutEvents or S3 reach functions too, which moto can't do itself."""
        bus = self
        original = Rule.send_to_targets

        def send_to_targets(rule: Rule, original_event: Any, transform_input: bool = True) -> None:
            if not rule.event_pattern.dump():  # a scheduled rule: moto would let it match every event
                return
            functions = [target for target in rule.targets if ":lambda:" in target["Arn"]]
            if functions and rule.state == "ENABLED" and rule.event_pattern.matches_event(original_event):
                for target in functions:
                    bus._invoke(rule, target, _with_iso_time(original_event))
            if len(functions) < len(rule.targets):
                others = Rule.__new__(Rule)
                others.__dict__ = {**rule.__dict__, "targets": [t for t in rule.targets if t not in functions]}
                original(others, original_event, transform_input)

        Rule.send_to_targets = send_to_targets

    def publish(self, source: str, detail_type: str, resources: list[str], detail: dict[str, Any]) -> None:
        """Send one event, in the form that EventBridge gives to targets, to every rule that matches it."""
        rules = self.rules()
        if not rules:
            return
        now = datetime.datetime.now(datetime.UTC)
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": DEFAULT_ACCOUNT_ID,
            "time": now.timestamp(),
            "region": self._region,
            "resources": resources,
            "detail": detail,
        }
        for rule in rules:
            rule.send_to_targets(event)

    def rules(self) -> list[Rule]:
        """Every rule of the default bus."""
        return list(self._backend.describe_event_bus("default").rules.values())

    def fire(self, rule: Rule, moment: datetime.datetime) -> None:
        """Send the event of a scheduled rule that is due to its functions; a target's Input takes the event's place."""
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": DEFAULT_ACCOUNT_ID,
            "time": moment.timestamp(),
            "region": self._region,
            "resources": [rule.arn],
            "detail": {},
        }
        for target in rule.targets:
            if ":lambda:" in target["Arn"]:
                self._invoke(rule, target, json.loads(target["Input"]) if "Input" in target else _with_iso_time(event))

    def _invoke(self, rule: Rule, target: dict[str, Any], event: dict[str, Any]) -> None:
        name = target["Arn"].split(":")[6]
        if not self._permitted(name, rule.arn):
            log.error("The rule %s may not invoke %s: no Lambda permission for events.amazonaws.com", rule.name, name)
            return
        self._runner.invoke_async(name, json.dumps(event).encode())

    def _permitted(self, function_name: str, rule_arn: str) -> bool:
        return any(
            permission.function_name == function_name
            and permission.principal == "events.amazonaws.com"
            and permission.source_arn in (None, rule_arn)
            for permission in self._permissions()
        )


def _with_iso_time(event: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(event.get("time"), int | float):
        return event
    when = datetime.datetime.fromtimestamp(event["time"], datetime.UTC)
    return {**event, "time": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
