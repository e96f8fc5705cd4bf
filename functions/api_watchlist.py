"""Api Watchlist: lists, adds, changes, deletes and previews the rules, for operators."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from http import HTTPStatus
from typing import Any

from imagewatch.api import watchlist as declared
from imagewatch.api.dispatch import Api
from imagewatch.api.problems import Mistake, RequestRefused, invalid, not_found
from imagewatch.api.request import Request
from imagewatch.observability import logger, logs_invocation
from imagewatch.rules.model import Rule
from imagewatch.services import watchlist, watchlist_preview
from imagewatch.services.watchlist import StoredRule

NEWEST = 24
"""Matches that a preview lists."""

TAKEN = "There is a rule {} already. Change it with PUT, or give the new rule another RuleId."
LOST = "Another person has changed the rule {} meanwhile: it has version {} now. Nothing was written. Read it, and try again."


def show_all(request: Request) -> dict[str, Any]:
    """Every rule."""
    return {"Rules": [_listed(stored) for stored in watchlist.read_all()]}


def show(request: Request) -> dict[str, Any]:
    """One rule."""
    return _listed(_stored(request))


def create(request: Request) -> dict[str, Any]:
    """The new rule as it is stored."""
    rule = Rule.from_item(request.body)
    created = watchlist.create(rule)
    if created is None:
        raise RequestRefused(HTTPStatus.CONFLICT, TAKEN.format(rule.rule_id))
    logger.info("A rule was added.", rule_id=rule.rule_id, by=request.viewer.sub)
    return created.to_item()


def change(request: Request) -> dict[str, Any]:
    """The changed rule as it is stored."""
    rule, before = Rule.from_item(request.body), _stored(request)
    if rule.rule_id != request.ids["rule_id"]:
        raise invalid([Mistake("RuleId must be the id in the path. A rule's id never changes.", "#/RuleId")])
    changed = watchlist.change(rule, before) if rule.version == before.version else None
    if changed is None:
        raise _lost(request)
    logger.info("A rule was changed.", rule_id=rule.rule_id, by=request.viewer.sub)
    return changed.to_item()


def delete(request: Request) -> dict[str, Any]:
    """The id of the deleted rule."""
    before = _stored(request)
    if request.query["version"] != before.version or not watchlist.delete(before):
        raise _lost(request)
    logger.info("A rule was deleted.", rule_id=request.ids["rule_id"], by=request.viewer.sub)
    return {"RuleId": request.ids["rule_id"]}


def preview(request: Request) -> dict[str, Any]:
    """What a rule would have matched."""
    rule, since = declared.preview_of(request.body)
    found = watchlist_preview.run(rule, since, request.remaining_seconds)
    matches, days = found.preview.matches, sorted(found.preview.by_day(UTC).items(), reverse=True)
    return {
        "Examined": found.preview.images,
        "Complete": found.complete,
        "Unreadable": found.preview.unreadable,
        "Matched": len(matches),
        **declared.outcomes(Counter(match.outcome for match in matches)),
        "Days": [{"Day": day, **declared.outcomes(counts)} for day, counts in days],
        "Newest": [declared.match_document(match) for match in found.preview.newest(NEWEST)],
        **({"Oldest": found.oldest} if found.oldest else {}),
    }


API = Api(
    {
        declared.LIST_RULES: show_all,
        declared.CREATE_RULE: create,
        declared.PREVIEW_RULE: preview,
        declared.GET_RULE: show,
        declared.CHANGE_RULE: change,
        declared.DELETE_RULE: delete,
    }
)


@logs_invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes a request of the HTTP API (payload format 2.0); returns its answer."""
    return API.resolve(event, context)


def _stored(request: Request) -> StoredRule:
    stored = watchlist.read(request.ids["rule_id"])
    if stored is None:
        raise not_found(f"rule {request.ids['rule_id']}")
    return stored


def _lost(request: Request) -> RequestRefused:
    return RequestRefused(HTTPStatus.CONFLICT, LOST.format(request.ids["rule_id"], _stored(request).version))


def _listed(stored: StoredRule) -> dict[str, Any]:
    return declared.listed(stored.record, stored.rule, stored.version, stored.problem)
