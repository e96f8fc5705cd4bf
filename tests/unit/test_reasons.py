"""Why something failed: a sentence for a person, from whatever Step Functions and Lambda left of the error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewatch.images.failure_reasons import explain, interruption, message_of


def lambda_cause(message: object, kind: str = "SomeError") -> str:
    return json.dumps({"errorMessage": message, "errorType": kind, "requestId": "r", "stackTrace": ["File a.py, line 1\n"]})


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ("States.Timeout", "A step timed out."),
        ("Sandbox.Timedout", "A step timed out."),
        ("Lambda.Unknown", "A function stopped without an error message (out of memory or time)."),
        ("Runtime.ExitError", "A function's process ended unexpectedly (out of memory, or a crash)."),
        ("Runtime.OutOfMemory", "A function ran out of memory."),
        ("Lambda.TooManyRequestsException", "Lambda had no free concurrency, and the retries are exhausted."),
        ("Throttled", "An AWS service kept throttling requests, and the retries are exhausted."),
        ("Unavailable", "An AWS service kept failing, and the retries are exhausted."),
        ("States.DataLimitExceeded", "The findings are larger than the workflow's limit (256 KiB)."),
        ("States.Runtime", "The workflow's definition can't process this input."),
    ],
)
def test_an_error_of_the_machinery_is_put_into_words(error: str, meaning: str) -> None:
    assert explain({"Error": error}) == meaning
    assert explain({"Error": error, "Cause": lambda_cause("request r: out")}) == f"{meaning} Details: request r: out."


@pytest.mark.parametrize("error", ["ImageRejected", "AnalysisIncomplete", "ImageGone", "AccessDeniedException", "KeyError"])
def test_every_other_error_speaks_for_itself(error: str) -> None:
    assert explain({"Error": error, "Cause": lambda_cause("The file is empty.", error)}) == "The file is empty."


def test_a_meaning_is_not_said_twice() -> None:
    meaning = explain({"Error": "States.Timeout"})
    assert explain({"Error": "States.Timeout", "Cause": meaning}) == meaning


def test_plain_text_is_taken_as_it_is() -> None:
    assert explain({"Error": "Custom", "Cause": " stopped \n by\thand "}) == "stopped by hand."


@pytest.mark.parametrize(
    "error",
    [
        {},
        {"Error": ""},
        {"Error": None, "Cause": None},
        {"Cause": lambda_cause("")},
        {"Cause": lambda_cause(None)},
        {"Error": " "},
    ],
)
def test_an_error_without_words_still_gets_a_sentence(error: dict[str, str | None]) -> None:
    assert explain(error) == "The reason is not known."


def test_an_error_with_a_name_only_is_named() -> None:
    assert explain({"Error": "Custom.Error", "Cause": ""}) == "Custom.Error."
    assert explain({"Error": "Custom.Error", "Cause": lambda_cause(None)}) == "Custom.Error."


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (lambda_cause(" Rate exceeded "), "Rate exceeded"),
        (lambda_cause(404), "404"),
        ('{"errorType": "A"}', '{"errorType": "A"}'),
        ('["errorMessage"]', '["errorMessage"]'),
        ('"errorMessage"', '"errorMessage"'),
        ("{cut off", "{cut off"),
        ("", ""),
        ("[" * 30_000, "[" * 30_000),
    ],
    ids=range(8),
)
def test_the_message_of_a_cause(cause: str, message: str) -> None:
    assert message_of(cause) == message


@pytest.mark.parametrize("ending", [".", "!", "?"])
def test_a_sentence_that_ends_stays_as_it_is(ending: str) -> None:
    assert explain({"Error": "E", "Cause": f"Stopped{ending}"}) == f"Stopped{ending}"


def test_a_long_message_is_cut_and_shows_it() -> None:
    reason = explain({"Error": "E", "Cause": "word " * 5000})
    assert len(reason) <= 600
    assert reason.endswith("word…")


@given(st.fixed_dictionaries({}, optional={"Error": st.text(max_size=30), "Cause": st.text(max_size=2000)}))
def test_any_error_becomes_one_readable_line(error: dict[str, str]) -> None:
    reason = explain(error)
    assert 1 < len(reason) <= 720
    assert reason.endswith((".", "!", "?", "…"))
    assert reason == " ".join(reason.split())


@pytest.mark.parametrize(
    ("status", "error", "cause", "sentence"),
    [
        ("TIMED_OUT", "", "", "The analysis timed out and was stopped."),
        ("TIMED_OUT", "States.Timeout", "x", "The analysis timed out and was stopped."),
        ("ABORTED", "", "", "The analysis was stopped manually."),
        ("ABORTED", "", "  ", "The analysis was stopped manually."),
        ("ABORTED", "", "wrong camera", "The analysis was stopped manually: wrong camera."),
        ("FAILED", "States.DataLimitExceeded", "", "The findings are larger than the workflow's limit (256 KiB)."),
        ("FAILED", "E", "It broke", "It broke."),
        ("FAILED", "", "", "The reason is not known."),
    ],
)
def test_an_interrupted_execution_says_why(status: str, error: str, cause: str, sentence: str) -> None:
    assert interruption(status, error, cause) == sentence
