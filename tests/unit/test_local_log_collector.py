"""The log collector continues after an error, and goes on reading the workers' pipes."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable

from local.emulator.lambda_.log_collector import LogCollector, LogEvent


class Store:
    """Takes log lines, or fails like a full disk."""

    def __init__(self) -> None:
        self.full = False
        self.lines: list[str] = []

    def deliver(self, group: str, stream: str, events: list[LogEvent]) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.lines += [message for _, message in events]


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_error_does_not_end_the_collector_and_is_reported_until_a_delivery_succeeds() -> None:
    store = Store()
    collector = LogCollector(store.deliver)
    writing = collector.attach("/functions", "stream")
    collector.start()
    try:
        store.full = True
        for _ in range(3):  # more than a pipe holds: the worker would block if the pipe were not read
            os.write(writing, b"lost\n" * 13_000)
        eventually(lambda: collector.problem)
        assert "log lines of /functions were lost: [Errno 28] No space left on device" in str(collector.problem)
        store.full = False
        eventually(lambda: (os.write(writing, b"kept\n"), "kept" in store.lines)[1])
        assert collector.problem is None
    finally:
        os.close(writing)
        collector.stop()
