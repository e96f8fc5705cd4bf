"""The operations on collections of the local Rekognition: faces and users, the service's errors and its traps."""

from __future__ import annotations

import base64
import io
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from local.emulator.rekognition import Engine, ObjectNotReadable
from local.emulator.rekognition.collections.operations import CollectionOperations
from local.emulator.rekognition.collections.quality import reasons
from local.emulator.rekognition.detections import Box, Detection
from local.emulator.rekognition.errors import (
    Conflict,
    IdempotentParameterMismatch,
    InvalidPaginationToken,
    InvalidParameter,
    ResourceAlreadyExists,
    ResourceNotFound,
    ServiceQuotaExceeded,
)
from local.emulator.rekognition.face_vectors import FaceVectors
from local.emulator.rekognition.found_faces import FoundFace
from local.emulator.rekognition.models.catalogue import EMBEDDED
from local.emulator.rekognition.models.folder import ModelsFolder, default_folder

SAMPLES = Path(__file__).parents[2] / "samples"
ABSENT = str(uuid.UUID(int=7))


class HueEncoder:
    """Compares faces by the red of their first pixel: equal is 100, and each step of colour costs 1."""

    version = "hue-1"

    def vector(self, image: Image.Image, face: Detection) -> Any:
        assert face.box is not None
        pixel = image.getpixel((round(face.box.left * image.width), round(face.box.top * image.height)))
        assert isinstance(pixel, tuple)
        return np.array([float(pixel[0])])

    def similarity(self, one: Any, other: Any) -> float:
        return max(0.0, 100.0 - abs(float(one[0] - other[0])))


def face(red: int, side: int = 100, confidence: float = 99.0) -> FoundFace:
    """A face of `side` pixels in an image of 200 x 200, noisy enough to be sharp."""
    noise = np.random.default_rng(red).integers(0, 255, (200, 200, 3), dtype="uint8")
    noise[:, :, 0] = red
    return FoundFace(Image.fromarray(noise), Detection("Face", confidence, Box(red / 500, 0.1, side / 200, side / 200)), 1.0)


class Client:
    """Calls operations by name; the image's faces come as `found`, and its bytes are their reds."""

    def __init__(self, collection: str | None = "people") -> None:
        self._operations = CollectionOperations(HueEncoder())
        if collection:
            self.call("CreateCollection", CollectionId=collection)

    def call(self, operation: str, found: Sequence[FoundFace] = (), **request: Any) -> dict[str, Any]:
        content = repr([each.detection for each in found] + [HueEncoder().vector(each.image, each.detection) for each in found])
        named = request if operation == "ListCollections" else {"CollectionId": "people", **request}
        return self._operations.answer(operation, named, lambda: (content.encode(), found))

    def index(self, *reds: int, **request: Any) -> list[str]:
        answer = self.call("IndexFaces", [face(red) for red in reds], **request)
        return [record["Face"]["FaceId"] for record in answer["FaceRecords"]]


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_collection_is_created_described_listed_and_deleted() -> None:
    client = Client(collection=None)
    created = client.call("CreateCollection", CollectionId="staff.2026")
    assert created == {
        "StatusCode": 200,
        "CollectionArn": "aws:rekognition:us-east-1:123456789012:collection/staff.2026",
        "FaceModelVersion": "hue-1",
    }
    client.call("IndexFaces", [face(10), face(20)], CollectionId="staff.2026")
    client.call("CreateUser", CollectionId="staff.2026", UserId="ada")
    described = client.call("DescribeCollection", CollectionId="staff.2026")
    assert (described["FaceCount"], described["UserCount"], described["FaceModelVersion"]) == (2, 1, "hue-1")
    assert described["CollectionARN"] == "arn:aws:rekognition:us-east-1:123456789012:collection/staff.2026"
    assert client.call("ListCollections")["CollectionIds"] == ["staff.2026"]
    assert client.call("DeleteCollection", CollectionId="staff.2026") == {"StatusCode": 200}
    assert client.call("ListCollections") == {"CollectionIds": [], "FaceModelVersions": []}


def test_ids_of_collections_are_case_sensitive_and_unique(client: Client) -> None:
    client.call("CreateCollection", CollectionId="People")
    with pytest.raises(ResourceAlreadyExists, match="people already exists"):
        client.call("CreateCollection", CollectionId="people")


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("DeleteCollection", {}),
        ("DescribeCollection", {}),
        ("IndexFaces", {}),
        ("ListFaces", {}),
        ("DeleteFaces", {"FaceIds": [ABSENT]}),
        ("SearchFaces", {"FaceId": ABSENT}),
        ("SearchFacesByImage", {}),
        ("CreateUser", {"UserId": "ada"}),
        ("DeleteUser", {"UserId": "ada"}),
        ("ListUsers", {}),
        ("AssociateFaces", {"UserId": "ada", "FaceIds": [ABSENT]}),
        ("DisassociateFaces", {"UserId": "ada", "FaceIds": [ABSENT]}),
        ("SearchUsers", {"UserId": "ada"}),
        ("SearchUsersByImage", {}),
    ],
)
def test_a_collection_that_does_not_exist_is_reported_before_the_image_is_read(operation: str, request_: dict[str, Any]) -> None:
    def unread() -> Any:
        raise AssertionError("the image was read")

    operations = CollectionOperations(HueEncoder())
    with pytest.raises(ResourceNotFound, match="The collection id: gone does not exist"):
        operations.answer(operation, {"CollectionId": "gone", **request_}, unread)


def test_a_deleted_collection_takes_its_faces_and_users_along(client: Client) -> None:
    client.index(10)
    client.call("CreateUser", UserId="ada")
    client.call("DeleteCollection")
    client.call("CreateCollection")
    assert client.call("ListFaces")["Faces"] == client.call("ListUsers")["Users"] == []


def test_lists_come_in_pages_that_deletions_do_not_shift(client: Client) -> None:
    ids = sorted(client.index(10, 60, 110, 160, 210))
    first = client.call("ListFaces", MaxResults=2)
    assert [one["FaceId"] for one in first["Faces"]] == ids[:2]
    client.call("DeleteFaces", FaceIds=ids[:2])
    second = client.call("ListFaces", MaxResults=2, NextToken=first["NextToken"])
    assert [one["FaceId"] for one in second["Faces"]] == ids[2:4]
    third = client.call("ListFaces", MaxResults=2, NextToken=second["NextToken"])
    assert ([one["FaceId"] for one in third["Faces"]], "NextToken" in third) == (ids[4:], False)


@pytest.mark.parametrize("operation", ["ListFaces", "ListUsers", "ListCollections"])
@pytest.mark.parametrize("token", ["x", "!!!", base64.b64encode(b"before:a").decode(), "ä"])
def test_a_token_that_is_not_ours_is_refused(client: Client, operation: str, token: str) -> None:
    with pytest.raises(InvalidPaginationToken):
        client.call(operation, NextToken=token)


def test_faces_above_the_maximum_are_left_out_the_smallest_first_and_named(client: Client) -> None:
    found = [face(10, 150), face(60, 100), face(110, 60)]
    answer = client.call("IndexFaces", found, MaxFaces=1)
    assert [record["Face"]["BoundingBox"]["Width"] for record in answer["FaceRecords"]] == [0.75]
    left_out = [(one["FaceDetail"]["BoundingBox"]["Width"], one["Reasons"]) for one in answer["UnindexedFaces"]]
    assert left_out == [(0.5, ["EXCEEDS_MAX_FACES"]), (0.3, ["EXCEEDS_MAX_FACES"])]
    assert client.call("DescribeCollection")["FaceCount"] == 1


def test_faces_of_low_quality_are_left_out_before_the_smallest_ones(client: Client) -> None:
    blurred = FoundFace(Image.new("RGB", (200, 200), "gray"), Detection("Face", 60.0, Box(0.0, 0.0, 0.9, 0.9)), 1.0)
    answer = client.call("IndexFaces", [blurred, face(10, 80)], MaxFaces=1)
    assert [record["Face"]["BoundingBox"]["Width"] for record in answer["FaceRecords"]] == [0.4]
    assert [one["Reasons"] for one in answer["UnindexedFaces"]] == [["LOW_CONFIDENCE", "LOW_SHARPNESS"]]
    unfiltered = client.call("IndexFaces", [blurred, face(10, 80)], QualityFilter="NONE")
    assert len(unfiltered["FaceRecords"]) == 2


@pytest.mark.parametrize(
    ("side", "quality_filter", "expected"),
    [(20, "LOW", ["SMALL_BOUNDING_BOX"]), (35, "LOW", []), (35, "AUTO", ["SMALL_BOUNDING_BOX"]), (50, "AUTO", []),
     (50, "MEDIUM", []), (50, "HIGH", ["SMALL_BOUNDING_BOX"]), (70, "HIGH", []), (5, "NONE", [])],
)  # fmt: skip
def test_each_quality_bar_is_higher_than_the_one_before(side: int, quality_filter: str, expected: list[str]) -> None:
    assert reasons(face(200, side), quality_filter) == expected


def test_a_dark_face_is_of_low_quality() -> None:
    dark = ImageEnhance.Brightness(face(10).image).enhance(0.1)
    assert "LOW_BRIGHTNESS" in reasons(FoundFace(dark, face(10).detection, 1.0), "AUTO")


def test_the_size_of_a_face_is_that_in_the_original() -> None:
    small = face(10, 20)
    assert reasons(FoundFace(small.image, small.detection, 3.0), "HIGH") == []


def test_the_same_image_with_the_same_external_id_is_stored_once(client: Client) -> None:
    first = client.index(10, 60, ExternalImageId="ada")
    assert client.index(10, 60, ExternalImageId="ada") == first
    assert set(client.index(10, 60, ExternalImageId="grace")).isdisjoint(first)
    assert client.call("DescribeCollection")["FaceCount"] == 4


def test_the_same_image_without_an_external_id_is_stored_again_with_the_same_image_id(client: Client) -> None:
    first, second = client.index(10), client.index(10)
    assert first != second
    assert len({one["ImageId"] for one in client.call("ListFaces")["Faces"]}) == 1


def test_a_later_call_adds_the_faces_that_an_earlier_one_left_out(client: Client) -> None:
    first = client.index(10, 60, ExternalImageId="ada", MaxFaces=1)
    both = client.index(10, 60, ExternalImageId="ada")
    assert both[:1] == first
    assert client.call("DescribeCollection")["FaceCount"] == 2


def test_faces_are_listed_by_user_and_by_id(client: Client) -> None:
    one, other, third = client.index(10), client.index(20), client.index(200)
    client.call("CreateUser", UserId="ada")
    client.call("AssociateFaces", UserId="ada", FaceIds=[*one, *other])
    assert {each["FaceId"] for each in client.call("ListFaces", UserId="ada")["Faces"]} == {*one, *other}
    assert all(each["UserId"] == "ada" for each in client.call("ListFaces", UserId="ada")["Faces"])
    assert [each["FaceId"] for each in client.call("ListFaces", FaceIds=[*third, ABSENT])["Faces"]] == third
    assert "UserId" not in client.call("ListFaces", FaceIds=third)["Faces"][0]


def test_a_face_of_a_user_is_not_deleted_until_it_is_disassociated(client: Client) -> None:
    (one,), (other,) = client.index(10), client.index(200)
    client.call("CreateUser", UserId="ada")
    client.call("AssociateFaces", UserId="ada", FaceIds=[one])
    assert client.call("DeleteFaces", FaceIds=[one, other, ABSENT, other]) == {
        "DeletedFaces": [other],
        "UnsuccessfulFaceDeletions": [
            {"FaceId": one, "UserId": "ada", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]},
            {"FaceId": ABSENT, "Reasons": ["FACE_NOT_FOUND"]},
        ],
    }
    client.call("DisassociateFaces", UserId="ada", FaceIds=[one])
    assert client.call("DeleteFaces", FaceIds=[one])["DeletedFaces"] == [one]


def test_a_search_by_a_face_finds_others_from_the_threshold_up_the_nearest_first(client: Client) -> None:
    ids = {red: client.index(red)[0] for red in (100, 105, 115, 121, 200)}
    answer = client.call("SearchFaces", FaceId=ids[100])
    assert [(one["Face"]["FaceId"], one["Similarity"]) for one in answer["FaceMatches"]] == [(ids[105], 95.0), (ids[115], 85.0)]
    assert answer["SearchedFaceId"] == ids[100]
    wider = client.call("SearchFaces", FaceId=ids[100], FaceMatchThreshold=0)["FaceMatches"]
    assert [one["Similarity"] for one in wider] == [95.0, 85.0, 79.0, 0.0]
    assert len(client.call("SearchFaces", FaceId=ids[100], FaceMatchThreshold=0, MaxFaces=2)["FaceMatches"]) == 2


def test_a_search_by_a_face_that_is_not_stored_is_an_invalid_parameter(client: Client) -> None:
    with pytest.raises(InvalidParameter, match=ABSENT):
        client.call("SearchFaces", FaceId=ABSENT)


def test_a_search_by_an_image_compares_the_largest_face_only(client: Client) -> None:
    large, small = client.index(10)[0], client.index(200)[0]
    group = [face(10, 150), face(200, 100)]
    answer = client.call("SearchFacesByImage", group)
    assert [one["Face"]["FaceId"] for one in answer["FaceMatches"]] == [large]
    assert answer["SearchedFaceBoundingBox"]["Width"] == 0.75
    assert small not in str(answer)


def test_a_search_by_an_image_without_a_face_is_an_invalid_parameter_for_faces_and_empty_for_users(client: Client) -> None:
    with pytest.raises(InvalidParameter, match="There are no faces in the image"):
        client.call("SearchFacesByImage", [])
    assert client.call("SearchUsersByImage", []) == {"UserMatches": [], "UnsearchedFaces": [], "FaceModelVersion": "hue-1"}


def test_a_quality_filter_of_a_search_ignores_low_faces(client: Client) -> None:
    client.index(200)
    tiny = [face(200, 20)]
    assert client.call("SearchFacesByImage", tiny)["FaceMatches"]
    with pytest.raises(InvalidParameter):
        client.call("SearchFacesByImage", tiny, QualityFilter="LOW")
    answer = client.call("SearchUsersByImage", tiny, QualityFilter="LOW")
    assert [one["Reasons"] for one in answer["UnsearchedFaces"]] == [["SMALL_BOUNDING_BOX"]]
    assert "SearchedFace" not in answer


def test_a_user_is_created_once(client: Client) -> None:
    assert client.call("CreateUser", UserId="ada") == {}
    with pytest.raises(Conflict, match="ada"):
        client.call("CreateUser", UserId="ada")
    assert client.call("ListUsers")["Users"] == [{"UserId": "ada", "UserStatus": "CREATED"}]


def test_a_request_that_is_repeated_with_its_token_has_one_effect(client: Client) -> None:
    client.call("CreateUser", UserId="ada", ClientRequestToken="one")
    assert client.call("CreateUser", UserId="ada", ClientRequestToken="one") == {}
    with pytest.raises(IdempotentParameterMismatch):
        client.call("CreateUser", UserId="grace", ClientRequestToken="one")
    client.call("DeleteUser", UserId="ada", ClientRequestToken="one")
    assert client.call("DeleteUser", UserId="ada", ClientRequestToken="one") == {}


@pytest.mark.parametrize("operation", ["DeleteUser", "AssociateFaces", "DisassociateFaces", "SearchUsers"])
def test_a_user_that_does_not_exist_is_not_found(client: Client, operation: str) -> None:
    faces = {} if operation in ("DeleteUser", "SearchUsers") else {"FaceIds": client.index(10)}
    with pytest.raises(ResourceNotFound, match="stranger"):
        client.call(operation, UserId="stranger", **faces)


def test_faces_are_associated_if_they_are_similar_to_those_of_the_user(client: Client) -> None:
    first, near, far = client.index(100)[0], client.index(110)[0], client.index(140)[0]
    other = client.index(101)[0]
    for user in ("ada", "grace"):
        client.call("CreateUser", UserId=user)
    client.call("AssociateFaces", UserId="grace", FaceIds=[other])
    assert client.call("AssociateFaces", UserId="ada", FaceIds=[first]) == {
        "AssociatedFaces": [{"FaceId": first}],
        "UnsuccessfulFaceAssociations": [],
        "UserStatus": "UPDATING",
    }
    answer = client.call("AssociateFaces", UserId="ada", FaceIds=[first, near, far, other, ABSENT])
    assert answer["AssociatedFaces"] == [{"FaceId": near}]
    assert answer["UnsuccessfulFaceAssociations"] == [
        {"FaceId": far, "Confidence": 60.0, "Reasons": ["LOW_MATCH_CONFIDENCE"]},
        {"FaceId": other, "UserId": "grace", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]},
        {"FaceId": ABSENT, "Reasons": ["FACE_NOT_FOUND"]},
    ]
    lenient = client.call("AssociateFaces", UserId="ada", FaceIds=[far], UserMatchThreshold=50)
    assert lenient["AssociatedFaces"] == [{"FaceId": far}]
    assert {"UserId": "ada", "UserStatus": "ACTIVE"} in client.call("ListUsers")["Users"]


def test_a_user_has_at_most_100_faces(client: Client) -> None:
    ids = [client.index(100)[0] for _ in range(101)]
    client.call("CreateUser", UserId="ada")
    client.call("AssociateFaces", UserId="ada", FaceIds=ids[:99])
    with pytest.raises(ServiceQuotaExceeded, match="ada has 99"):
        client.call("AssociateFaces", UserId="ada", FaceIds=ids[99:])
    assert len(client.call("ListFaces", UserId="ada")["Faces"]) == 99
    assert client.call("AssociateFaces", UserId="ada", FaceIds=ids[:100])["AssociatedFaces"] == [{"FaceId": ids[99]}]


def test_faces_are_disassociated_and_stay_in_the_collection(client: Client) -> None:
    one, other, free = client.index(100)[0], client.index(200)[0], client.index(50)[0]
    for user, face_id in (("ada", one), ("grace", other)):
        client.call("CreateUser", UserId=user)
        client.call("AssociateFaces", UserId=user, FaceIds=[face_id])
    assert client.call("DisassociateFaces", UserId="ada", FaceIds=[one, other, free, ABSENT]) == {
        "DisassociatedFaces": [{"FaceId": one}],
        "UnsuccessfulFaceDisassociations": [
            {"FaceId": other, "UserId": "grace", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]},
            {"FaceId": ABSENT, "Reasons": ["FACE_NOT_FOUND"]},
        ],
        "UserStatus": "UPDATING",
    }
    assert {"UserId": "ada", "UserStatus": "CREATED"} in client.call("ListUsers")["Users"]
    assert client.call("DescribeCollection")["FaceCount"] == 3


def test_the_faces_of_a_deleted_user_stay_and_are_free(client: Client) -> None:
    one = client.index(100)[0]
    client.call("CreateUser", UserId="ada")
    client.call("AssociateFaces", UserId="ada", FaceIds=[one])
    client.call("DeleteUser", UserId="ada")
    assert client.call("ListUsers")["Users"] == []
    assert client.call("DeleteFaces", FaceIds=[one])["DeletedFaces"] == [one]


def test_users_are_found_by_the_mean_of_their_faces(client: Client) -> None:
    for user, reds in (("ada", (100, 120)), ("grace", (130,)), ("empty", ()), ("far", (250,))):
        client.call("CreateUser", UserId=user)
        for red in reds:
            client.call("AssociateFaces", UserId=user, FaceIds=client.index(red))
    searched = client.index(112)[0]
    by_face = client.call("SearchUsers", FaceId=searched)
    assert [(one["User"]["UserId"], one["Similarity"]) for one in by_face["UserMatches"]] == [("ada", 98.0), ("grace", 82.0)]
    assert by_face["SearchedFace"] == {"FaceId": searched}
    by_user = client.call("SearchUsers", UserId="ada", UserMatchThreshold=70)
    assert [(one["User"]["UserId"], one["Similarity"]) for one in by_user["UserMatches"]] == [("grace", 80.0)]
    assert by_user["SearchedUser"] == {"UserId": "ada"}
    assert client.call("SearchUsers", UserId="empty")["UserMatches"] == []
    by_image = client.call("SearchUsersByImage", [face(112, 150), face(250, 100)], MaxUsers=1)
    assert [one["User"] for one in by_image["UserMatches"]] == [{"UserId": "ada", "UserStatus": "ACTIVE"}]
    assert by_image["SearchedFace"]["FaceDetail"]["BoundingBox"]["Width"] == 0.75
    assert [one["Reasons"] for one in by_image["UnsearchedFaces"]] == [["FACE_NOT_LARGEST"]]


@pytest.mark.parametrize("searched", [{}, {"FaceId": ABSENT, "UserId": "ada"}])
def test_users_are_searched_by_either_a_face_or_a_user(client: Client, searched: dict[str, str]) -> None:
    with pytest.raises(InvalidParameter, match="either"):
        client.call("SearchUsers", **searched)


def no_objects(bucket: str, key: str, version: str | None) -> bytes:
    raise ObjectNotReadable("these tests send bytes")


def sent(image: Image.Image | str, **save: Any) -> dict[str, str]:
    buffer = io.BytesIO()
    (Image.open(SAMPLES / image) if isinstance(image, str) else image).convert("RGB").save(buffer, **{"format": "PNG", **save})
    return {"Bytes": base64.b64encode(buffer.getvalue()).decode()}


def ask(engine: Engine, operation: str, **request: Any) -> dict[str, Any]:
    status, answer = engine.handle(operation, {"CollectionId": "people", **request}, no_objects)
    return answer if status == 200 else {"error": answer["__type"], "message": answer["Message"]}


@pytest.fixture(scope="module")
def pixels() -> Engine:
    """An engine without models: its collections know a photo again, and people not at all."""
    engine = Engine()
    ask(engine, "CreateCollection")
    for name in ("astronaut-portrait.jpg", "officer-in-uniform.jpg", "photographer-in-park.png"):
        ask(engine, "IndexFaces", Image=sent(name), ExternalImageId=name)
    return engine


def test_without_dlib_the_same_photo_is_found_again_in_another_size_and_no_other(pixels: Engine) -> None:
    photo = Image.open(SAMPLES / "officer-in-uniform.jpg")
    smaller = photo.resize((photo.width * 2 // 3, photo.height * 2 // 3))
    answer = ask(pixels, "SearchFacesByImage", Image=sent(smaller, format="JPEG", quality=60))
    assert [one["Face"]["ExternalImageId"] for one in answer["FaceMatches"]] == ["officer-in-uniform.jpg"]
    assert answer["FaceModelVersion"] == "local-pixels-1 (same photo only)"


def test_an_image_without_a_face_or_with_a_broken_parameter_is_refused_through_the_engine(pixels: Engine) -> None:
    nothing = ask(pixels, "SearchFacesByImage", Image=sent("goldfish.jpg"))
    assert nothing["error"] == "InvalidParameterException"
    assert "There are no faces in the image" in nothing["message"]
    spaced = ask(pixels, "IndexFaces", Image=sent("goldfish.jpg"), ExternalImageId="a photo.jpg")
    assert spaced["error"] == "InvalidParameterException"
    for request in ({"FaceIds": []}, {"FaceIds": ["x"]}):
        assert ask(pixels, "DeleteFaces", **request)["error"] == "InvalidParameterException"
    assert ask(pixels, "SearchFacesByImage", Image=sent("goldfish.jpg"), MaxFaces=4097)["error"] == "InvalidParameterException"
    assert ask(pixels, "CreateUser", UserId="Ada Lovelace")["error"] == "InvalidParameterException"


def test_an_image_without_a_face_is_indexed_as_no_face(pixels: Engine) -> None:
    answer = ask(pixels, "IndexFaces", Image=sent("goldfish.jpg"))
    assert (answer["FaceRecords"], answer["UnindexedFaces"]) == ([], [])


def test_with_dlib_a_person_is_found_in_another_picture() -> None:
    folder = ModelsFolder(default_folder())
    if FaceVectors.if_installed() is None or not all(folder.has(model) for model in EMBEDDED):
        pytest.skip("dlib or the embedded models are not installed. Run make eyes eyes-extras")
    engine = Engine(models=default_folder())
    ask(engine, "CreateCollection")
    ask(engine, "CreateUser", UserId="eileen")
    (record,) = ask(engine, "IndexFaces", Image=sent("astronaut-portrait.jpg"))["FaceRecords"]
    ask(engine, "AssociateFaces", UserId="eileen", FaceIds=[record["Face"]["FaceId"]])
    ask(engine, "IndexFaces", Image=sent("officer-in-uniform.jpg"))
    board = Image.open(SAMPLES / "portraits-on-pinboard.jpg")
    left = board.crop((0, 0, board.width * 36 // 100, board.height))
    group = ask(engine, "IndexFaces", Image=sent(board), ExternalImageId="board")["FaceRecords"]
    assert len(group) == 3
    users = [ask(engine, "SearchUsers", FaceId=one["Face"]["FaceId"])["UserMatches"] for one in group]
    assert [[one["User"]["UserId"] for one in found] for found in users].count(["eileen"]) == 1
    assert sum(bool(found) for found in users) == 1
    by_image = ask(engine, "SearchUsersByImage", Image=sent(left))
    assert [one["User"]["UserId"] for one in by_image["UserMatches"]] == ["eileen"]
    assert by_image["FaceModelVersion"].startswith("local-dlib-resnet-")
