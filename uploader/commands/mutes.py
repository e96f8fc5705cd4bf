"""`imagewatch mute` and `unmute`: no alerts from one source, or from any, for a limited time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import click
from rich.text import Text

from imagewatch.images.version import normal_source
from imagewatch.rules.mutes import NO_MUTES, Mutes
from imagewatch.timestamps import iso_utc
from uploader.aws.session import Aws, Deployment
from uploader.commands.options import DURATION, deployment_options, json_option
from uploader.errors import UsageError
from uploader.help import Command, option
from uploader.rules.advice import unused_sources
from uploader.rules.mute_store import MuteStore, mute_lines, mutes_document
from uploader.terminal import Terminal, printable
from uploader.times import now

MAX_DAYS = 366


@click.command(cls=Command)
@option("--source", "sources", multiple=True, metavar="NAME", help="Mute this source (a camera or a folder).")
@option("--all", "everything", is_flag=True, help="Mute all sources.")
@option("--for", "length", type=DURATION, metavar="TIME", help=f"Mute for this time: 30m, 1h, 7d. At most {MAX_DAYS}d.")
@option("--list", "listed", is_flag=True, help="Show what is muted, and change nothing.")
@json_option
@deployment_options
def mute(
    *, sources: tuple[str, ...], everything: bool, length: int | None, listed: bool, as_json: bool, deployment: Deployment
) -> int:
    """Mute one source, or all, for a while. Matches are still recorded, and send no alerts.

    It mutes rules that bypass quiet hours too. To mute one rule: imagewatch rules snooze.

    \b
    Examples:
      imagewatch mute --source gate-2 --for 1h
      imagewatch mute --all --for 1h
      imagewatch mute --list
    """
    if listed:
        if sources or everything or length is not None:
            raise UsageError("--list shows the mutes; it goes with no other option.")
        return _report(MuteStore(deployment.aws(), deployment.stack).read(), Terminal(quiet=as_json), as_json)
    names = _named(sources, everything=everything)
    until = _end(length)
    aws, terminal = deployment.aws(), Terminal(quiet=as_json)

    def muted(mutes: Mutes) -> Mutes:
        return replace(mutes, everything=until) if everything else _with_sources(mutes, names, until)

    after = MuteStore(aws, deployment.stack).change(muted)
    _warn(aws, deployment.stack, names, terminal)
    return _report(after, terminal, as_json)


@click.command(cls=Command)
@option("--source", "sources", multiple=True, metavar="NAME", help="End the mute of this source.")
@option("--all", "everything", is_flag=True, help="End every mute: that of all sources, and those of single ones.")
@json_option
@deployment_options
def unmute(*, sources: tuple[str, ...], everything: bool, as_json: bool, deployment: Deployment) -> int:
    """End a mute before its time.

    \b
    Examples:
      imagewatch unmute --source gate-2
      imagewatch unmute --all
    """
    names, terminal = _named(sources, everything=everything), Terminal(quiet=as_json)
    absent: list[str] = []

    def unmuted(mutes: Mutes) -> Mutes:
        absent[:] = [name for name in names if name not in mutes.sources]
        left = {name: until for name, until in mutes.sources.items() if name not in names}
        return NO_MUTES if everything else replace(mutes, sources=left)

    after = MuteStore(deployment.aws(), deployment.stack).change(unmuted)
    for name in absent:
        terminal.note(Text(f"The source {printable(name)} was not muted.", style="yellow"))
    return _report(after, terminal, as_json)


def _named(sources: Sequence[str], *, everything: bool) -> list[str]:
    """The sources as they are compared. Raises UsageError unless either sources or everything is named."""
    if bool(sources) == everything:
        raise UsageError("give either --source or --all.")
    for name in sources:
        if not name.strip() or "/" in name:
            raise UsageError(f"--source is the name of a folder directly below uploads/, such as front-door, not {name!r}.")
    return list(dict.fromkeys(map(normal_source, sources)))


def _end(length: int | None) -> str:
    """When a mute of so many seconds ends. Raises UsageError."""
    if length is None:
        raise UsageError("give the time with --for, such as --for 1h.")
    if not 0 < length <= MAX_DAYS * 86_400:
        raise UsageError(f"--for is a time from 1s to {MAX_DAYS}d. `imagewatch unmute` ends a mute.")
    return iso_utc(now() + timedelta(seconds=length))


def _with_sources(mutes: Mutes, names: Sequence[str], until: str) -> Mutes:
    return replace(mutes, sources={**mutes.sources, **dict.fromkeys(names, until)})


def _warn(aws: Aws, stack: str, names: Sequence[str], terminal: Terminal) -> None:
    for name in unused_sources(aws, stack, names):
        text = f"No image of the source {name!r} has been uploaded yet. Is the name right?"
        terminal.note(Text(printable(text), style="yellow"))


def _report(mutes: Mutes, terminal: Terminal, as_json: bool) -> int:
    if as_json:
        terminal.print_json({"mutes": mutes_document(mutes)})
        return 0
    terminal.print(*(list(mute_lines(mutes)) or [Text("Nothing is muted.")]))
    return 0
