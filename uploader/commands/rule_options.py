"""The flags of `imagewatch rules add` and `edit` that describe a rule."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

import click

from imagewatch.rules.matched_rule import SEVERITIES
from imagewatch.rules.model import DEFAULT_CONFIDENCE, PLACES
from uploader.commands.options import DURATION, Parsed
from uploader.help import F, option
from uploader.rules.flags import RuleFlags, confidence_in, term_in, window_in

_TERM = Parsed("TERM", term_in)
_WINDOW = Parsed("WINDOW", window_in)
_CONFIDENCE = Parsed("TERM:CONFIDENCE", confidence_in)
_TERM_METAVAR = "[PLACE=]TERM[:CONFIDENCE]"
_LISTS = ("any_of", "all_of", "none_of", "sources", "key_prefixes", "channels", "active", "min_confidence")


def rule_flags(*, edits: bool) -> Callable[[F], F]:
    """Adds the flags that describe a rule. The command gets them as `flags`; `edits` adds those that only `edit` has."""

    def add(command: F) -> F:
        @functools.wraps(command)
        def with_flags(*args: Any, **values: Any) -> Any:
            given = {name: values.pop(name) for name in vars(RuleFlags()) if name in values}
            for name in _LISTS:
                given[name] = given.get(name) or None
            return command(*args, flags=RuleFlags(**given), **values)

        decorated: Callable[..., Any] = with_flags
        for decorate in reversed(_options(edits=edits)):
            decorated = decorate(decorated)
        return cast(F, decorated)

    return add


def _options(*, edits: bool) -> Sequence[Callable[[Any], Any]]:
    section = "The rule (each list replaces the one that the rule has)" if edits else "The rule"
    rule_option = functools.partial(option, section=section)
    several = functools.partial(rule_option, multiple=True)
    always = " `always` removes the active hours." if edits else ""
    options = [
        several("--any", "any_of", metavar=_TERM_METAVAR, type=_TERM,
                help="At least one of these terms must be found. CONFIDENCE is the least confidence, 0 to 100"
                f" ({DEFAULT_CONFIDENCE:g} if not given). PLACE is one of {', '.join(PLACES)}."),
        several("--all", "all_of", metavar=_TERM_METAVAR, type=_TERM, help="Each of these terms must be found."),
        several("--none", "none_of", metavar=_TERM_METAVAR, type=_TERM, help="None of these terms may be found."),
        several("--source", "sources", metavar="NAME", help="Match only images of this source (a camera or a folder)."),
        several("--key-prefix", "key_prefixes", metavar="PREFIX",
                help="Match only images whose key below uploads/ begins with this."),
        rule_option("--severity", type=click.Choice(SEVERITIES),
                    help="How important a match is." + ("" if edits else " It is warning if not given.")),
        several("--channel", "channels", metavar="ID",
                help="Send alerts through this channel." + ("" if edits else " It is email if not given.")),
        rule_option("--cooldown", type=DURATION, metavar="TIME", help="Send no other alert for this time, such as 10m."),
        rule_option("--per-source/--no-per-source", default=None, help="Keep a separate cooldown for each source."),
        rule_option("--digest/--no-digest", default=None,
                    help="Send every match in digests, and none in a separate message. It excludes a cooldown."),
        several("--active", "active", metavar="WINDOW", type=_WINDOW,
                help='Alert only at these times: "22:00-06:00", "mon-fri 08:00-18:00", "sat,sun 00:00-00:00" (whole days).'
                + always),
        rule_option("--time-zone", metavar="NAME", help="The time zone of --active, such as Europe/Berlin."),
        rule_option("--bypass-quiet-hours/--no-bypass-quiet-hours", default=None,
                    help="Alert at any time, and never through a digest. Only for critical rules."),
    ]  # fmt: skip
    if edits:
        options += [
            rule_option("--name", metavar="TEXT", help="The rule's name in alerts."),
            several("--min-confidence", "min_confidence", metavar="TERM:CONFIDENCE", type=_CONFIDENCE,
                    help="The least confidence of one of the rule's terms. Its other terms don't change."),
        ]  # fmt: skip
    return options
