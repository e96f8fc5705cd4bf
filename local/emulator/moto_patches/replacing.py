"""Replaces attributes of moto's classes and modules, and restores them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Restore = Callable[[], None]
_MISSING = object()


def replace(*replacements: tuple[Any, str, Any]) -> Restore:
    """Set each (class or module, attribute, value). Returns a function that restores the previous attributes."""
    saved = [(target, name, vars(target).get(name, _MISSING)) for target, name, _ in replacements]
    for target, name, value in replacements:
        setattr(target, name, value)

    def restore() -> None:
        for target, name, value in saved:
            if value is _MISSING:
                delattr(target, name)
            else:
                setattr(target, name, value)

    return restore
