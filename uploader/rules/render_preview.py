"""Renders a preview at the terminal and as JSON."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from rich.text import Text

from imagewatch.alerts.alert_text import percent, render_match
from imagewatch.alerts.cooldown import render_duration
from imagewatch.images.version import UPLOADS_PREFIX, ImageVersion
from imagewatch.rules.matched_rule import DIGEST
from imagewatch.rules.model import Rule
from imagewatch.rules.preview import MUTED, SENT, SUPPRESSED, Preview, PreviewMatch
from uploader.terminal import printable
from uploader.times import minute

WIDTH = 48  # columns of the longest bar
BARS = 62  # at most; for more days, each bar is one or more weeks
GAP = 3  # more bars in succession without a match are summarised
SOURCES_SHOWN = 10
Link = Callable[[ImageVersion], str]


def preview_lines(one: Preview, since: str, until: str, examples: int, link: Link) -> Iterator[Text]:
    """What the rule would have matched and sent, by day and by source, with examples."""
    yield headline(one, since, until)
    if one.unreadable:
        yield Text(f"{_images(one.unreadable)} can't be matched: their records are damaged.", style="yellow")
    if not one.matches:
        return
    yield Text("")
    yield from _chart(one, since, until)
    yield from _sources(one)
    newest = one.newest(examples)
    confident = [match for match in one.most_confident(examples) if match not in newest]
    for title, matches in (("Newest", newest), ("Highest confidence", confident)):
        if matches:
            yield Text("")
            yield from _examples(title, matches, link)


def headline(one: Preview, since: str, until: str) -> Text:
    """ "... would have matched 424 of 51,230 images, and sent 37 messages (375 suppressed by the cooldown, ...)"."""
    rule, quiet = one.rule, []
    if one.count(SUPPRESSED):
        quiet.append(f"{one.count(SUPPRESSED):,} suppressed by the cooldown of {render_duration(rule.cooldown.seconds)}")
    if one.count(MUTED):
        quiet.append(f"{one.count(MUTED):,} muted by active hours")
    sent, channels = one.count(SENT), len(rule.channels)
    through = f" through each of {channels} channels" if channels > 1 else ""
    why = f" ({', '.join(quiet)})" if quiet else ""
    what = f"{sent:,} {'message' if sent == 1 else 'messages'}"
    if rule.delivery == DIGEST:
        what = f"{sent:,} {'match' if sent == 1 else 'matches'} in digests"
    return Text.assemble(
        (printable(rule.name), "bold"),
        f" ({rule.rule_id}) would have matched ",
        (f"{len(one.matches):,} of {_images(one.images)}", "bold"),
        ", and sent ",
        (what, "bold"),
        f"{through}{why}, from {minute(since)} to {minute(until)}.",
    )


def comparison_lines(new: Preview, present: Preview) -> Iterator[Text]:
    """Compares a rule in a file with the stored one: the images that it gains and loses, and the messages."""
    gained, lost = new.without(present), present.without(new)
    was = f"version {present.rule.version} would have matched {len(present.matches):,} and sent {present.count(SENT):,}"
    yield Text.assemble(f"Compared with the stored rule ({was}): gains ", (f"{len(gained):,}", "green"), ", loses ",
                        (f"{len(lost):,}", "red"), " images.")  # fmt: skip
    for sign, style, matches in (("+", "green", gained), ("-", "red", lost)):
        for match in matches[::-1][:3]:
            yield Text.assemble((f"  {sign} ", style), f"{_key(match)}: {_what(match)}")


def preview_document(one: Preview, examples: int | None, link: Link) -> dict[str, Any]:
    """For scripts: the numbers, and the matches, the newest first (all of them if `examples` is None)."""
    shown = one.newest(len(one.matches) if examples is None else examples)
    return {
        "rule": one.rule.rule_id,
        "name": one.rule.name,
        "images": one.images,
        "unreadable": one.unreadable,
        "matched": len(one.matches),
        **_outcomes(one),
        "by_day": [{"day": day, **_numbers(counts)} for day, counts in one.by_day(zone_of(one.rule)).items()],
        "time_zone": str(zone_of(one.rule)),
        "by_source": [{"source": source, **_numbers(counts)} for source, counts in one.by_source()],
        "matches": [_match_document(match, link) for match in shown],
        "matches_omitted": len(one.matches) - len(shown),
    }


def comparison_document(new: Preview, present: Preview) -> dict[str, Any]:
    """For scripts: the differences from the stored rule."""
    return {
        "version": present.rule.version,
        "matched": len(present.matches),
        **_outcomes(present),
        "gains": [match.image.key for match in new.without(present)],
        "loses": [match.image.key for match in present.without(new)],
    }


def zone_of(rule: Rule) -> tzinfo:
    """The time zone whose days are counted: that of the rule's active hours, or UTC."""
    return rule.active_hours.zone if rule.active_hours else UTC


def _chart(one: Preview, since: str, until: str) -> Iterator[Text]:
    """A bar for each day, or for each week when there are many. Empty days are included, so that gaps are visible."""
    zone = zone_of(one.rule)
    by_day = one.by_day(zone)
    last = (datetime.fromisoformat(until) - timedelta(milliseconds=1)).astimezone(zone).date()
    first = datetime.fromisoformat(since).astimezone(zone).date()
    if (last - first).days >= BARS:
        first = max(first, date.fromisoformat(min(by_day)))
    weeks = -(-(last - first).days // (7 * BARS)) if (last - first).days >= BARS else 0
    bars = []
    while first <= last:
        days = [by_day.get((first + timedelta(days=day)).isoformat(), Counter()) for day in range(7 * weeks or 1)]
        bars.append((first, sum(days, Counter[str]())))
        first += timedelta(days=len(days))
    longest = max(counts.total() for _, counts in bars)
    each = {0: "Day", 1: "Week from"}.get(weeks, f"{weeks} weeks")
    yield Text(f"{each:<10}  matches (█ sent, ░ not), in the time zone {zone}", style="dim")
    for is_empty, run in itertools.groupby(bars, key=lambda bar: not bar[1]):
        listed = list(run)
        if is_empty and len(listed) > GAP:
            yield Text(f"...         {len(listed)} of these have no match", style="dim")
            continue
        for day, counts in listed:
            yield Text.assemble(day.isoformat(), "  ", *_bar(counts, longest), _counted(counts))


def _bar(counts: Counter[str], longest: int) -> Iterator[tuple[str, str]]:
    # Rounded up, so that a single match is visible beside thousands.
    whole = -(-counts.total() * WIDTH // longest)
    sent = min(-(-counts[SENT] * WIDTH // longest), whole)
    yield "█" * sent, "cyan"
    yield "░" * (whole - sent), "dim cyan"


def _counted(counts: Counter[str]) -> str:
    if not counts:
        return ""
    total = counts.total()
    return f" {total:,}" if counts[SENT] == total else f" {total:,}, {counts[SENT]:,} sent"


def _sources(one: Preview) -> Iterator[Text]:
    sources = one.by_source()
    if len(sources) == 1:
        yield Text(f"All from {printable(sources[0][0])}.")
        return
    shown = "; ".join(f"{printable(source)}{_counted(counts)}" for source, counts in sources[:SOURCES_SHOWN])
    more = f"; and {len(sources) - SOURCES_SHOWN:,} more sources" if len(sources) > SOURCES_SHOWN else ""
    yield Text(f"By source: {shown}{more}.")


def _examples(title: str, matches: Sequence[PreviewMatch], link: Link) -> Iterator[Text]:
    """Two lines for each match: a link has its own line, so that a terminal can open it."""
    yield Text(f"{title}:", style="bold")
    for match in matches:
        uploaded = match.image.uploaded_at[:16].replace("T", " ")
        outcome = "" if match.outcome == SENT else f" ({match.outcome})"
        yield Text.assemble(f"  {uploaded}  {_key(match)}: ", (_what(match), "bold"), outcome)
        yield Text(f"    {printable(link(match.image))}", style="dim")


def _key(match: PreviewMatch) -> str:
    return printable(match.image.key.removeprefix(UPLOADS_PREFIX))


def _what(match: PreviewMatch) -> str:
    return printable(", ".join(f"{render_match(one)} {percent(one.confidence)}" for one in match.matches))


def _match_document(match: PreviewMatch, link: Link) -> dict[str, Any]:
    return {
        "image_id": match.image.image_id,
        "key": match.image.key,
        "source": match.image.source,
        "uploaded_at": match.image.uploaded_at,
        "outcome": match.outcome,
        "confidence": match.confidence,
        "matches": [one.to_item() for one in match.matches],
        "link": link(match.image),
    }


def _outcomes(one: Preview) -> dict[str, int]:
    return {"sent": one.count(SENT), "suppressed": one.count(SUPPRESSED), "muted": one.count(MUTED)}


def _numbers(counts: Counter[str]) -> dict[str, int]:
    return {"matched": counts.total(), "sent": counts[SENT], "suppressed": counts[SUPPRESSED], "muted": counts[MUTED]}


def _images(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"
