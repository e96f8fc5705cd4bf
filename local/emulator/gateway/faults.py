"""Faults on request: /_local/faults makes chosen calls fail, slowly or at once, so that retries are seen to heal.

Two errors are no answers: "Crash" (service lambda) kills the worker, at once or `after_calls` AWS calls of its handler, and
"Timeout" only holds the call for `delay_seconds` and then lets it go on. Whoever serves the call acts on `Fault.code`.
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
LONGEST_DELAY_SECONDS = 900.0
MOST_CALLS = 1000

_SERVICES = {name: name for name in service_models.BOTOCORE_NAMES}
_SERVICES |= {"stepfunctions": "states", "monitoring": "cloudwatch"}
_FIELDS = frozenset(
    {"service", "operation", "error", "rate", "count", "message", "status", "delay_seconds", "match", "seed", "after_calls"}
)
_EXTRA_OPERATIONS = {"s3": frozenset({"PostObject"})}


@dataclass(frozen=True, slots=True)
class Fault:
    """What must happen to this one call: wait `delay_seconds`, then answer `code` with `status` (see the module)."""

    code: str
    message: str
    status: int
    delay_seconds: float
    after_calls: int = 0
    deaths: list[dict[str, Any]] = field(default_factory=list, compare=False)
    """Of a Crash: {"function", "calls": what its handler had called, as "sns:Publish"} for each worker that it killed."""


class BadFaultError(ValueError):
    """A request for a fault that can't be granted; `field` is the culprit."""

    def __init__(self, field_name: str, why: str) -> None:
        super().__init__(f"{field_name}: {why}")
        self.field = field_name


@dataclass(slots=True)
class _Rule:
    """A requested fault with what it has done so far."""

    number: int
    service: str
    operation: str
    fault: Fault
    rate: float | None
    left: int | None
    match: tuple[str, ...]
    seed: int
    hits: int = 0
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def fires(self, service: str, operation: str, resources: tuple[str, ...], body: bytes) -> bool:
        if self.service != service or self.operation not in ("*", operation):
            return False
        if not all(any(part in resource for resource in resources) or part.encode() in body for part in self.match):
            return False
        if self.left is not None:
            if self.left == 0:
                return False
            self.left -= 1
        elif self.rate is not None and self.dice.random() >= self.rate:
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
    """The faults now in force. Thread-safe; with a seed the same calls in the same order meet the same faults."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._numbers = itertools.count(1)

    def match(self, service: str, operation: str, *resources: str, body: bytes = b"") -> Fault | None:
        """Return the fault that this call meets, if any; the oldest rule that fires wins.

        A rule's `match` is looked for in `resources` (the call's ARNs, which for Rekognition hold the image's object; the name
        of the function that is called, or that calls) and in the body, which names the image where the ARN is a table's, a
        topic's or a function's. Of several, each must be found.
        """
        if not self._rules:
            return None
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.fires(service, operation, resources, body)), None)

    def handle(self, method: str, body: bytes | str = b"") -> tuple[int, Any]:
        """Serve /_local/faults: POST adds a fault, GET lists them, DELETE removes all, or one by {"id": n}.

        Returns (HTTP status, JSON value). A bad request gets 400 with {"error": sentence, "field": name}.
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

    def _add(self, asked: dict[str, Any]) -> tuple[int, Any]:
        rule = _rule(next(self._numbers), asked)
        with self._lock:
            self._rules.append(rule)
            return 201, rule.shown()

    def _remove(self, asked: dict[str, Any]) -> tuple[int, Any]:
        with self._lock:
            kept = [rule for rule in self._rules if "id" in asked and rule.number != asked["id"]]
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


def _rule(number: int, asked: dict[str, Any]) -> _Rule:
    if unknown := sorted(set(asked) - _FIELDS):
        raise BadFaultError(unknown[0], f"unknown field; the fields are {', '.join(sorted(_FIELDS))}")
    service = _SERVICES.get(_string(asked, "service"))
    if not service:
        raise BadFaultError("service", f"must be one of {', '.join(sorted(_SERVICES))}")
    operation = _operation(service, _string(asked, "operation"))
    rate, count = _how_often(asked)
    seed = asked.get("seed")
    if seed is None:
        seed = random.randrange(2**32)
    elif not isinstance(seed, int) or isinstance(seed, bool):
        raise BadFaultError("seed", "must be a whole number")
    return _Rule(number, service, operation, _fault(service, asked), rate, count, _match(asked), seed)


def _match(asked: dict[str, Any]) -> tuple[str, ...]:
    """One string, or several that must all be found."""
    wanted = asked.get("match", [])
    parts = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise BadFaultError("match", "must be a string or a list of strings")
    return tuple(parts)


def _operation(service: str, operation: str) -> str:
    known = service_models.operations(service) | _EXTRA_OPERATIONS.get(service, frozenset())
    if operation != "*" and operation not in known:
        raise BadFaultError("operation", f'"{operation}" is no operation of {service} ("*" means any)')
    return operation


def _how_often(asked: dict[str, Any]) -> tuple[float | None, int | None]:
    if ("rate" in asked) == ("count" in asked):
        raise BadFaultError("rate", "give either rate (above 0, at most 1) or count (the next so many calls)")
    if "rate" in asked:
        return _number(asked, "rate", 0.0, 1.0, above=True), None
    count = asked["count"]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise BadFaultError("count", "must be a whole number of at least 1")
    return None, count


def _after_calls(asked: dict[str, Any]) -> int:
    calls = asked.get("after_calls", 0)
    if not isinstance(calls, int) or isinstance(calls, bool) or not 0 <= calls <= MOST_CALLS:
        raise BadFaultError("after_calls", f"must be a whole number from 0 to {MOST_CALLS}")
    return calls


def _fault(service: str, asked: dict[str, Any]) -> Fault:
    name = _string(asked, "error")
    if name == CRASH and service != "lambda":
        raise BadFaultError("error", "Crash is for the service lambda: its worker dies")
    if "after_calls" in asked and name != CRASH:
        raise BadFaultError("after_calls", "is for the error Crash")
    code, status = service_models.wire_error(service, name)
    delay = _number(asked, "delay_seconds", 0.0, LONGEST_DELAY_SECONDS) if "delay_seconds" in asked else 0.0
    if name == TIMEOUT and not delay:
        raise BadFaultError("delay_seconds", "Timeout needs the seconds to hold the call")
    if "status" in asked:
        status = asked["status"]
        if not isinstance(status, int) or isinstance(status, bool) or not 400 <= status <= 599:
            raise BadFaultError("status", "must be an HTTP status from 400 to 599")
    message = _string(asked, "message", f"{code}: a fault on request (/_local/faults)")
    return Fault(code, message, status, delay, _after_calls(asked))


def _string(asked: dict[str, Any], name: str, default: str | None = None) -> str:
    value = asked.get(name, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise BadFaultError(name, "must be a string" if name in asked else "is missing")
    return value


def _number(asked: dict[str, Any], name: str, least: float, most: float, *, above: bool = False) -> float:
    value = asked[name]
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    if not fits or (above and value == least):
        raise BadFaultError(name, f"must be a number {'above' if above else 'from'} {least:g} and at most {most:g}")
    return float(value)
