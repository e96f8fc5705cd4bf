"""Store Analysis: writes one image record and its label index, and refuses to overwrite a newer version."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagewatch.errors import AnalysisIncomplete, ImageGone
from imagewatch.images import findings
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.services import image_store as records
from imagewatch.timestamps import iso_utc


@task
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Takes Image, Record (what validation learned) and Findings (what the branches brought).

    Returns the findings in the record's form: nothing later has to know of branches that failed. They take the branches'
    place in the state, which could not carry both (256 KiB).
    """
    image = ImageVersion.from_state(event["Image"])
    found = combine(image, event["Findings"])
    attributes = {
        **event["Record"],
        **found,
        "Status": "ANALYZED",
        "MatchedRules": [],
        "AnalyzedAt": iso_utc(datetime.now(UTC)),
    }
    stored = records.store(image, attributes, found["Labels"])
    logger.info("Analysis stored." if stored else "Not stored: a newer version has taken over.")
    count("ImagesAnalyzed")
    if found["Moderation"]["Status"] == findings.NOT_CHECKED:
        count("ModerationMissing")
    passed_on: dict[str, Any] = {name: found[name] for name in ("Labels", "Moderation", "Text") if name in found}
    return {"Stored": stored, **passed_on}


def combine(image: ImageVersion, brought: dict[str, Any]) -> dict[str, Any]:
    """The branches' findings together. What is missing is no fault where the image has been removed under Rekognition's eyes."""
    try:
        return findings.combine(brought)
    except AnalysisIncomplete:
        if records.is_ours(image):
            raise
        raise ImageGone("The image was removed or replaced before it could be analysed.") from None
