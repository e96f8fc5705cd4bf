"""Workers that are to die on request, in the middle of their work: after so many AWS calls of one invocation.

Which calls are an invocation's own shows in the trace header that the SDK passes on from Lambda's runtime.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Crash:
    """One death to come. With `after_calls`, that call still takes effect, but its answer never arrives."""

    def __init__(self, function: str, after_calls: int, deaths: list[dict[str, Any]]) -> None:
        self.trace_id = new_trace_id()
        self._function = function
        self._after_calls = after_calls
        self._deaths = deaths
        self._calls: list[str] = []
        self._lock = threading.Lock()
        self._kill: Callable[[], None] | None = None

    def aim(self, kill: Callable[[], None]) -> None:
        """From now on `kill` ends the worker that has the event; without calls to wait for, it does so at once."""
        self._kill = kill
        if self._after_calls == 0:
            self.strike()

    def called(self, call: str) -> None:
        """Another call ("dynamodb:UpdateItem") has been answered, though the worker hasn't got the answer yet."""
        with self._lock:
            self._calls.append(call)
            due = len(self._calls) == self._after_calls
        if due:
            self.strike()

    def strike(self) -> None:
        """Kill the worker, once."""
        with self._lock:
            kill, self._kill = self._kill, None
            if kill:
                self._deaths.append({"function": self._function, "calls": list(self._calls)})
        if kill:
            kill()


class Crashes:
    """The crashes to come, by the trace of the invocation that they are meant for."""

    def __init__(self) -> None:
        self._by_trace: dict[str, Crash] = {}

    @contextmanager
    def expected(self, crash: Crash) -> Iterator[None]:
        self._by_trace[crash.trace_id] = crash
        try:
            yield
        finally:
            del self._by_trace[crash.trace_id]

    def answered(self, trace_id: str, call: str) -> None:
        """A request with this trace header has been served, and its answer is about to leave."""
        if self._by_trace and (crash := self._by_trace.get(trace_id)):
            crash.called(call)


def new_trace_id() -> str:
    """An X-Ray trace header as Lambda sends it; nothing is sampled here."""
    token = uuid.uuid4().hex
    return f"Root=1-{int(time.time()):08x}-{token[:24]};Parent={token[:16]};Sampled=0"
