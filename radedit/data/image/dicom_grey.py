"""From stored values to the grey levels that a viewer shows.

Every step is DICOM's own (PS3.3 C.7.6.3.1.2, C.7.5.1.1.2, C.11.1, C.11.2), in this order: modality LUT or rescale, VOI
LUT or window, the inversion of MONOCHROME1, and padding made black. As each depends on the stored value alone, it is
worked out for every value and not for every pixel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pydicom
from scipy.special import expit

from radedit.data.image.dicom_elements import DicomError, numbers, text, unread_notes

Values = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")  # C.11.2.1.2, C.11.2.1.3
LEVELS = 2**16  # of these, all are worked out; of more, those that occur


def show(
    stored: Integers, dataset: pydicom.Dataset, cells: Integers | None = None
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Turn a grey picture's stored values into what a viewer shows.

    A window or VOI LUT that leaves one level for all of the picture's values is left out, with a note.

    Args:
        stored: As stored, shape (H, W).
        dataset: What defines their meaning, such as a file's header.
        cells: The same with the bits beside the values, in which padding may be marked; as stored where None.

    Returns:
        Grey levels in [0, 1] of shape (H, W), bright is dense, and notes on what was applied.

    Raises:
        DicomError: If a step cannot be done, or every pixel has one value.
    """
    padding, notes = _padding(stored, dataset, cells)
    low, high = int(stored.min()), int(stored.max())
    if high - low < LEVELS:
        levels, place = np.arange(low, high + 1), stored - low
    else:
        levels, place = np.unique(stored, return_inverse=True)
    occurs = np.bincount(place[~padding], minlength=len(levels)) > 0
    if occurs.sum() < 2:
        raise DicomError(
            f"the stored value is {levels[occurs][0]} in every pixel{' but the padding' if padding.any() else ''}. "
            "A radiograph has at least two; the export may have failed, so export it again or leave it out."
        )
    with np.errstate(all="ignore"):  # what is too large is refused below
        real, applied = _real_world(levels[occurs], dataset)
        shown, more = _of_interest(real, dataset)
        if text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
            shown = -shown
        grey = np.zeros(len(levels), dtype=np.float32)
        grey[occurs] = (shown - shown.min()) / np.ptp(shown)
    if not np.isfinite(grey).all():
        raise DicomError("its look-up table or rescale makes all pixels alike, or numbers too large. Export it again.")
    return np.where(padding, np.float32(0), grey[place]), [*applied, *more, *_polarity(dataset), *notes]


def _real_world(levels: Integers, dataset: pydicom.Dataset) -> tuple[Values, list[str]]:
    """Stored values through the modality LUT, or rescale."""
    if items := dataset.get("ModalityLUTSequence"):
        table, notes = Table.of("Modality LUT", items[0], dataset, levels)
        return table.look_up(levels.astype(np.float64)), notes
    slope, intercept = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    notes = unread_notes(dataset, {"RescaleSlope": "1", "RescaleIntercept": "0"})
    return levels.astype(np.float64) * (slope or [1.0])[0] + (intercept or [0.0])[0], notes


def _of_interest(real: Values, dataset: pydicom.Dataset) -> tuple[Values, list[str]]:
    """Through the VOI LUT, or the first window that is one; as they are if that would leave one level."""
    if items := dataset.get("VOILUTSequence"):
        table, notes = Table.of("VOI LUT", items[0], dataset, real)
        what, shown = "VOI LUT", table.look_up(real)
        done = ["VOI LUT applied", *notes]
    else:
        function = text(dataset, "VOILUTFunction") or "LINEAR"
        if function not in FUNCTIONS:
            raise DicomError(f"VOILUTFunction is {function!r}. Allowed are {', '.join(FUNCTIONS)}.")
        windows = list(zip(numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth"), strict=False))
        notes = unread_notes(dataset, {"VOILUTFunction": "LINEAR", "WindowCenter": "none", "WindowWidth": "none"})
        allowed = [window for window in windows if (window[1] >= 1 if function == "LINEAR" else window[1] > 0)]
        if windows and not allowed:
            least = "at least 1" if function == "LINEAR" else "above 0"
            notes.append(f"window left out: its width is {windows[0][1]:g}, allowed is {least}")
        if not allowed:
            return real, notes
        centre, width = allowed[0]
        what = f"window applied: centre {centre:g}, width {width:g}" + f", {function}" * (function != "LINEAR")
        shown, done = window(real, centre, width, function), [what, *notes]
    if np.ptp(shown) == 0:
        range_ = f"{real.min():g}…{real.max():g}"
        return real, [*notes, f"{what.replace(' applied', '')} left out: one level for all the values, {range_}"]
    return shown, done


def window(values: Values, centre: float, width: float, function: str = "LINEAR") -> Values:
    """A window's levels in [0, 1] (C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2)."""
    if function == "SIGMOID":
        return np.asarray(expit(4 * (values - centre) / width), dtype=np.float64)
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return (values > centre).astype(np.float64)
    return np.clip((values - centre) / width + 0.5, 0, 1)


class Table(NamedTuple):
    """A look-up table (C.11.1.1, C.11.2.1.1).

    Attributes:
        name: For errors.
        first: The value that the first entry is for.
        length: Entries that it should have.
        entries: Those that it has.
    """

    name: str
    first: int
    length: int
    entries: Integers

    @classmethod
    def of(
        cls, name: str, item: pydicom.Dataset, dataset: pydicom.Dataset, inputs: npt.NDArray[Any]
    ) -> tuple[Table, list[str]]:
        """Read a sequence's item, whose entries may be of 8 bits, one or two in a word.

        Args:
            name: For errors.
            item: With LUTDescriptor and LUTData.
            dataset: Which it is in.
            inputs: Values that it will map; they reveal a first value that was written with the other sign.

        Raises:
            DicomError: If the descriptor is not three numbers, or there are no entries.
        """
        is_big = dataset.original_encoding[1] is False
        length, first, bits = _descriptor(name, item, is_big)
        lowest, highest = inputs.min(), inputs.max()
        if first > highest and first - 2**16 + length > lowest:
            first -= 2**16
        elif first + length <= lowest and first + 2**16 <= highest:
            first += 2**16
        entries = _entries(item, length, bits, is_big)
        if not len(entries):
            raise DicomError(f"its {name} has no entries. Export it again without.")
        notes = []
        if len(entries) > length + 1:
            notes.append(f"{name} has {len(entries)} entries; the {length} that it announces were taken")
        entries = entries[:length]
        if (largest := int(entries.max())) >= 2**bits:
            notes.append(f"{name} has entries up to {largest}, beyond its {bits} bits; taken as they are")
        return cls(name, first, length, entries), notes

    def look_up(self, values: Values) -> Values:
        """What it has for values; beyond its ends, its first and last entry.

        Raises:
            DicomError: If it was cut off before an entry that is needed.
        """
        places = np.clip(np.rint(values) - self.first, 0, self.length - 1).astype(np.int64)
        if places.max() >= len(self.entries):
            raise DicomError(
                f"its {self.name} has {len(self.entries)} of the {self.length} entries that it announces, and values "
                f"up to {values.max():g} need more. Export it again."
            )
        return self.entries[places].astype(np.float64)


def _descriptor(name: str, item: pydicom.Dataset, is_big: bool) -> tuple[int, int, int]:
    value = item.get("LUTDescriptor")
    if isinstance(value, bytes):  # of implicit files whose kind of number pydicom could not find
        value = np.frombuffer(value[: len(value) // 2 * 2], ">u2" if is_big else "<u2").tolist()
    try:
        length, first, bits = map(int, value)
    except (TypeError, ValueError) as error:
        raise DicomError(f"its {name} has the descriptor {value!r}; allowed are three numbers.") from error
    if not 1 <= bits <= 16:
        raise DicomError(f"its {name} has entries of {bits} bits; allowed are 8 to 16.")
    return length % 2**16 or 2**16, first, bits


def _entries(item: pydicom.Dataset, length: int, bits: int, is_big: bool) -> Integers:
    value = item.get("LUTData")
    if isinstance(value, bytes):
        words = np.frombuffer(value[: len(value) // 2 * 2], ">u2" if is_big else "<u2")
        if bits <= 8 and len(value) == length:  # odd lengths are not allowed, but written
            words = np.frombuffer(value + b"\0" * (length % 2), words.dtype)
    else:
        values = [] if value is None else [value] if isinstance(value, int) else value
        words = np.asarray([int(each) & 0xFFFF for each in values], dtype=np.uint16)
    if bits <= 8 and len(words) == (length + 1) // 2:  # two in a word, the first in its lower byte
        return np.frombuffer(words.astype("<u2").tobytes(), np.uint8).astype(np.int64)
    return words.astype(np.int64)


def _padding(
    stored: Integers, dataset: pydicom.Dataset, cells: Integers | None
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Which pixels are padding. Its value may be written with another sign than theirs, so cells are compared."""
    none = np.zeros(stored.shape, dtype=bool)
    named = numbers(dataset, "PixelPaddingValue")
    limit = numbers(dataset, "PixelPaddingRangeLimit")
    if not named:
        return none, ["PixelPaddingRangeLimit without a PixelPaddingValue: left out"] if limit else []
    notes = unread_notes(dataset, {"PixelPaddingRangeLimit": "the padding value alone"})
    bits = int((numbers(dataset, "BitsAllocated") or [16])[0])
    signed = bool((numbers(dataset, "PixelRepresentation") or [0])[0])
    first, last = sorted(_wrapped(int(value), bits, signed) for value in (named[0], (limit or named)[0]))
    padding = (stored >= first) & (stored <= last)
    if cells is not None and first == last:  # values of fewer bits may be padded by a whole cell
        padding |= cells == first % 2**bits
    if padding.all():
        return none, [*notes, "PixelPaddingValue is that of every pixel: left out"]
    if padding.any():
        notes.append(f"{100 * padding.mean():.1f} % of the pixels are padding and were made black")
    return padding, notes


def _wrapped(value: int, bits: int, signed: bool) -> int:
    """A number in the range of cells of so many bits, modulo their size."""
    sign = 2 ** (bits - 1) if signed else 0
    return (value + sign) % 2**bits - sign


def _polarity(dataset: pydicom.Dataset) -> list[str]:
    inverse, shape = text(dataset, "PhotometricInterpretation") == "MONOCHROME1", text(dataset, "PresentationLUTShape")
    notes = ["MONOCHROME1 inverted"] if inverse else []
    if shape in {"IDENTITY", "INVERSE"} and inverse != (shape == "INVERSE"):  # else it only repeats what is said
        notes.append(
            f"PresentationLUTShape {shape} contradicts the photometric interpretation, which was followed: "
            "check that bright is dense"
        )
    return notes
