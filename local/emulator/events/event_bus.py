"""The default event bus: publishes events and invokes functions that are targets of rules. moto matches the patterns."""

from __future__ import annotations

import datetime
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

from moto.events.models import Rule, events_backends

from local.emulator.cloudformation import Permission
from local.emulator.lambda_.runner import LambdaRunner
from tools.sam_template import ACCOUNT_ID

log = logging.getLogger(__name__)


class EventBus:
    """The default bus. A function target needs a Lambda permission for events.amazonaws.com, as on AWS."""

    def __init__(self, region: str, runner: LambdaRunner, permissions: Callable[[], list[Permission]]) -> None:
        self._backend = events_backends[ACCOUNT_ID][region]
        self._region = region
        self._runner = runner
        self._permissions = permissions

    def install(self) -> None:
        """Make moto invoke functions for events that arrive through PutEvents. moto supports only other targets."""
        bus = self
        original = Rule.send_to_targets

        def send_to_targets(rule: Rule, original_event: Any, transform_input: bool = True) -> None:
            if not rule.event_pattern.dump():  # a scheduled rule: moto would match it with every event
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
        """Send an event to the targets of all matching rules."""
        rules = self.rules()
        if not rules:
            return
        event = self._event(datetime.datetime.now(datetime.UTC), source, detail_type, resources, detail)
        for rule in rules:
            rule.send_to_targets(event)

    def rules(self) -> list[Rule]:
        """All rules of the default bus."""
        return list(self._backend.describe_event_bus("default").rules.values())

    def fire(self, rule: Rule, moment: datetime.datetime) -> None:
        """Invoke the functions of a scheduled rule, with the target's Input or with the scheduled event."""
        event = self._event(moment, "aws.events", "Scheduled Event", [rule.arn], {})
        for target in rule.targets:
            if ":lambda:" in target["Arn"]:
                self._invoke(rule, target, json.loads(target["Input"]) if "Input" in target else _with_iso_time(event))

    def _event(
        self, moment: datetime.datetime, source: str, detail_type: str, resources: list[str], detail: dict[str, Any]
    ) -> dict[str, Any]:
        """The event in moto's form: `time` is in seconds since the epoch."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": ACCOUNT_ID,
            "time": moment.timestamp(),
            "region": self._region,
            "resources": resources,
            "detail": detail,
        }

    def _invoke(self, rule: Rule, target: dict[str, Any], event: dict[str, Any]) -> None:
        name = target["Arn"].split(":")[6]
        if not self._permitted(name, rule.arn):
            log.error("The rule %s can't invoke %s: the function has no permission for events.amazonaws.com", rule.name, name)
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
    """The event as targets receive it, with `time` in ISO 8601."""
    if not isinstance(event.get("time"), int | float):
        return event
    when = datetime.datetime.fromtimestamp(event["time"], datetime.UTC)
    return {**event, "time": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
