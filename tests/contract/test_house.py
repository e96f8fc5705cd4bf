"""The laws of the house that can be read off the source."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT

DOMAIN = sorted((ROOT / "functions" / "imagewatch").glob("*.py"))
AWS = sorted((ROOT / "functions" / "imagewatch" / "aws").glob("*.py"))
HANDLERS = sorted((ROOT / "functions").glob("*.py"))


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.stem)
def test_the_domain_knows_nothing_of_aws_or_the_environment(path: Path) -> None:
    forbidden = ("boto3", "botocore", "imagewatch.aws", "os")
    assert not {name for name in imports(path) if name.split(".")[0] in forbidden or name.startswith("imagewatch.aws")}


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.stem)
def test_handlers_reach_aws_only_through_the_aws_package(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] == "boto3" or name in ("os", "os.environ")}


def test_only_one_module_reads_the_environment() -> None:
    readers = [path.stem for path in AWS if "environ" in path.read_text(encoding="utf-8").replace("environment", "")]
    assert readers == ["environment"]


def test_the_application_has_no_local_branch() -> None:
    for path in (ROOT / "functions").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"localhost|127\.0\.0\.1|\bmoto\b|4566|AWS_SAM_LOCAL|IS_LOCAL|endpoint_url", text), path


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def test_lock_and_requirement_files_name_no_host() -> None:
    files = tracked("requirements/*", "functions/requirements*", "*package-lock.json", "pyproject.toml")
    assert files
    for path in files:
        assert not re.search(r"https?://|file:/", path.read_text(encoding="utf-8")), path


def test_every_requirement_is_pinned_with_its_hash() -> None:
    for path in (*(ROOT / "requirements").glob("*.txt"), ROOT / "functions" / "requirements.txt"):
        pinned = [line for line in path.read_text(encoding="utf-8").splitlines() if re.match(r"^[A-Za-z0-9]", line)]
        assert pinned
        assert all("==" in line and line.endswith("\\") for line in pinned), path
