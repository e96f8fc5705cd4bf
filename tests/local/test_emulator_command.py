"""`python -m local.emulator` deploys a template that isn't this product's, from any folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest

from .running_stack import ROOT, free_port
from .small_stack import TEMPLATE


def emulator(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in this folder and waits for its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "local.emulator", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder outside the repository that holds the small application."""
    shutil.copytree(TEMPLATE.parent, tmp_path / "application")
    return tmp_path


def test_deploys_a_template_under_the_given_stack_name_from_another_folder(folder: Path) -> None:
    port = str(free_port())
    endpoint = f"http://localhost:{port}"
    started = emulator(folder, "--template", "application/template.yaml", "--stack-name", "other", "--port", port, "--detach")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        assert started.stdout.startswith("The emulator is ready after ")
        with urlopen(f"{endpoint}/_local/health") as answer:
            assert "web" not in json.load(answer)
        keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": "us-east-1"}
        session = boto3.Session(**keys)
        stacks = session.client("cloudformation", endpoint_url=endpoint).describe_stacks(StackName="other")["Stacks"]
        outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stacks[0]["Outputs"]}
        assert outputs["TableName"].startswith("other-Table-")
        result = session.client("lambda", endpoint_url=endpoint).invoke(FunctionName="act", Payload=b'{"do": "say"}')
        assert json.load(result["Payload"])["did"] == "say"
    finally:
        stopped = emulator(folder, "--stop")
    assert (stopped.returncode, stopped.stdout) == (0, "The emulator has stopped. What it stored is discarded.\n")


def test_a_command_line_without_a_template_is_refused(tmp_path: Path) -> None:
    ended = emulator(tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.endswith("error: --template is required\n")
