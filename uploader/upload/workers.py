"""Runs the uploads of a command concurrently, and ends them in an orderly way on Ctrl-C."""

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
"""Seconds for running uploads to finish after Ctrl-C."""


class Uploads:
    """The uploads of one command, at most `concurrency` at a time. Iteration starts them and returns each outcome.

    After a failure that affects all files, or after `interrupt`, no other upload starts; the remaining files have no outcome.
    Files are taken from `planned` one by one, so it may be endless. The threads are daemons: Ctrl-C never waits for a network
    that doesn't answer.
    """

    def __init__(self, planned: Iterable[PlannedUpload], upload: Callable[[PlannedUpload], Outcome], concurrency: int) -> None:
        self.interrupted = False
        self._planned, self._upload = iter(planned), upload
        self._lock, self._halted = threading.Lock(), threading.Event()
        self._outcomes: queue.SimpleQueue[Outcome | Exception | None] = queue.SimpleQueue()
        self._running = concurrency

    def interrupt(self) -> None:
        """Starts no other upload, and gives running ones a few seconds. A signal handler may call it."""
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
        except Exception as error:  # noqa: BLE001 - it is raised again in the caller's thread
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
    """Calls `call` on the first Ctrl-C instead of raising KeyboardInterrupt, which could separate an upload from its outcome.

    The second Ctrl-C raises KeyboardInterrupt. It does nothing where Ctrl-C is ignored (nohup), and outside the main thread,
    which gets no signals.
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
