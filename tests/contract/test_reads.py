"""Reads of DynamoDB: one that decides something is strongly consistent. Each other one has its reason here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT

PLACES = ("functions/imagewatch/aws",)
READS = {"get_item", "batch_get_item", "query", "scan"}
EVENTUAL = {
    # Indexes are always eventually consistent (DynamoDB developer guide, "Using Global Secondary Indexes").
    "functions/imagewatch/aws/tables/alerts.py:queued_ids": "reads an index; then each alert and digest is read consistently",
    "functions/imagewatch/aws/tables/alert_list.py:_query": "reads an index; then each alert consistently",
    "functions/imagewatch/aws/tables/status_rows.py:by_day": "counts rows for statistics",
    "functions/imagewatch/aws/tables/cooldowns.py:read_due_reports": "reads an index; the lease is conditional",
    "functions/imagewatch/aws/tables/images.py:analyzing_before": "reads an index, then each record consistently",
    "functions/imagewatch/aws/tables/search_index.py:query": "its caller asks for consistency: the marks are read consistently",
    "functions/imagewatch/aws/tables/search_library.py:query": "reads rows to show them; then each record consistently",
    "functions/imagewatch/aws/tables/image_scan.py:read": "a backfill starts after the images that it is to find",
}
READS_FOR_DECISIONS = {
    "uploader/channels/channel_store.py": "channels are changed from what was read",
    "uploader/rules/rule_store.py": "rules are changed from what was read",
    "uploader/rules/mute_store.py": "mutes are changed from what was read",
}


def reads(path: Path) -> Iterator[tuple[str, bool]]:
    """(function, whether its source asks for consistency) of each function that reads a table."""
    source = path.read_text(encoding="utf-8")
    for function in [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]:
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        names = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
        pages = {argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)}
        if names & READS or ("get_paginator" in names and pages & READS):
            yield function.name, consistent(function)


def consistent(function: ast.FunctionDef) -> bool:
    """Whether each read has ConsistentRead=True, as an argument or in a request."""
    for node in ast.walk(function):
        if isinstance(node, ast.keyword) and node.arg == "ConsistentRead":
            return isinstance(node.value, ast.Constant) and node.value.value is True
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "ConsistentRead":
                    return isinstance(value, ast.Constant) and value.value is True
    return False


def all_reads() -> dict[str, bool]:
    files = [path for place in PLACES for path in sorted((ROOT / place).rglob("*.py"))]
    return {f"{path.relative_to(ROOT)}:{name}": asks for path in files for name, asks in reads(path)}


def test_each_read_is_consistent_or_has_a_reason() -> None:
    assert {place for place, asks in all_reads().items() if not asks} == set(EVENTUAL)


@pytest.mark.parametrize("path", READS_FOR_DECISIONS)
def test_what_is_changed_was_read_consistently(path: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    scans = [call for call in calls if getattr(call.func, "id", "") == "scan" or getattr(call.func, "attr", "") == "get_item"]
    assert scans
    for call in scans:
        (asks,) = [keyword.value for keyword in call.keywords if keyword.arg == "ConsistentRead"]
        assert isinstance(asks, ast.Constant)
        assert asks.value is True


def test_a_read_without_consistency_is_found(tmp_path: Path) -> None:
    file = tmp_path / "planted.py"
    file.write_text(
        'def one(c):\n    c.get_item(Key={}, ConsistentRead=False)\n\ndef two(c):\n    c.query(**{"ConsistentRead": True})\n'
    )
    assert dict(reads(file)) == {"one": False, "two": True}
