"""How a preview reads at the terminal, and as JSON."""

from __future__ import annotations

import itertools
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from rich.text import Text

from imagewatch.alerts.alert_text import percent, render_match
from imagewatch.alerts.cooldown import render_duration
from imagewatch.images.version import UPLOADS_PREFIX, ImageVersion
from imagewatch.rules.model import Rule
from uploader.rules.preview import HELD_BACK, MUTED, SENT, Hit, Preview
from uploader.terminal import printable
from uploader.times import minute

WIDTH = 48  # columns of the longest bar
BARS = 62  # at most; for more days, a bar is a week or several
GAP = 3  # bars without a match that are shown one by one
SOURCES_SHOWN = 10
Link = Callable[[ImageVersion], str]


def preview_lines(one: Preview, since: str, until: str, examples: int, link: Link) -> Iterator[Text]:
    """What the rule would have done, when, where, and with which images."""
    yield headline(one, since, until)
    if one.unreadable:
        yield Text(f"{_images(one.unreadable)} can't be judged: their records are damaged.", style="yellow")
    if not one.hits:
        return
    yield Text("")
    yield from _chart(one, since, until)
    yield from _sources(one)
    newest = one.newest(examples)
    surest = [hit for hit in one.surest(examples) if hit not in newest]
    for title, hits in (("Newest", newest), ("Surest", surest)):
        if hits:
            yield Text("")
            yield from _examples(title, hits, link)


def headline(one: Preview, since: str, until: str) -> Text:
    """ "... would have matched 424 of 51,230 images, sent 37 messages (375 held back by the cooldown, ...)"."""
    rule, quiet = one.rule, []
    if one.count(HELD_BACK):
        quiet.append(f"{one.count(HELD_BACK):,} held back by the cooldown of {render_duration(rule.cooldown.seconds)}")
    if one.count(MUTED):
        quiet.append(f"{one.count(MUTED):,} muted by active hours")
    sent, channels = one.count(SENT), len(rule.channels)
    through = f" through each of {channels} channels" if channels > 1 else ""
    why = f" ({', '.join(quiet)})" if quiet else ""
    return Text.assemble(
        (printable(rule.name), "bold"),
        f" ({rule.rule_id}) would have matched ",
        (f"{len(one.hits):,} of {_images(one.images)}", "bold"),
        ", and sent ",
        (f"{sent:,} {'message' if sent == 1 else 'messages'}", "bold"),
        f"{through}{why}, from {minute(since)} to {minute(until)}.",
    )


def comparison_lines(new: Preview, present: Preview) -> Iterator[Text]:
    """How a rule in a file differs from the one that is there: images that it gains and loses, and messages."""
    gained, lost = new.without(present), present.without(new)
    was = f"version {present.rule.version} would have matched {len(present.hits):,} and sent {present.count(SENT):,}"
    yield Text.assemble(f"Against the rule as it is now ({was}): gains ", (f"{len(gained):,}", "green"), ", loses ",
                        (f"{len(lost):,}", "red"), " images.")  # fmt: skip
    for sign, style, hits in (("+", "green", gained), ("-", "red", lost)):
        for hit in hits[::-1][:3]:
            yield Text.assemble((f"  {sign} ", style), f"{_key(hit)}: {_what(hit)}")


def preview_document(one: Preview, examples: int | None, link: Link) -> dict[str, Any]:
    """For scripts: the numbers, and all matches, the newest first (`examples` of them if not None)."""
    shown = one.newest(len(one.hits) if examples is None else examples)
    return {
        "rule": one.rule.rule_id,
        "name": one.rule.name,
        "images": one.images,
        "unreadable": one.unreadable,
        "matched": len(one.hits),
        **_outcomes(one),
        "by_day": [{"day": day, **_numbers(counts)} for day, counts in one.by_day(zone_of(one.rule)).items()],
        "time_zone": str(zone_of(one.rule)),
        "by_source": [{"source": source, **_numbers(counts)} for source, counts in one.by_source()],
        "matches": [_hit_document(hit, link) for hit in shown],
        "matches_omitted": len(one.hits) - len(shown),
    }


def comparison_document(new: Preview, present: Preview) -> dict[str, Any]:
    """For scripts: what changes against the rule as it is now."""
    return {
        "version": present.rule.version,
        "matched": len(present.hits),
        **_outcomes(present),
        "gains": [hit.image.key for hit in new.without(present)],
        "loses": [hit.image.key for hit in present.without(new)],
    }


def zone_of(rule: Rule) -> tzinfo:
    """The zone whose days are counted: the rule's, where it has one."""
    return zoneinfo.ZoneInfo(rule.active_hours.time_zone) if rule.active_hours else UTC


def _chart(one: Preview, since: str, until: str) -> Iterator[Text]:
    """A bar for each day, or week when there are many; empty ones too, so that a gap is seen."""
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
    yield Text(f"{each:<10}  matches (█ sent, ░ not), by the clock of {zone}", style="dim")
    for is_empty, run in itertools.groupby(bars, key=lambda bar: not bar[1]):
        listed = list(run)
        if is_empty and len(listed) > GAP:
            yield Text(f"...         {len(listed)} of these without a match", style="dim")
            continue
        for day, counts in listed:
            yield Text.assemble(day.isoformat(), "  ", *_bar(counts, longest), _counted(counts))


def _bar(counts: Counter[str], longest: int) -> Iterator[tuple[str, str]]:
    # What is there is seen, however little it is beside the rest.
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


def _examples(title: str, hits: Sequence[Hit], link: Link) -> Iterator[Text]:
    """Two lines each: links stay whole, so that a terminal opens them."""
    yield Text(f"{title}:", style="bold")
    for hit in hits:
        uploaded = hit.image.uploaded_at[:16].replace("T", " ")
        yield Text.assemble(
            f"  {uploaded}  {_key(hit)}: ", (_what(hit), "bold"), "" if hit.outcome == SENT else f" ({hit.outcome})"
        )
        yield Text(f"    {printable(link(hit.image))}", style="dim")


def _key(hit: Hit) -> str:
    return printable(hit.image.key.removeprefix(UPLOADS_PREFIX))


def _what(hit: Hit) -> str:
    return printable(", ".join(f"{render_match(match)} {percent(match['Confidence'])}" for match in hit.matches))


def _hit_document(hit: Hit, link: Link) -> dict[str, Any]:
    return {
        "image_id": hit.image.image_id,
        "key": hit.image.key,
        "source": hit.image.source,
        "uploaded_at": hit.image.uploaded_at,
        "outcome": hit.outcome,
        "confidence": hit.confidence,
        "matches": list(hit.matches),
        "link": link(hit.image),
    }


def _outcomes(one: Preview) -> dict[str, int]:
    return {"sent": one.count(SENT), "held_back": one.count(HELD_BACK), "muted": one.count(MUTED)}


def _numbers(counts: Counter[str]) -> dict[str, int]:
    return {"matched": counts.total(), "sent": counts[SENT], "held_back": counts[HELD_BACK], "muted": counts[MUTED]}


def _images(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"
