"""Unit tests stay in this process: whoever opens a network connection here fails. Unix sockets are free, for event loops."""

from __future__ import annotations

import hypothesis
import pytest
from pytest_socket import disable_socket

# The same examples on every machine and in every run, and no verdict by the clock.
hypothesis.settings.register_profile("stable", derandomize=True, deadline=None, database=None, max_examples=150)
hypothesis.settings.load_profile("stable")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    # pytest-socket lifts this after each test by itself.
    disable_socket(allow_unix_socket=True)
