"""What a collection stores: vectors of faces, and users, who are faces of one person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Answer = dict[str, Any]
Vector = Any  # a NumPy array


@dataclass
class StoredFace:
    """A face of an indexed image. `box` is on the wire's form, `user_id` the user that it is associated with."""

    face_id: str
    image_id: str
    external_image_id: str | None
    box: Answer
    confidence: float
    vector: Vector
    user_id: str | None = None

    def to_wire(self) -> Answer:
        """Returns Rekognition's Face. IndexFacesModelVersion is left out: its form has no place for a local model's name."""
        optional = {"ExternalImageId": self.external_image_id, "UserId": self.user_id}
        return {
            "FaceId": self.face_id,
            "BoundingBox": self.box,
            "ImageId": self.image_id,
            "Confidence": self.confidence,
            **{name: value for name, value in optional.items() if value is not None},
        }


@dataclass
class Collection:
    """A collection. `users` are ids of users in the order of their creation; `created` is in seconds since the epoch.

    `completed` holds the request and the answer of each operation that was called with a ClientRequestToken.
    """

    collection_id: str
    created: float
    faces: dict[str, StoredFace] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    completed: dict[tuple[str, str], tuple[Answer, Answer]] = field(default_factory=dict)

    def faces_of(self, user_id: str) -> list[StoredFace]:
        """Returns the faces that are associated with the user."""
        return [face for face in self.faces.values() if face.user_id == user_id]

    def status_of(self, user_id: str) -> str:
        """Returns the UserStatus between two operations: CREATED without faces, else ACTIVE."""
        return "ACTIVE" if self.faces_of(user_id) else "CREATED"
