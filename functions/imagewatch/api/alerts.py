"""Alerts: the operations of /alerts, and an alert's record as they show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch.api import parameters, schemas
from imagewatch.api.operation import IMAGE_ID, Answer, Operation, Parameter
from imagewatch.api.parameters import CURSOR
from imagewatch.api.schemas import COUNT, STRING, STRINGS, TIME, a_list, described, mapping
from imagewatch.rules.fields import Declaration, Field, FieldReader, Place, line

PATH = "/alerts/{alert_id}"
_ID = {"alert_id": IMAGE_ID}
_ALWAYS = ("AlertId", "RuleId", "RuleName", "Severity", "ImageId", "Key", "Source", "CreatedAt", "Status", "Link")
_MARK = mapping({"At": TIME, "By": STRING}, {"Note": STRING})
_DELIVERY = mapping({"Channel": STRING, "Status": STRING}, {"At": STRING, "Reason": STRING})
ALERT = mapping(
    {
        "AlertId": {"type": "string", "pattern": IMAGE_ID},
        "RuleId": STRING,
        "RuleName": STRING,
        "Severity": STRING,
        "ImageId": schemas.IMAGE_ID,
        "Key": STRING,
        "Source": STRING,
        "CreatedAt": TIME,
        "Status": {"type": "string", "enum": ["PENDING", "QUEUED", "SENT", "DIGESTED", "SUPPRESSED", "FAILED"]},
        "Link": described(STRING, "The image's page."),
        "Matches": described(a_list(schemas.ANYTHING), "What made the rule match, the highest confidence first."),
        "Deliveries": a_list(_DELIVERY),
        "Channels": STRINGS,
    },
    {
        "SuppressedBefore": described(COUNT, "Suppressed matches that the alert's message reported."),
        "Acknowledged": described(_MARK, "Who has seen to the alert, and when."),
        "NotThis": described(_MARK, "Who has marked the alert as wrong, and when."),
    },
)
LIST_ALERTS = Operation(
    "GET",
    "/alerts",
    "listAlerts",
    "Lists alerts, the newest first",
    Answer("A page of alerts.", schemas.page("Alerts", ALERT)),
    query=(
        Parameter("rule_id", parameters.RULE_ID, "Only the alerts of this rule.", ""),
        Parameter("since", parameters.DAY, "The first day (UTC). Left out: 90 days ago.", ""),
        parameters.limit(50, 100),
        CURSOR,
    ),
    operators_only=True,
)
ACKNOWLEDGE = Operation(
    "POST",
    f"{PATH}/acknowledge",
    "acknowledgeAlert",
    "Records that you have seen to an alert",
    Answer("The alert.", ALERT),
    "The first acknowledgement stays.",
    operators_only=True,
    ids=_ID,
)
NOTE = Field("Note", line(200), "What is wrong.", "")
MARK = Declaration("a mapping with Note, or an empty one", (NOTE,))
MARK_WRONG = Operation(
    "PUT",
    f"{PATH}/not-this",
    "markAlertWrong",
    "Marks an alert as wrong",
    Answer("The alert.", ALERT),
    "The rule's precision counts the alert as wrong.",
    body=MARK,
    operators_only=True,
    ids=_ID,
)
UNMARK = Operation(
    "DELETE",
    f"{PATH}/not-this",
    "unmarkAlert",
    "Removes the mark of a wrong alert",
    Answer("The alert.", ALERT),
    operators_only=True,
    ids=_ID,
)
OPERATIONS = (LIST_ALERTS, ACKNOWLEDGE, MARK_WRONG, UNMARK)


def note_of(body: Any) -> str:
    """The note of a mark. Raises InvalidRule with every mistake."""
    fields = FieldReader(Place(label="The body"), body, MARK)
    note = fields.take(NOTE)
    fields.finish()
    return note


def document(record: Mapping[str, Any]) -> dict[str, Any]:
    """An alert in an answer."""
    deliveries = [
        {"Channel": channel, **{name: delivery[name] for name in ("Status", "At", "Reason") if delivery.get(name)}}
        for channel, delivery in sorted(record["Deliveries"].items())
    ]
    optional = {name: record[name] for name in ("SuppressedBefore", "Acknowledged", "NotThis") if record.get(name)}
    shown = {name: record[name] for name in _ALWAYS}
    return {**shown, "Matches": record["Rule"]["Matches"], "Channels": record["Channels"], "Deliveries": deliveries, **optional}
