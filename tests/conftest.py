"""For every tier: Ctrl-C means Ctrl-C, also where pytest was started in the background, whose jobs a shell lets ignore it."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
