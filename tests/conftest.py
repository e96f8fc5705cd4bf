"""Settings for every tier: Hypothesis' profile, the number of processes, and the summary of what tests counted in any process.

Ctrl-C also stops a pytest that a shell started in the background and made ignore SIGINT.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from hypothesis import HealthCheck, settings

# Compiled modules are kept, also by the processes that tests start: without them each one compiles its libraries again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The same examples on every machine and in every run, and no deadlines. `make test FAST=1` runs fewer.
settings.register_profile(
    "stable", derandomize=True, deadline=None, database=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fast", settings.get_profile("stable"), max_examples=20)
settings.load_profile("fast" if os.environ.get("FAST") else "stable")

LEAST_PRIVILEGE = "least privilege"
"""Name of the property with which a test reports its counts: [needed by Imagewatch, by AWS's platform alone, by nothing]."""


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # tests never use a developer's account
        del os.environ[name]
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name, ""), "localhost,127.0.0.1"]))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, because many tests wait for a stack; at most 4, because each process starts a stack."""
    return min((os.cpu_count() or 1) + 1, 4)


@pytest.fixture(scope="session", autouse=True)
def default_output_width() -> Iterator[None]:
    """Removes COLUMNS, by which tables are folded. pytest's workers and some shells set it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def shared_service_models() -> Iterator[None]:
    """Loads botocore's description of each service once in a process. moto starts a new boto3 session for each test."""
    loaded: dict[Any, Any] = {}
    initialise = Loader.__init__

    def with_shared_cache(self: Loader, *arguments: Any, **options: Any) -> None:
        initialise(self, *arguments, **options)
        self._cache = loaded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "__init__", with_shared_cache)
        yield


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    counts = {
        report.nodeid: counted
        for report in reports
        for name, counted in getattr(report, "user_properties", ())
        if name == LEAST_PRIVILEGE
    }
    if counts:
        by_us, by_platform, survived = (sum(column) for column in zip(*counts.values(), strict=True))
        terminalreporter.write_line(
            f"least privilege: {by_us + by_platform + survived} permissions and conditions were removed one at a time; "
            f"{by_us} are needed by Imagewatch, {by_platform} by AWS's platform alone, {survived} by nothing"
        )
