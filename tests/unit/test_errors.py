"""The error tree in errors.py is complete, and each error is marked as permanent or transient."""

from __future__ import annotations

import inspect
import re

from imagewatch import errors


def drawn() -> dict[str, str]:
    """Each class in the tree of the module's docstring, with its parent class."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"([│├└─ ]*)([A-Z]\w+)(?:  |$)", line):
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            parents[match[2]] = path[depth - 1] if depth else ""
    return parents


def defined() -> dict[str, str]:
    classes = inspect.getmembers(errors, lambda value: inspect.isclass(value) and issubclass(value, errors.ImagewatchError))
    return {name: kind.__base__.__name__ if kind.__base__ is not Exception else "" for name, kind in classes}


def test_the_tree_shows_every_error_under_its_base() -> None:
    assert drawn() == defined()


def test_every_error_is_permanent_or_transient() -> None:
    leaves = set(defined()) - set(defined().values())
    assert leaves
    for name in leaves:
        kind = getattr(errors, name)
        assert issubclass(kind, errors.PermanentError) != issubclass(kind, errors.TransientError), name
