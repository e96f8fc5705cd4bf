"""The annotated picture of an alert: drawn when a channel first asks for it, and stored as a rendition of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from imagewatch.aws import s3 as objects
from imagewatch.aws.clients import ClientError
from imagewatch.aws.tables import images as images_table
from imagewatch.errors import ImagewatchError
from imagewatch.images.version import ImageVersion
from imagewatch.observability import logger
from imagewatch.rules.matched_rule import Match
from imagewatch.services import image_store

LINK_SECONDS = 3600  # Slack fetches the picture at once and keeps its own copy


@dataclass(frozen=True)
class AnnotatedPicture:
    """A `channel.Picture` of what one rule matched in one version of an image.

    Its key is listed on the image's record before it is written, so that whatever removes the image's renditions removes it too.
    Both methods return None when it can't be made (the image was replaced, a service failed): the alert is sent without it then.
    """

    image: ImageVersion
    rule_id: str
    matches: Sequence[Match]

    def jpeg(self) -> bytes | None:
        return self._written

    def url(self) -> str | None:
        return objects.rendition_link(self._key, LINK_SECONDS) if self._written else None

    @property
    def _key(self) -> str:
        return self.image.annotated_key(self.rule_id)

    @cached_property
    def _written(self) -> bytes | None:
        try:
            return self._write()
        except (ImagewatchError, ClientError, OSError, ValueError) as error:
            logger.warning("The alert is sent without its picture.", reason=str(error), error=type(error).__name__)
            return None

    def _write(self) -> bytes | None:
        from imagewatch.alerts import picture as annotate

        record = images_table.list_rendition(self.image, self._key)
        thumbnail = objects.read_rendition(self.image.thumbnail_key) if record else None
        if record is None or thumbnail is None:
            # An earlier attempt may have written the picture while the image was removed.
            objects.delete_renditions([self._key])
            return None
        picture = annotate.annotate(thumbnail, annotate.findings_of(self.matches, record.searched.get("Labels", [])))
        objects.write_rendition(self._key, picture)
        # The image may have been removed between the two writes. The picture is deleted then.
        if not image_store.is_owner(self.image):
            objects.delete_renditions([self._key])
            return None
        return picture
