"""`imagewatch search` and `labels`: find images by what was found in them."""

from __future__ import annotations

import shlex
import sys

import click

from imagewatch.search.find import MAX_SIZE, Search
from imagewatch.search.planner import Window
from imagewatch.search.query import FIELDS
from uploader.aws.session import Deployment
from uploader.commands.options import AGE, deployment_options, json_option
from uploader.errors import UsageError
from uploader.help import Command, argument, option
from uploader.search.deployed import DeployedSearch
from uploader.search.render import csv_text, document, notes, results_table, terms_table
from uploader.terminal import Terminal, printable
from uploader.times import minute

_MAX_NAMES = 10_000


@click.command(cls=Command)
@argument("query", required=False, default="", metavar="[QUERY]", help="What to find, in quotes. Every image if not given.")
@option("--since", type=AGE, metavar="WHEN", help="Images taken since then: an age (90m, 12h, 7d) or a date.")
@option("--until", type=AGE, metavar="WHEN", help="Images taken before then: an age or a date.")
@option(
    "--min-confidence", type=click.FloatRange(0, 100), default=0, metavar="0-100",
    help="The lowest confidence of terms without a confidence. What it hides is counted.",
)  # fmt: skip
@option(
    "--limit", type=click.IntRange(1, MAX_SIZE), default=50, show_default=True, metavar="N",
    help="The number of images on a page.",
)  # fmt: skip
@option("--after", default="", metavar="CURSOR", help="Show the next page: the cursor that ended the page before.")
@option("--csv", "as_csv", is_flag=True, help="Print CSV on stdout. Notes go to stderr.")
@json_option
@deployment_options
def search(
    *,
    query: str,
    since: str | None,
    until: str | None,
    min_confidence: float,
    limit: int,
    after: str,
    as_csv: bool,
    as_json: bool,
    deployment: Deployment,
) -> int:
    """Find images by labels, text, source, rule, status and time.

    Terms side by side mean "and"; "or", "not" and parentheses combine them. A term is a label; its parents and aliases count too.
    Upper case, lower case and accents are the same.

    \b
      person:90                      a label with a confidence
      "traffic light"                a name of several words
      text:visitors moderation:explicit category:"food and drink"
      source:gate-2 rule:gate status:failed
      taken:2027-05..2027-07         days at the place
      time:22:00-06:00               time of day at the place
      sort:oldest sort:confidence    another order than newest first

    A page that says where it stopped is not the end: its cursor continues there.

    \b
    Examples:
      imagewatch search 'person and car not night' --since 7d --min-confidence 80
      imagewatch search '(dog or cat) source:garden time:22:00-06:00'
      imagewatch search 'status:failed' --csv > failed.csv
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other.")
    if after and (since or until):
        raise UsageError("--after continues with the times of the first page, so it can't be used with --since and --until.")
    if since and until and since >= until:
        raise UsageError(f"--since must be before --until, but {minute(since)} isn't before {minute(until)}.")
    deployed = DeployedSearch(deployment.aws(), deployment.stack)
    results = deployed.find(Search(query, min_confidence, limit, after, Window(since or "", until or "")))
    terminal = Terminal(quiet=as_json)
    if as_json:
        terminal.print_json(document(results, deployed.page, deployed.thumbnail))
        return 0
    following = f"imagewatch search {shlex.quote(results.query)}{_options(min_confidence, limit)}{deployment.options}"
    lines = [*notes(results, min_confidence, following)]
    if as_csv:
        sys.stdout.write(csv_text(results, deployed.page, deployed.thumbnail))
        for line in lines:
            terminal.note(line)
        return 0
    if results.matches:
        terminal.print(results_table(results, deployed.page))
    elif not results.cursor:
        terminal.print("No image matches." if not after else "No other image matches.")
    terminal.print(*lines)
    return 0


@click.command(cls=Command)
@argument("prefix", required=False, default="", metavar="[PREFIX]", help="The beginning of the names. Every name if not given.")
@option("--in", "field", type=click.Choice(FIELDS), default="label", show_default=True, help="What the names are of.")
@option(
    "--limit", type=click.IntRange(1, _MAX_NAMES), default=50, show_default=True, metavar="N",
    help="The number of names, those with the most images first.",
)  # fmt: skip
@json_option
@deployment_options
def labels(*, prefix: str, field: str, limit: int, as_json: bool, deployment: Deployment) -> int:
    """List the labels of the images, with the number of images of each.

    \b
    Examples:
      imagewatch labels
      imagewatch labels tra
      imagewatch labels --in source
    """
    found = DeployedSearch(deployment.aws(), deployment.stack).vocabulary(prefix, field, _MAX_NAMES)
    ranked = sorted(found, key=lambda term: -term.images)
    terminal = Terminal(quiet=as_json)
    if as_json:
        terminal.print_json({field: [{"name": term.name, "images": term.images} for term in ranked[:limit]]})
    elif ranked:
        terminal.print(terms_table(ranked[:limit], field.capitalize()))
        if len(ranked) > limit:
            more = len(ranked) - limit
            names = "name" if more == 1 else "names"
            terminal.print(f"{more:,} more {names}. --limit shows more, and a prefix shows fewer.")
    else:
        beginning = f" that begins with {printable(prefix)!r}" if prefix else ""
        terminal.print(f"No image has a {field}{beginning}. A new image is counted within about a minute.")
    return 0


def _options(min_confidence: float, limit: int) -> str:
    confidence = f" --min-confidence {min_confidence:g}" if min_confidence else ""
    return f"{confidence} --limit {limit}" if limit != 50 else confidence
