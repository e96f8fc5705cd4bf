"""Unit tests stay in this process: whoever opens a network connection here fails. Unix sockets are free, for event loops."""

from __future__ import annotations

import pytest
from pytest_socket import disable_socket


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    # pytest-socket lifts this after each test by itself.
    disable_socket(allow_unix_socket=True)
