"""What an image is called: names that never change, never clash, and are the same for every duplicate of an event."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.images.version import SEQUENCER_WIDTH, ImageVersion, comparable_sequencer, image_id, source_of

IMAGE = ImageVersion(
    bucket="imagewatch-images-123456789012-us-east-1",
    key="uploads/front-door/Garten Tür (1).JPG",
    version_id="3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH",
    etag="d41d8cd98f00b204e9800998ecf8427e",
    sequencer=comparable_sequencer("0055AED6DCD90281E5"),
    size=123_456,
    uploaded_at="2026-11-20T16:05:09.123Z",
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=1024).map(lambda key: "uploads/" + key)
HEX = "0123456789ABCDEF"


def test_identity_is_pinned() -> None:
    # If this fails, every stored record, thumbnail and alert of every stack has lost its name.
    assert IMAGE.image_id == "3b46a4ffe1bf6ed655c06af1eab72e7c"
    assert IMAGE.version == "a8e08ccb40493dc7"
    assert IMAGE.execution_name() == "garten-t-r-1-jpg-80b08f257910343d9842c9b9583c2df0"
    assert IMAGE.execution_name(run="again") == "garten-t-r-1-jpg-98c954e93a1ba9e2824cc1ebcd7ce986"
    assert IMAGE.thumbnail_key == "thumbnails/3b46a4ffe1bf6ed655c06af1eab72e7c/a8e08ccb40493dc7.jpg"
    assert IMAGE.analysis_key == "analysis/3b46a4ffe1bf6ed655c06af1eab72e7c/a8e08ccb40493dc7.jpg"


def test_identity_without_versioning_is_pinned() -> None:
    assert replace(IMAGE, version_id="").version == "21190621105735c6"


def test_all_renditions_are_listed() -> None:
    assert IMAGE.rendition_keys == [IMAGE.thumbnail_key, IMAGE.analysis_key]


@given(KEYS, KEYS)
def test_images_at_different_keys_are_different_images(one: str, other: str) -> None:
    assert (image_id("photos", one) == image_id("photos", other)) == (one == other)


def test_composed_and_decomposed_letters_are_different_keys() -> None:
    assert image_id("photos", "uploads/T\u00fcr.jpg") != image_id("photos", "uploads/Tu\u0308r.jpg")


def test_the_same_key_in_another_bucket_is_another_image() -> None:
    assert image_id("photos", "uploads/a.jpg") != image_id("photos-2", "uploads/a.jpg")


@given(KEYS, st.text(max_size=40))
def test_an_execution_name_is_accepted_and_logged_by_step_functions(key: str, run: str) -> None:
    assert re.fullmatch(r"[0-9A-Za-z_-]{1,80}", replace(IMAGE, key=key).execution_name(run))


@given(KEYS, st.integers(0, 10**9), st.sampled_from(["2026-11-20T16:05:09.123Z", "2026-11-20T16:05:09.456Z"]))
def test_duplicates_of_an_event_name_the_same_execution(key: str, size: int, uploaded_at: str) -> None:
    duplicate = replace(IMAGE, key=key, size=size, uploaded_at=uploaded_at)
    assert duplicate.execution_name() == replace(IMAGE, key=key).execution_name()


@pytest.mark.parametrize(
    "change",
    [
        {"bucket": "another"},
        {"key": "uploads/front-door/garten tür (1).jpg"},
        {"key": "uploads/back-door/Garten Tür (1).JPG"},
        {"version_id": "another"},
        {"version_id": ""},
    ],
    ids=str,
)
def test_another_object_version_is_another_execution(change: dict[str, Any]) -> None:
    assert replace(IMAGE, **change).execution_name() != IMAGE.execution_name()


@pytest.mark.parametrize("change", [{"etag": "another"}, {"sequencer": comparable_sequencer("0055AED6DCD90281E6")}], ids=str)
def test_without_versioning_a_new_upload_is_another_execution(change: dict[str, Any]) -> None:
    unversioned = replace(IMAGE, version_id="")
    assert replace(unversioned, **change).execution_name() != unversioned.execution_name()
    assert replace(IMAGE, **change).execution_name() == IMAGE.execution_name()


def test_each_deliberate_repetition_has_its_own_name() -> None:
    names = [IMAGE.execution_name(), IMAGE.execution_name("1"), IMAGE.execution_name("2"), IMAGE.execution_name("1 ")]
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("uploads/a/IMG 0001.JPG", "img-0001-jpg-"),
        ("uploads/a/日本.jpg", "jpg-"),
        ("uploads/a/日本", ""),
        ("uploads/a/--..--", ""),
        ("uploads/a/" + "x" * 39 + "-y.jpg", "x" * 39 + "-"),
        ("uploads/a/" + "x" * 1014, "x" * 40 + "-"),
    ],
)
def test_an_execution_name_begins_with_what_can_be_read_of_the_file_name(key: str, stem: str) -> None:
    assert re.fullmatch(re.escape(stem) + "[0-9a-f]{32}", replace(IMAGE, key=key).execution_name())


@pytest.mark.parametrize(
    ("key", "source"),
    [
        ("uploads/front-door/a.jpg", "front-door"),
        ("uploads/front-door/2026/11/a.jpg", "front-door"),
        ("uploads/a.jpg", "uploads"),
        ("uploads//a.jpg", "uploads"),
        ("uploads/uploads/a.jpg", "uploads"),
        ("uploads/Tür 1/a.jpg", "tür-1"),
        ("uploads/Front Door/a.jpg", "front-door"),
        ("uploads/FRONT_Door./a.jpg", "front_door"),
        ("uploads/Caf\u0065\u0301/a.jpg", "caf\u00e9"),
        ("uploads/caf\u00e9/a.jpg", "caf\u00e9"),
        ("uploads/玄関/a.jpg", "玄関"),
        ("uploads/!!!/a.jpg", "!!!"),
    ],
)
def test_the_source_is_the_first_folder_below_uploads(key: str, source: str) -> None:
    assert source_of(key) == source


@given(KEYS, st.text(max_size=40), st.text(max_size=40), st.integers(0, 5 * 2**40))
def test_state_form_and_back_is_the_same_version(key: str, version_id: str, etag: str, size: int) -> None:
    image = replace(IMAGE, key=key, version_id=version_id, etag=etag, size=size)
    assert ImageVersion.from_state(image.to_state()) == image


def test_the_state_form_has_exactly_the_documented_fields() -> None:
    assert IMAGE.to_state() == {
        "ImageId": IMAGE.image_id,
        "Version": IMAGE.version,
        "Source": "front-door",
        "Bucket": IMAGE.bucket,
        "Key": IMAGE.key,
        "VersionId": IMAGE.version_id,
        "ETag": IMAGE.etag,
        "Sequencer": IMAGE.sequencer,
        "Size": 123_456,
        "UploadedAt": "2026-11-20T16:05:09.123Z",
        "Lease": "",
    }


def test_a_state_without_a_field_is_not_guessed() -> None:
    state = IMAGE.to_state()
    del state["Sequencer"]
    with pytest.raises(KeyError, match="Sequencer"):
        ImageVersion.from_state(state)


@given(st.text(HEX, min_size=1, max_size=SEQUENCER_WIDTH), st.text(HEX, min_size=1, max_size=SEQUENCER_WIDTH))
def test_sequencers_are_ordered_as_numbers_padded_on_the_right(one: str, other: str) -> None:
    width = max(len(one), len(other))
    numbers = [int(sequencer.ljust(width, "0"), 16) for sequencer in (one, other)]
    texts = [comparable_sequencer(one), comparable_sequencer(other)]
    assert (numbers[0] < numbers[1], numbers[0] == numbers[1]) == (texts[0] < texts[1], texts[0] == texts[1])


def test_a_longer_sequencer_is_not_newer_for_its_length() -> None:
    assert comparable_sequencer("0055AED6DCD90281E500") == comparable_sequencer("0055AED6DCD90281E5")
    assert comparable_sequencer("0055AED6DCD90281E5FF") < comparable_sequencer("0055AED6DCD90281E6")


def test_sequencers_compare_in_either_case() -> None:
    assert comparable_sequencer("00ab") == comparable_sequencer("00AB")
    assert comparable_sequencer("00ab") > comparable_sequencer("00AA")
