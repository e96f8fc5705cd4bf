"""Collects the output of all workers and the platform's log lines, and delivers them in batches, in one thread."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

LogEvent = tuple[int, str]
Deliver = Callable[[str, str, list[LogEvent]], None]
BATCH_SECONDS = 0.2
MAX_LINE_BYTES = 262_144


@dataclass
class _Source:
    group: str
    stream: str
    partial: bytes = b""


class LogCollector:
    """Calls `deliver(group, stream, [(epoch milliseconds, message)])` every 0.2 s with the new events.

    An error doesn't end the thread: without it, the workers' pipes would fill and block their functions. `problem` describes the
    last error, until a delivery succeeds.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._selector = selectors.DefaultSelector()
        self._batches: dict[tuple[str, str], list[LogEvent]] = defaultdict(list)
        self._lock = threading.Lock()
        self._stopping = False
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="log-collector", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._thread.join(timeout=2)

    def attach(self, group: str, stream: str) -> int:
        """Create a pipe for a worker's output. Returns the writing end; the caller closes it after passing it on."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        with self._lock:
            self._selector.register(reading, selectors.EVENT_READ, _Source(group, stream))
        return writing

    def add(self, group: str, stream: str, message: str) -> None:
        with self._lock:
            self._batches[group, stream].append((int(time.time() * 1000), message))

    def _run(self) -> None:
        while not self._stopping:
            time.sleep(BATCH_SECONDS)
            try:
                self._collect()
                self.flush()
            except Exception as error:
                log.exception("collecting log lines failed")
                self.problem = f"log lines can't be collected: {error}"

    def _collect(self) -> None:
        with self._lock:
            ready = self._selector.select(timeout=0) if self._selector.get_map() else []
        for key, _ in ready:
            data = self._drain(key.fd)
            if data is None:
                with self._lock:
                    self._selector.unregister(key.fd)
                os.close(key.fd)
                continue
            self._split(key.data, data)

    @staticmethod
    def _drain(descriptor: int) -> bytes | None:
        """The pipe's available content, or None at the end of the pipe."""
        chunks: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(descriptor, 65536):
                chunks.append(chunk)
            return b"".join(chunks) or None
        return b"".join(chunks)

    def _split(self, source: _Source, data: bytes) -> None:
        *lines, source.partial = (source.partial + data).split(b"\n")
        if len(source.partial) > MAX_LINE_BYTES:
            lines, source.partial = [*lines, source.partial], b""
        now = int(time.time() * 1000)
        events = [(now, line.decode("utf-8", "replace")) for line in lines if line.strip()]
        with self._lock:
            self._batches[source.group, source.stream] += events

    def flush(self) -> None:
        with self._lock:
            batches, self._batches = self._batches, defaultdict(list)
        for (group, stream), events in batches.items():
            if events:
                self._deliver_batch(group, stream, events)

    def _deliver_batch(self, group: str, stream: str, events: list[LogEvent]) -> None:
        try:
            self._deliver(group, stream, events)
        except Exception as error:
            log.exception("storing log lines failed")
            self.problem = f"{len(events)} log lines of {group} were lost: {error}"
        else:
            self.problem = None
