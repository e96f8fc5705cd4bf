"""Runs the uploads of a command side by side, and lets Ctrl-C end them in good order."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from uploader.upload.plan import PlannedUpload
from uploader.upload.transfer import NotUploaded, Outcome

INTERRUPT_GRACE = 5.0
"""Seconds that uploads under way get to end after Ctrl-C."""


class Uploads:
    """The uploads of one command, `concurrency` of them at a time; iterating, once, begins them and gives each outcome.

    After a affects_all failure, or `interrupt`, no further file is begun: the caller finds those without an outcome. Files
    are drawn from `planned` one by one, so it may be endless. The threads are daemons, so that Ctrl-C never waits for
    a dead network.
    """

    def __init__(self, planned: Iterable[PlannedUpload], upload: Callable[[PlannedUpload], Outcome], concurrency: int) -> None:
        self.interrupted = False
        self._planned, self._upload = iter(planned), upload
        self._lock, self._halted = threading.Lock(), threading.Event()
        self._outcomes: queue.SimpleQueue[Outcome | Exception | None] = queue.SimpleQueue()
        self._running = concurrency

    def interrupt(self) -> None:
        """Begins no further file, and gives those under way a few seconds. May be called in a signal handler."""
        self._halted.set()
        self._outcomes.put(_Interruption())

    def __iter__(self) -> Iterator[Outcome]:
        for number in range(self._running):
            threading.Thread(target=self._work, name=f"upload-{number + 1}", daemon=True).start()
        give_up_at = None
        while self._running:
            try:
                left = None if give_up_at is None else max(0.0, give_up_at - time.monotonic())
                outcome = self._outcomes.get(timeout=left)
            except queue.Empty:
                return
            if outcome is None:
                self._running -= 1
            elif isinstance(outcome, _Interruption):
                self.interrupted, give_up_at = True, time.monotonic() + INTERRUPT_GRACE
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                yield outcome

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                outcome = self._upload(item)
                if isinstance(outcome, NotUploaded) and outcome.affects_all:
                    self._halted.set()
                self._outcomes.put(outcome)
        except Exception as error:  # noqa: BLE001 - a fault of ours, raised again in the caller's thread
            self._outcomes.put(error)
        finally:
            self._outcomes.put(None)

    def _next(self) -> PlannedUpload | None:
        if self._halted.is_set():
            return None
        with self._lock:
            return next(self._planned, None)


class _Interruption(Exception):
    pass


@contextmanager
def on_interrupt(call: Callable[[], None]) -> Iterator[None]:
    """Calls `call` at the first Ctrl-C in place of an exception, which could strike between an upload and its record.

    The second Ctrl-C is the usual KeyboardInterrupt. Does nothing where Ctrl-C is switched off (nohup), or outside the
    main thread, where Python delivers no signals.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        call()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
