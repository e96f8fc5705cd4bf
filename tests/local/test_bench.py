"""`make bench` in its shortest form prints its tables. The values aren't checked."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .running_stack import ROOT


@pytest.mark.parametrize(
    "arguments", [("cold", "--rounds", "1"), ("warm", "--rounds", "1"), ("throughput", "--images", "8")], ids=" ".join
)
def test_the_table_is_printed(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "bench", *arguments, "--json"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    tables = json.loads(ran.stdout)
    assert tables
    for table in tables:
        assert table["rows"], table["title"]
