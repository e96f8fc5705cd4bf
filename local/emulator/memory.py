"""Reduces the server's memory: shared service models, lazy imports in moto, freed memory returned to the system."""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import importlib.util
import sys
import types
from typing import Any

# glibc's mallopt options M_ARENA_MAX, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD with their values (thresholds in bytes).
# The environment variables set the same options for the workers.
MALLOC_OPTIONS = ((-8, 1), (-1, 262_144), (-3, 262_144))
MALLOC_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "262144", "MALLOC_MMAP_THRESHOLD_": "262144"}

YOUNG_OBJECTS = 10_000  # allocations before a garbage collection. Python's default is 700.


def reduce_memory() -> None:
    """Share service models and, on glibc, limit the allocator's reserves. Call before the heavy imports."""
    share_service_models()
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc: its defaults stay
        return
    for option, value in MALLOC_OPTIONS:
        mallopt(option, value)


def collect_less_often() -> None:
    """Exclude all objects that exist now from garbage collection, and collect less often. Call when startup is complete."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def share_service_models() -> None:
    """Make all boto3 sessions of this process use one loader, which caches the service models."""
    import botocore.loaders
    import botocore.session

    create = functools.cache(botocore.loaders.create_loader)
    for module in (botocore.loaders, botocore.session):
        setattr(module, "create_loader", create)  # noqa: B010 - not an attribute that the modules declare


def load_batch_lazily() -> None:
    """Replace `moto.batch` by a package that loads its models on first use. Call before moto.stepfunctions is imported.

    The Step Functions interpreter imports moto.batch for one list of states. moto.batch imports EC2 with all instance types,
    which takes more than a second and 60 MB.
    """
    if "moto.batch" in sys.modules:
        return
    found = importlib.util.find_spec("moto.batch")
    if found is None:
        return
    package = types.ModuleType("moto.batch")
    package.__path__ = list(found.submodule_search_locations or [])
    package.__spec__ = found

    def load_models(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module("moto.batch.models"), name)

    package.__getattr__ = load_models  # type: ignore[method-assign]
    sys.modules["moto.batch"] = package


def stop_tracking_models() -> None:
    """Stop moto from keeping a list of all model instances, which grows by 70 KB for each processed image.

    moto's own page, /moto-api, shows that list. It stays empty.
    """
    from moto.core.common_models import BaseModel

    BaseModel.__new__ = staticmethod(lambda cls, *_, **__: object.__new__(cls))
