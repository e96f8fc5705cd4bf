"""Writes batches of log events into moto's CloudWatch Logs, making streams as they are needed, and finds them again."""

from __future__ import annotations

import threading
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogGroup, LogStream, logs_backends

from local.log_filters import PatternError, compiled
from local.runtime.logs import LogEvent


class LogStore:
    """Groups are made too when a function logs to one that the template doesn't declare, as Lambda does."""

    def __init__(self, region: str) -> None:
        self._backend: Any = logs_backends[DEFAULT_ACCOUNT_ID][region]
        self._lock = threading.Lock()
        _install_filters()

    def deliver(self, group: str, stream: str, events: list[LogEvent]) -> None:
        with self._lock:
            if group not in self._backend.groups:
                self._backend.create_log_group(group, {})
            if stream not in self._backend.groups[group].streams:
                self._backend.create_log_stream(group, stream)
        messages = [{"timestamp": at, "message": message} for at, message in events]
        self._backend.put_log_events(group, stream, messages)


def _install_filters() -> None:
    """FilterLogEvents as on AWS: by CloudWatch's own patterns, and in order of time whichever stream an event is in."""
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
        return events_of_a_group(group, *arguments[:-1], True)  # `interleaved`, which AWS has made the only way

    LogStream.filter_log_events = of_stream
    LogGroup.filter_log_events = of_group
