"""Runs scheduled rules: rate(...) counts from the start of the emulator, cron(...) is in UTC with minute precision.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import datetime
import logging
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

Moment = datetime.datetime

_RATE = re.compile(r"rate\((?P<number>[1-9]\d*) (?P<unit>minute|hour|day)(?P<plural>s?)\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Minutes, hours, day of the month, month, day of the week (1 is Sunday), year.
_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))
_SEARCH_LIMIT = datetime.timedelta(days=4 * 366)


@dataclass(frozen=True)
class _Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]

    def on(self, day: datetime.date) -> bool:
        weekday = day.isoweekday() % 7 + 1
        return day.day in self.days and day.month in self.months and weekday in self.weekdays and day.year in self.years


def next_after(expression: str, moment: Moment) -> Moment | None:
    """The next time of the schedule, or None if there is none. Raises ValueError for an unsupported expression."""
    if found := _RATE.fullmatch(expression):
        if (found["number"] == "1") == bool(found["plural"]):
            raise ValueError(f"{expression}: the unit is singular for 1 and plural otherwise")
        return moment + datetime.timedelta(**{f"{found['unit']}s": int(found["number"])})
    cron = _cron(expression)
    at = moment.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    last = moment + _SEARCH_LIMIT
    while at < last:
        if not cron.on(at.date()):
            at = at.replace(hour=0, minute=0) + datetime.timedelta(days=1)
        elif at.hour in cron.hours and at.minute in cron.minutes:
            return at
        else:
            at += datetime.timedelta(minutes=1)
    return None


def _cron(expression: str) -> _Cron:
    inner = re.fullmatch(r"cron\(([^()]+)\)", expression)
    fields = inner[1].split() if inner else []
    if len(fields) != len(_FIELDS) or (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError(f"{expression} is neither rate(...) nor cron(...) with six fields and ? in one of the day fields")
    names: tuple[tuple[str, ...], ...] = ((), (), (), _MONTHS, _DAYS, ())
    return _Cron(
        *(_numbers(text, *limits, known, expression) for text, limits, known in zip(fields, _FIELDS, names, strict=True))
    )


def _numbers(text: str, least: int, most: int, names: tuple[str, ...], expression: str) -> frozenset[int]:
    def number(word: str) -> int:
        value = names.index(word.upper()) + 1 if word.upper() in names else int(word) if word.isdigit() else -1
        if not least <= value <= most:
            raise ValueError(f"{expression}: the emulator doesn't support {text}")
        return value

    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            low, high = least, most
        else:
            low = number(first)
            high = number(last) if dash else most if slash else low
        if slash and not (step.isdigit() and int(step)):
            raise ValueError(f"{expression}: the emulator doesn't support {text}")
        found.update(range(low, high + 1, int(step) if slash else 1))
    return frozenset(found)


class Schedules:
    """Calls `fire(rule, moment)` for each scheduled rule in `rules()` when it is due."""

    def __init__(self, rules: Callable[[], Iterable[Any]], fire: Callable[[Any, Moment], None]) -> None:
        self._rules = rules
        self._fire = fire
        self._due: dict[str, Moment | None] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)

    def start(self) -> None:
        """Start the intervals of the existing rules, and the thread that fires them."""
        self.tick(datetime.datetime.now(datetime.UTC))
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def tick(self, now: Moment) -> None:
        """Fire the rules that are due at `now`, and start the intervals of new rules."""
        for rule in self._rules():
            if not rule.scheduled_expression or rule.state != "ENABLED":
                continue
            if rule.name not in self._due:
                self._due[rule.name] = self._first(rule, now)
            due = self._due[rule.name]
            if due and due <= now:
                self._due[rule.name] = next_after(rule.scheduled_expression, now)
                self._fire(rule, now)

    @staticmethod
    def _first(rule: Any, now: Moment) -> Moment | None:
        try:
            return next_after(rule.scheduled_expression, now)
        except ValueError as error:  # created through the API; the deployment checks the template's rules
            log.error("The rule %s is ignored: %s", rule.name, error)
            return None

    def _run(self) -> None:
        while not self._stopping.wait(1):
            self.tick(datetime.datetime.now(datetime.UTC))
