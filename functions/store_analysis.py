"""Store Analysis: writes one image record and its index rows, and refuses to overwrite a newer version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagewatch.errors import AnalysisIncomplete, ImageGone
from imagewatch.images import findings
from imagewatch.images.version import ImageVersion
from imagewatch.observability import count, logger, task
from imagewatch.services import image_store
from imagewatch.timestamps import iso_now

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes Image, Record (from Validate Image) and Findings (from the branches); returns Stored and the combined findings.

    The combined findings replace the branches' in the state, which can't carry both (256 KiB). In them, failed branches are
    resolved.
    """
    image = ImageVersion.from_state(event["Image"])
    found = combine(image, event["Findings"])
    attributes = {
        **event["Record"],
        **found,
        "Status": "ANALYZED",
        "MatchedRules": [],
        "AnalyzedAt": iso_now(),
    }
    stored = image_store.store(image, attributes)
    logger.info("Analysis stored." if stored else "Not stored: the execution is superseded.")
    count("ImagesAnalyzed")
    if found["Moderation"]["Status"] == findings.NOT_CHECKED:
        count("ModerationMissing")
    passed_on = ("Labels", "Moderation", "Text", "TakenAt")
    return {"Stored": stored, **{name: attributes[name] for name in passed_on if name in attributes}}


def combine(image: ImageVersion, findings_of_branches: dict[str, Any]) -> dict[str, Any]:
    """The branches' findings as one. Raises ImageGone where labels are missing because the image was removed meanwhile."""
    try:
        return findings.combine(findings_of_branches)
    except AnalysisIncomplete:
        if image_store.is_owner(image):
            raise
        raise ImageGone("The image was removed or replaced before it could be analysed.") from None
