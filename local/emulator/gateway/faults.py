"""Fault injection: /_local/faults makes selected calls fail or wait, to test retries.

Two errors are special. "Crash" (service lambda) kills the worker, immediately or after `after_calls` AWS calls of its handler.
"Timeout" delays the call by `delay_seconds` and then lets it continue. The code that serves a call applies its Fault.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any

from local.emulator.gateway import service_models

CRASH = "Crash"
TIMEOUT = "Timeout"
MAX_DELAY_SECONDS = 900.0
MAX_CALLS = 1000

_SERVICES = {name: name for name in service_models.BOTOCORE_NAMES}
_SERVICES |= {"stepfunctions": "states", "monitoring": "cloudwatch"}
_FIELDS = frozenset(
    {"service", "operation", "error", "rate", "count", "message", "status", "delay_seconds", "match", "seed", "after_calls"}
)
_EXTRA_OPERATIONS = {"s3": frozenset({"PostObject"})}


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault of one call: wait `delay_seconds`, then answer `code` with `status`. See the module for special codes."""

    code: str
    message: str
    status: int
    delay_seconds: float
    after_calls: int = 0
    deaths: list[dict[str, Any]] = field(default_factory=list, compare=False)
    """For a Crash, each killed worker: {"function", "calls": the calls of its handler, such as "sns:Publish"}."""


class BadFaultError(ValueError):
    """An invalid request for a fault; `field` is the invalid field."""

    def __init__(self, field_name: str, why: str) -> None:
        super().__init__(f"{field_name}: {why}")
        self.field = field_name


@dataclass(slots=True)
class _Rule:
    """A requested fault with its state: calls left, and hits so far."""

    number: int
    service: str
    operation: str
    fault: Fault
    rate: float | None
    left: int | None
    match: tuple[str, ...]
    seed: int
    hits: int = 0
    random_numbers: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random_numbers = random.Random(self.seed)

    def fires(self, service: str, operation: str, resources: tuple[str, ...], body: bytes) -> bool:
        if self.service != service or self.operation not in ("*", operation):
            return False
        if not all(any(part in resource for resource in resources) or part.encode() in body for part in self.match):
            return False
        if self.left is not None:
            if self.left == 0:
                return False
            self.left -= 1
        elif self.rate is not None and self.random_numbers.random() >= self.rate:
            return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        shown = {"id": self.number, "service": self.service, "operation": self.operation, "error": self.fault.code}
        shown |= {"rate": self.rate} if self.left is None else {"count": self.left}
        shown |= {"message": self.fault.message, "status": self.fault.status, "delay_seconds": self.fault.delay_seconds}
        if self.fault.code == CRASH:
            shown |= {"after_calls": self.fault.after_calls, "deaths": list(self.fault.deaths)}
        return shown | {"match": list(self.match), "seed": self.seed, "hits": self.hits}


class Faults:
    """The active faults. Thread-safe. With a seed, the same calls in the same order get the same faults."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._numbers = itertools.count(1)

    def match(self, service: str, operation: str, *resources: str, body: bytes = b"") -> Fault | None:
        """The fault for this call, from the oldest rule that applies, or None.

        Each text in a rule's `match` must occur in one of the `resources` or in the body. `resources` are the call's ARNs
        (Rekognition's include the image's object) and the name of the called or calling function.
        """
        if not self._rules:
            return None
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.fires(service, operation, resources, body)), None)

    def handle(self, method: str, body: bytes | str = b"") -> tuple[int, Any]:
        """Serve /_local/faults. POST adds a fault, GET lists all, DELETE removes all, or one by {"id": n}.

        Returns (HTTP status, JSON value). An invalid request gets 400 with {"error": sentence, "field": name}.
        """
        try:
            if method == "GET":
                with self._lock:
                    return 200, [rule.shown() for rule in self._rules]
            if method == "POST":
                return self._add(_object(body))
            if method == "DELETE":
                return self._remove(_object(body))
        except BadFaultError as problem:
            return 400, {"error": str(problem), "field": problem.field}
        return 405, {"error": "use GET, POST or DELETE"}

    def _add(self, fields: dict[str, Any]) -> tuple[int, Any]:
        rule = _rule(next(self._numbers), fields)
        with self._lock:
            self._rules.append(rule)
            return 201, rule.shown()

    def _remove(self, fields: dict[str, Any]) -> tuple[int, Any]:
        with self._lock:
            kept = [rule for rule in self._rules if "id" in fields and rule.number != fields["id"]]
            removed, self._rules = len(self._rules) - len(kept), kept
        return 200, {"removed": removed}


def _object(body: bytes | str) -> dict[str, Any]:
    if not body:
        return {}
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadFaultError("body", f"not JSON ({error})") from error
    if not isinstance(value, dict):
        raise BadFaultError("body", "must be a JSON object")
    return value


def _rule(number: int, fields: dict[str, Any]) -> _Rule:
    if unknown := sorted(set(fields) - _FIELDS):
        raise BadFaultError(unknown[0], f"unknown field; the fields are {', '.join(sorted(_FIELDS))}")
    service = _SERVICES.get(_string(fields, "service"))
    if not service:
        raise BadFaultError("service", f"must be one of {', '.join(sorted(_SERVICES))}")
    operation = _operation(service, _string(fields, "operation"))
    rate, count = _rate_or_count(fields)
    seed = fields.get("seed")
    if seed is None:
        seed = random.randrange(2**32)
    elif not isinstance(seed, int) or isinstance(seed, bool):
        raise BadFaultError("seed", "must be a whole number")
    return _Rule(number, service, operation, _fault(service, fields), rate, count, _match(fields), seed)


def _match(fields: dict[str, Any]) -> tuple[str, ...]:
    """The texts to match, from one string or a list of strings."""
    wanted = fields.get("match", [])
    parts = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise BadFaultError("match", "must be a string or a list of strings")
    return tuple(parts)


def _operation(service: str, operation: str) -> str:
    known = service_models.operations(service) | _EXTRA_OPERATIONS.get(service, frozenset())
    if operation != "*" and operation not in known:
        raise BadFaultError("operation", f'"{operation}" is not an operation of {service} ("*" stands for all)')
    return operation


def _rate_or_count(fields: dict[str, Any]) -> tuple[float | None, int | None]:
    if ("rate" in fields) == ("count" in fields):
        raise BadFaultError("rate", "give either rate (above 0, at most 1) or count (the number of calls)")
    if "rate" in fields:
        return _number(fields, "rate", 0.0, 1.0, above=True), None
    count = fields["count"]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise BadFaultError("count", "must be a whole number of at least 1")
    return None, count


def _after_calls(fields: dict[str, Any]) -> int:
    calls = fields.get("after_calls", 0)
    if not isinstance(calls, int) or isinstance(calls, bool) or not 0 <= calls <= MAX_CALLS:
        raise BadFaultError("after_calls", f"must be a whole number from 0 to {MAX_CALLS}")
    return calls


def _fault(service: str, fields: dict[str, Any]) -> Fault:
    name = _string(fields, "error")
    if name == CRASH and service != "lambda":
        raise BadFaultError("error", "Crash is an error of the service lambda only")
    if "after_calls" in fields and name != CRASH:
        raise BadFaultError("after_calls", "is allowed only with the error Crash")
    code, status = service_models.wire_error(service, name)
    delay = _number(fields, "delay_seconds", 0.0, MAX_DELAY_SECONDS) if "delay_seconds" in fields else 0.0
    if name == TIMEOUT and not delay:
        raise BadFaultError("delay_seconds", "is required for the error Timeout")
    if "status" in fields:
        status = fields["status"]
        if not isinstance(status, int) or isinstance(status, bool) or not 400 <= status <= 599:
            raise BadFaultError("status", "must be an HTTP status from 400 to 599")
    message = _string(fields, "message", f"{code}: an injected fault (/_local/faults)")
    return Fault(code, message, status, delay, _after_calls(fields))


def _string(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise BadFaultError(name, "must be a string" if name in fields else "is missing")
    return value


def _number(fields: dict[str, Any], name: str, least: float, most: float, *, above: bool = False) -> float:
    value = fields[name]
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    if not fits or (above and value == least):
        raise BadFaultError(name, f"must be a number {'above' if above else 'from'} {least:g} and at most {most:g}")
    return float(value)
