"""The Rekognition engine through its server and boto3's client."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from PIL import Image, ImageOps

from local.emulator.rekognition import Engine, ObjectNotReadable
from local.emulator.rekognition.server import make_server
from tests.hard_images import STORED_AS

if TYPE_CHECKING:
    from mypy_boto3_rekognition.client import RekognitionClient

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"


def fetch_sample(bucket: str, key: str, version: str | None) -> bytes:
    path = SAMPLES / key
    if bucket != "samples" or version or not path.is_file():
        raise ObjectNotReadable(f"no {key} in {bucket}")
    return path.read_bytes()


def client_of(port: int) -> RekognitionClient:
    return boto3.client(
        "rekognition",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A folder with one recorded answer, and its image."""
    directory = tmp_path_factory.mktemp("recorded")
    buffer = io.BytesIO()
    Image.new("RGB", (90, 90), "teal").save(buffer, "PNG")
    answers = {
        "DetectLabels": {"Labels": [{"Name": "Sea", "Confidence": 97.5}], "LabelModelVersion": "3.0"},
        "DetectModerationLabels": {
            "ModerationLabels": [{"Name": "Violence", "ParentName": "", "Confidence": 66.0, "TaxonomyLevel": 1}],
            "ModerationModelVersion": "7.0",
        },
    }
    (directory / f"{hashlib.sha256(buffer.getvalue()).hexdigest()}.json").write_text(json.dumps(answers))
    return directory, buffer.getvalue()


@pytest.fixture(scope="module")
def rekognition(recorded: tuple[Path, bytes]) -> Iterator[RekognitionClient]:
    server = make_server(Engine(recorded[0]), 0, fetch=fetch_sample)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    client = client_of(server.server_address[1])
    yield client
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def sample(name: str) -> Any:
    return {"S3Object": {"Bucket": "samples", "Name": name}}


def test_answers_depend_on_the_picture(rekognition: RekognitionClient) -> None:
    found = {
        name: {label["Name"] for label in rekognition.detect_labels(Image=sample(name))["Labels"]}
        for name in ("astronaut-portrait.jpg", "cat-phone-held-sideways.jpg", "rocket-on-launch-pad.jpg")
    }
    assert found == {
        "astronaut-portrait.jpg": {"Person", "Head", "Face"},
        "cat-phone-held-sideways.jpg": {"Cat", "Pet", "Mammal", "Animal"},
        "rocket-on-launch-pad.jpg": set(),
    }


def test_a_picture_sent_inline_gets_the_same_answer_as_from_s3(rekognition: RekognitionClient) -> None:
    name = "qr-code-poster-on-wall.jpg"
    inline = rekognition.detect_labels(Image={"Bytes": (SAMPLES / name).read_bytes()})
    stored = rekognition.detect_labels(Image=sample(name))
    assert inline["Labels"] == stored["Labels"]
    assert [label["Name"] for label in inline["Labels"]] == ["QR Code"]


def test_settings_of_the_request_are_followed(rekognition: RekognitionClient) -> None:
    answer = rekognition.detect_labels(
        Image=sample("astronaut-portrait.jpg"),
        Features=["GENERAL_LABELS", "IMAGE_PROPERTIES"],
        Settings={
            "GeneralLabels": {"LabelExclusionFilters": ["Face", "Head"]},
            "ImageProperties": {"MaxDominantColors": 3},
        },
    )
    (person,) = answer["Labels"]
    assert (person["Name"], person["Aliases"]) == ("Person", [{"Name": "Human"}])
    assert len(answer["ImageProperties"]["DominantColors"]) == 3
    assert 1 <= len(person["Instances"][0]["DominantColors"]) <= 3


def test_unchecked_findings_are_marked_as_unchecked(rekognition: RekognitionClient) -> None:
    image = sample("astronaut-portrait.jpg")
    moderation = rekognition.detect_moderation_labels(Image=image)
    text = rekognition.detect_text(Image=image)
    assert (moderation["ModerationLabels"], moderation["ModerationModelVersion"]) == ([], "none")
    assert (text["TextDetections"], text["TextModelVersion"]) == ([], "none")


def test_a_recorded_answer_is_replayed_with_the_requests_floor(
    rekognition: RekognitionClient, recorded: tuple[Path, bytes]
) -> None:
    image = {"Bytes": recorded[1]}
    assert rekognition.detect_labels(Image=image)["LabelModelVersion"] == "3.0"
    assert rekognition.detect_labels(Image=image, MinConfidence=98)["Labels"] == []
    assert rekognition.detect_moderation_labels(Image=image)["ModerationLabels"][0]["Name"] == "Violence"
    assert rekognition.detect_moderation_labels(Image=image, MinConfidence=70)["ModerationLabels"] == []


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (sample("shopping-list.jpg"), "InvalidImageFormatException"),
        (sample("coffee-cup.webp"), "InvalidImageFormatException"),
        (sample("tiny-icon.png"), "InvalidParameterException"),
        (sample("no-such.jpg"), "InvalidS3ObjectException"),
        ({"Bytes": b"\xff\xd8\xff" * 1_747_627}, "ImageTooLargeException"),
        ({}, "InvalidParameterException"),
    ],
)
def test_an_error_has_rekognitions_code(rekognition: RekognitionClient, image: Any, error: str) -> None:
    with pytest.raises(ClientError) as refusal:
        rekognition.detect_labels(Image=image)
    assert refusal.value.response["Error"]["Code"] == error
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert isinstance(refusal.value, getattr(rekognition.exceptions, error))


def test_parameters_are_checked_behind_the_client_too(rekognition: RekognitionClient) -> None:
    with pytest.raises(rekognition.exceptions.InvalidParameterException, match="less than or equal to 100"):
        rekognition.detect_labels(Image=sample("tiny-icon.png"), MinConfidence=100.5)


def test_an_operation_that_is_not_offered_is_unknown(rekognition: RekognitionClient) -> None:
    with pytest.raises(ClientError, match=r"UnknownOperationException.*DetectLabels.*IndexFaces"):
        rekognition.recognize_celebrities(Image=sample("astronaut-portrait.jpg"))


def test_a_collection_finds_the_photo_of_a_user_again(rekognition: RekognitionClient) -> None:
    rekognition.create_collection(CollectionId="people")
    created = rekognition.describe_collection(CollectionId="people")["CreationTimestamp"]
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60
    with pytest.raises(rekognition.exceptions.ResourceAlreadyExistsException):
        rekognition.create_collection(CollectionId="people")
    answer = rekognition.index_faces(
        CollectionId="people", Image=sample("portraits-on-pinboard.jpg"), ExternalImageId="board", MaxFaces=2
    )
    ids = [record["Face"]["FaceId"] for record in answer["FaceRecords"]]
    assert [face["Reasons"] for face in answer["UnindexedFaces"]] == [["EXCEEDS_MAX_FACES"]]
    rekognition.create_user(CollectionId="people", UserId="grace")
    rekognition.associate_faces(CollectionId="people", UserId="grace", FaceIds=ids[:1])
    users = rekognition.search_users_by_image(CollectionId="people", Image=sample("portraits-on-pinboard.jpg"))
    assert [match["User"]["UserId"] for match in users["UserMatches"]] == ["grace"]
    assert len(users["UnsearchedFaces"]) == 2
    with pytest.raises(rekognition.exceptions.InvalidParameterException, match="no faces in the image"):
        rekognition.search_faces_by_image(CollectionId="people", Image=sample("rocket-on-launch-pad.jpg"))
    with pytest.raises(rekognition.exceptions.InvalidPaginationTokenException):
        rekognition.list_faces(CollectionId="people", NextToken="none of yours")
    assert rekognition.delete_faces(CollectionId="people", FaceIds=ids)["DeletedFaces"] == ids[1:]
    rekognition.delete_collection(CollectionId="people")
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException):
        rekognition.list_faces(CollectionId="people")


def test_every_exif_orientation_gives_the_same_upright_box(rekognition: RekognitionClient) -> None:
    upright = Image.open(SAMPLES / "qr-code-poster-on-wall.jpg").convert("RGB")
    boxes = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        way = STORED_AS[orientation]
        stored = upright.transpose(way) if way is not None else upright
        buffer = io.BytesIO()
        stored.save(buffer, "PNG", exif=exif)
        assert ImageOps.exif_transpose(Image.open(io.BytesIO(buffer.getvalue()))).size == upright.size
        (label,) = rekognition.detect_labels(Image={"Bytes": buffer.getvalue()})["Labels"]
        boxes.append(label["Instances"][0]["BoundingBox"])
    assert boxes == [boxes[0]] * 8


def test_concurrent_requests_get_their_own_answers(rekognition: RekognitionClient) -> None:
    from concurrent.futures import ThreadPoolExecutor

    names = ["astronaut-portrait.jpg", "qr-code-poster-on-wall.jpg", "cat-phone-held-sideways.jpg"] * 2
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda name: rekognition.detect_labels(Image=sample(name))["Labels"], names))
    assert answers[:3] == answers[3:]
    assert [max(len(label["Instances"]) for label in labels) for labels in answers] == [1] * 6


@pytest.fixture
def command() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local.emulator.rekognition", "--port", "0", "--eyes", "small"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    yield process
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


def test_the_command_serves_on_a_free_port_and_says_where(command: subprocess.Popen[str]) -> None:
    assert command.stdout is not None
    announced = command.stdout.readline()
    address = announced.split()[-1]
    with urllib.request.urlopen(address, timeout=30) as health:
        assert json.load(health) == {"status": "ok", "labels": "local-opencv-1"}
    client = client_of(int(address.rsplit(":", 1)[1]))
    with pytest.raises(client.exceptions.InvalidS3ObjectException, match="reads no S3"):
        client.detect_labels(Image=sample("astronaut-portrait.jpg"))
    client.close()


def test_the_command_suggests_how_to_fix_a_setup_error(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "local.emulator.rekognition", "--port", "0", "--recorded", str(tmp_path / "absent")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert "is not a directory of recorded answers" in result.stderr
