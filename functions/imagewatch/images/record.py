"""The record of an image: its version, the status of its analysis, and the index rows and renditions that it lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagewatch.images.version import ImageVersion

ANALYZING = "ANALYZING"


@dataclass(frozen=True)
class Artifacts:
    """What one lease writes, or may write, outside the record: index rows and renditions."""

    lease_id: str
    position: str
    """Sort key of the index rows."""
    labels: Sequence[str]
    """Partition keys of the index rows."""
    renditions: Sequence[str]
    """Object keys in the renditions bucket, written or not."""
    in_progress: bool = False
    """Whether the lease's analysis has not ended yet."""

    @classmethod
    def of(cls, image: ImageVersion, labels: Sequence[str] = ()) -> Artifacts:
        """Everything that can exist for a lease before alerts add their pictures."""
        return cls(image.lease_id, image.index_position, labels, image.rendition_keys)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Artifacts:
        return cls(item["LeaseId"], item["Position"], item["Labels"], item["Renditions"], item.get("InProgress", False))

    def to_item(self) -> dict[str, Any]:
        """`InProgress` is present only while it is true, so that one REMOVE ends it."""
        item = {
            "LeaseId": self.lease_id,
            "Position": self.position,
            "Labels": list(self.labels),
            "Renditions": list(self.renditions),
        }
        return item | {"InProgress": True} if self.in_progress else item


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
    labels: Sequence[Mapping[str, Any]] = ()
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
            labels=item.get("Labels", []),
            execution_arn=item.get("ExecutionArn", ""),
            reason=item.get("Reason", ""),
            analyzing_since=item.get("AnalyzingSince", ""),
        )

    def to_item(self) -> dict[str, Any]:
        """The attributes of a new lease. The table keeps `Stale` itself; findings come when the analysis ends."""
        return {
            **self.image.to_state(),
            "Owner": self.image.source,
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
    def deletable(self) -> list[Artifacts]:
        """Stale artifacts that no analysis reads any more."""
        return [artifacts for artifacts in self.stale if not artifacts.in_progress]
