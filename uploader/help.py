"""Commands whose --help describes arguments as well as options, under headings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Argument(click.Argument):
    """A positional argument with a help text, which click's own doesn't have."""

    def __init__(self, *args: Any, help: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.help = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """The argument and its help, for the list in --help."""
        return self.make_metavar(), self.help


class Option(click.Option):
    """An option that --help shows under the heading `section`."""

    def __init__(self, *args: Any, section: str = "Options", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.section = section


class Command(click.Command):
    """A command that returns its exit code."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes arguments and options, each below its heading."""
        _write_parameters(self, ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command and ends it with the exit code that it returns."""
        code = super().invoke(ctx)
        if code:
            ctx.exit(code)
        return code


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options below their headings, then the commands."""
        _write_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the epilog as it is, without an indent."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(self.epilog)


def _write_parameters(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record:
            section = "Arguments" if isinstance(parameter, Argument) else getattr(parameter, "section", "Options")
            sections.setdefault(section, []).append(record)
    for title, records in sections.items():
        with formatter.section(title):
            formatter.write_dl(records)


def argument(*names: str, help: str, **attributes: Any) -> Callable[[F], F]:
    """Adds a positional argument with a help text."""
    return click.argument(*names, cls=Argument, help=help, **attributes)


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """Adds an option; `section` is its heading in --help."""
    return click.option(*names, cls=Option, **attributes)
