"""Evaluate Watchlist: holds what was found against the rules that people keep."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch.aws import images_table, watchlist_table
from imagewatch.images import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.watchlist import within_a_state


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
    matched = within_a_state(watchlist.evaluate(image, event["Findings"], datetime.now(UTC)))
    if matched:
        images_table.conclude(image, {"MatchedRules": matched})
    alerting = watchlist.explained([rule for rule in matched if "Muted" not in rule])
    logger.info(
        "Watchlist evaluated.",
        rules=len(watchlist.rules),
        matched=[rule["Name"] for rule in matched],
        muted=len(matched) - len(alerting),
    )
    return {"MatchCount": len(alerting), "Rules": alerting}
