"""IndexFaces, ListFaces, DeleteFaces, SearchFaces and SearchFacesByImage, on one collection."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

from local.emulator.rekognition.collections.paging import page
from local.emulator.rekognition.collections.quality import reasons
from local.emulator.rekognition.collections.stored import Answer, Collection, StoredFace, Vector
from local.emulator.rekognition.detections import Box
from local.emulator.rekognition.errors import InvalidParameter
from local.emulator.rekognition.found_faces import Encoder, FoundFace

MOST_FACES = 100  # that IndexFaces stores of one image, whatever MaxFaces says
MOST_RESULTS = 4096
THRESHOLD = 80.0  # the default FaceMatchThreshold
SAME_PLACE = 0.9  # of overlap: the same face of the same image


def index(collection: Collection, request: Answer, content: bytes, found: Sequence[FoundFace], encoder: Encoder) -> Answer:
    """IndexFaces. `found` has the faces of the image, the largest first.

    Faces below the quality bar are not stored, and then the smallest ones above MaxFaces; UnindexedFaces says why. Calls with the
    same image and the same ExternalImageId store a face once. Without an ExternalImageId each call stores it again.
    """
    quality_filter = request.get("QualityFilter") or "AUTO"
    low = [(face, why) for face in found if (why := reasons(face, quality_filter))]
    good = [face for face in found if not reasons(face, quality_filter)]
    limit = min(request.get("MaxFaces") or MOST_FACES, MOST_FACES)
    unindexed = [*low, *((face, ["EXCEEDS_MAX_FACES"]) for face in good[limit:])]
    image_id = str(uuid.UUID(bytes=hashlib.sha256(content).digest()[:16]))
    stored = [_store(collection, face, image_id, request.get("ExternalImageId"), encoder) for face in good[:limit]]
    return {
        "FaceRecords": [
            {"Face": one.to_wire(), "FaceDetail": face.detail()} for one, face in zip(stored, good[:limit], strict=True)
        ],
        "UnindexedFaces": [{"Reasons": why, "FaceDetail": face.detail()} for face, why in unindexed],
        "FaceModelVersion": encoder.version,
    }


def _store(collection: Collection, face: FoundFace, image_id: str, external_id: str | None, encoder: Encoder) -> StoredFace:
    if external_id is not None:
        for one in collection.faces.values():
            same_call = (one.image_id, one.external_image_id) == (image_id, external_id)
            if same_call and _box(one).overlap(face.box) > SAME_PLACE:
                return one
    vector = encoder.vector(face.image, face.detection)
    summary = face.summary()
    stored = StoredFace(str(uuid.uuid4()), image_id, external_id, summary["BoundingBox"], summary["Confidence"], vector)
    collection.faces[stored.face_id] = stored
    return stored


def _box(face: StoredFace) -> Box:
    return Box(face.box["Left"], face.box["Top"], face.box["Width"], face.box["Height"])


def list_faces(collection: Collection, request: Answer, encoder: Encoder) -> Answer:
    """ListFaces, in pages; UserId and FaceIds restrict it."""
    wanted = request.get("FaceIds")
    user_id = request.get("UserId")
    ids = [
        face.face_id
        for face in collection.faces.values()
        if (wanted is None or face.face_id in wanted) and (user_id is None or face.user_id == user_id)
    ]
    found, more = page(ids, request.get("MaxResults") or MOST_RESULTS, request.get("NextToken"))
    return {"Faces": [collection.faces[each].to_wire() for each in found], "FaceModelVersion": encoder.version, **more}


def delete_faces(collection: Collection, request: Answer) -> Answer:
    """DeleteFaces. A face of a user stays until it is disassociated, and the answer says so."""
    deleted: list[str] = []
    failures: list[Answer] = []
    for face_id in dict.fromkeys(request["FaceIds"]):
        face = collection.faces.get(face_id)
        if face is None:
            failures.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
        elif face.user_id is not None:
            failures.append({"FaceId": face_id, "UserId": face.user_id, "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]})
        else:
            del collection.faces[face_id]
            deleted.append(face_id)
    return {"DeletedFaces": deleted, "UnsuccessfulFaceDeletions": failures}


def search_faces(collection: Collection, request: Answer, encoder: Encoder) -> Answer:
    """SearchFaces: other faces that are similar to a stored one. Raises InvalidParameter for a face that isn't stored."""
    face_id = request["FaceId"]
    if face_id not in collection.faces:
        raise InvalidParameter(f"faceId: {face_id} was not found in the collection.")
    matches = _matches(collection, request, collection.faces[face_id].vector, encoder, without=face_id)
    return {"SearchedFaceId": face_id, "FaceMatches": matches, "FaceModelVersion": encoder.version}


def search_by_image(collection: Collection, request: Answer, found: Sequence[FoundFace], encoder: Encoder) -> Answer:
    """SearchFacesByImage: faces that are similar to the largest one only. Raises InvalidParameter for an image without a face."""
    quality_filter = request.get("QualityFilter") or "NONE"
    good = [face for face in found if not reasons(face, quality_filter)]
    if not good:
        raise InvalidParameter("There are no faces in the image. Should be at least 1.")
    largest = good[0]
    summary = largest.summary()
    return {
        "SearchedFaceBoundingBox": summary["BoundingBox"],
        "SearchedFaceConfidence": summary["Confidence"],
        "FaceMatches": _matches(collection, request, encoder.vector(largest.image, largest.detection), encoder),
        "FaceModelVersion": encoder.version,
    }


def _matches(collection: Collection, request: Answer, vector: Vector, encoder: Encoder, without: str = "") -> list[Answer]:
    """The similar faces, the most similar first."""
    threshold = THRESHOLD if request.get("FaceMatchThreshold") is None else request["FaceMatchThreshold"]
    compared = [(encoder.similarity(vector, face.vector), face) for face in collection.faces.values() if face.face_id != without]
    matches = sorted(((percent, face) for percent, face in compared if percent >= threshold), key=lambda match: -match[0])
    limit = request.get("MaxFaces") or MOST_RESULTS
    return [{"Similarity": round(percent, 4), "Face": face.to_wire()} for percent, face in matches[:limit]]
