"""Keeps the server small: one copy of botocore's service models, and freed memory given back to the system."""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import importlib.util
import sys
import types
from typing import Any

# glibc's mallopt: M_ARENA_MAX, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD with their values (bytes for the thresholds).
MALLOC_OPTIONS = ((-8, 1), (-1, 262_144), (-3, 262_144))

YOUNG_OBJECTS = 10_000  # before a collection. With Python's 700 an image meets four, a tenth of the server's work


def save_memory() -> None:
    """Call before the heavy imports. Elsewhere than on glibc only the models are shared."""
    share_service_models()
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library: its defaults have to do
        return
    for option, value in MALLOC_OPTIONS:
        mallopt(option, value)


def spare_collector() -> None:
    """Call when everything is loaded: no collection goes through the program itself again, and there are fewer of them."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def share_service_models() -> None:
    """Let every boto3 session of this process read service models through one loader, which keeps what it has read."""
    import botocore.loaders
    import botocore.session

    create = functools.cache(botocore.loaders.create_loader)
    for module in (botocore.loaders, botocore.session):
        module.create_loader = create


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
