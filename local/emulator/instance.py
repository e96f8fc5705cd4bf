"""What an instance runs: its checkout, the version of its code, and its options. The health document shows it."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOT_COMPARED = ("detach", "stop", "port")


@dataclass(frozen=True)
class Instance:
    """An instance that runs, or that was asked for. `options` are texts by name, such as host: 127.0.0.1."""

    checkout: str
    version: str
    options: Mapping[str, str]

    @classmethod
    def from_health(cls, document: Mapping[str, Any]) -> Instance:
        """The instance that sent this health document. Instances before this document had these members are unknown."""
        return cls(document.get("checkout", "an unknown folder"), document.get("version", ""), document.get("options", {}))

    def to_health(self) -> dict[str, Any]:
        """The members of the health document."""
        return {"checkout": self.checkout, "version": self.version, "options": dict(self.options)}

    def other_options(self, running: Instance, asked: Collection[str]) -> Iterator[str]:
        """A clause for each asked option that `running` has with another value."""
        for name, value in self.options.items():
            has = running.options.get(name, "")
            if name in asked and has != value:
                yield f"--{name.replace('_', '-')} {has or '(none)'}, not {value or '(none)'}"


def option_texts(options: argparse.Namespace) -> dict[str, str]:
    """The parsed options as texts. Paths are absolute, so that two folders with the same relative path differ."""

    def text(value: Any) -> str:
        if isinstance(value, Path):
            return str(value.resolve())
        return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)

    return {name: text(value) for name, value in vars(options).items() if name not in NOT_COMPARED}


def asked_options(arguments: Sequence[str], environment: Mapping[str, str], variables: Mapping[str, str]) -> set[str]:
    """The names of the options that the user gave: in the arguments, or in a variable of `variables` (variable: option)."""
    given = {argument[2:].partition("=")[0].replace("-", "_") for argument in arguments if argument.startswith("--")}
    return given | {option for variable, option in variables.items() if environment.get(variable)}
