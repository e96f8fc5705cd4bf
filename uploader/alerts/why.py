"""Why an image did or did not notify people: its record, the rules and its alerts, read together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from imagewatch.alerts.alert import Alert, alert_id
from imagewatch.alerts.explanation import NOT_MATCHED, Explanation, explain
from imagewatch.errors import InvalidRule
from imagewatch.images.version import IMAGE_PREFIXES, UPLOADS_PREFIX, ImageVersion, image_id
from imagewatch.rules.model import Rule
from imagewatch.rules.mutes import MUTES_ID
from uploader.aws.dynamodb import fetch, from_item, scan
from uploader.aws.errors import aws_call
from uploader.aws.session import Aws
from uploader.aws.stack import find_outputs
from uploader.errors import CommandError
from uploader.terminal import printable

_STYLES = {"SENT": "green", "DIGESTED": "green", "FAILED": "red", "PENDING": "yellow", "QUEUED": "yellow"}


@dataclass(frozen=True)
class Answer:
    """The image, and what each rule did for it."""

    key: str
    status: str
    explanations: Sequence[Explanation]
    invalid_rules: Sequence[str]


def find_answer(aws: Aws, stack: str, image: str) -> Answer:
    """`image` is an image's id or its key, with or without uploads/. Raises CommandError."""
    bucket, *tables = find_outputs(aws, stack, "ImagesBucketName", "ImagesTableName", "WatchlistTableName", "AlertsTableName")
    images_table, watchlist_table, alerts_table = tables
    record = _record(aws, images_table, bucket, image)
    rules, invalid = _rules(aws, watchlist_table)
    try:
        version = ImageVersion.from_state(record)
        rule_ids = {rule.rule_id for rule in rules} | {str(entry["RuleId"]) for entry in record.get("MatchedRules", [])}
        keys = [{"AlertId": alert_id(version, rule_id)} for rule_id in sorted(rule_ids)]
        with aws_call("read the image's alerts (dynamodb:BatchGetItem)"):
            alerts = [Alert.from_item(item) for item in fetch(aws.dynamodb, alerts_table, keys)]
        found = explain(record, rules, {alert.rule_id: alert for alert in alerts}, datetime.now(UTC))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        damage = f"the record of the image or of one of its alerts is damaged ({type(error).__name__}: {error})"
        raise CommandError(f"{damage}. Upload the image again.") from error
    return Answer(str(record["Key"]), str(record.get("Status", "")), found, invalid)


def answer_lines(answer: Answer) -> Iterator[Text]:
    """The answer for the terminal."""
    yield Text.assemble((printable(answer.key), "bold"), f" ({answer.status.lower()})")
    for one in answer.explanations:
        style = "dim" if one.outcome == NOT_MATCHED else _STYLES.get(one.outcome, "")
        outcome = one.outcome.lower().replace("_", " ")
        yield Text.assemble("  ", printable(one.rule_id), ": ", (outcome, style), f" - {printable(one.reason)}")
        if one.alert_id:
            yield Text(f"    imagewatch alerts show {one.alert_id}", style="dim")
    if not answer.explanations:
        yield Text("  There are no rules.")
    for problem in answer.invalid_rules:
        yield Text(f"  A rule can't be read: {printable(problem)}", style="red")


def answer_document(answer: Answer) -> dict[str, Any]:
    """The answer for scripts."""
    return {
        "key": answer.key,
        "status": answer.status,
        "rules": [asdict(one) for one in answer.explanations],
        "invalid_rules": list(answer.invalid_rules),
    }


def _record(aws: Aws, table: str, bucket: str, image: str) -> dict[str, Any]:
    key = image if image.startswith(IMAGE_PREFIXES) else f"{UPLOADS_PREFIX}{image}"
    wanted = image if re.fullmatch("[0-9a-f]{32}", image) else image_id(bucket, key)
    with aws_call("read the image's record (dynamodb:GetItem)"):
        answer = aws.dynamodb.get_item(TableName=table, Key={"ImageId": {"S": wanted}}, ConsistentRead=True)
    if "Item" not in answer:
        raise CommandError(f"there is no image {image}. Name its key, such as uploads/front-door/a.jpg, or its id.")
    return from_item(answer["Item"])


def _rules(aws: Aws, table: str) -> tuple[list[Rule], list[str]]:
    rules, invalid = list[Rule](), list[str]()
    with aws_call("read the rules (dynamodb:Scan)"):
        for item in scan(aws.dynamodb, table):
            if item["RuleId"] == MUTES_ID:
                continue
            try:
                rules.append(Rule.from_item(item))
            except InvalidRule as error:
                invalid.append(str(error))
    return rules, invalid
