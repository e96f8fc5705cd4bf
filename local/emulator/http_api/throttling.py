"""Limits the rate of requests with a token bucket, as API Gateway does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Throttle:
    """A bucket of `burst` tokens that is filled at `rate` tokens per second. A request takes one token."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._tokens, self._at = float(burst), now()
        self._lock = threading.Lock()

    def admits(self) -> bool:
        """Take a token. Returns False if there is none."""
        with self._lock:
            now = self._now()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
