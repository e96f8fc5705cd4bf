"""Writes the lines of a stage's access log in the format that the template defines.

Source: Amazon API Gateway developer guide, "Customize HTTP API access logs": an unknown or empty variable becomes "-".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_.:]+)")


@dataclass
class Entry:
    """What is known about a request when its response is sent: values of $context by name."""

    values: dict[str, str] = field(default_factory=dict)

    def set(self, values: Mapping[str, object]) -> None:
        self.values |= {name: str(value) for name, value in values.items() if value not in (None, "")}

    def line(self, log_format: str) -> str:
        return _VARIABLE.sub(lambda match: self._value(match[1]), log_format)

    def _value(self, name: str) -> str:
        value = self.values.get(name, "-")
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
