"""Evaluate Watchlist: holds what was found against the rules that people keep."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch.aws.tables import images as images_table
from imagewatch.aws.tables import rules as watchlist_table
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.rules.matching import truncate_to_state_limit


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image and Findings; returns {MatchCount, Rules}: the rules that match and may alert, what made them match, and how
    they are defined.

    The image's record also shows the rules that match but are muted, and why they are.
    """
    image = ImageVersion.from_state(event["Image"])
    watchlist, invalid = watchlist_table.current()
    for problem in invalid:
        logger.error("A rule was skipped.", reason=str(problem))
    if invalid:
        count("RulesInvalid", len(invalid))
    matched = truncate_to_state_limit(watchlist.evaluate(image, event["Findings"], datetime.now(UTC)))
    if matched:
        images_table.update_if_owner(image, {"MatchedRules": matched})
    alerting = watchlist.explained([rule for rule in matched if "Muted" not in rule])
    logger.info(
        "Watchlist evaluated.",
        rules=len(watchlist.rules),
        matched=[rule["Name"] for rule in matched],
        muted=len(matched) - len(alerting),
    )
    return {"MatchCount": len(alerting), "Rules": alerting}
