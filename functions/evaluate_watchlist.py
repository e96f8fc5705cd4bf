"""Evaluate Watchlist: holds what was found against the rules that people keep."""

from __future__ import annotations

from typing import Any

from imagewatch import watchlist
from imagewatch.aws import images_table, watchlist_table
from imagewatch.images import ImageVersion
from imagewatch.observability import count, logger, task


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image and Findings; returns {MatchCount, Rules}: the rules that match, with what made them match."""
    image = ImageVersion.from_state(event["Image"])
    rules, invalid = watchlist_table.rules()
    for problem in invalid:
        logger.error("A rule was skipped.", reason=str(problem))
    if invalid:
        count("RulesInvalid", len(invalid))
    matched = watchlist.within_a_state(watchlist.evaluate(rules, event["Findings"]))
    if matched:
        images_table.conclude(image, {"MatchedRules": matched})
    logger.info("Watchlist evaluated.", rules=len(rules), matched=[rule["Name"] for rule in matched])
    return {"MatchCount": len(matched), "Rules": matched}
