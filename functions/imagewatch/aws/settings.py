"""The environment variables that template.yaml sets for functions. A name has the same meaning in all functions."""

from __future__ import annotations

import os


def setting(name: str) -> str:
    """The variable's value. Raises KeyError naming it when the template doesn't set it for this function."""
    try:
        return os.environ[name]
    except KeyError:
        raise KeyError(f"{name} is not set: template.yaml must set it for this function.") from None


def optional_setting(name: str) -> str:
    """The variable's value, or an empty string. For variables that template.yaml does not set."""
    return os.environ.get(name, "")
