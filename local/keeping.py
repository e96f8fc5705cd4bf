"""Keeps photos, rules and channels from one run of the local stack to the next, for `make up KEEP=1`.

The photos are files in `.local/kept`: hard links to the files of the stack's bucket, so keeping takes no time and no space. The
next start with KEEP=1 writes the channels and the rules and uploads the photos, oldest first. The workflow analyses them again.
The folder is readable by its owner only, because channels have secrets.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagewatch.images.version import IMAGE_PREFIXES
from local import kept_channels

if TYPE_CHECKING:
    from local.emulator.emulator import Emulator

META = "x-amz-meta-"
INDEX = "index.json"


def save(emulator: Emulator, folder: Path) -> str:
    """Replace the folder's content with the stack's photos, rules and channels. Returns a sentence. Raises OSError."""
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    photos = [_link(entry, new / f"{number:06}") for number, entry in enumerate(_photos(emulator))]
    rules = _rules(emulator)
    channels = kept_channels.read(emulator.deployment.client, _outputs(emulator))
    (new / INDEX).write_text(json.dumps({"photos": photos, "rules": rules, "channels": channels}), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return (
        f"{_counted(photos, 'photo')}, {_counted(rules, 'rule')} and {_counted(channels['records'], 'channel')} are kept for the "
        "next `make up KEEP=1`. Records and alerts are discarded."
    )


def replay(emulator: Emulator, folder: Path) -> None:
    """Write the kept channels and rules, and upload the kept photos, if there are any. Raises ValueError for a broken index."""
    if not (folder / INDEX).exists():
        return
    try:
        kept = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        photos, rules, channels = kept["photos"], kept["rules"], kept.get("channels")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"the kept photos in {folder} can't be read ({error}). Delete the folder to start without them"
        ) from error
    outputs, client = _outputs(emulator), emulator.deployment.client
    if channels:
        kept_channels.write(client, outputs, channels)
    for rule in rules:
        client("dynamodb").put_item(TableName=outputs["WatchlistTableName"], Item=rule)
    for photo in photos:
        with (folder / photo["file"]).open("rb") as body:
            client("s3").put_object(
                Bucket=outputs["ImagesBucketName"], Key=photo["key"], Body=body, **_headers(photo["metadata"])
            )


def _outputs(emulator: Emulator) -> dict[str, str]:
    return {output.key: output.value for output in emulator.deployment.outputs()}


def _photos(emulator: Emulator) -> Iterator[Any]:
    """The current versions of the uploaded photos, as moto's keys, oldest first."""
    from moto.s3.models import FakeKey, s3_backends

    from tools.sam_template import ACCOUNT_ID

    keys = s3_backends[ACCOUNT_ID]["aws"].buckets[_outputs(emulator)["ImagesBucketName"]].keys.values()
    photos = [key for key in keys if isinstance(key, FakeKey) and key.name.startswith(IMAGE_PREFIXES)]
    yield from sorted(photos, key=lambda key: key.last_modified)


def _link(key: Any, file: Path) -> dict[str, Any]:
    """Make the content of moto's key available as `file`. Returns the photo's entry in the index."""
    content = key._value_buffer.path
    if content is None:
        file.touch()
    else:
        os.link(content, file)
    return {"key": key.name, "metadata": dict(key.metadata), "file": file.name}


def _rules(emulator: Emulator) -> list[dict[str, Any]]:
    pages = emulator.deployment.client("dynamodb").get_paginator("scan")
    return [item for page in pages.paginate(TableName=_outputs(emulator)["WatchlistTableName"]) for item in page["Items"]]


def _headers(metadata: dict[str, str]) -> dict[str, Any]:
    """The stored metadata as arguments of put_object."""
    found: dict[str, Any] = {"Metadata": {name[len(META) :]: value for name, value in metadata.items() if name.startswith(META)}}
    if content_type := metadata.get("content-type"):
        found["ContentType"] = content_type
    return found


def _counted(things: list[dict[str, Any]], name: str) -> str:
    return f"{len(things)} {name}" if len(things) == 1 else f"{len(things)} {name}s"
