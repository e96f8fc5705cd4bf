"""The documents: every file, module, command and log line that they name exists, and every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tools.sam_template import Template

from .conftest import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("local/*/README.md")])
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
SUFFIXES = (".py", ".md", ".yaml", ".toml", ".json", ".txt", ".in", ".svg", ".jpg", "/")
TOP = {path.name for path in ROOT.iterdir()}
NOT_OURS = re.compile(r"^(uploads|thumbnails|analysis|annotated|\.(?!ci/)\w[\w-]+|node_modules)(/|$)|[<>*$:{}~]|^/|^https?:")
"""Keys in buckets, files that commands make, patterns, and addresses."""
MODULE = re.compile(r"^(?:imagewatch|uploader|local|tools|bench|tests)(?:\.\w+)+$")
PACKAGES = (ROOT, ROOT / "functions", ROOT / "functions" / "imagewatch")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def paths_named(text: str) -> Iterator[str]:
    """What looks like a path of this repository in code type: with a known suffix or folder."""
    for code in CODE.findall(text):
        for word in re.split(r"[\s,;()\[\]'\"]+", code):
            path = word.rstrip(".")
            if "/" in path[:-1] and not NOT_OURS.search(path) and (path.endswith(SUFFIXES) or path.split("/")[0] in TOP):
                yield path


def exists(path: str) -> bool:
    """Paths are given from the top, from functions/ or from functions/imagewatch/."""
    return any((folder / path).exists() for folder in PACKAGES)


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_document
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert [path for path in paths_named(text) if not exists(path) and not (document.parent / path).exists()] == []


@every_document
def test_every_module_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = {code for code in CODE.findall(text) if MODULE.match(code) and not code.endswith(SUFFIXES)}
    named |= set(re.findall(r"python -m ((?:local|tools|bench|tests|uploader)[\w.]*)", text))
    assert [name for name in named if not is_module(name)] == []


def is_module(name: str) -> bool:
    path = Path(*name.split("."))
    return any((folder / path).is_dir() or (folder / path).with_suffix(".py").is_file() for folder in PACKAGES[:2])


@every_document
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if not path.startswith(("http:", "https:", "mailto:")):
            file = (document.parent / path).resolve() if path else document
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target


@cache
def sources() -> str:
    files = [path for folder in ("functions", "uploader") for path in sorted((ROOT / folder).rglob("*.py"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_every_log_line_that_operations_quotes_is_one_that_the_functions_write() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    quoted = [code for code in CODE.findall(text) if re.fullmatch(r"[A-Z][a-z]*(?: [\w'-]+){3,}", code)]
    assert quoted
    assert [line for line in quoted if line not in sources()] == []


def test_the_parameters_in_the_readme_have_the_defaults_of_the_template(template: Template) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", readme, re.MULTILINE))
    declared = template.body["Parameters"]
    assert len(rows) == 6
    assert rows == {name: str(declared[name]["Default"]) or "empty" for name in rows}


def test_the_cost_in_the_readme_is_that_of_the_cost_tables() -> None:
    """A month of 10,000 images: what 1,000 images cost, and what a month costs without images."""
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    stated = re.search(r"About \$([\d.]+) for 1,000 images, .*? about \$(\d+) a month", readme)
    assert stated
    table = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \**([^|*]+?)\** \| \**([\d.,]+)\** \|", table, re.MULTILINE))
    standing = float(rows["alarms, metrics, schedules and an idle queue"])
    images = (float(rows["all"]) - standing) / 10
    assert float(stated[1]) == pytest.approx(images, rel=0.05)
    assert float(stated[2]) == pytest.approx(standing, abs=0.5)


def test_what_is_missing_is_found() -> None:
    text = "`functions/nowhere.py`, `imagewatch/aws/clock.py`, `docs/glossary.md`, `uploads/a.jpg`"
    assert [path for path in paths_named(text) if not exists(path)] == ["functions/nowhere.py", "imagewatch/aws/clock.py"]
    assert not is_module("tools.nowhere")
    assert is_module("tools.prose")
