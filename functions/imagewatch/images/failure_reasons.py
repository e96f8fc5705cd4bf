"""Turns the errors that Step Functions reports into sentences for users."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Every other error is explained by its own message.
_MEANINGS = {
    "States.Timeout": "A step timed out.",
    "Sandbox.Timedout": "A step timed out.",
    "Lambda.Unknown": "A function stopped without an error message (out of memory or time).",
    "Runtime.ExitError": "A function's process ended unexpectedly (out of memory, or a crash).",
    "Runtime.OutOfMemory": "A function ran out of memory.",
    "Lambda.TooManyRequestsException": "Lambda had no free concurrency, and the retries are exhausted.",
    "Throttled": "An AWS service kept throttling requests, and the retries are exhausted.",
    "Unavailable": "An AWS service kept failing, and the retries are exhausted.",
    "States.DataLimitExceeded": "The findings are larger than the workflow's limit (256 KiB).",
    "States.Runtime": "The workflow's definition can't process this input.",
}

_LONGEST = 600  # characters of a message


def explain(error: Mapping[str, Any]) -> str:
    """A sentence for {Error, Cause} as a Catch receives it; Cause is Lambda's JSON or plain text."""
    name = str(error.get("Error") or "")
    message = message_of(str(error.get("Cause") or ""))
    meaning = _MEANINGS.get(name)
    if meaning is None:
        return _sentence(message or name)
    return f"{meaning} Details: {_sentence(message)}" if message and message != meaning else meaning


def message_of(cause: str) -> str:
    """The message in a Cause: Lambda's errorMessage where it is Lambda's JSON, else the text itself."""
    try:
        parsed = json.loads(cause)
    except (ValueError, RecursionError):
        return cause.strip()
    if isinstance(parsed, dict) and "errorMessage" in parsed:
        return str(parsed["errorMessage"] or "").strip()
    return cause.strip()


def interruption(status: str, error: str, cause: str) -> str:
    """A sentence for an execution that ended before Record Failure. Error and cause are Step Functions' and can be empty."""
    if status == "TIMED_OUT":
        return "The analysis timed out and was stopped."
    if status == "SUCCEEDED":
        return "The analysis ended without a result."
    if status == "ABORTED":
        return f"The analysis was stopped manually: {_sentence(cause)}" if cause.strip() else "The analysis was stopped manually."
    return explain({"Error": error, "Cause": cause})


def _sentence(text: str) -> str:
    text = " ".join(text.split()) or "The reason is not known"
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1].rstrip() + "…"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
