"""The command `imagewatch`: its sub-commands, and the exit code of what they return or raise."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from uploader.commands.alerts import alerts
from uploader.commands.channels import channels
from uploader.commands.completion import completion
from uploader.commands.mutes import mute, unmute
from uploader.commands.rules import rules
from uploader.commands.search import labels, search
from uploader.commands.upload import upload
from uploader.errors import INTERRUPTED_EXIT_CODE
from uploader.help import Group
from uploader.terminal import printable

PROGRAM = "imagewatch"
_EPILOG = """\
Exit codes:
  0    Everything was done.
  1    Something failed. The output says what and why.
  2    The command was wrong, and nothing was done.
  130  The command was interrupted (Ctrl-C).
"""


@click.group(cls=Group, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="imagewatch", prog_name=PROGRAM, message="%(prog)s %(version)s")
def imagewatch() -> None:
    """Upload images to Imagewatch, search them, and manage rules, alerts and channels.

    Imagewatch labels and moderates each image that is uploaded to its S3 bucket, matches what it finds against rules, and sends
    alerts through channels.

    \b
    Examples:
      imagewatch upload photo.jpg --wait
      imagewatch search "person and car not night" --since 7d
      imagewatch rules add "Person at night" --any Person:90 --cooldown 10m
      imagewatch alerts list --since 12h
    """


for _command in (upload, search, labels, rules, mute, unmute, alerts, channels, completion):
    imagewatch.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `imagewatch` with these arguments (those of the process if None) and returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name may have characters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        code = imagewatch.main(None if argv is None else list(argv), prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except click.Abort:
        click.echo(f"{PROGRAM}: interrupted.", err=True)
        return INTERRUPTED_EXIT_CODE
    except click.UsageError as error:
        message = error.format_message()
        message += "" if message.endswith((".", "?", ")")) else "."
        hint = f" Try `{error.ctx.command_path} --help`." if error.ctx else ""
        click.echo(f"{PROGRAM}: {message[:1].lower()}{printable(message[1:])}{hint}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0
