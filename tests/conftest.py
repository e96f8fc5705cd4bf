"""For every tier: which examples properties are tried with; Ctrl-C means Ctrl-C, also where pytest was started in the background,
whose jobs a shell lets ignore it; how many processes share the work; and what tests have counted is said at the end, whichever
process they ran in.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every machine and in every run, and no verdict by the clock.
settings.register_profile(
    "stable", derandomize=True, deadline=None, database=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("stable")

LEAST_PRIVILEGE = "least privilege"
"""The property in which a test reports [missed by what we do, by AWS's platform alone, by nothing]."""


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # a developer's own account is nobody's business here
        del os.environ[name]
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name, ""), "localhost,127.0.0.1"]))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, since many tests wait for a stack; each has a stack of its own, so not more than 4."""
    return min((os.cpu_count() or 1) + 1, 4)


@pytest.fixture(scope="session", autouse=True)
def nobody_says_how_wide_the_output_is() -> Iterator[None]:
    """pytest's workers set COLUMNS, and some shells do; tables are folded by it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
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
            f"least privilege: {by_us + by_platform + survived} permissions and conditions taken out one at a time; "
            f"{by_us} were missed by what Imagewatch does, {by_platform} by AWS's platform alone, {survived} by nothing"
        )
