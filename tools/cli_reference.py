"""Writes docs/cli.md, the reference of the command line, from the help of its commands. With --check it only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from uploader.cli import PROGRAM, imagewatch

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 100
_HEAD = f"""\
# Command line reference

`make cli-reference` writes this page from `{PROGRAM} --help`, and `make check` fails when they differ.
[client.md](client.md) explains uploads, [search.md](search.md) the search, [rules.md](rules.md) rules, [alerts.md](alerts.md)
alerts and [channels.md](channels.md) channels.
"""


def reference() -> str:
    """The page, with a section for each command."""
    sections = [f"## {path}\n\n```\n{text.rstrip()}\n```\n" for path, text in _helps(_root())]
    return "\n".join([_HEAD, *sections])


def _root() -> click.Context:
    return click.Context(imagewatch, info_name=PROGRAM, **imagewatch.context_settings)


def _helps(ctx: click.Context) -> Iterator[tuple[str, str]]:
    ctx.terminal_width = WIDTH
    yield ctx.command_path, ctx.get_help()
    if isinstance(ctx.command, click.Group):
        for name, command in sorted(ctx.command.commands.items()):
            yield from _helps(click.Context(command, info_name=name, parent=ctx, **command.context_settings))


def main() -> int:
    """Writes or checks the page. Returns the exit code."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(reference(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == reference():
        return 0
    print("docs/cli.md differs from the help of the commands: run `make cli-reference`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
