"""A request as an operation receives it: read from the gateway's event, and checked against the operation's declaration."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from imagewatch.api.operation import Operation, Parameter
from imagewatch.api.parameters import MAX_IDS
from imagewatch.api.problems import Mistake, RequestRefused, invalid, not_found
from imagewatch.api.viewer import Viewer, viewer_of
from imagewatch.rules.fields import shown

_FOR_OPERATORS = "Only members of the group operators may do this. Ask an operator to add you to the group."
_NOT_JSON = "The body must be JSON: send it with Content-Type: application/json."


@dataclass(frozen=True)
class Request:
    """A request whose parameters and body are as the operation declares them."""

    viewer: Viewer
    ids: Mapping[str, str]
    """The parameters of the path."""
    query: Mapping[str, Any]
    """Every declared parameter; those that were left out have their defaults."""
    body: Any = None
    """The parsed JSON. Its fields are read by the operation."""
    remaining_seconds: float = 30.0
    """How long the function may still run."""
    token: str = field(default="", repr=False)
    """The access token, for calls as this person. It is never logged."""


def read(event: Mapping[str, Any], operation: Operation, ids: Mapping[str, str], seconds: float = 30.0) -> Request:
    """Reads an event of an HTTP API (payload 2.0). Raises RequestRefused."""
    viewer = viewer_of(event)
    if operation.operators_only and not viewer.is_operator:
        raise RequestRefused(HTTPStatus.FORBIDDEN, _FOR_OPERATORS)
    for name, pattern in operation.ids.items():
        if not re.fullmatch(pattern, ids[name]):
            raise not_found(f"{name.replace('_id', '').replace('_', ' ')} {shown(ids[name])}")
    values = query(event.get("rawQueryString", ""), operation.query)
    return Request(viewer, ids, values, _body(event, operation), seconds, _headers(event).get("authorization", "").split(" ")[-1])


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in event.get("headers", {}).items()}


def query(raw: str, declared: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters of a query string. Raises RequestRefused with every mistake; an unknown parameter is one."""
    known = {parameter.name: parameter for parameter in declared}
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw, keep_blank_values=True, errors="replace"):
        given.setdefault(name, []).append(value)
    mistakes = [Mistake(_unknown(name, known), parameter=name) for name in given if name not in known]
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        try:
            values[name] = _value(parameter, given.get(name, []))
        except ValueError as error:
            mistakes.append(Mistake(str(error), parameter=name))
    if mistakes:
        raise invalid(mistakes)
    return values


def _value(parameter: Parameter, texts: Sequence[str]) -> Any:
    """Raises ValueError with a sentence."""
    name, must = parameter.name, parameter.kind.must
    if not texts:
        if parameter.required:
            raise ValueError(f"{name} is missing; it must be {must}.")
        return () if parameter.repeated else parameter.default
    if len(texts) > (MAX_IDS if parameter.repeated else 1):
        raise ValueError(f"{name} is given {len(texts)} times; {MAX_IDS if parameter.repeated else 'one'} is allowed.")
    found = []
    for text in texts:
        try:
            found.append(parameter.kind.parse(text))
        except ValueError:
            raise ValueError(f"{name} must be {must}, not {shown(text)}.") from None
    return tuple(dict.fromkeys(found)) if parameter.repeated else found[0]


def _unknown(name: str, known: Mapping[str, Parameter]) -> str:
    allowed = f"Its parameters are {', '.join(known)}." if known else "It has none."
    return f"{shown(name)} is not a parameter of this operation. {allowed}"


def _body(event: Mapping[str, Any], operation: Operation) -> Any:
    raw = event.get("body") or ""
    if not operation.has_body:
        if raw:
            raise invalid([Mistake("This operation takes no body. Send none.", "#")])
        return None
    media_type = _headers(event).get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _NOT_JSON, headers={"Accept-Post": "application/json"})
    try:
        text = base64.b64decode(raw) if event.get("isBase64Encoded") else raw
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, binascii.Error):
        raise invalid([Mistake("The body is not valid JSON (RFC 8259).", "#")]) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON.")
