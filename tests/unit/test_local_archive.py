"""The emulator's archive: stored values are read unchanged, also from many threads, and no file remains."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.logs.models import LogEvent
from moto.stepfunctions.parser.api import HistoryEventType

from local.emulator.archive import Archive
from local.emulator.logs.log_store import OPEN_EVENTS, ArchivedEvents

HISTORY = [
    {
        "id": number,
        "type": HistoryEventType.TaskStateEntered,
        "timestamp": datetime(2026, 1, 31, 12, 0, number, 500, tzinfo=UTC),
        "previousEventId": number - 1,
        "stateEnteredEventDetails": {"name": "Détect Labels", "input": '{"image": {"Key": "uploads/a b.jpg"}}' * 20},
    }
    for number in range(1, 40)
]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with closing(Archive(tmp_path / "state")) as opened:
        yield opened


def events(numbers: range) -> list[LogEvent]:
    return [LogEvent(1000 + number, {"timestamp": number, "message": f"line {number}"}) for number in numbers]


def test_a_history_is_read_exactly_as_it_was_stored(archive: Archive) -> None:
    assert archive.get(archive.put(HISTORY)) == HISTORY


def test_a_history_is_compressed(archive: Archive) -> None:
    _, length = archive.put(HISTORY)
    assert length < len(repr(HISTORY)) / 10


def test_each_reader_gets_its_own_copy(archive: Archive) -> None:
    place = archive.put({"events": [1]})
    archive.get(place)["events"].append(2)
    assert archive.get(place) == {"events": [1]}


def test_values_that_many_threads_store_at_the_same_time_are_separate(archive: Archive) -> None:
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(archive.put, [f"piece {number}" * number for number in range(300)]))
    assert [archive.get(place) for place in places] == [f"piece {number}" * number for number in range(300)]


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_a_write_that_the_system_cuts_short_is_continued(archive: Archive, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, content, offset: whole(file, bytes(content)[:most], offset))
    places = [archive.put([number, HISTORY]) for number in range(7)]
    assert [archive.get(place) for place in places] == [[number, HISTORY] for number in range(7)]


def test_what_a_full_disk_refuses_stays_readable_and_is_written_when_there_is_space(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, content: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    places = [archive.put("before")]
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        places += [archive.put("during"), archive.put(HISTORY)]
        problem = "histories and logs can't be written to disk and wait in memory: No space left on device"
        assert archive.problem() == problem
        assert [archive.get(place) for place in places] == ["before", "during", HISTORY]
    places.append(archive.put("after"))
    assert archive.problem() is None
    assert archive._unwritten == {}
    assert [archive.get(place) for place in places] == ["before", "during", HISTORY, "after"]


def test_the_archive_leaves_no_file_behind(archive: Archive, tmp_path: Path) -> None:
    archive.put(HISTORY)
    assert list((tmp_path / "state").iterdir()) == []


@given(sizes=st.lists(st.integers(0, 3 * OPEN_EVENTS), max_size=8))
def test_a_streams_events_stay_in_order_for_any_batch_sizes(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    with closing(Archive(tmp_path_factory.mktemp("archive"))) as archive:
        stream, put = ArchivedEvents(archive), list[LogEvent]()
        for size in sizes:
            more = events(range(len(put), len(put) + size))
            put += more
            stream += more
        assert [vars(event) for event in stream] == [vars(event) for event in put]
        assert len(stream) == len(put)
        assert bool(stream) == bool(put)


def test_a_reader_of_a_stream_sees_each_event_once_while_events_are_added(archive: Archive) -> None:
    stream = ArchivedEvents(archive)
    stream += events(range(OPEN_EVENTS + 1))
    reader = iter(stream)
    seen = [next(reader).timestamp]
    stream += events(range(OPEN_EVENTS + 1, 5 * OPEN_EVENTS))
    seen += [event.timestamp for event in reader]
    assert seen == sorted(set(seen))
    assert seen[: OPEN_EVENTS + 1] == list(range(OPEN_EVENTS + 1))
