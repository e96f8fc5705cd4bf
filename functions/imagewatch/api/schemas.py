"""Builders of the JSON schemas that describe answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagewatch.api.operation import Schema

STRING: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
CONFIDENCE: Schema = {"type": "number", "minimum": 0, "maximum": 100}
IMAGE_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
URL: Schema = {"type": "string", "format": "uri"}
STRINGS: Schema = {"type": "array", "items": STRING}
ANYTHING: Schema = {"type": "object", "additionalProperties": True}


def described(schema: Schema, description: str) -> Schema:
    """The schema with a description."""
    return {**schema, "description": description}


def a_list(items: Schema) -> Schema:
    """A list of such values."""
    return {"type": "array", "items": items}


def mapping(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, description: str = "") -> Schema:
    """An object with these members and no others."""
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }
    return {**schema, "description": description} if description else schema


def page(name: str, entry: Schema, more: Mapping[str, Schema] | None = None) -> Schema:
    """A page of entries, with the cursor of the next one."""
    cursor = described(STRING, "Where the next page begins. Left out on the last page.")
    return mapping({name: a_list(entry)}, {"NextCursor": cursor, **(more or {})})
