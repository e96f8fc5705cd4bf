"""The record of an image: its version, the status of its analysis, and the index rows and renditions that it lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imagewatch.images.taken import taken_at, taken_minute
from imagewatch.images.version import ImageVersion
from imagewatch.search.postings import IndexedRow, Key, indexed_rows, listed_rows, position, row_keys

ANALYZING = "ANALYZING"
SEARCHED = ("Status", "Source", "Labels", "Moderation", "Text", "MatchedRules", "TakenAt", "TakenMinute")
"""The attributes of a record from which its index rows are made."""


@dataclass(frozen=True)
class Artifacts:
    """What one lease writes, or may write, outside the record: index rows and renditions."""

    lease_id: str
    position: str
    """Place of the index rows in the order of time; see `search.postings.position`."""
    terms: Sequence[str]
    """The terms that have index rows, as `search.postings.listed_rows` writes them."""
    renditions: Sequence[str]
    """Object keys in the renditions bucket, written or not."""
    in_progress: bool = False
    """Whether the lease's analysis has not ended yet."""

    @classmethod
    def of(cls, image: ImageVersion, record: Mapping[str, Any] | None = None) -> Artifacts:
        """Everything that can exist for a lease, with the index rows of a record, before alerts add their pictures."""
        position = index_position(image, record or {})
        return cls(image.lease_id, position, listed_rows(record) if record else (), image.rendition_keys)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Artifacts:
        # Until 2026-11-28, records listed rows of another table as Labels.
        terms = item.get("Terms", [])
        return cls(item["LeaseId"], item["Position"], terms, item["Renditions"], item.get("InProgress", False))

    def to_item(self) -> dict[str, Any]:
        """`InProgress` is present only while it is true, so that one REMOVE ends it."""
        item = {
            "LeaseId": self.lease_id,
            "Position": self.position,
            "Terms": list(self.terms),
            "Renditions": list(self.renditions),
        }
        return item | {"InProgress": True} if self.in_progress else item

    def row_keys(self, image: ImageVersion) -> dict[Key, None]:
        """The keys of the index rows. `image` is any version of the image: they have one owner."""
        return row_keys(self.terms, self.position, image.owner)


@dataclass(frozen=True)
class ImageRecord:
    """An item of the ImagesTable, without the attributes that only users read."""

    image: ImageVersion
    """The version that the record describes; its `lease` is the owner's."""
    status: str
    last_event: str
    """Sequencer of the latest event that the record reflects."""
    stored: Sequence[Artifacts]
    """What exists for the lease that owns the record."""
    stale: Sequence[Artifacts] = ()
    """What earlier leases have left."""
    leased: bool = True
    """False while the record is being removed: then it has no owner."""
    exposed_by_removal: bool = False
    """Whether the version was found in S3 after a removal, so that its age is unknown."""
    searched: Mapping[str, Any] = field(default_factory=dict)
    """What the index rows are made of: SEARCHED attributes that the record has."""
    stale_items: Sequence[Mapping[str, Any]] = ()
    """`stale` as it is stored."""
    execution_arn: str = ""
    reason: str = ""
    analyzing_since: str = ""
    """When the analysis was requested: ISO 8601, UTC, milliseconds. Empty when it has ended."""

    @classmethod
    def analyzing(cls, image: ImageVersion, now: str, *, exposed_by_removal: bool = False) -> ImageRecord:
        """The record of a version whose analysis is requested now (ISO 8601)."""
        stored = [replace(Artifacts.of(image), in_progress=True)]
        return cls(image, ANALYZING, image.sequencer, stored, exposed_by_removal=exposed_by_removal, analyzing_since=now)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> ImageRecord:
        return cls(
            image=ImageVersion.from_state(item),
            status=item["Status"],
            last_event=item["LastEvent"],
            stored=[Artifacts.from_item(entry) for entry in item["Stored"]],
            stale=[Artifacts.from_item(entry) for entry in item.get("Stale", [])],
            leased="Lease" in item,
            exposed_by_removal=item.get("ExposedByRemoval", False),
            searched={name: item[name] for name in SEARCHED if name in item},
            stale_items=item.get("Stale", []),
            execution_arn=item.get("ExecutionArn", ""),
            reason=item.get("Reason", ""),
            analyzing_since=item.get("AnalyzingSince", ""),
        )

    def to_item(self) -> dict[str, Any]:
        """The attributes of a new lease. The table keeps `Stale` itself; findings come when the analysis ends."""
        return {
            **self.image.to_state(),
            **({"Owner": self.image.owner} if self.image.owner else {}),
            "Status": self.status,
            "LastEvent": self.last_event,
            "ExposedByRemoval": self.exposed_by_removal,
            "Stored": [artifacts.to_item() for artifacts in self.stored],
            "AnalyzingShard": self.image.image_id[0],
            "AnalyzingSince": self.analyzing_since,
        }

    def is_leased_by(self, image: ImageVersion) -> bool:
        """Whether the record belongs to this lease of this version."""
        return self.leased and (self.image.version, self.image.lease) == (image.version, image.lease)

    @property
    def rows(self) -> list[IndexedRow]:
        """The index rows of the record as it is."""
        position = index_position(self.image, self.searched)
        return indexed_rows(self.searched, position, taken_minute(self.image, self.searched), self.image.owner)

    @property
    def row_keys(self) -> dict[Key, None]:
        """The keys of the index rows that the record lists for its lease."""
        return dict.fromkeys(key for artifacts in self.stored for key in artifacts.row_keys(self.image))

    @property
    def deletable(self) -> list[Artifacts]:
        """Stale artifacts that no analysis reads any more."""
        return [artifacts for artifacts in self.stale if not artifacts.in_progress]


def index_position(image: ImageVersion, record: Mapping[str, Any]) -> str:
    """Place of a version's index rows in the order of time: by the time of the photo where the record has it."""
    return position(taken_at(image, record), image.image_id, image.lease_id)
