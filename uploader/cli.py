"""The command `imagewatch`: reads the arguments, runs a sub-command, and turns what it raises into an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from uploader.commands import COMMANDS
from uploader.errors import CommandError
from uploader.terminal import printable
from uploader.upload.summary import INTERRUPTED_EXIT_CODE

DESCRIPTION = "Imagewatch watches images as they land in S3: it labels and moderates them, and alerts you on a match."
EPILOG = """\
exit codes:
  0  Everything was done.
  1  Something failed; the output says what and why.
  2  The command was wrong, and nothing was done.
  130  It was interrupted (Ctrl-C)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `imagewatch` with these arguments (those of the process if None) and gives its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name may hold what the terminal's encoding can't say
            stream.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except CommandError as error:
        for line in error.details:
            print(printable(line), file=sys.stderr)
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted.", INTERRUPTED_EXIT_CODE)
    except BrokenPipeError:  # the reader (`| head`) has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser of `imagewatch` with all its sub-commands."""
    parser = argparse.ArgumentParser(
        prog="imagewatch",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"imagewatch {version('imagewatch')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def _complain(message: str, code: int) -> int:
    print(f"imagewatch: {printable(message)}", file=sys.stderr)
    return code
