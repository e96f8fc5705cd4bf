"""`python -m bench`: what it prints and which exit code it returns."""

from __future__ import annotations

import argparse
import json

import pytest

from bench import __main__ as command
from bench.tables import Table


def one_table(_: argparse.Namespace) -> list[Table]:
    return [Table("Bill", ("line", "USD"), [("SQS", "1.20")])]


def failing(_: argparse.Namespace) -> list[Table]:
    raise TimeoutError("The stack was still busy.")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["bench", *arguments])
    return command.main()


def test_a_table_that_fails_does_not_lose_the_later_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "TABLES", {"busy": failing, "bill": one_table})
    assert run(monkeypatch, "--json") == 1
    printed = capsys.readouterr()
    assert [table["title"] for table in json.loads(printed.out)] == ["Bill"]
    assert "TimeoutError: The stack was still busy." in printed.err
    assert "Not measured, for the reason above: busy." in printed.err


def test_the_exit_code_is_0_when_every_table_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "TABLES", {"bill": one_table})
    assert run(monkeypatch) == 0
    assert "1.20" in capsys.readouterr().out


def test_an_unknown_table_ends_the_command_with_the_names_of_all_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "coldness") == 2
    assert capsys.readouterr().err.startswith("Unknown table: coldness. Tables: cold, warm,")
