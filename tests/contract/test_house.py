"""The rules of the architecture that the source shows: imports, environment, requirements."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "functions" / "imagewatch"

# What a room may not import. The key is a folder of functions/, or a module; the longest key that fits decides.
FORBIDDEN = {
    "": ("boto3", "botocore", "os", "uploader", "local", "tests"),
    "imagewatch": ("boto3", "botocore", "os", "imagewatch.aws", "imagewatch.services", "uploader", "local", "tests"),
    "imagewatch/services": ("boto3", "botocore", "os", "uploader", "local", "tests"),
    "imagewatch/aws": ("os", "imagewatch.services", "uploader", "local", "tests"),
    "imagewatch/aws/settings.py": ("imagewatch.services", "uploader", "local", "tests"),
}


def imports(path: Path) -> set[str]:
    """The modules that a file imports, and the names that it takes from them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def forbidden_imports(functions: Path) -> list[str]:
    """Each import below `functions` that goes against the arrow handler -> services -> (domain, aws), aws -> domain."""
    found = []
    for path in sorted(functions.rglob("*.py")):
        place = path.relative_to(functions).as_posix()
        room = max((room for room in FORBIDDEN if not room or place == room or place.startswith(f"{room}/")), key=len)
        for name in sorted(imports(path)):
            if any(name == module or name.startswith(f"{module}.") for module in FORBIDDEN[room]):
                found.append(f"{place} imports {name}")
    return found


def test_imports_point_one_way() -> None:
    assert forbidden_imports(ROOT / "functions") == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("validate_image.py", "import boto3"),
        ("imagewatch/text.py", "import os"),
        ("imagewatch/images/version.py", "from imagewatch.aws import s3"),
        ("imagewatch/rules/deep/model.py", "from imagewatch.services.delivery import Delivery"),
        ("imagewatch/services/delivery.py", "from botocore.exceptions import ClientError"),
        ("imagewatch/aws/tables/images.py", "from imagewatch.services import image_store"),
        ("imagewatch/aws/channels/http.py", "from os import environ"),
        ("imagewatch/aws/settings.py", "import imagewatch.services"),
    ],
)
def test_an_import_against_the_arrow_is_found(tmp_path: Path, place: str, line: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{line}\n", encoding="utf-8")
    assert forbidden_imports(tmp_path)


MOST_MODULES = 29
"""How many modules of ours Send Alert may load, folders included. Each one lengthens the time from a cold start to the alert."""


def loaded_by(handler: str) -> list[str]:
    """The modules of the package that a fresh interpreter loads with this handler."""
    script = f"import {handler}, sys; print(*(name for name in sys.modules if name.split('.')[0] == 'imagewatch'))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "functions", capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_send_alert_loads_few_modules() -> None:
    loaded = loaded_by("send_alert")
    assert "imagewatch.services.delivery" in loaded
    assert len(loaded) <= MOST_MODULES, loaded


def test_functions_that_send_alerts_load_no_declarations_of_rules() -> None:
    declarations = {"imagewatch.rules.model", "imagewatch.rules.fields", "imagewatch.rules.schedule"}
    assert not declarations & {*loaded_by("send_alert"), *loaded_by("send_digest")}
    assert declarations <= {*loaded_by("evaluate_watchlist")}


def test_only_one_module_reads_the_environment() -> None:
    readers = [
        path.name for path in PACKAGE.rglob("*.py") if re.search(r"\benviron\b|\bgetenv\b", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["settings.py"]


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
