"""The declaration of an operation: its route, what it takes, what it returns. Requests are checked against it, and the OpenAPI
document is generated from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from imagewatch.rules.fields import Declaration

Schema = Mapping[str, Any]
IMAGE_ID = "^[0-9a-f]{32}$"
SLUG = "^[a-z0-9][a-z0-9-]{0,63}$"


@dataclass(frozen=True)
class TextKind:
    """A kind of value that is written as text."""

    parse: Callable[[str], Any]
    """Raises ValueError for text that is no such value."""
    must: str
    """What the text must be, for messages: "a whole number from 1 to 100"."""
    schema: Schema


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query. Where it is `repeated`, it has a list of values."""

    name: str
    kind: TextKind
    description: str
    default: Any = None
    required: bool = False
    repeated: bool = False


@dataclass(frozen=True)
class Answer:
    """A successful answer of an operation."""

    description: str
    schema: Schema = field(default_factory=dict)
    """JSON schema of the body."""
    status: HTTPStatus = HTTPStatus.OK
    media_types: tuple[str, ...] = ("application/json",)


@dataclass(frozen=True, eq=False)
class Operation:
    """One method of one path."""

    method: str
    path: str
    """Below the stage, such as "/images/{image_id}". Its parameters are checked against `ids`."""
    operation_id: str
    summary: str
    answer: Answer
    description: str = ""
    query: tuple[Parameter, ...] = ()
    body: Declaration | None = None
    body_schema: Schema | None = None
    """For a body that another reader than FieldReader checks, such as a rule."""
    operators_only: bool = False
    ids: Mapping[str, str] = field(default_factory=dict)
    """Path parameter -> pattern. A value that doesn't match is the id of nothing: 404."""
    conflicts: str = ""
    """When the operation answers 409; empty if it never does."""

    @property
    def tag(self) -> str:
        return self.path.split("/")[1].capitalize()

    @property
    def route(self) -> str:
        """The route key of the gateway."""
        return f"{self.method} {self.path}"

    @property
    def has_body(self) -> bool:
        return self.body is not None or self.body_schema is not None
