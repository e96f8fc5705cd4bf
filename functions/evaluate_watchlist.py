"""Evaluate Watchlist: matches findings against the rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch.aws.tables import rules as rules_table
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.rules.matching import truncate_to_state_limit
from imagewatch.services import image_store


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image and Findings; returns {MatchCount, Rules}: the rules that match and may alert, with their definitions.

    The image's record also lists matched rules that are muted, with the reason.
    """
    image = ImageVersion.from_state(event["Image"])
    watchlist, invalid = rules_table.current()
    for problem in invalid:
        logger.error("A rule was skipped.", reason=str(problem))
    if invalid:
        count("RulesInvalid", len(invalid))
    matched, omitted = truncate_to_state_limit(watchlist.evaluate(image, event["Findings"], datetime.now(UTC)))
    if matched:
        attributes = {"MatchedRules": [one.to_item() for one in matched], **({"RulesOmitted": omitted} if omitted else {})}
        image_store.add_matched_rules(image, attributes, event["Findings"])
    if omitted:
        logger.error("More rules match than an image's record can hold. The others raise no alert.", omitted=omitted)
        count("RulesOmitted", omitted)
    alerting = watchlist.with_definitions([one for one in matched if not one.muted])
    logger.info(
        "Watchlist evaluated.",
        rules=len(watchlist.rules),
        matched=[one.name for one in matched],
        muted=len(matched) - len(alerting),
    )
    return {"MatchCount": len(alerting), "Rules": [one.to_item() for one in alerting]}
