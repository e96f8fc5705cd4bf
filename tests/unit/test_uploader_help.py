"""The help of every command, and shell completion."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from tools import cli_reference
from uploader.cli import PROGRAM, imagewatch, main
from uploader.errors import CommandError, UsageError
from uploader.help import Argument


def commands(group: click.Group = imagewatch, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_command_is_described_in_full_sentences(path: tuple[str, ...]) -> None:
    command = ALL[path]
    result = CliRunner().invoke(imagewatch, [*path, "--help"])
    assert result.exit_code == 0
    assert command.help
    assert command.help.split("\n\n")[0].rstrip().endswith(".")
    assert command.help[0].isupper()
    for parameter in command.params:
        assert isinstance(parameter, click.Option | Argument)
        assert parameter.help, parameter.name
        assert parameter.help.rstrip().endswith((".", ".)")), parameter.help
        assert parameter.help[0].isupper() or parameter.help.startswith(("slack", "@")), parameter.help


@pytest.mark.parametrize("path", [path for path, command in ALL.items() if isinstance(command, click.Group)], ids=" ".join)
def test_each_group_has_examples_that_parse(path: tuple[str, ...]) -> None:
    examples = [line.strip() for line in (ALL[path].help or "").splitlines() if line.strip().startswith(PROGRAM)]
    assert examples
    for line in examples:
        assert tuple(line.removeprefix("openssl rand -hex 32 | ").split()[1:3]) in ALL


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: str) -> None:
    result = CliRunner().invoke(imagewatch, ["completion", shell], prog_name=PROGRAM)
    assert result.exit_code == 0
    assert "_IMAGEWATCH_COMPLETE" in result.output


@pytest.mark.parametrize(
    ("words", "incomplete", "completed"),
    [
        ([], "ru", ["rules"]),
        (["rules"], "pre", ["preview"]),
        (["rules", "snooze", "x"], "--un", ["--until"]),
        (["channels", "add", "x", "--kind"], "sl", ["slack"]),
        (["rules", "add", "x", "--severity"], "", ["info", "warning", "critical"]),
    ],
)
def test_commands_options_and_choices_are_completed(words: list[str], incomplete: str, completed: list[str]) -> None:
    found = BashComplete(imagewatch, {}, PROGRAM, "_IMAGEWATCH_COMPLETE").get_completions(words, incomplete)
    assert [item.value for item in found] == completed


def test_the_reference_in_the_docs_is_the_help() -> None:
    assert cli_reference.PAGE.read_text(encoding="utf-8") == cli_reference.reference()


def test_a_reference_that_differs_from_the_help_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "cli.md"
    monkeypatch.setattr(cli_reference, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["cli_reference", "--check"])
    assert cli_reference.main() == 1
    page.write_text(cli_reference.reference().replace("Exit codes", "Codes"))
    assert cli_reference.main() == 1
    assert "make cli-reference" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["cli_reference"])
    assert cli_reference.main() == 0
    monkeypatch.setattr(sys, "argv", ["cli_reference", "--check"])
    assert cli_reference.main() == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frobnicate"], "imagewatch: no such command 'frobnicate'. Try `imagewatch --help`."),
        (["rules", "show"], "imagewatch: missing argument 'RULE'. Try `imagewatch rules show --help`."),
        (["upload", "x", "--nonsense"], "imagewatch: no such option: --nonsense. Try `imagewatch upload --help`."),
        (["rules", "list", "--stak", "x"], "imagewatch: no such option: --stak Did you mean --stack? Try"),
        (["alerts", "list", "--limit", "0"], "imagewatch: invalid value for '--limit': 0 is not in the range 1<=x<=10000."),
        (["alerts", "list", "--since", "1w"], "imagewatch: invalid value for '--since': '1w' is no age such as 90m"),
        (["rules", "add", "x", "--any", "P:9O"], "imagewatch: invalid value for '--any': 'P:9O' has no number after its colon"),
    ],
)
def test_a_wrong_command_gets_one_line_with_the_help_to_read(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err
    assert len(printed.err.splitlines()) == 1


def test_errors_print_their_details_first_and_escape_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    error = UsageError.of_several(["one \x1b[31m", "two"], "2 mistakes")
    error.show()
    assert capsys.readouterr().err.splitlines() == ["one \\x1b[31m", "two", "imagewatch: 2 mistakes"]
    assert (UsageError("x").exit_code, CommandError("x").exit_code) == (2, 1)
    assert str(UsageError.of_several(["only one"], "1 mistakes")) == "only one"


def test_a_reader_that_closes_the_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m uploader rules add --help | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    assert done.stdout.startswith("Usage: imagewatch rules add")
    assert done.stderr == ""
