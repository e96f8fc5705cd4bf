"""Which key each file gets, and what is refused before anything is sent."""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import Path

import pytest

from uploader.errors import UsageError
from uploader.upload import keys as identity
from uploader.upload.discovery import FoundFile
from uploader.upload.keys import image_id, object_key, source_name
from uploader.upload.plan import plan_uploads


def found(path: Path, relative: str | None = None) -> FoundFile:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return FoundFile(path, relative or path.name, 1, "image/jpeg")


def test_a_key_is_the_source_and_the_path_below_what_was_named(tmp_path: Path) -> None:
    plan = plan_uploads([found(tmp_path / "2026" / "a b.jpg", "2026/a b.jpg")], "front-door")
    assert [upload.key for upload in plan.uploads] == ["uploads/front-door/2026/a b.jpg"]


def test_refuses_two_files_for_one_key_and_names_both(tmp_path: Path) -> None:
    one, two = found(tmp_path / "monday" / "a.jpg"), found(tmp_path / "tuesday" / "a.jpg")
    with pytest.raises(UsageError) as refused:
        plan_uploads([one, two], "cam")
    assert str(one.path) in str(refused.value)
    assert str(two.path) in str(refused.value)
    assert "nothing was uploaded" in str(refused.value)
    assert refused.value.exit_code == 2


def test_refuses_two_spellings_of_one_name(tmp_path: Path) -> None:
    composed, apart = found(tmp_path / "1" / "\u00e9.jpg"), found(tmp_path / "2" / "e\u0301.jpg")
    with pytest.raises(UsageError):
        plan_uploads([composed, apart], "cam")


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
    with pytest.raises(ValueError, match="bytes long"):
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
