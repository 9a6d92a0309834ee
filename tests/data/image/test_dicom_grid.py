"""DICOM files of all kinds crossed with each other, against what the standard says of each."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radedit.data.image.dicom import DicomError, read_dicom
from tests.data.image.dicom_oracle import Lut, View, expected
from tests.data.image.dicom_writer import SYNTAXES, Bits, lut, write

BITS = [
    Bits(8, 8, 7), Bits(8, 6, 5), Bits(16, 8, 7), Bits(16, 10, 9), Bits(16, 12, 11), Bits(16, 12, 15), Bits(16, 14, 13),
    Bits(16, 16, 15), Bits(32, 16, 15), Bits(32, 20, 19),
]  # fmt: skip
SHOWN = [
    "plain", "rescale", "falling", "modality-8", "modality-12", "modality-16", "voi-8", "voi-8-packed", "voi-12",
    "voi-16", "voi-of-rescaled", "linear", "linear-exact", "sigmoid", "width-1", "width-0", "negative-width", "outside",
    "first-window-unusable",
]  # fmt: skip
PADDING = ["none", "value", "other-sign", "range"]
Case = tuple[str, Bits, bool, bool, str, bool, str]


def grid() -> list[Case]:
    """Every syntax with every layout of bits, sign, polarity and step; overlays and padding are dealt out to them."""
    whole = itertools.product(SYNTAXES, BITS, (False, True), (False, True), SHOWN)
    dealt = random.Random(0)
    return [
        (*case, dealt.random() < 0.3 and case[1].high + 1 < case[1].allocated, dealt.choice(PADDING))
        for case in whole
        if _exists(*case[:2])
    ]


def _exists(syntax: str, bits: Bits) -> bool:
    return bits.allocated < 32 or not SYNTAXES[syntax][0].is_encapsulated


def picture(bits: Bits, signed: bool) -> NDArray[np.int64]:
    """A smooth picture that uses all its bits, shape (32, 34)."""
    low, high = (-(2 ** (bits.stored - 1)), 2 ** (bits.stored - 1) - 1) if signed else (0, 2**bits.stored - 1)
    rows, columns = np.mgrid[0:1:32j, 0:1:34j]
    return np.rint(low + (high - low) * (0.7 * rows + 0.3 * columns)).astype(np.int64)


def steps(shown: str, stored: NDArray[np.int64]) -> tuple[dict[str, Any], dict[str, Any]]:
    """One step between stored value and grey, as elements of a file and as the oracle takes it."""
    low, high = int(stored.min()), int(stored.max())
    middle, third = (low + high) / 2, (high - low) / 3
    n = min(high - low + 1, 4096)
    start = min(low + (high - low + 1 - n) // 2, 2**16 - 1)  # which has 16 bits
    curve = np.arange(n) ** 2 / max(n - 1, 1) ** 2
    kind = "SS" if low < 0 else "US"

    def table(bits: int, first: int = start, packed: bool = False) -> tuple[Any, Lut]:
        entries = np.rint(curve * (2**bits - 1)).astype(int).tolist()
        in_16_bits = first if kind == "SS" else first % 2**16
        return [lut(in_16_bits, entries, bits, packed=packed, kind=kind)], Lut(first, entries, bits)

    if shown.startswith("modality"):
        item, oracle = table(int(shown.split("-")[1]))
        return {"ModalityLUTSequence": item}, {"modality": oracle}
    if shown == "voi-of-rescaled":
        item, oracle = table(12, first=start - 100)
        return (
            {"VOILUTSequence": item, "RescaleSlope": "1", "RescaleIntercept": "-100"},
            {"voi": oracle, "intercept": -100},
        )
    if shown.startswith("voi"):
        item, oracle = table(int(shown.split("-")[1]), packed=shown.endswith("packed"))
        return {"VOILUTSequence": item}, {"voi": oracle}
    if shown in {"rescale", "falling"}:
        slope = 2.5 if shown == "rescale" else -1
        centre, width = _decimal(middle * slope + 7), _decimal(third)
        rescale = {"RescaleSlope": str(slope), "RescaleIntercept": "7"}
        return (
            {**rescale, "WindowCenter": centre, "WindowWidth": width},
            {"slope": slope, "intercept": 7, "window": (float(centre), float(width))},
        )
    centres, widths, function = {
        "plain": ([], [], ""),
        "linear": ([middle], [third], ""),
        "linear-exact": ([middle], [third], "LINEAR_EXACT"),
        "sigmoid": ([middle], [third], "SIGMOID"),
        "width-1": ([middle], [1], "LINEAR"),
        "width-0": ([middle], [0], "LINEAR_EXACT"),
        "negative-width": ([middle], [-third], ""),
        "outside": ([high * 3 + 10], [5], ""),
        "first-window-unusable": ([5, middle], [0, third], ""),
    }[shown]
    texts = [[_decimal(value) for value in values] for values in (centres, widths)]
    elements: dict[str, Any] = {"WindowCenter": texts[0], "WindowWidth": texts[1]} if centres else {}
    elements |= {"VOILUTFunction": function} if function else {}
    view: dict[str, Any] = {"function": function or "LINEAR"}
    view |= {"window": (float(texts[0][-1]), float(texts[1][-1]))} if centres else {}
    return elements, view


def padded(padding: str, stored: NDArray[np.int64], bits: Bits, signed: bool) -> tuple[NDArray[np.int64], Any, Any]:
    """A picture with its left columns padded, the elements that say so, and the oracle's range."""
    if padding == "none":
        return stored, {}, None
    low = int(stored.min())
    padded = stored.copy()
    padded[:, :2] = low
    if padding == "range":
        padded[:, 1] = low + 2
        outer = (low, low + 2)
        return (
            padded,
            {"PixelPaddingValue": (_kind(signed), outer[1]), "PixelPaddingRangeLimit": (_kind(signed), low)},
            outer,
        )
    other = padding == "other-sign"
    value = low % 2**bits.allocated if other and signed and bits.allocated <= 16 else low
    return padded, {"PixelPaddingValue": (_kind(signed and value == low), value)}, (low, low)


def _decimal(value: float) -> str:
    """As DS, which has 16 characters."""
    return f"{value:.10g}"[:16]


def _kind(signed: bool) -> str:
    return "SS" if signed else "US"


def check(case: Case, path: Path) -> str:
    """Read one file of the grid, and compare; returns why it was refused, empty where it was read."""
    syntax, bits, signed, inverted, shown, has_overlay, padding = case
    stored = picture(bits, signed)
    elements, view = steps(shown, stored)
    stored, more, outer = padded(padding, stored, bits, signed) if bits.stored <= 16 else (stored, {}, None)
    overlay = np.zeros(stored.shape, dtype=bool)
    overlay[9:14, 8:21] = True
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    write(
        path, stored, bits, signed=signed, syntax=syntax, overlay=overlay if has_overlay else None,
        PhotometricInterpretation=photometric, **elements, **more,
    )  # fmt: skip
    try:
        grey, notes = read_dicom(path)
    except DicomError as error:
        return str(error)
    oracle = expected(stored, View(**view, inverted=inverted, padding=outer))
    np.testing.assert_allclose(grey, oracle, atol=2e-6, err_msg=f"{case} {notes}")
    return ""


def compare(chosen: list[Case], folder: Path) -> Counter[str]:
    """Compare files one by one; returns how often one was refused, by reason."""
    reasons = (check(case, folder / "image.dcm") for case in chosen)
    return Counter(reason.split(": ", 1)[1] for reason in reasons if reason)


def dealt_out() -> list[Case]:
    """The grid in an order that mixes its kinds."""
    cases = grid()
    random.Random(1).shuffle(cases)
    return cases


def test_files_of_all_kinds_are_read_as_the_standard_says(tmp_path: Path) -> None:
    cases = dealt_out()[:250]
    refused = compare(cases, tmp_path)
    assert all("big endian with 32 bits" in reason for reason in refused), refused
    assert refused.total() < 0.1 * len(cases)


@pytest.mark.slow
def test_every_file_of_the_grid_is_read_as_the_standard_says(tmp_path: Path) -> None:
    cases = dealt_out()[250:]
    refused = compare(cases, tmp_path)
    assert all("big endian with 32 bits" in reason for reason in refused), refused
    assert len(cases) > 6000 and refused.total() < 0.1 * len(cases)
