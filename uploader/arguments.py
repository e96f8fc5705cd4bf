"""Arguments that several sub-commands share, and the types argparse lacks."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from uploader.aws.session import LOCAL_ENDPOINT, Connection
from uploader.aws.stack import DEFAULT_STACK
from uploader.errors import UsageError


def add_connection_arguments(parser: argparse.ArgumentParser) -> None:
    """Which deployment of Imagewatch a command talks to."""
    group = parser.add_argument_group("deployment")
    group.add_argument(
        "--stack", default=DEFAULT_STACK, metavar="NAME",
        help="The CloudFormation stack to use. It is %(default)s if not given.",
    )  # fmt: skip
    group.add_argument(
        "--endpoint-url", metavar="URL",
        help=f"Where AWS answers: {LOCAL_ENDPOINT} for the local stack. AWS_ENDPOINT_URL does the same.",
    )  # fmt: skip
    group.add_argument("--region", metavar="REGION", help="The AWS region, if not the configured one.")
    group.add_argument("--profile", metavar="PROFILE", help="The AWS profile, if not the configured one.")


def connection(args: argparse.Namespace, pool_size: int) -> Connection:
    """What the arguments of `add_connection_arguments` say. Raises UsageError for an endpoint that is no address."""
    if args.endpoint_url is not None and not args.endpoint_url.startswith(("http://", "https://")):
        raise UsageError(f"--endpoint-url is an address like {LOCAL_ENDPOINT}; {args.endpoint_url!r} isn't.")
    return Connection(args.endpoint_url, args.region, args.profile, pool_size)


def connection_options(args: argparse.Namespace) -> str:
    """The options that name this deployment again, for a command that somebody is told to call; each with a space before it."""
    stack = args.stack if args.stack != DEFAULT_STACK else None
    given = {"--stack": stack, "--endpoint-url": args.endpoint_url, "--region": args.region, "--profile": args.profile}
    return "".join(f" {option} {value}" for option, value in given.items() if value)


def number_between(least: int, most: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least:,} to {most:,}")
        return number

    return parse
