"""The headers of JPEG, JPEG-LS and JPEG 2000 codestreams, read before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

SOC, SOI = b"\xff\x4f", b"\xff\xd8"
SIZ, COD, COC, SOT = 0x51, 0x52, 0x53, 0x90  # JPEG 2000, ISO/IEC 15444-1 A.2
SOS = 0xDA  # JPEG, ISO/IEC 10918-1 B.1.1.3
FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF of JPEG, and of JPEG-LS
BLOCKS_MAX = 2**19  # of a JPEG 2000 picture, each of which takes memory; 64 million pixels in 64×64 make 2¹⁴
TILES_MAX = 2**16 - 1  # their numbers have 16 bits
JP2 = b"\0\0\0\x0cjP  "


class Codestream(NamedTuple):
    """What a codestream declares of its picture.

    Attributes:
        rows: Height, px.
        columns: Width, px.
        samples: Values of a pixel.
        precision: Bits of a value.
        signed: Whether values are signed, which only JPEG 2000 declares.
    """

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool

    @classmethod
    def of(cls, frame: bytes) -> Codestream:
        """Read the header.

        Raises:
            ValueError: If there is none, or it is made to take more memory than any picture needs.
        """
        try:
            if frame[:2] == SOI:
                return cls._jpeg(frame)
            start = _after_boxes(frame) if frame[:8] == JP2 else 0
            if frame[start : start + 2] == SOC:
                return cls._jpeg_2000(frame, start)
        except (struct.error, IndexError) as error:
            raise ValueError("its codestream ends within its header.") from error
        raise ValueError("there is no codestream of JPEG, JPEG-LS or JPEG 2000 in it.")

    @classmethod
    def _jpeg(cls, frame: bytes) -> Codestream:
        for marker, start in _segments(frame, 2, SOS):
            if marker in FRAMES:
                precision, rows, columns, samples = struct.unpack_from(">BHHB", frame, start)
                return cls(rows, columns, samples, precision, signed=False)
        raise ValueError("its codestream has no frame header.")

    @classmethod
    def _jpeg_2000(cls, frame: bytes, start: int) -> Codestream:
        found, blocks = None, 0
        for marker, place in _segments(frame, start + 2, SOT):
            if marker == SIZ:
                x, y, x_0, y_0, width, height, left, top, samples, depth = struct.unpack_from(">8IHB", frame, place + 2)
                found = cls(y - y_0, x - x_0, samples, (depth & 0x7F) + 1, signed=bool(depth & 0x80))
                if not width or not height or -(-(x - left) // width) * -(-(y - top) // height) > TILES_MAX:
                    raise ValueError(f"its codestream has tiles of {width}×{height} px, more than {TILES_MAX} of them.")
            if found and marker in (COD, COC):
                # Both end alike, COC without progression, layers and colour transform, but with its component's number.
                style = place if marker == COD else place + (1 if found.samples < 257 else 2)
                levels = style + (5 if marker == COD else 1)
                has_precincts = frame[style] & 1
                precincts = frame[levels + 5 : levels + 6 + frame[levels]] if has_precincts else b""
                smallest = min((1 << (each & 15) + (each >> 4) for each in precincts), default=2**30)
                area = min(1 << (frame[levels + 1] & 15) + (frame[levels + 2] & 15) + 4, smallest)
                blocks = max(blocks, found.rows * found.columns * max(found.samples, 1) // area)
        if found is None:
            raise ValueError("its codestream has no size.")
        if blocks > BLOCKS_MAX:
            raise ValueError(f"its codestream cuts the picture into {blocks} blocks; allowed are {BLOCKS_MAX}.")
        return found


def _segments(frame: bytes, place: int, last: int) -> Iterator[tuple[int, int]]:
    """Markers with where their contents begin, up to the first of `last`."""
    while True:
        if frame[place] != 0xFF:
            raise ValueError(f"its codestream has no marker at byte {place}.")
        marker = frame[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if marker == last:
            return
        yield marker, place + 4
        (length,) = struct.unpack_from(">H", frame, place + 2)
        place += 2 + length


def _after_boxes(frame: bytes) -> int:
    """Where the codestream of a JP2 file begins."""
    place = 0
    while True:
        length, kind = struct.unpack_from(">I4s", frame, place)
        if kind == b"jp2c":
            return place + (16 if length == 1 else 8)
        if length < 8:
            raise ValueError("its JP2 boxes hold no codestream.")
        place += length
