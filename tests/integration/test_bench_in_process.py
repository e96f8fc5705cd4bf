"""The bench's recordings: a replay makes the recorded calls, also on a machine that stalls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from bench.in_process import ORDER, Bench, Recording, Wire, recorded
from imagewatch import timestamps

from .conftest import ROOT


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with recorded() as made:
        yield made


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The calls that are replayed, by operation."""
    counted: Counter[str] = Counter()
    replay = Wire._replay

    def counting(recording: Recording, before: Counter[str], operation: str) -> object:
        counted[operation] += 1
        return replay(recording, before, operation)

    monkeypatch.setattr(Wire, "_replay", staticmethod(counting))
    return counted


def test_every_function_is_recorded(bench: Bench) -> None:
    assert list(bench.recordings) == list(ORDER)
    assert set(ORDER) == {path.stem for path in (ROOT / "functions").glob("*.py")}


@pytest.mark.parametrize("name", [name for name in ORDER if name != "evaluate_watchlist"])  # that one reads its table once
def test_a_replay_makes_the_recorded_calls_on_a_machine_that_stalls(
    bench: Bench, replayed: Counter[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    moments = iter(range(0, 10**15, 10**9))
    stalling = SimpleNamespace(time_ns=lambda: next(moments), sleep=lambda _: next(moments))  # a second between any two readings
    monkeypatch.setattr(timestamps, "time", stalling)
    bench.handler_seconds(name)
    assert replayed == {operation: len(answers) for operation, answers in bench.recordings[name].answers.items()}


def test_a_call_more_than_was_recorded_gets_the_last_answer_of_its_operation() -> None:
    recording = Recording("handler", {}, {}, 0, answers={"s3.GetObject": [(200, {}, b"1"), (404, {}, b"2")], "s3.PutObject": []})
    replayed: Counter[str] = Counter()
    bodies = [Wire._replay(recording, replayed, "s3.GetObject")[2] for _ in range(3)]
    assert bodies == [b"1", b"2", b"2"]


def test_an_operation_that_was_never_recorded_raises_an_error_that_names_it() -> None:
    with pytest.raises(RuntimeError, match=r"start_analysis never called dynamodb\.Scan"):
        Wire._replay(Recording("start_analysis", {}, {}, 0), Counter(), "dynamodb.Scan")
