"""CreateUser, DeleteUser, ListUsers, AssociateFaces, DisassociateFaces, SearchUsers and SearchUsersByImage, on one collection.

A user's vector is the mean of the vectors of the user's faces.
"""

from __future__ import annotations

from collections.abc import Sequence

from local.emulator.rekognition.collections.paging import page
from local.emulator.rekognition.collections.quality import reasons
from local.emulator.rekognition.collections.stored import Answer, Collection, StoredFace, Vector
from local.emulator.rekognition.errors import Conflict, InvalidParameter, ResourceNotFound, ServiceQuotaExceeded
from local.emulator.rekognition.found_faces import Encoder, FoundFace

MOST_USERS = 500
MOST_FACES_OF_A_USER = 100
ASSOCIATE_THRESHOLD = 75.0  # the default UserMatchThreshold of AssociateFaces
SEARCH_THRESHOLD = 80.0  # and of the searches


def create(collection: Collection, request: Answer) -> Answer:
    """CreateUser. Raises Conflict for a user that exists."""
    if request["UserId"] in collection.users:
        raise Conflict(f"The user id: {request['UserId']} already exists")
    collection.users.add(request["UserId"])
    return {}


def delete(collection: Collection, request: Answer) -> Answer:
    """DeleteUser. The user's faces stay in the collection, without a user."""
    user_id = _user(collection, request)
    for face in collection.faces_of(user_id):
        face.user_id = None
    collection.users.remove(user_id)
    return {}


def list_users(collection: Collection, request: Answer) -> Answer:
    """ListUsers, in pages."""
    ids, more = page(collection.users, request.get("MaxResults") or MOST_USERS, request.get("NextToken"))
    return {"Users": [{"UserId": each, "UserStatus": collection.status_of(each)} for each in ids], **more}


def associate(collection: Collection, request: Answer, encoder: Encoder) -> Answer:
    """AssociateFaces. Faces that aren't similar enough to the user's present faces are refused, each with its similarity.

    Raises ServiceQuotaExceeded if the user would have more than 100 faces; nothing is associated then.
    """
    user_id = _user(collection, request)
    present = collection.faces_of(user_id)
    given = request.get("UserMatchThreshold")
    threshold = ASSOCIATE_THRESHOLD if given is None else given
    accepted: list[StoredFace] = []
    refused: list[Answer] = []
    for face_id in dict.fromkeys(request["FaceIds"]):
        face = collection.faces.get(face_id)
        if face is not None and face.user_id == user_id:
            continue
        if face is None:
            refused.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
        elif face.user_id is not None:
            refused.append({"FaceId": face_id, "UserId": face.user_id, "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]})
        elif present and (percent := encoder.similarity(_mean(present), face.vector)) < threshold:
            refused.append({"FaceId": face_id, "Confidence": round(percent, 4), "Reasons": ["LOW_MATCH_CONFIDENCE"]})
        else:
            accepted.append(face)
    if len(present) + len(accepted) > MOST_FACES_OF_A_USER:
        raise ServiceQuotaExceeded(f"A user has at most {MOST_FACES_OF_A_USER} faces; {user_id} has {len(present)}.")
    for face in accepted:
        face.user_id = user_id
    return {
        "AssociatedFaces": [{"FaceId": face.face_id} for face in accepted],
        "UnsuccessfulFaceAssociations": refused,
        "UserStatus": "UPDATING" if accepted else collection.status_of(user_id),
    }


def disassociate(collection: Collection, request: Answer) -> Answer:
    """DisassociateFaces. The faces stay in the collection; one without a user is ignored."""
    user_id = _user(collection, request)
    removed: list[Answer] = []
    refused: list[Answer] = []
    for face_id in dict.fromkeys(request["FaceIds"]):
        face = collection.faces.get(face_id)
        if face is None:
            refused.append({"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]})
        elif face.user_id == user_id:
            face.user_id = None
            removed.append({"FaceId": face_id})
        elif face.user_id is not None:
            refused.append({"FaceId": face_id, "UserId": face.user_id, "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]})
    status = "UPDATING" if removed else collection.status_of(user_id)
    return {"DisassociatedFaces": removed, "UnsuccessfulFaceDisassociations": refused, "UserStatus": status}


def search(collection: Collection, request: Answer, encoder: Encoder) -> Answer:
    """SearchUsers, by a stored face or by another user. Raises InvalidParameter, ResourceNotFound."""
    face_id, user_id = request.get("FaceId"), request.get("UserId")
    if (face_id is None) == (user_id is None):
        raise InvalidParameter("Request has invalid parameters: SearchUsers needs either a FaceId or a UserId.")
    if face_id is not None:
        if face_id not in collection.faces:
            raise ResourceNotFound(f"The face id: {face_id} does not exist")
        searched: Answer = {"SearchedFace": {"FaceId": face_id}}
        matches = _matches(collection, request, collection.faces[face_id].vector, encoder)
    else:
        searched = {"SearchedUser": {"UserId": _user(collection, request)}}
        faces = collection.faces_of(str(user_id))
        matches = _matches(collection, request, _mean(faces), encoder, without=str(user_id)) if faces else []
    return {**searched, "UserMatches": matches, "FaceModelVersion": encoder.version}


def search_by_image(collection: Collection, request: Answer, found: Sequence[FoundFace], encoder: Encoder) -> Answer:
    """SearchUsersByImage: users who are similar to the largest face. An image without a face has no match, which is no error."""
    quality_filter = request.get("QualityFilter") or "NONE"
    good = [face for face in found if not reasons(face, quality_filter)]
    unsearched = [(face, reasons(face, quality_filter) or ["FACE_NOT_LARGEST"]) for face in found if face not in good[:1]]
    answer: Answer = {
        "UserMatches": [],
        "UnsearchedFaces": [{"FaceDetails": face.detail(), "Reasons": why} for face, why in unsearched],
        "FaceModelVersion": encoder.version,
    }
    if good:
        vector = encoder.vector(good[0].image, good[0].detection)
        answer["SearchedFace"] = {"FaceDetail": good[0].detail()}
        answer["UserMatches"] = _matches(collection, request, vector, encoder)
    return answer


def _user(collection: Collection, request: Answer) -> str:
    user_id = str(request["UserId"])
    if user_id not in collection.users:
        raise ResourceNotFound(f"The user id: {user_id} does not exist")
    return user_id


def _mean(faces: Sequence[StoredFace]) -> Vector:
    import numpy as np

    return np.mean([face.vector for face in faces], axis=0)


def _matches(collection: Collection, request: Answer, vector: Vector, encoder: Encoder, without: str = "") -> list[Answer]:
    """The similar users, the most similar first. Users without faces are similar to nothing."""
    given = request.get("UserMatchThreshold")
    threshold = SEARCH_THRESHOLD if given is None else given
    compared = [
        (encoder.similarity(vector, _mean(faces)), user_id)
        for user_id in sorted(collection.users)
        if user_id != without and (faces := collection.faces_of(user_id))
    ]
    matches = sorted((match for match in compared if match[0] >= threshold), key=lambda match: -match[0])
    return [
        {"Similarity": round(percent, 4), "User": {"UserId": user_id, "UserStatus": collection.status_of(user_id)}}
        for percent, user_id in matches[: request.get("MaxUsers") or MOST_USERS]
    ]
