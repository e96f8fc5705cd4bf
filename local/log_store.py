"""Writes batches of log events into moto's CloudWatch Logs, making streams as they are needed."""

from __future__ import annotations

import threading
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

from local.runtime.logs import LogEvent


class LogStore:
    """Groups are made too when a function logs to one that the template doesn't declare, as Lambda does."""

    def __init__(self, region: str) -> None:
        self._backend: Any = logs_backends[DEFAULT_ACCOUNT_ID][region]
        self._lock = threading.Lock()

    def deliver(self, group: str, stream: str, events: list[LogEvent]) -> None:
        with self._lock:
            if group not in self._backend.groups:
                self._backend.create_log_group(group, {})
            if stream not in self._backend.groups[group].streams:
                self._backend.create_log_stream(group, stream)
        messages = [{"timestamp": at, "message": message} for at, message in events]
        self._backend.put_log_events(group, stream, messages)
