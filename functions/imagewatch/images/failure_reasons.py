"""Why something failed, as a sentence that a person understands: from what Step Functions keeps of an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# What these errors mean to the person who looks at the record; everything else speaks through its own message.
_MEANINGS = {
    "States.Timeout": "A step took longer than it may.",
    "Sandbox.Timedout": "A step took longer than it may.",
    "Lambda.Unknown": "A function stopped without saying why (out of memory, or out of time).",
    "Runtime.ExitError": "A function's process ended unexpectedly (out of memory, or a crash).",
    "Runtime.OutOfMemory": "A function ran out of memory.",
    "Lambda.TooManyRequestsException": "Lambda had no free capacity for too long.",
    "Throttled": "AWS kept asking us to slow down, for longer than we wait.",
    "Unavailable": "An AWS service kept failing, for longer than we wait.",
    "States.DataLimitExceeded": "What was found is larger than a workflow can carry (256 KiB).",
    "States.Runtime": "The workflow's definition could not be carried out on this input.",
}

_LONGEST = 600  # characters of a message that a person still reads


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
    """The sentence for an execution that ended without reaching Record Failure."""
    if status == "TIMED_OUT":
        return "The analysis took longer than it may and was stopped."
    if status == "ABORTED":
        return f"The analysis was stopped by hand: {_sentence(cause)}" if cause.strip() else "The analysis was stopped by hand."
    return explain({"Error": error, "Cause": cause})


def _sentence(text: str) -> str:
    text = " ".join(text.split()) or "The reason is not known"
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1].rstrip() + "…"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
