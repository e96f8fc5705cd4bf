"""Keeps moto's heaviest parts out of memory until somebody asks for them.

The Step Functions interpreter imports AWS Batch for one list of states, and Batch imports EC2 with every instance type:
more than a second and 60 MB at each start.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from typing import Any


def spare_batch() -> None:
    """Make `moto.batch` a package whose models are loaded on first use. Call before moto.stepfunctions is imported."""
    if "moto.batch" in sys.modules:
        return
    found = importlib.util.find_spec("moto.batch")
    if found is None:
        return
    package = types.ModuleType("moto.batch")
    package.__path__ = list(found.submodule_search_locations or [])
    package.__spec__ = found

    def on_first_use(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module("moto.batch.models"), name)

    package.__getattr__ = on_first_use  # type: ignore[method-assign]
    sys.modules["moto.batch"] = package


def forget_models() -> None:
    """Keep no list of every model that was ever made: moto's web page lists them, and nothing is let go.

    Each read of an item copies it, each log line and message is a model: 70 KB for each image, and all of it work for the
    garbage collector. The page (/moto-api) stays empty.
    """
    from moto.core.common_models import BaseModel

    BaseModel.__new__ = staticmethod(lambda cls, *_, **__: object.__new__(cls))  # type: ignore[assignment,method-assign]
