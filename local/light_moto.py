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
