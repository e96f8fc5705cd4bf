"""Damages files as transport, faulty software and attackers do. A seeded random generator decides."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping

MOST_BYTES = 200_000
"""Size limit of a seed file. Larger ones only make the run slower."""
EXTREMES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 10_000, 60_000]


def mutated(seeds: Mapping[str, bytes], dice: random.Random) -> tuple[str, bytes]:
    """(name of the seed file, the file with one to eight kinds of damage)."""
    name = dice.choice(sorted(seeds))
    data = bytearray(seeds[name])
    for _ in range(dice.choice([1, 1, 2, 3, 8])):
        if not data:
            break
        dice.choice(KINDS)(data, dice, seeds)
    return name, bytes(data)


def _place(data: bytearray, dice: random.Random) -> int:
    # Half of the damage goes into the header.
    return dice.randrange(min(len(data), 300) if dice.random() < 0.5 else len(data))


def _flip_a_bit(data: bytearray, dice: random.Random, seeds: Mapping[str, bytes]) -> None:
    data[_place(data, dice)] ^= 1 << dice.randrange(8)


def _write_a_number(data: bytearray, dice: random.Random, seeds: Mapping[str, bytes]) -> None:
    """Writes an extreme size, offset or count in either byte order."""
    form = dice.choice([">B", ">H", "<H", ">I", "<I"])
    number = dice.choice([*EXTREMES, dice.randrange(2**32)]) % (1 << 8 * struct.calcsize(form))
    at = _place(data, dice)
    data[at : at + struct.calcsize(form)] = struct.pack(form, number)


def _write_noise(data: bytearray, dice: random.Random, seeds: Mapping[str, bytes]) -> None:
    at = _place(data, dice)
    noise = dice.randbytes(dice.choice([1, 4, 16, 100]))
    data[at : at + len(noise)] = noise


def _cut_off(data: bytearray, dice: random.Random, seeds: Mapping[str, bytes]) -> None:
    del data[_place(data, dice) :]


def _leave_out(data: bytearray, dice: random.Random, seeds: Mapping[str, bytes]) -> None:
    at = _place(data, dice)
    del data[at : at + dice.choice([1, 2, 4, 12, 100])]


def _repeat(data: bytearray, dice: random.Random, seeds: Mapping[str, bytes]) -> None:
    at = _place(data, dice)
    part = data[at : at + dice.choice([4, 12, 64, 1000])]
    data[at:at] = part * dice.choice([1, 1, 10])


def _graft(data: bytearray, dice: random.Random, seeds: Mapping[str, bytes]) -> None:
    """Inserts a part of another file of any format."""
    other = seeds[dice.choice(sorted(seeds))]
    start = dice.randrange(len(other) or 1)
    at = _place(data, dice)
    data[at : at + dice.choice([0, 16, 1000])] = other[start : start + dice.choice([16, 200, 5000])]


KINDS: list[Callable[[bytearray, random.Random, Mapping[str, bytes]], None]] = [
    _flip_a_bit,
    _write_a_number,
    _write_a_number,
    _write_noise,
    _cut_off,
    _leave_out,
    _repeat,
    _graft,
]
