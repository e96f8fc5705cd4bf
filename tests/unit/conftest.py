"""Unit tests open no network connections: a test that does fails. Unix sockets are allowed for event loops."""

from __future__ import annotations

import pytest
from pytest_socket import disable_socket


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    # pytest-socket removes this after each test.
    disable_socket(allow_unix_socket=True)
