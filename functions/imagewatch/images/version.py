"""One version of one S3 object, and the names that are derived from it.

All names are pure functions of bucket, key, version and lease, so that duplicated and reordered events arrive at the same names.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

UPLOADS_PREFIX = "uploads/"
"""Cameras and uploading hosts write below it. Their images have no owner."""
PEOPLE_PREFIX = "people/"
"""Signed-in people's images lie below people/{user id}/, where no host may write."""
IMAGE_PREFIXES = (UPLOADS_PREFIX, PEOPLE_PREFIX)
PEOPLES_SOURCE = "web"
"""The source of all images of people."""
THUMBNAILS_PREFIX = "thumbnails/"
ANALYSIS_PREFIX = "analysis/"
ANNOTATED_PREFIX = "annotated/"

# S3's sequencers are hexadecimal strings of unequal length. AWS: pad the shorter one with zeros on the right, then compare them
# as strings ("Manage event ordering and duplicate events with Amazon S3 Event Notifications").
SEQUENCER_WIDTH = 64

_PERSONS_KEY = re.compile(rf"{PEOPLE_PREFIX}([A-Za-z0-9-]{{1,128}})/(?=.)", re.DOTALL)  # Cognito's user ids are UUIDs


def sha256_hex(*parts: str) -> str:
    """Hash of the parts, joined with line feeds."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def comparable_sequencer(sequencer: str) -> str:
    """S3's sequencer, padded so that strings sort in the order of the events on one key."""
    return sequencer.upper().ljust(SEQUENCER_WIDTH, "0")


def image_id(bucket: str, key: str) -> str:
    """Id of the image at this key, the same for all its versions: 32 hexadecimal digits."""
    return sha256_hex(bucket, key)[:32]


@functools.lru_cache(maxsize=1024)
def normal_source(name: str) -> str:
    """A source's name in the form in which uploads, rules and records compare it: "Front Door" -> front-door.

    Lower case, NFC, with single dashes in place of everything but letters and digits (of any script), "_" and ".". A name without
    letters and digits stays as it is.
    """
    flat = unicodedata.normalize("NFC", name).lower()
    return re.sub(r"[^\w.]+", "-", flat).strip("-._") or flat


def owner_of(key: str) -> str:
    """The user id of the person to whom the image at this key belongs; empty for the images of cameras and hosts."""
    person = _PERSONS_KEY.match(key)
    return person[1] if person else ""


def is_image_key(key: str) -> bool:
    """Whether Imagewatch analyses what is stored at this key: a file below uploads/, or in a person's folder below people/."""
    return not key.endswith("/") and (key.startswith(UPLOADS_PREFIX) or bool(owner_of(key)))


def path_of(key: str) -> str:
    """The key below uploads/, or below the person's folder."""
    person = _PERSONS_KEY.match(key)
    return key[person.end() :] if person else key.removeprefix(UPLOADS_PREFIX)


def source_of(key: str) -> str:
    """The first folder under uploads/ (a camera or a host), as `normal_source`; "web" for people's images.

    Directly below uploads/ it is "uploads".
    """
    if owner_of(key):
        return PEOPLES_SOURCE
    folder, separator, _ = key.removeprefix(UPLOADS_PREFIX).partition("/")
    return normal_source(folder) if separator and folder else "uploads"


def normal_prefix(prefix: str) -> str:
    """The beginning of a key below uploads/ in the form that `normal_path` has: NFC, and the first folder as `normal_source`."""
    folder, separator, rest = unicodedata.normalize("NFC", prefix).partition("/")
    return f"{normal_source(folder)}/{rest}" if separator and folder else folder


def normal_path(key: str) -> str:
    """A key in the form in which key prefixes are compared with it: below uploads/, or web/ and the path in a person's folder."""
    return normal_prefix(f"{PEOPLES_SOURCE}/{path_of(key)}" if owner_of(key) else path_of(key))


@dataclass(frozen=True)
class ImageVersion:
    """One version of one object, as the workflow carries it from state to state (`to_state`, `from_state`)."""

    bucket: str
    key: str
    version_id: str
    """S3's version id; empty when the bucket isn't versioned."""
    etag: str
    sequencer: str
    """Comparable form, see `comparable_sequencer`."""
    size: int
    """Bytes."""
    uploaded_at: str
    """Time of S3's event: ISO 8601, UTC, milliseconds."""
    lease: str = ""
    """Lease token: an execution owns the record while the record has the same token."""

    @property
    def image_id(self) -> str:
        return image_id(self.bucket, self.key)

    @property
    def version(self) -> str:
        """Id of this version among the image's versions: 16 hexadecimal digits."""
        return sha256_hex(self.version_id or f"{self.sequencer} {self.etag}")[:16]

    @property
    def lease_id(self) -> str:
        """Part of the name of everything that one lease writes, so that a superseded execution deletes only its own artifacts."""
        return f"{self.version}-{self.lease}" if self.lease else self.version

    @property
    def source(self) -> str:
        return source_of(self.key)

    @property
    def owner(self) -> str:
        return owner_of(self.key)

    @property
    def thumbnail_key(self) -> str:
        return f"{THUMBNAILS_PREFIX}{self.image_id}/{self.lease_id}.jpg"

    @property
    def analysis_key(self) -> str:
        return f"{ANALYSIS_PREFIX}{self.image_id}/{self.lease_id}.jpg"

    @property
    def rendition_keys(self) -> list[str]:
        """The renditions that an analysis can write. Alerts add their annotated pictures to the record's list."""
        return [self.thumbnail_key, self.analysis_key]

    def annotated_key(self, rule_id: str) -> str:
        """Key of the annotated picture for a rule. An id that isn't valid for a rule is hashed."""
        name = rule_id if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", rule_id) else sha256_hex(rule_id)[:32]
        return f"{ANNOTATED_PREFIX}{self.image_id}/{self.lease_id}/{name}.jpg"

    def execution_name(self, run: str = "") -> str:
        """Name of the one execution that analyses this version; `run` names a repeated analysis.

        Readable in the console: the file's name, then a hash. At most 80 characters, of the set that Step Functions can log.
        """
        stem = re.sub(r"[^a-z0-9]+", "-", self.key.rsplit("/", 1)[-1].lower()).strip("-")[:40].strip("-")
        digest = sha256_hex(self.bucket, self.key, self.version, *([run] if run else []))[:32]
        return f"{stem}-{digest}" if stem else digest

    def to_state(self) -> dict[str, Any]:
        """The version as the workflow's states pass it on, with the ids that a reader of the execution's history looks for."""
        fields = {"".join(w.capitalize() for w in name.split("_")): value for name, value in asdict(self).items()}
        fields["ETag"] = fields.pop("Etag")
        return {"ImageId": self.image_id, "Version": self.version, "Source": self.source, **fields}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ImageVersion:
        return cls(
            bucket=state["Bucket"],
            key=state["Key"],
            version_id=state["VersionId"],
            etag=state["ETag"],
            sequencer=state["Sequencer"],
            size=int(state["Size"]),
            uploaded_at=state["UploadedAt"],
            lease=state.get("Lease", ""),
        )
