"""Writes small HEIC files for the tests: Pillow can't, and no real photo is needed.

One HEVC intra picture of 32 x 32 blocks. Each block is a separate slice with uncompressed (PCM) samples, so that the arithmetic
coder never gets beyond its first two decisions, whose bits are always the same.
Source: ITU-T H.265 (7.3 syntax, 9.3 CABAC), ISO/IEC 23008-12 (HEIF).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

BLOCK = 32
_PROFILE = "00000011" + "01110000" + "0" * 24 + "1011" + "0" * 44 + f"{90:08b}"  # Main Still Picture, level 3
_BLOCK_BEGINS = b"\x86\x80"  # part_mode 2Nx2N, pcm_flag, alignment
_BLOCK_ENDS = b"\xfe\x80"  # end_of_slice_segment_flag, stop bit

Colour = tuple[int, int, int]
"""Y, Cb, Cr, each 0-255."""


def heic(
    columns: int, rows: int, colour_of: Callable[[int, int], Colour], quarter_turns: int = 0, brand: bytes = b"heic"
) -> bytes:
    """A HEIC of columns x rows blocks in plain colours, to be shown after quarter_turns anticlockwise."""
    width, height = columns * BLOCK, rows * BLOCK
    slices = [_slice(n, columns * rows, colour_of(n % columns, n // columns)) for n in range(columns * rows)]
    picture = b"".join(struct.pack(">I", len(nal)) + nal for nal in slices)
    properties = [_decoder_configuration(width, height), _full_box(b"ispe", struct.pack(">II", width, height))]
    properties += [_box(b"irot", bytes([quarter_turns]))] if quarter_turns else []
    head = _box(b"ftyp", brand + bytes(4) + b"mif1heic")
    meta_size = len(_meta(properties, 0, len(picture)))
    return head + _meta(properties, len(head) + meta_size + 8, len(picture)) + _box(b"mdat", picture)


def _meta(properties: list[bytes], offset: int, size: int) -> bytes:
    associations = bytes([len(properties)]) + bytes(0x80 | n for n in range(1, len(properties) + 1))
    return _full_box(
        b"meta",
        _full_box(b"hdlr", bytes(4) + b"pict" + bytes(13)),
        _full_box(b"pitm", struct.pack(">H", 1)),
        _full_box(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, size)),
        _full_box(b"iinf", struct.pack(">H", 1), _full_box(b"infe", struct.pack(">HH", 1, 0) + b"hvc1\0", version=2)),
        _box(b"iprp", _box(b"ipco", *properties), _full_box(b"ipma", struct.pack(">IH", 1, 1) + associations)),
    )


def _decoder_configuration(width: int, height: int) -> bytes:
    sets = [(32, _video_parameters()), (33, _sequence_parameters(width, height)), (34, _picture_parameters())]
    head = b"\x01" + _packed(_PROFILE) + bytes.fromhex("f000 fc fd f8 f8 0000 0f") + bytes([len(sets)])
    return _box(b"hvcC", head, *(struct.pack(">BHH", 0x80 | kind, 1, len(nal)) + nal for kind, nal in sets))


def _video_parameters() -> bytes:
    return _nal(32, "0000110000000001" + "1" * 16 + _PROFILE + "1" + _ue(0) * 3 + "000000" + _ue(0) + "00")


def _sequence_parameters(width: int, height: int) -> bytes:
    bits = "00000001" + _PROFILE + _ue(0) + _ue(1) + _ue(width) + _ue(height) + "0" + _ue(0) + _ue(0) + _ue(0)
    bits += "1" + _ue(0) * 3  # one picture, no reordering
    bits += _ue(2) + _ue(0) + _ue(0) + _ue(3) + _ue(0) + _ue(0)  # blocks of 32, transforms of 4 to 32, never split
    bits += "000101110111" + _ue(2) + _ue(0) + "1"  # uncompressed blocks of 32, 8 bits a sample
    return _nal(33, bits + _ue(0) + "00000")


def _picture_parameters() -> bytes:
    bits = _ue(0) + _ue(0) + "0000000" + _ue(0) + _ue(0) + _ue(0) + "000" + _ue(0) + _ue(0) + "000000"
    return _nal(34, bits + "010100" + _ue(0) + "00")  # no deblocking


def _slice(number: int, count: int, colour: Colour) -> bytes:
    address = f"{number:0{(count - 1).bit_length()}b}" if number else ""
    header = _packed(("0" if number else "1") + "0" + _ue(0) + address + _ue(2) + _ue(0) + "1")
    luma, *chroma = colour
    samples = bytes([luma]) * BLOCK**2 + b"".join(bytes([value]) * (BLOCK // 2) ** 2 for value in chroma)
    return _escaped(bytes([20 << 1, 1]) + header + _BLOCK_BEGINS + samples + _BLOCK_ENDS)


def _nal(kind: int, bits: str) -> bytes:
    return _escaped(bytes([kind << 1, 1]) + _packed(bits + "1"))


def _escaped(nal: bytes) -> bytes:
    """Two zeros must not be followed by a byte below 4: a 3 goes between."""
    escaped, zeros = bytearray(), 0
    for byte in nal:
        if zeros == 2 and byte < 4:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(escaped)


def _packed(bits: str) -> bytes:
    return bytes(int(bits[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(bits), 8))


def _ue(value: int) -> str:
    """Exp-Golomb code."""
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _box(kind: bytes, *content: bytes) -> bytes:
    return struct.pack(">I", 8 + sum(map(len, content))) + kind + b"".join(content)


def _full_box(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]), *content)
