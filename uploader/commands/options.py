"""Options that several commands share, and the types that parse them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import click

from uploader.aws.session import DEFAULT_STACK, LOCAL_ENDPOINT, Deployment
from uploader.errors import UsageError
from uploader.help import F, option
from uploader.times import duration, moment, since

_SECTION = "Deployment"


class Parsed(click.ParamType):
    """A type whose values a function parses. The function raises ValueError with the reason for a value that it refuses."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The parsed value. Ends the command with exit code 2 when the function refuses it."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


DURATION = Parsed("TIME", duration)
AGE = Parsed("AGE", since)
TIME = Parsed("TIME", moment)

json_option = option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, and nothing else.")
dry_run_option = option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


def deployment_options(command: F) -> F:
    """Adds the options that choose a deployment; the command gets it as `deployment`."""

    @functools.wraps(command)
    def with_deployment(
        *args: Any, stack: str, endpoint_url: str | None, region: str | None, profile: str | None, **others: Any
    ) -> Any:
        if endpoint_url is not None and not endpoint_url.startswith(("http://", "https://")):
            raise UsageError(f"--endpoint-url must be an address like {LOCAL_ENDPOINT}, not {endpoint_url!r}.")
        return command(*args, deployment=Deployment(stack, endpoint_url, region, profile), **others)

    decorated: Callable[..., Any] = with_deployment
    for add in (
        option("--profile", metavar="PROFILE", section=_SECTION, help="The AWS profile, if not the configured one."),
        option("--region", metavar="REGION", section=_SECTION, help="The AWS region, if not the configured one."),
        option(
            "--endpoint-url", metavar="URL", section=_SECTION,
            help=f"The address of AWS: {LOCAL_ENDPOINT} for the local stack. The variable AWS_ENDPOINT_URL does the same.",
        ),
        option(
            "--stack", metavar="NAME", section=_SECTION, default=DEFAULT_STACK, show_default=True,
            help="The name of the CloudFormation stack.",
        ),
    ):  # fmt: skip
        decorated = add(decorated)
    return cast(F, decorated)
