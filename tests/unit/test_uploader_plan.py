"""Which key each file gets, and what is refused before anything is sent."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

import pytest

from imagewatch.images.version import image_id
from uploader.errors import UsageError
from uploader.upload import keys as identity
from uploader.upload.discovery import FoundFile
from uploader.upload.keys import key_with_hash, object_key, source_name
from uploader.upload.plan import plan_uploads


def found(path: Path, relative: str | None = None) -> FoundFile:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return FoundFile(path, relative or path.name, 1, "image/jpeg")


def test_a_key_is_the_source_and_the_path_below_what_was_named(tmp_path: Path) -> None:
    plan = plan_uploads([found(tmp_path / "2026" / "a b.jpg", "2026/a b.jpg")], "front-door")
    assert [upload.key for upload in plan.uploads] == ["uploads/front-door/2026/a b.jpg"]


def test_fails_two_files_for_one_key_and_names_both(tmp_path: Path) -> None:
    one, two = found(tmp_path / "monday" / "a.jpg"), found(tmp_path / "tuesday" / "a.jpg")
    plan = plan_uploads([one, found(tmp_path / "b.jpg"), two], "cam")
    assert [upload.key for upload in plan.uploads] == ["uploads/cam/b.jpg"]
    assert [failure.path for failure in plan.failed] == [str(one.path), str(two.path)]
    assert f"{two.path} would get the same key uploads/cam/a.jpg" in plan.failed[0].reason
    assert f"{one.path} would get the same key" in plan.failed[1].reason
    assert "--source" in plan.failed[0].reason


@pytest.mark.parametrize(("composed", "decomposed"), [("\u00e9.jpg", "e\u0301.jpg"), ("\u00fcber/a.jpg", "u\u0308ber/a.jpg")])
def test_fails_only_two_unicode_forms_of_one_name_and_says_what_to_do(tmp_path: Path, composed: str, decomposed: str) -> None:
    one, two = (found(tmp_path / name, name) for name in (composed, decomposed))
    plan = plan_uploads([one, two, found(tmp_path / "c.jpg")], "cam")
    assert [upload.key for upload in plan.uploads] == ["uploads/cam/c.jpg"]
    assert [failure.path for failure in plan.failed] == [str(one.path), str(two.path)]
    for failure in plan.failed:
        assert "differ only in the Unicode form" in failure.reason
        assert "Rename one of them" in failure.reason
        assert "--source" not in failure.reason


def test_three_files_for_one_key_fail_together(tmp_path: Path) -> None:
    files = [found(tmp_path / name / "a.jpg") for name in "xyz"]
    plan = plan_uploads(files, "cam")
    assert (plan.uploads, len(plan.failed)) == ([], 3)


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("uploads/cam/a.jpg", "uploads/cam/a-01234567.jpg"),
        ("uploads/cam/x/no-suffix", "uploads/cam/x/no-suffix-01234567"),
        ("uploads/cam/a.b.jpeg", "uploads/cam/a.b-01234567.jpeg"),
        ("uploads/cam/.hidden", "uploads/cam/.hidden-01234567"),
    ],
)
def test_another_key_has_the_hash_of_the_content(key: str, other: str) -> None:
    assert key_with_hash(key, "0123456789abcdef") == other


def test_another_key_is_not_longer_than_s3_allows() -> None:
    key = object_key("cam", "a" * (identity.MAX_KEY_BYTES - len("uploads/cam/.jpg")) + ".jpg")
    with pytest.raises(ValueError, match="Shorten its path"):
        key_with_hash(key, "0" * 64)


def test_the_same_file_named_twice_counts_once(tmp_path: Path) -> None:
    file = found(tmp_path / "a.jpg")
    again = found(tmp_path / ".." / tmp_path.name / "a.jpg")
    assert len(plan_uploads([file, again], "cam").uploads) == 1


@pytest.mark.parametrize(
    ("relative", "reason"),
    [("line\nbreak.jpg", "control character"), ("\udcff.jpg", "UTF-8"), ("a" * 1024, "1,024")],
)
def test_a_name_that_s3_cannot_hold_fails_alone(tmp_path: Path, relative: str, reason: str) -> None:
    plan = plan_uploads([found(tmp_path / "bad", relative), found(tmp_path / "good.jpg")], "cam")
    assert [upload.key for upload in plan.uploads] == ["uploads/cam/good.jpg"]
    assert reason in plan.failed[0].reason


def test_a_key_may_have_exactly_as_many_bytes_as_s3_allows() -> None:
    room = identity.MAX_KEY_BYTES - len("uploads/cam/")
    assert object_key("cam", "ä" * (room // 2)).endswith("ä")
    with pytest.raises(ValueError, match=r"would have 1,02[56] bytes"):
        object_key("cam", "ä" * (room // 2 + 1))


def test_spells_a_name_the_same_way_whichever_system_it_comes_from() -> None:
    assert object_key("cam", "cafe\u0301.jpg") == unicodedata.normalize("NFC", "uploads/cam/cafe\u0301.jpg")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("Front Door", "front-door"), ("Vorgarten Süd", "vorgarten-süd"), ("玄関", "玄関"), ("../etc ", None), ("..", None)],
)
def test_makes_a_source_of_what_the_user_chose(chosen: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(UsageError):
            source_name(chosen)
    else:
        assert source_name(chosen) == expected


def test_the_source_is_the_hosts_name_when_none_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uploader.upload.keys.socket.gethostname", lambda: "Cam_7.example.net")
    assert source_name(None) == "cam_7"


def test_a_host_without_a_usable_name_still_has_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uploader.upload.keys.socket.gethostname", lambda: "")
    assert source_name(None) == "unnamed-host"


def test_the_image_id_is_the_hash_of_bucket_and_key() -> None:
    expected = hashlib.sha256("bücket\nuploads/a b.jpg".encode()).hexdigest()[:32]
    assert image_id("bücket", "uploads/a b.jpg") == expected
