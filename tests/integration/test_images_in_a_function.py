"""Hard images, and damaged ones, in a process that has the memory and the time of Validate Image and no more of either."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from imagewatch.errors import ImageRejected
from imagewatch.images.decoding import examine
from tests.fuzz.mutations import MOST_BYTES, mutated
from tests.fuzz.sandbox import FUNCTION_MEMORY_MB, Sandbox
from tests.hard_images import VARIANTS
from tools.sam_template import Template

MUTATIONS, SEED = 300, 20261121


@pytest.fixture(scope="module")
def function(template: Template) -> Iterator[Sandbox]:
    properties = template.resources["ValidateImageFunction"]["Properties"]
    assert properties["MemorySize"] == FUNCTION_MEMORY_MB
    sandbox = Sandbox("imagewatch.images.decoding:examine", properties["Timeout"])
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("name", VARIANTS)
def test_each_hard_image_is_read_or_rejected_within_the_functions_memory_and_time(function: Sandbox, name: str) -> None:
    data = VARIANTS[name]()
    verdict, said = function.examine(data)
    assert (verdict, said) == outcome(data)


def outcome(data: bytes) -> tuple[str, str]:
    """What comes out where there is memory enough."""
    try:
        return "read", examine(data).format
    except ImageRejected as rejected:
        return "rejected", str(rejected)


@pytest.mark.slow
def test_a_few_hundred_damaged_images_are_read_or_rejected(function: Sandbox) -> None:
    """`make fuzz` runs for any time, with another seed."""
    seeds = {name: data for name, make in VARIANTS.items() if 0 < len(data := make()) <= MOST_BYTES}
    verdicts = set()
    for number in range(MUTATIONS):
        name, data = mutated(seeds, random.Random(f"{SEED}/{number}"))
        verdict, said = function.examine(data)
        assert verdict in ("read", "rejected"), f"{number} ({name}): {said}; again: make fuzz --seed {SEED} --only {number}"
        verdicts.add(verdict)
    assert verdicts == {"read", "rejected"}
