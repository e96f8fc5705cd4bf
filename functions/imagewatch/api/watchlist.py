"""Watchlist: the operations of /watchlist. A rule has the fields that docs/watchlist.md describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from imagewatch.api import parameters, schemas
from imagewatch.api.operation import SLUG, Answer, Operation, Parameter
from imagewatch.api.schemas import COUNT, DAY, FLAG, IMAGE_ID, STRING, TIME, a_list, described, mapping
from imagewatch.errors import InvalidRule, Problem
from imagewatch.rules.fields import MOMENT, Declaration, Field, FieldReader, Kind, Place
from imagewatch.rules.model import RULE, Rule
from imagewatch.rules.preview import MUTED, SENT, SUPPRESSED, PreviewMatch

PATH = "/watchlist/{rule_id}"
RULE_REF = {"$ref": "#/components/schemas/Rule"}
_ID = {"rule_id": SLUG}
_LISTED = mapping(
    {"RuleId": STRING, "Version": COUNT},
    {"Rule": RULE_REF, "Problem": described(STRING, "Why the stored rule can't be read. Such a rule matches nothing.")},
)
_VERSION = Parameter("version", parameters.whole(0, 10**9 - 1), "The Version of the rule that you have read.", required=True)


def _rule(value: Any, place: Place) -> Rule:
    """A rule inside of a body: the paths of its mistakes begin with its own."""
    try:
        return Rule.from_item(value)
    except InvalidRule as error:
        raise InvalidRule(*(Problem((*place.path, *one.path), one.text, one.subject) for one in error.problems)) from error


class PreviewFields:
    """The fields of a preview's request."""

    RULE = Field("Rule", Kind(_rule, RULE.must, RULE_REF), "The rule. It need not be on the watchlist.", required=True)
    SINCE = Field("Since", MOMENT, "Images that were taken at this time or later. Left out: all.", "")


PREVIEW = Declaration("a mapping with Rule, and Since if wanted", (PreviewFields.RULE, PreviewFields.SINCE))


def preview_of(body: Any) -> tuple[Rule, str]:
    """(rule, first time of a picture) of a preview's request. Raises InvalidRule with every mistake."""
    fields = FieldReader(Place(label="The body"), body, PREVIEW)
    rule, since = fields.take(PreviewFields.RULE), fields.take(PreviewFields.SINCE)
    fields.finish()
    return rule, since


LIST_RULES = Operation(
    "GET",
    "/watchlist",
    "listRules",
    "Lists the rules",
    Answer("Every rule, in the order of ids.", mapping({"Rules": a_list(_LISTED)})),
    operators_only=True,
)
CREATE_RULE = Operation(
    "POST",
    "/watchlist",
    "createRule",
    "Adds a rule",
    Answer("The rule as it is stored.", RULE_REF, HTTPStatus.CREATED),
    "Version, CreatedAt and UpdatedAt are set by Imagewatch.",
    body_schema=RULE_REF,
    operators_only=True,
    conflicts="There is a rule of this id.",
)
GET_RULE = Operation(
    "GET", PATH, "getRule", "Shows a rule", Answer("The rule.", _LISTED), operators_only=True, ids=_ID,
)  # fmt: skip
CHANGE_RULE = Operation(
    "PUT",
    PATH,
    "changeRule",
    "Replaces a rule",
    Answer("The rule as it is stored.", RULE_REF),
    "`Version` is the version that you have read. A rule that another person has changed since is not overwritten.",
    body_schema=RULE_REF,
    operators_only=True,
    ids=_ID,
    conflicts="The rule has changed since this version.",
)
DELETE_RULE = Operation(
    "DELETE",
    PATH,
    "deleteRule",
    "Deletes a rule",
    Answer("The deleted rule's id.", mapping({"RuleId": STRING})),
    query=(_VERSION,),
    operators_only=True,
    ids=_ID,
    conflicts="The rule has changed since this version.",
)
_OUTCOMES = {"Sent": COUNT, "Suppressed": COUNT, "Muted": COUNT}
PREVIEW_RULE = Operation(
    "POST",
    "/watchlist/preview",
    "previewRule",
    "Shows what a rule would have matched",
    Answer(
        "The outcome over stored images.",
        mapping(
            {
                "Examined": described(COUNT, "Analysed images that the rule was matched against, the newest first."),
                "Complete": described(FLAG, "False when the time did not suffice for every image."),
                "Unreadable": described(COUNT, "Images whose record is damaged."),
                "Matched": COUNT,
                **_OUTCOMES,
                "Days": a_list(mapping({"Day": DAY, **_OUTCOMES})),
                "Newest": a_list(
                    mapping(
                        {
                            "ImageId": IMAGE_ID,
                            "Key": STRING,
                            "UploadedAt": TIME,
                            "Confidence": schemas.CONFIDENCE,
                            "Label": STRING,
                            "Outcome": {"type": "string", "enum": ["sent", "suppressed", "muted"]},
                        }
                    )
                ),
            },
            {"Oldest": described(STRING, "When the oldest examined image was taken.")},
        ),
    ),
    "Matches stored findings. Nothing is written, sent or analysed. A disabled rule counts as enabled.",
    body=PREVIEW,
    operators_only=True,
)
OPERATIONS = (LIST_RULES, CREATE_RULE, PREVIEW_RULE, GET_RULE, CHANGE_RULE, DELETE_RULE)


def outcomes(matches: Counter[str]) -> dict[str, int]:
    """How often a rule would have sent an alert, or not."""
    return {outcome.capitalize(): matches[outcome] for outcome in (SENT, SUPPRESSED, MUTED)}


def match_document(match: PreviewMatch) -> dict[str, Any]:
    """One matched image of a preview."""
    return {
        "ImageId": match.image.image_id,
        "Key": match.image.key,
        "UploadedAt": match.image.uploaded_at,
        "Confidence": match.confidence,
        "Label": match.matches[0].label,
        "Outcome": match.outcome,
    }


def listed(record: Mapping[str, Any], rule: Rule | None, version: int, problem: str) -> dict[str, Any]:
    """A stored rule in an answer."""
    shown = {"Rule": rule.to_item()} if rule else {"Problem": problem}
    return {"RuleId": str(record["RuleId"]), "Version": version, **shown}
