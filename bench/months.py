"""What a month costs at several volumes, and what changes of the design would save: the tables of docs/cost.md."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.cases import Facts
from bench.cost import LINES, amounts, assumed, by_line, measured, memory_by_function, share_of_the_rest, times
from bench.deployed_template import load
from bench.dynamodb_units import STORED_OVERHEAD
from bench.prices import cost, price_list
from bench.tables import Table

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "cost.md"
VOLUMES = (10_000, 1_000_000, 100_000_000)
MONTH_SECONDS = 30 * 86_400
GB = 1e9
# Shares of the analysed images. The last two are additional events for each analysed image.
MIX = {"new image": 0.40, "15 labels": 0.45, "one match": 0.05, "converted": 0.10, "duplicate event": 0.01, "rejected": 0.005}
QUOTA = 50  # DetectLabels a second in us-east-1 (Service Quotas' default; 5 in many other Regions)
SLOW_QUOTA = 5
ABOVE_THE_TIERS = (0.0006, 0.0004, 0.00025)  # US dollars for a call: the last known price, and two lower ones
_BEGIN, _END = "<!-- begin: python -m bench cost --months -->\n", "<!-- end -->\n"

STANDING = "alarms, metrics, schedules and an idle queue"

Use = Mapping[str, float]


def mixed(facts: Mapping[str, Facts], cpu: Mapping[str, float]) -> Counter[str]:
    """The amounts that the average image uses."""
    used: Counter[str] = Counter()
    for name, share in MIX.items():
        for item, amount in amounts(facts[name], cpu).items():
            used[item] += amount * share  # type: ignore[assignment]
    return used


def month(used: Use, images: int) -> dict[str, float]:
    """US dollars by line for a month's images. X-Ray's default rule samples a part of the traces."""
    per_second = images / MONTH_SECONDS
    sampled = (min(per_second, 1) + assumed("sampled_share_above_one_per_second") * max(per_second - 1, 0)) / per_second
    lines = by_line(times({**used, "xray_trace": used["xray_trace"] * sampled}, images))
    return {**lines, STANDING: standing()}


def standing() -> float:
    """US dollars a month for what costs the same without images."""
    alarms = sum(resource["Type"] == "AWS::CloudWatch::Alarm" for resource in load().resources.values())
    return (
        cost("alarm", alarms) + cost("custom_metric", len(metrics())) + cost("sqs_request", assumed("idle_polls")) + _schedules()
    )


def _schedules() -> float:
    """US dollars a month for runs of Send Digest with nothing to send. Each writes its lock twice and reads three indexes."""
    runs = MONTH_SECONDS / 60 / int(load().parameters["DigestMinutes"])
    gigabytes = memory_by_function()["SendDigest"] / 1024
    return (
        cost("lambda_request", runs)
        + cost("lambda_gb_second", runs * assumed("idle_digest_seconds") * gigabytes)
        + cost("dynamodb_write", 2 * runs)
        + cost("dynamodb_read", 3 * 0.5 * runs)
    )


def metrics() -> set[str]:
    """Names of Imagewatch's metrics, from the functions' source."""
    sources = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "functions").rglob("*.py")))
    return {name for source in sources for name in re.findall(r'\bcount\("(\w+)"', source)}


def stored(facts: Mapping[str, Facts]) -> dict[str, float]:
    """GB that the average image adds to each kind of storage."""
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
    rows.append(("all but Rekognition / Rekognition", *(f"{share_of_the_rest(lines):.1%}" for lines in months)))
    mix = ", ".join(f"{share:.1%} {name}" for name, share in MIX.items())
    return Table(
        "One month, US dollars",
        ("", *(f"{images:,} images" for images in VOLUMES)),
        rows,
        (f"The mix: {mix} (the last two are additional).", "No free tier is subtracted."),
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
        ("Not part of the bill above: it grows with what is stored. The originals would be stored without Imagewatch too.",),
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
        "What a change saves in a month, US dollars (negative: costs more)",
        ("", *(f"{images:,} images" for images in VOLUMES)),
        rows,
    )


@dataclass(frozen=True)
class Capacity:
    """DynamoDB capacity in units, as in "read capacity unit"."""

    write: float
    read: float

    def times(self, factor: float) -> Capacity:
        return Capacity(self.write * factor, self.read * factor)

    def at_least(self, units: float) -> Capacity:
        return Capacity(max(self.write, units), max(self.read, units))

    def month(self) -> float:
        """US dollars for a month."""
        hours = MONTH_SECONDS / 3600
        return cost("dynamodb_write_capacity", self.write * hours) + cost("dynamodb_read_capacity", self.read * hours)


def tables_and_indexes() -> int:
    """The number of DynamoDB tables and indexes of the template. Each needs at least one unit of each kind."""
    found = [r["Properties"] for r in load().resources.values() if r["Type"] == "AWS::DynamoDB::Table"]
    return sum(1 + len(properties.get("GlobalSecondaryIndexes", [])) for properties in found)


def break_even_utilisation() -> float:
    """The part of provisioned write capacity that must be used on average to be cheaper than on demand."""
    return cost("dynamodb_write_capacity", 1) / (3600 * cost("dynamodb_write", 1))


def on_demand(used: Use, images: float) -> float:
    """US dollars a month for DynamoDB's requests on demand."""
    return cost("dynamodb_write", images * used["dynamodb_write"]) + cost("dynamodb_read", images * used["dynamodb_read"])


def auto_scaled(used: Use, images: float) -> float:
    """US dollars a month for provisioned capacity that auto scaling adjusts to even traffic."""
    each = Capacity(used["dynamodb_write"], used["dynamodb_read"])
    needed = each.times(images / MONTH_SECONDS * assumed("capacity_excess") / assumed("capacity_target"))
    return needed.at_least(tables_and_indexes()).month()


def break_even_images(used: Use) -> float:
    """The images a month from which auto-scaled capacity is cheaper than on demand, to 1,000."""
    least, most = 0.0, 1e9
    while most - least > 1_000:
        middle = (least + most) / 2
        least, most = (least, middle) if auto_scaled(used, middle) < on_demand(used, middle) else (middle, most)
    return round(most, -3)


def capacity() -> Table:
    """DynamoDB's requests on demand and with provisioned capacity."""
    used = mixed(*measured())
    peak = assumed("peak_factor")

    def for_peak(images: int) -> float:
        each = Capacity(used["dynamodb_write"], used["dynamodb_read"])
        return each.times(images / MONTH_SECONDS * peak).at_least(tables_and_indexes()).month()

    modes: dict[str, Callable[[int], float]] = {
        "on demand (as deployed)": lambda images: on_demand(used, images),
        f"provisioned, auto scaling to {assumed('capacity_target'):.0%}, even traffic": lambda images: auto_scaled(used, images),
        f"provisioned for a peak of {peak:g} times the average, without auto scaling": for_peak,
    }
    least = Capacity(tables_and_indexes(), tables_and_indexes()).month()
    return Table(
        "DynamoDB's reads and writes in a month, US dollars",
        ("", *(f"{images:,} images" for images in VOLUMES)),
        [(name, *(_dollars(price(images)) for images in VOLUMES)) for name, price in modes.items()],
        (
            f"Provisioned capacity is cheaper when at least {break_even_utilisation():.1%} of it is used on average.",
            f"The {tables_and_indexes()} tables and indexes need at least one unit of each kind: {_dollars(least)} a month.",
            f"With auto scaling and even traffic, the break-even is at about {break_even_images(used):,.0f} images a month.",
        ),
    )


def above_the_tiers() -> Table:
    """What the unknown price of a Rekognition call above the last known tier changes."""
    used = mixed(*measured())
    images = VOLUMES[-1]
    lines = month(used, images)
    limit, known = price_list()["rekognition_image"].tiers[-2]
    if limit is None:
        raise ValueError("The last tier but one of rekognition_image must have a limit.")
    above = used["rekognition_image"] * images - limit
    rows = []
    for price in ABOVE_THE_TIERS:
        saved = above * (known - price)
        total = math.fsum(lines.values()) - saved
        share = (math.fsum(lines.values()) - lines["Rekognition"]) / (lines["Rekognition"] - saved)
        rows.append((f"{price:g}", _dollars(lines["Rekognition"] - saved), _dollars(total), f"{share:.1%}"))
    return Table(
        f"{images:,} images a month by the price of a Rekognition call above {limit:,.0f}, US dollars",
        ("price of a call", "Rekognition", "all", "all but Rekognition / Rekognition"),
        rows,
        ("The price above this limit was not found. The first row continues the last known price, as the bill above does.",),
    )


def rates() -> Table:
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
        "images a second, average",
        "images a second, peak",
        f"Regions at {SLOW_QUOTA} a second",
        f"Regions at {QUOTA}",
    )
    return Table(
        "Rates and quotas",
        (*columns, "executions at once", f"one month's images as a backlog at {QUOTA} a second"),
        rows,
        (f"Assumed peak: {assumed('peak_factor'):g} times the average. Request a higher quota before you add Regions.",),
    )


def tables() -> list[Table]:
    return [bill(), above_the_tiers(), keeping(), levers(), capacity(), rates()]


def printed() -> str:
    """The generated part of docs/cost.md, with its marks."""
    return _BEGIN + "\n" + "\n".join(table.markdown() for table in tables()) + "\n" + _END


def in_document(text: str) -> str:
    """The generated part of a document, with its marks. Raises ValueError when a mark is missing."""
    begin, end = text.find(_BEGIN), text.find(_END)
    if begin < 0 or end < begin:
        raise ValueError(f"The document has no {_BEGIN.strip()} ... {_END.strip()}.")
    return text[begin : end + len(_END)]


def write_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(text.replace(in_document(text), printed()), encoding="utf-8")


def _express(used: Use) -> Use:
    """Without state transitions. _express_bill calculates what Express costs instead."""
    memory = 64 / 1024  # the smallest step: payloads are small
    return {**used, "states_transition": 0, "express": 1, "express_gb_second": memory * assumed("express_seconds")}


def _express_bill(used: Use, images: int) -> float:
    requests, gb_seconds = used.get("express", 0) * images, used.get("express_gb_second", 0) * images
    return cost("states_express_request", requests) + cost("states_express_gb_second", gb_seconds)


def _without_call(used: Use, function: str, sign: int = 1) -> Use:
    """Without a function that calls Rekognition once; with sign -1, with one more."""
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
    """The amount of x86 that costs as much as arm64 at the same speed, by the list's first tiers."""
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
