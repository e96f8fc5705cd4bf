"""Stores log events in moto's CloudWatch Logs, with older events in the archive, and filters them as AWS does."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogEvent as Event
from moto.logs.models import LogGroup, LogStream, logs_backends

from local.emulator.archive import Archive, Place
from local.emulator.lambda_.log_collector import LogEvent
from local.emulator.logs.filter_patterns import PatternError, compiled
from tools.sam_template import ACCOUNT_ID

OPEN_EVENTS = 64  # events of a stream that stay in memory, and events in one archived block


class LogStore:
    """Writes to moto. Creates missing log groups and streams, as Lambda does."""

    def __init__(self, region: str, archive: Archive) -> None:
        self._backend: Any = logs_backends[ACCOUNT_ID][region]
        self._archive = archive
        self._lock = threading.Lock()
        _install_filters()

    def deliver(self, group: str, stream: str, events: list[LogEvent]) -> None:
        with self._lock:
            if group not in self._backend.groups:
                self._backend.create_log_group(group, {})
            if stream not in self._backend.groups[group].streams:
                self._backend.create_log_stream(group, stream)
                self._backend.groups[group].streams[stream].events = ArchivedEvents(self._archive)
        messages = [{"timestamp": at, "message": message} for at, message in events]
        self._backend.put_log_events(group, stream, messages)


class ArchivedEvents:
    """Replaces the event list of a moto stream: supports adding, iterating and counting. Older events are in the archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._places: list[Place] = []
        self._open: list[Event] = []

    def __iadd__(self, events: Iterable[Event]) -> ArchivedEvents:
        self._open += events
        while len(self._open) >= 2 * OPEN_EVENTS:
            block = [(one.event_id, one.ingestion_time, one.timestamp, one.message) for one in self._open[:OPEN_EVENTS]]
            # New lists, so that a concurrent reader of the old lists sees each event once.
            self._places, self._open = [*self._places, self._archive.put(block)], self._open[OPEN_EVENTS:]
        return self

    def __iter__(self) -> Iterator[Event]:
        places, still_open = self._places, self._open
        for place in places:
            for fields in self._archive.get(place):
                yield _event(*fields)
        yield from still_open

    def __len__(self) -> int:
        return len(self._places) * OPEN_EVENTS + len(self._open)


def _event(event_id: int, ingestion_time: int, timestamp: int, message: str) -> Event:
    event = object.__new__(Event)  # the constructor would assign a new id
    event.event_id, event.ingestion_time, event.timestamp, event.message = event_id, ingestion_time, timestamp, message
    return event


def _install_filters() -> None:
    """Make FilterLogEvents use CloudWatch's patterns and order events of all streams by time."""
    events_of_a_group = LogGroup.filter_log_events

    def of_stream(stream: LogStream, start_time: int | None, end_time: int | None, pattern: str | None) -> list[dict[str, Any]]:
        try:
            wanted = compiled(pattern or "")
        except PatternError as error:
            raise InvalidParameterException("Invalid filter pattern") from error
        since, until = start_time or 0, end_time or float("inf")
        return [
            {**event.to_filter_dict(), "logStreamName": stream.log_stream_name}
            for event in sorted(stream.events, key=lambda event: event.timestamp)
            if since <= event.timestamp <= until and wanted(event.message)
        ]

    def of_group(group: LogGroup, *arguments: Any) -> Any:
        return events_of_a_group(group, *arguments[:-1], True)  # `interleaved`: AWS ignores the parameter and always interleaves

    LogStream.filter_log_events = of_stream
    LogGroup.filter_log_events = of_group
