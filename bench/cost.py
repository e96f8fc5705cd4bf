"""What images cost: the saved counts times the price list, and the same for published pipelines of this kind.

Sums use `math.fsum`, because the built-in sum rounds differently from Python 3.12 on, and the documents must not.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench.cases import Facts
from bench.deployed_template import load
from bench.prices import cost, price_list
from bench.tables import Table

FOLDER = Path(__file__).parent
MEASURED = FOLDER / "measured.json"
GOAL = 0.12
FULL_VCPU_MB = 1769  # memory at which Lambda gives one whole vCPU; with less memory, CPU time grows in proportion
GB = 1e9

# (name, states entered, Rekognition calls), counted in their repositories
PUBLISHED = (
    ("lambda-refarch-imagerecognition (labels only)", 7, 1),
    ("media-insights, labels and moderation (2 + 5 for each operator)", 2 + 5 * 2, 2),
    ("media2cloud v4, everything on", 33, 6),
)
# The printed lines in their order, and the items of the price list in each.
LINES: Mapping[str, tuple[str, ...]] = {
    "Rekognition": ("rekognition_image",),
    "Step Functions, states entered": ("states_transition",),
    "Lambda, invocations": ("lambda_request",),
    "Lambda, GB-seconds": ("lambda_gb_second",),
    "DynamoDB, writes": ("dynamodb_write",),
    "DynamoDB, reads": ("dynamodb_read",),
    "S3, requests": ("s3_put", "s3_get"),
    "SQS": ("sqs_request",),
    "SNS, with e-mail": ("sns_publish", "sns_email"),
    "CloudWatch Logs": ("logs_gb",),
    "X-Ray": ("xray_trace",),
}
_BASIS = {
    "Rekognition": "counted",
    "Step Functions, states entered": "counted",
    "Lambda, invocations": "counted",
    "Lambda, GB-seconds": "CPU measured, waiting assumed",
    "DynamoDB, writes": "items measured",
    "DynamoDB, reads": "items measured",
    "S3, requests": "counted, Rekognition's reads assumed",
    "SQS": "assumed",
    "SNS, with e-mail": "counted, one mailbox assumed",
    "CloudWatch Logs": "bytes measured",
    "X-Ray": "assumed, every image sampled",
}


@cache
def assumed(name: str) -> float:
    """The value of one entry of assumptions.json."""
    return float(json.loads((FOLDER / "assumptions.json").read_text(encoding="utf-8"))[name]["value"])


def measured() -> tuple[dict[str, Facts], dict[str, float]]:
    """The saved measurement: (facts by case, CPU milliseconds by function)."""
    saved = json.loads(MEASURED.read_text(encoding="utf-8"))
    return {name: Facts(**fact) for name, fact in saved["facts"].items()}, saved["cpu_milliseconds"]


@cache
def memory_by_function() -> Mapping[str, int]:
    """The template's memory in MB by function."""
    functions = {name: r["Properties"] for name, r in load().resources.items() if r["Type"] == "AWS::Lambda::Function"}
    return {name.removesuffix("Function"): int(properties.get("MemorySize", 128)) for name, properties in functions.items()}


def seconds(function: str, calls: Mapping[str, int], cpu_milliseconds: float, memory: int) -> float:
    """Billed seconds of one invocation: CPU time at its share of a vCPU plus waiting, rounded up to a millisecond."""
    cpu = cpu_milliseconds / 1000 * max(1.0, FULL_VCPU_MB / memory)
    cpu *= assumed("camera_photo_factor") if function == "ValidateImage" else 1
    waiting = math.fsum(number * assumed(f"{name.partition(':')[0]}_seconds") for name, number in calls.items())
    waiting += assumed("rate_limiter_seconds") if "states:StartExecution" in calls else 0
    return math.ceil(1000 * (cpu + waiting)) / 1000


def amounts(facts: Facts, cpu: Mapping[str, float]) -> Counter[str]:
    """The amount of each item of the price list that one image uses."""
    used: Counter[str] = Counter()
    for function, number in facts.invocations.items():
        memory, calls = memory_by_function()[function], facts.calls.get(function, {})
        each = {name: math.ceil(count / number) for name, count in calls.items()}
        busy = seconds(function, each, cpu[_snake(function)], memory) + assumed("cold_share") * assumed("cold_seconds")
        used["lambda_request"] += number
        used["lambda_gb_second"] += number * busy * memory / 1024  # type: ignore[assignment]
    used["rekognition_image"] = facts.total("rekognition")
    used["states_transition"] = len(facts.states)
    used["dynamodb_write"] = math.fsum(facts.write_units.values())  # type: ignore[assignment]
    used["dynamodb_read"] = math.fsum(facts.read_units.values())  # type: ignore[assignment]
    # A duplicate event and a removal come without an upload.
    used["s3_put"] = facts.total("s3", "PutObject") + bool(facts.states)
    reads = facts.total("rekognition") * assumed("rekognition_reads")
    used["s3_get"] = facts.total("s3", "GetObject", "HeadObject") + reads  # type: ignore[assignment]
    used["sqs_request"] = assumed("queue_requests")  # type: ignore[assignment]
    used["sns_publish"] = facts.total("sns", "Publish")
    used["sns_email"] = facts.total("sns", "Publish") * assumed("mailboxes")  # type: ignore[assignment]
    used["logs_gb"] = facts.log_bytes / GB  # type: ignore[assignment]
    used["xray_trace"] = assumed("traces") if facts.states else 1  # type: ignore[assignment]
    return used


def times(used: Mapping[str, float], number: float) -> dict[str, float]:
    return {name: amount * number for name, amount in used.items()}


def by_line(used: Mapping[str, float]) -> dict[str, float]:
    """US dollars of each printed line for one month's amounts."""
    return {line: math.fsum(cost(item, used.get(item, 0)) for item in items) for line, items in LINES.items()}


def share_of_the_rest(lines: Mapping[str, float]) -> float:
    """The cost of everything but Rekognition divided by Rekognition's cost; infinite without Rekognition calls."""
    rest = math.fsum(lines.values()) - lines["Rekognition"]
    return rest / lines["Rekognition"] if lines["Rekognition"] else math.inf


def thousand() -> Table:
    """The cost of 1,000 images of each case."""
    facts, cpu = measured()
    cases = {name: by_line(times(amounts(fact, cpu), 1000)) for name, fact in facts.items()}
    rows = [(line, *(_dollars(lines[line]) for lines in cases.values()), _BASIS[line]) for line in LINES]
    rows.append(("all", *(_dollars(math.fsum(lines.values())) for lines in cases.values()), ""))
    shares = [share_of_the_rest(lines) for lines in cases.values()]
    rows.append(("all but Rekognition / Rekognition", *(_percent(share) for share in shares), f"goal: at most {GOAL:.0%}"))
    return Table(
        "Cost of 1,000 images, US dollars, us-east-1, first tier of each price, no free tier",
        ("line", *cases, "basis"),
        rows,
        (
            f"Each case has 30 labels, except the one with 15. {_verdict(shares[0])}",
            "A duplicate event costs no Rekognition call.",
        ),
    )


def shapes() -> Table:
    """States and Rekognition calls of Imagewatch and of published pipelines, at the same prices."""
    facts, _ = measured()
    ours = [
        (f"Imagewatch, {name}", len(facts[name].states), facts[name].total("rekognition")) for name in ("new image", "one match")
    ]
    rows = []
    for name, states, calls in [*ours, *PUBLISHED]:
        workflow, rekognition = cost("states_transition", 1000 * states), cost("rekognition_image", 1000 * calls)
        share = f"{workflow / rekognition:.1%}"
        rows.append(
            (name, str(states), str(calls), _dollars(workflow), _dollars(rekognition), _dollars(workflow + rekognition), share)
        )
    columns = ("pipeline", "states", "Rekognition calls", "states, $", "Rekognition, $", "both, $", "states / Rekognition")
    return Table("1,000 images in published pipelines: states and Rekognition only", columns, rows)


def prices() -> Table:
    rows = []
    for price in price_list().values():
        tiers = "; ".join(f"{'then' if limit is None else f'to {limit:,}'} {amount:g}" for limit, amount in price.tiers)
        tiers = tiers.removeprefix("then ")
        source = "none found; assumed" if price.assumed else f"{price.source}; {price.date}"
        rows.append((price.what, f"{price.unit:,}", tiers, source))
    return Table("Prices (us-east-1, US dollars)", ("what", "for", "price", "source and date"), rows)


def assumptions() -> Table:
    entries: dict[str, Any] = json.loads((FOLDER / "assumptions.json").read_text(encoding="utf-8"))
    rows = [(entry["why"], f"{entry['value']:g}") for entry in entries.values()]
    return Table("Assumptions", ("what", "value"), rows)


def tables() -> list[Table]:
    return [thousand(), shapes(), prices(), assumptions()]


def _verdict(share: float) -> str:
    return f"For a new image the goal is {'met' if share <= GOAL else 'missed'} ({_percent(share)})."


def _snake(function: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in function).removeprefix("_")


def _dollars(amount: float) -> str:
    return "0" if amount == 0 else f"{amount:,.4f}" if amount < 100 else f"{amount:,.0f}"


def _percent(share: float) -> str:
    return "-" if math.isinf(share) else f"{share:.1%}"
