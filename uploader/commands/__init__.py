"""The sub-commands of `imagewatch`: one module each, and this table is all that knows them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from uploader.actions import run_action
from uploader.commands import alerts, channels, rules, upload


@dataclass(frozen=True)
class Command:
    """A sub-command: `add_arguments` fills its parser, `run` does the work and gives the exit code."""

    name: str
    summary: str
    description: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS = (
    Command("upload", upload.SUMMARY, upload.DESCRIPTION, upload.add_arguments, upload.run),
    Command("rules", rules.SUMMARY, rules.DESCRIPTION, rules.add_arguments, run_action),
    Command("alerts", alerts.SUMMARY, alerts.DESCRIPTION, alerts.add_arguments, run_action),
    Command("channels", channels.SUMMARY, channels.DESCRIPTION, channels.add_arguments, run_action),
)
