"""Deletes everything of one person: every version of every image, what was made from them, and the account."""

from __future__ import annotations

from dataclasses import dataclass

from imagewatch.aws import sign_in, versions
from imagewatch.aws.settings import setting
from imagewatch.aws.tables import image_items
from imagewatch.images.upload import prefix_of
from imagewatch.images.version import image_id
from imagewatch.observability import logger
from imagewatch.services import image_deletion


@dataclass(frozen=True)
class AccountDeletion:
    """How far the deletion is."""

    images: int
    """Images that this call deleted."""
    done: bool
    """False while images are left. Then the account exists still, and the call has to be repeated."""


def delete(sub: str, access_token: str, seconds: float) -> AccountDeletion:
    """Deletes images while time is left, and the account after the last one.

    S3 says which images there are, strongly consistent: also those without a record.
    """
    bucket, prefix = setting("IMAGES_BUCKET"), prefix_of(sub)
    number, left = 0, image_deletion.Time(seconds)
    while keys := versions.keys_below(bucket, prefix):
        ids = {image_id(bucket, key): key for key in keys}
        records = image_items.several(list(ids))
        for key in (key for one, key in ids.items() if one not in records):
            versions.delete_all(bucket, key)
        _, remaining = image_deletion.delete_several(list(records.values()), left)
        number += len(keys) - len(remaining)
        if remaining or left.is_over:
            return AccountDeletion(number, done=False)
    sign_in.delete_user(access_token)
    logger.info("An account was deleted with its images.", user=sub, images=number)
    return AccountDeletion(number, done=True)
