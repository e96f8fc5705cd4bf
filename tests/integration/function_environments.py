"""Sets os.environ to what the template gives one function, and restores it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tools.sam_template import Template


@dataclass(eq=False)
class _Entered:
    """An environment that is in force, the number of blocks that share it, and the variables that it replaced."""

    variables: Mapping[str, str]
    blocks: int
    before: Mapping[str, str | None]


class FunctionEnvironments:
    """The environments of all functions of a template. Blocks nest, and threads of the same function share a block."""

    def __init__(self, template: Template, resolve: Callable[[Any], Any]) -> None:
        self._variables: dict[str, dict[str, str]] = {}
        for logical_id, resource in template.resources.items():
            if resource["Type"] == "AWS::Lambda::Function":
                given = resolve(resource["Properties"]["Environment"]["Variables"])
                self._variables[logical_id.removesuffix("Function")] = {name: str(value) for name, value in given.items()}
        self._names = {name for variables in self._variables.values() for name in variables}
        self._entered: list[_Entered] = []
        self._lock = threading.Lock()

    def change(self, function: str, **variables: str) -> None:
        """Replaces variables of a function for all blocks that follow."""
        self._variables[function].update(variables)

    @contextmanager
    def of(self, function: str, **changes: str) -> Iterator[None]:
        """Sets the variables of a function (without "Function") for the block, and removes those of the other functions.

        `changes` replaces variables for this block only.
        """
        entered = self._enter({**self._variables[function], **changes})
        try:
            yield
        finally:
            self._leave(entered)

    def _enter(self, variables: Mapping[str, str]) -> _Entered:
        with self._lock:
            if not self._entered or self._entered[-1].variables != variables:
                self._entered.append(_Entered(variables, 0, {name: os.environ.get(name) for name in self._names}))
                _set({name: variables.get(name) for name in self._names})
            self._entered[-1].blocks += 1
            return self._entered[-1]

    def _leave(self, entered: _Entered) -> None:
        with self._lock:
            entered.blocks -= 1
            if entered.blocks == 0:
                place = self._entered.index(entered)
                del self._entered[place]
                if place == len(self._entered):
                    _set(entered.before)
                else:  # another thread's block is still in force, and restores more
                    self._entered[place].before = entered.before


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
