"""What a month costs at several volumes, and what one would change on the way: docs/cost.md's tables."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.cases import Facts
from bench.cost import LINES, amounts, assumed, by_line, measured, memory_by_function, share_of_the_rest, times
from bench.deployed_template import load
from bench.dynamodb_units import STORED_OVERHEAD
from bench.prices import cost
from bench.tables import Table

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "cost.md"
VOLUMES = (10_000, 1_000_000, 100_000_000)
MONTH_SECONDS = 30 * 86_400
GB = 1e9
# Of each image that is analysed; the last two come on top of it.
MIX = {"new image": 0.40, "15 labels": 0.45, "one match": 0.05, "converted": 0.10, "duplicate event": 0.01, "rejected": 0.005}
QUOTA = 50  # DetectLabels a second in us-east-1 (Service Quotas' default; 5 in many other Regions)
SLOW_QUOTA = 5
_BEGIN, _END = "<!-- begin: python -m bench cost --months -->\n", "<!-- end -->\n"

STANDING = "alarms, metrics, schedules and an idle queue"

Use = Mapping[str, float]


def mixed(facts: Mapping[str, Facts], cpu: Mapping[str, float]) -> Counter[str]:
    """What the average image uses."""
    used: Counter[str] = Counter()
    for name, share in MIX.items():
        for item, amount in amounts(facts[name], cpu).items():
            used[item] += amount * share  # type: ignore[assignment]
    return used


def month(used: Use, images: int) -> dict[str, float]:
    """US dollars by line for a month's images, with the part of X-Ray's traces that its default rule samples."""
    per_second = images / MONTH_SECONDS
    kept = (min(per_second, 1) + assumed("sampled_share_above_one_per_second") * max(per_second - 1, 0)) / per_second
    lines = by_line(times({**used, "xray_trace": used["xray_trace"] * kept}, images))
    return {**lines, STANDING: standing()}


def standing() -> float:
    """US dollars a month for what costs the same without any image."""
    alarms = sum(resource["Type"] == "AWS::CloudWatch::Alarm" for resource in load().resources.values())
    return (
        cost("alarm", alarms) + cost("custom_metric", len(metrics())) + cost("sqs_request", assumed("idle_polls")) + _schedules()
    )


def _schedules() -> float:
    """US dollars a month for digests that find nothing to tell: each run writes its lock twice, and looks at three indexes."""
    runs = MONTH_SECONDS / 60 / int(load().parameters["DigestMinutes"])
    gigabytes = memory_by_function()["SendDigest"] / 1024
    return (
        cost("lambda_request", runs)
        + cost("lambda_gb_second", runs * assumed("idle_digest_seconds") * gigabytes)
        + cost("dynamodb_write", 2 * runs)
        + cost("dynamodb_read", 3 * 0.5 * runs)
    )


def metrics() -> set[str]:
    """Names of our own metrics, as the functions count them."""
    sources = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "functions").rglob("*.py")))
    return {name for source in sources for name in re.findall(r'\bcount\("(\w+)"', source)}


def stored(facts: Mapping[str, Facts]) -> dict[str, float]:
    """GB that an average image adds to each kind of storage."""
    analysed = {name: share for name, share in MIX.items() if name not in ("duplicate event", "rejected")}
    rows = math.fsum(share * (facts[name].rows_bytes + STORED_OVERHEAD * facts[name].rows) for name, share in analysed.items())
    records = math.fsum(share * (facts[name].record_bytes + STORED_OVERHEAD) for name, share in analysed.items())
    entries = 200 + STORED_OVERHEAD  # the index ByOwner holds three keys
    thumbnails = math.fsum(share * facts[name].thumbnail_bytes for name, share in analysed.items())
    return {
        "dynamodb": (rows + records + entries) / GB,
        "thumbnails": thumbnails / GB,
        "originals": assumed("original_megabytes") / 1000,
        "logs": math.fsum(share * facts[name].log_bytes for name, share in MIX.items()) / GB,
    }


def bill() -> Table:
    facts, cpu = measured()
    months = [month(mixed(facts, cpu), images) for images in VOLUMES]
    rows = [(line, *(_dollars(lines[line]) for lines in months)) for line in [*LINES, STANDING]]
    sums = [math.fsum(lines.values()) for lines in months]
    rows.append(("**all**", *(f"**{_dollars(total)}**" for total in sums)))
    rows.append(("for 1,000 images", *(_dollars(1000 * total / images) for total, images in zip(sums, VOLUMES, strict=True))))
    rows.append(("all but Rekognition, as a part of Rekognition", *(f"{share_of_the_rest(lines):.1%}" for lines in months)))
    mix = ", ".join(f"{share:.1%} {name}" for name, share in MIX.items())
    return Table(
        "One month, US dollars",
        ("", *(f"{images:,} images" for images in VOLUMES)),
        rows,
        (f"The mix: {mix} (the last two on top of the images).", "No free tier is subtracted."),
    )


def keeping() -> Table:
    facts, _ = measured()
    gigabytes = stored(facts)
    prices: dict[str, Callable[[float], float]] = {
        "records and index, with point-in-time recovery": lambda n: math.fsum(
            cost(item, n * gigabytes["dynamodb"]) for item in ("dynamodb_storage", "dynamodb_backup")
        ),
        "thumbnails": lambda n: cost("s3_storage", n * gigabytes["thumbnails"]),
        "logs, for their 30 days": lambda n: cost("logs_storage", n * gigabytes["logs"]),
        f"originals of {assumed('original_megabytes'):g} MB": lambda n: cost("s3_storage", n * gigabytes["originals"]),
    }
    rows = [(name, *(_dollars(price(images)) for images in VOLUMES)) for name, price in prices.items()]
    return Table(
        "Keeping one month's images, US dollars for each further month",
        ("", *(f"{images:,} images" for images in VOLUMES)),
        rows,
        ("Not part of the bill above: it grows with what is kept, and the originals would be stored without Imagewatch too.",),
    )


def levers() -> Table:
    facts, cpu = measured()
    usual = mixed(facts, cpu)
    changes: dict[str, Callable[[Use], Use]] = {
        "Express workflow instead of Standard": _express,
        "moderation off": lambda used: _without_call(used, "DetectModeration"),
        "Evaluate Watchlist and its Choice inside Store Analysis": lambda used: _fewer_states(used, 2),
        "labels from 55 up: half the index rows": lambda used: {**used, "dynamodb_write": used["dynamodb_write"] - 11},
        "Lambda on arm64": _arm,
        "text detection on": lambda used: _without_call(used, "DetectText", sign=-1),
    }
    rows = []
    for name, change in changes.items():
        saved = [
            math.fsum(month(usual, n).values()) - math.fsum(month(change(usual), n).values()) - _express_bill(change(usual), n)
            for n in VOLUMES
        ]
        rows.append((name, *(_signed(amount) for amount in saved)))
    return Table(
        "What a change saves in a month, US dollars (a minus costs more)",
        ("", *(f"{images:,} images" for images in VOLUMES)),
        rows,
    )


def pace() -> Table:
    rows = []
    for images in VOLUMES:
        average = images / MONTH_SECONDS
        peak = average * assumed("peak_factor")
        rows.append(
            (
                f"{images:,}",
                f"{average:,.3g}",
                f"{peak:,.3g}",
                f"{math.ceil(peak / SLOW_QUOTA)}",
                f"{math.ceil(peak / QUOTA)}",
                f"{math.ceil(peak * assumed('express_seconds')):,}",
                _duration(images / QUOTA),
            )
        )
    columns = (
        "images in a month",
        "a second on average",
        "at the peak",
        f"Regions at {SLOW_QUOTA} a second",
        f"Regions at {QUOTA}",
    )
    return Table(
        "Pace and quotas",
        (*columns, "executions at once", f"one month's backlog at {QUOTA} a second"),
        rows,
        (f"The peak is taken as {assumed('peak_factor'):g} times the average. Before further Regions, ask for a higher quota.",),
    )


def tables() -> list[Table]:
    return [bill(), keeping(), levers(), pace()]


def printed() -> str:
    """The tables as docs/cost.md holds them, between their marks."""
    return _BEGIN + "\n" + "\n".join(table.markdown() for table in tables()) + "\n" + _END


def in_document(text: str) -> str:
    """The part of a document between the marks, with them. Raises ValueError without marks."""
    begin, end = text.find(_BEGIN), text.find(_END)
    if begin < 0 or end < begin:
        raise ValueError(f"the document has no {_BEGIN.strip()} ... {_END.strip()}")
    return text[begin : end + len(_END)]


def write_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(text.replace(in_document(text), printed()), encoding="utf-8")


def _express(used: Use) -> Use:
    """Without transitions; _express_bill adds what Express costs instead."""
    memory = 64 / 1024  # the smallest step: payloads are small
    return {**used, "states_transition": 0, "express": 1, "express_gb_second": memory * assumed("express_seconds")}


def _express_bill(used: Use, images: int) -> float:
    requests, gb_seconds = used.get("express", 0) * images, used.get("express_gb_second", 0) * images
    return cost("states_express_request", requests) + cost("states_express_gb_second", gb_seconds)


def _without_call(used: Use, function: str, sign: int = 1) -> Use:
    """Without (or, with sign -1, with one more of) a function that asks Rekognition once."""
    memory = memory_by_function()[function] / 1024
    less = {
        "rekognition_image": 1,
        "states_transition": 1,
        "lambda_request": 1,
        "lambda_gb_second": memory * assumed("rekognition_seconds"),
        "s3_get": assumed("rekognition_reads"),
    }
    return {item: amount - sign * less.get(item, 0) for item, amount in used.items()}


def _fewer_states(used: Use, states: int) -> Use:
    return {**used, "states_transition": used["states_transition"] - states, "lambda_request": used["lambda_request"] - 1}


def _arm(used: Use) -> Use:
    """The price of arm64, as an amount of x86: the list's first tiers, at the same speed."""
    return {**used, "lambda_gb_second": used["lambda_gb_second"] * cost("lambda_gb_second_arm", 1) / cost("lambda_gb_second", 1)}


def _duration(seconds: float) -> str:
    return (
        f"{seconds / 86_400:.1f} days"
        if seconds > 86_400
        else f"{seconds / 3600:.1f} hours"
        if seconds > 3600
        else f"{seconds / 60:.0f} minutes"
    )


def _dollars(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 1000 else f"{amount:,.2f}" if amount >= 0.1 else f"{amount:,.4f}"


def _signed(amount: float) -> str:
    return f"-{_dollars(-amount)}" if amount < 0 else _dollars(amount)
