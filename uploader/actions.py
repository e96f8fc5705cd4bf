"""The actions of a sub-command, such as `imagewatch rules list`: how they are declared, and how the named one is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from uploader.arguments import add_connection_arguments


def add_action(
    actions: Any,
    name: str,
    act: Callable[[argparse.Namespace], int],
    says: str,
    *,
    as_json: bool = True,
    dry_run: bool = False,
) -> argparse.ArgumentParser:
    """One more of the actions (what `add_subparsers` gave), with the options that all have; what `says` before a colon is its
    line in the list of them."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=says.partition(":")[0], description=says, allow_abbrev=False)
    if as_json:
        parser.add_argument("--json", action="store_true", help="Print one JSON document on stdout, and nothing else.")
    if dry_run:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")
    add_connection_arguments(parser)
    parser.set_defaults(act=act)
    return parser


def run_action(args: argparse.Namespace) -> int:
    """Runs the action that was named; gives the exit code."""
    code: int = args.act(args)
    return code
