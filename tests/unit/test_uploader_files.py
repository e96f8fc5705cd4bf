"""Which files are found, in which order, and what is said about the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagewatch.images.file_formats import MAX_FILE_BYTES
from uploader.upload.discovery import (
    BROKEN_LINK,
    EMPTY,
    HIDDEN,
    LINKED_FOLDER,
    NOT_A_FILE,
    NOT_AN_IMAGE,
    FoundFiles,
    UnsentFile,
    find_files,
)

JPEG = b"\xff\xd8\xff\xe0 and so on"


def write(path: Path, content: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def find(*paths: Path, recursive: bool = True, take_all: bool = False) -> FoundFiles:
    return find_files([str(path) for path in paths], recursive=recursive, take_all=take_all)


def relatives(findings: FoundFiles, top: Path | None = None) -> list[str]:
    """The paths of the files; below `top` if they are from a folder, whose name each of them must have."""
    prefix = f"{top.name}/" if top else ""
    assert all(file.relative.startswith(prefix) for file in findings.files)
    return [file.relative.removeprefix(prefix) for file in findings.files]


def test_takes_a_named_file_whatever_it_is(tmp_path: Path) -> None:
    findings = find(write(tmp_path / ".hidden.txt", b"text"), recursive=False)
    assert relatives(findings) == [".hidden.txt"]
    assert findings.files[0].content_type == "text/plain"
    assert findings.files[0].size == 4


def test_keeps_sub_folders_and_goes_by_name(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.jpg", "a/b/c.jpg", "c.jpg", "B.jpg"):
        write(tmp_path / name)
    assert relatives(find(tmp_path), tmp_path) == ["B.jpg", "a/b/c.jpg", "a/z.jpg", "b.jpg", "c.jpg"]


def test_keeps_the_order_in_which_paths_were_named(tmp_path: Path) -> None:
    second, first = write(tmp_path / "z.jpg"), write(tmp_path / "a.jpg")
    assert relatives(find(second, first)) == ["z.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "the file is empty"), (None, "there is no such file")], ids=["empty", "missing"]
)
def test_fails_a_named_file_that_has_nothing_to_send(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        write(path, content)
    assert find(path).failed == [UnsentFile(str(path), reason)]


def test_fails_a_folder_without_recursive_and_says_what_to_add(tmp_path: Path) -> None:
    findings = find(tmp_path, recursive=False)
    assert "--recursive" in findings.failed[0].reason
    assert not findings.files


def test_fails_a_file_over_the_size_limit(tmp_path: Path) -> None:
    path = write(tmp_path / "big.jpg")
    os.truncate(path, MAX_FILE_BYTES + 1)
    assert "100 MiB" in find(path).failed[0].reason
    os.truncate(path, MAX_FILE_BYTES)
    assert relatives(find(path)) == ["big.jpg"]


def test_takes_only_images_below_a_folder_and_names_the_rest(tmp_path: Path) -> None:
    write(tmp_path / "really-a-photo.txt")
    write(tmp_path / "not-a-photo.jpg", b"<html>")
    findings = find(tmp_path)
    assert relatives(findings, tmp_path) == ["really-a-photo.txt"]
    assert findings.skipped == [UnsentFile(str(tmp_path / "not-a-photo.jpg"), NOT_AN_IMAGE)]


def test_takes_everything_but_hidden_and_empty_files_with_all(tmp_path: Path) -> None:
    write(tmp_path / "notes.txt", b"text")
    write(tmp_path / "empty.jpg", b"")
    write(tmp_path / ".secret", b"text")
    findings = find(tmp_path, take_all=True)
    assert relatives(findings, tmp_path) == ["notes.txt"]
    assert {left.reason for left in findings.skipped} == {EMPTY, HIDDEN}


@pytest.mark.parametrize("name", [".DS_Store", ".git/a.jpg", "Thumbs.db", "@eaDir/a.jpg", "__MACOSX/a.jpg"])
def test_leaves_alone_what_the_system_put_there(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    findings = find(tmp_path)
    assert not findings.files
    assert [left.reason for left in findings.skipped] == [HIDDEN]


def test_no_loop_of_links_can_trap_it(tmp_path: Path) -> None:
    write(tmp_path / "a" / "photo.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "a" / "photo.jpg")
    findings = find(tmp_path)
    assert relatives(findings, tmp_path) == ["a/photo.jpg", "linked.jpg"]
    assert [left.reason for left in findings.skipped] == [BROKEN_LINK, LINKED_FOLDER]


def test_follows_a_link_to_a_folder_that_was_named_itself(tmp_path: Path) -> None:
    write(tmp_path / "real" / "photo.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert relatives(find(tmp_path / "link")) == ["link/photo.jpg"]


def test_never_opens_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert [left.reason for left in find(tmp_path).skipped] == [NOT_A_FILE]
    assert NOT_A_FILE in find(tmp_path / "pipe.jpg").failed[0].reason


def test_a_file_it_may_not_read_fails_and_the_others_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "locked.jpg")
    write(tmp_path / "open.jpg")
    real_open = Path.open

    def refuse(self: Path, *args: object, **kwargs: object) -> object:
        if self.name == "locked.jpg":
            raise PermissionError(13, "Permission denied")
        return real_open(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)  # tests often run as root, whom no mode keeps out
    findings = find(tmp_path)
    assert relatives(findings, tmp_path) == ["open.jpg"]
    assert findings.failed == [UnsentFile(str(tmp_path / "locked.jpg"), "permission denied: this user may not read it")]
