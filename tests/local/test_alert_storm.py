"""More matches than the channel's rate limit allows, on the real workflow: single alerts, digests, suppressed counts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from imagewatch.aws.dynamodb import from_item, to_item

from .pipeline import Pipeline
from .running_stack import ROOT, started

PORTRAIT = (ROOT / "samples" / "astronaut-portrait.jpg").read_bytes()
IMAGES = 12


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A stack whose channels allow one message every two seconds."""
    with started(tmp_path_factory.mktemp("state"), "--parameter", "MaxAlertsPerSecond=0.5") as stack:
        yield Pipeline(stack)


def items(pipeline: Pipeline, output: str) -> list[dict[str, Any]]:
    scanned = pipeline.stack.client("dynamodb").scan(TableName=pipeline.outputs[output])["Items"]
    return [from_item(item) for item in scanned]


def mails(pipeline: Pipeline) -> list[dict[str, Any]]:
    with urlopen(f"{pipeline.stack.endpoint}/_local/mailbox") as answer:
        return [mail for mail in json.load(answer) if "watchlist" in mail["body"]]


def test_every_match_is_sent_alone_or_listed_in_the_digest_or_counted(slow: Pipeline) -> None:
    quiet = {"RuleId": "quiet", "Name": "One an hour", "Enabled": True, "Cooldown": {"Seconds": 3600, "PerSource": False}}
    quiet["Terms"] = [{"Term": "person", "MinConfidence": 50}]
    slow.stack.client("dynamodb").put_item(TableName=slow.outputs["WatchlistTableName"], Item=to_item(quiet))
    slow.watch("person")
    keys = [slow.upload(PORTRAIT, f"storm-{n}.jpg") for n in range(IMAGES)]
    records = [slow.ended(key) for key in keys]
    assert {slow.execution(record)["status"] for record in records} == {"SUCCEEDED"}

    answer = slow.stack.client("lambda").invoke(FunctionName=slow.function("SendDigest"), Payload=b"{}")
    outcome = json.load(answer["Payload"])
    assert "FunctionError" not in answer, outcome

    alerts = Counter(item["Status"] for item in items(slow, "AlertsTableName") if "RuleId" in item)
    received = mails(slow)
    # An image that matches both rules gets one message, which lists them.
    several = [int(n) for mail in received for n in re.findall(r"^(\d+) of your rules matched an image", mail["body"])]
    sent = sum(mail["body"].startswith("Your rule") for mail in received) + sum(several)
    listed = sum(int(n) for mail in received for n in re.findall(r'^(\d+) match(?:es)? of "', mail["body"], re.MULTILINE))
    assert alerts == {"SENT": sent, "DIGESTED": listed, "SUPPRESSED": alerts["SUPPRESSED"]}
    assert sum(alerts.values()) == 2 * IMAGES
    assert min(sent, listed, alerts["SUPPRESSED"]) > 0
    assert outcome["Alerts"] == listed
    assert len([mail for mail in received if "One an hour" in mail["subject"]]) <= 1
