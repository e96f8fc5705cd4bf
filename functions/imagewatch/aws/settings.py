"""The environment variables that template.yaml gives to functions: one name, one meaning, for all of them."""

from __future__ import annotations

import os


def setting(name: str) -> str:
    """The variable's value. Raises KeyError naming it when the template doesn't give it to this function."""
    try:
        return os.environ[name]
    except KeyError:
        raise KeyError(f"{name} is not set: template.yaml must give it to this function.") from None
