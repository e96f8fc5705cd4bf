"""Keeps the server small: one copy of botocore's service models, and freed memory given back to the system."""

from __future__ import annotations

import ctypes
import functools
import gc

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
