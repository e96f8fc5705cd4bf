"""The fuzzer's sandbox: an examination that hangs, crashes, uses too much memory or raises is a finding."""

from __future__ import annotations

import os
import random
import signal
import time
from types import SimpleNamespace

import pytest

from imagewatch.errors import ImageRejected
from tests.fuzz.mutations import mutated
from tests.fuzz.sandbox import Sandbox
from tests.hard_images import FORMATS


def misbehave(data: bytes) -> SimpleNamespace:
    """Replaces `examine` and behaves as the bytes request."""
    match data:
        case b"hang":
            time.sleep(60)
        case b"die":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"eat":
            _eat()
        case b"raise":
            raise KeyError("surprise")
        case b"reject":
            raise ImageRejected("This is a sentence.")
        case b"mumble":
            raise ImageRejected("no sentence")
    return SimpleNamespace(format="JPEG")


def _eat() -> None:
    try:
        bytearray(1700 * 1024 * 1024)
        bytearray(2000 * 1024 * 1024)
    except MemoryError as error:
        raise ImageRejected("The file is damaged.") from error


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(f"{__name__}:misbehave", seconds=120)  # on a busy machine, "eat" takes some seconds


@pytest.mark.parametrize(
    ("what", "verdict", "said"),
    [
        ("die", "finding", "The process ended with code -11."),
        ("eat", "finding", "The image needs more memory than the function has"),
        ("raise", "finding", "KeyError: 'surprise'"),
        ("reject", "rejected", "This is a sentence."),
        ("mumble", "finding", "The reason is not a sentence"),
        ("be fine", "read", "JPEG"),
    ],
)
def test_every_result_but_a_picture_or_a_rejection_is_a_finding(sandbox: Sandbox, what: str, verdict: str, said: str) -> None:
    found = sandbox.examine(what.encode())
    assert found[0] == verdict
    assert said in found[1]


def test_an_examination_that_hangs_is_a_finding() -> None:
    assert Sandbox(f"{__name__}:misbehave", seconds=5).examine(b"hang") == ("finding", "The image took longer than 5 s.")


def test_an_image_that_a_function_can_read_is_not_a_finding(sandbox: Sandbox) -> None:
    assert sandbox.examine(b"be fine") == ("read", "JPEG")


def test_the_same_seed_makes_the_same_damage() -> None:
    seeds = {name: make() for name, (_, make) in list(FORMATS.items())[:5]}
    first, second = ([mutated(seeds, random.Random(f"7/{number}")) for number in range(30)] for _ in range(2))
    assert first == second
    assert len({data for _, data in first}) > 20
