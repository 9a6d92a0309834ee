"""Radiographs from DICOM files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ImplicitVRLittleEndian

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


class DicomError(ValueError):
    """A DICOM file that cannot be used, and why."""


def read_dicom(path: Path) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Read one DICOM radiograph the way a viewer shows it.

    Stored values go through the modality LUT (or rescale slope and intercept), then the VOI LUT or the first window,
    then MONOCHROME1 is inverted, in that order (DICOM PS3.3 C.7.6.3.1.2, C.11.1, C.11.2), so that bright is dense.
    The result fills [0, 1]; pixels marked as padding do not count and become black.

    Args:
        path: An existing file.

    Returns:
        Grey levels of shape (H, W) and notes on what was applied.

    Raises:
        DicomError: If the file is no DICOM file, holds no image or several, is cut off, or is compressed in a way
            that no installed decoder reads.
    """
    try:
        return _read(path)
    except DicomError:
        raise
    except Exception as error:  # pydicom parses as it goes, so damage comes up anywhere, as anything
        raise DicomError(f"{path} is damaged ({type(error).__name__}: {error}). Copy or export it again.") from error


def _read(path: Path) -> tuple[npt.NDArray[np.float32], list[str]]:
    dataset = _read_dataset(path)
    notes = _warn_of_view(dataset)
    stored = _decode(path, dataset)
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if stored.ndim == 3 or photometric == "PALETTE COLOR":
        colour = apply_color_lut(stored, dataset) if photometric == "PALETTE COLOR" else stored
        notes.append(f"colour image ({photometric}) converted to grey by luma")
        return _fill_range(colour[..., :3] @ LUMA, np.zeros(colour.shape[:2], dtype=bool)), notes
    shown, applied = show(path, stored, dataset)
    return shown, notes + applied


def show(path: Path, stored: npt.NDArray[Any], dataset: pydicom.Dataset) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Turn a grey image's stored values into what a viewer shows, in the order of `read_dicom`.

    Args:
        path: Where the values are from, for errors.
        stored: As stored, shape (H, W).
        dataset: What says how they are meant, such as a file's header.

    Returns:
        Grey levels in [0, 1] of shape (H, W), bright is dense, and notes on what was applied.

    Raises:
        DicomError: If a look-up table or window cannot be applied.
    """
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    values, notes = _apply_luts(path, stored, dataset)
    if photometric == "MONOCHROME1":  # PresentationLUTShape only repeats this; applying both would undo it
        values = -values
        notes.append("MONOCHROME1 inverted")
    padding = _padding(stored, dataset)
    if padding.any():
        notes.append(f"{padding.mean():.1%} of the pixels are padding and were made black")
    return _fill_range(values, padding), notes


def _read_dataset(path: Path) -> pydicom.Dataset:
    dataset = pydicom.dcmread(path, force=True)  # files from before 1995 and some archives have no preamble
    if "SOPClassUID" not in dataset and "Rows" not in dataset:
        raise DicomError(f"{path} is not a DICOM file, or is cut off before its image. Copy or export it again.")
    if "PixelData" not in dataset:
        what = dataset.get("SOPClassUID", UID("")).name or "unknown"
        raise DicomError(
            f"{path} holds no pixels (SOP class: {what}). Allowed are DICOM images; "
            "reports, presentation states and directories are none."
        )
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if frames != 1:
        raise DicomError(f"{path} has {frames} frames. Allowed is one; export the frame you mean as its own file.")
    return dataset


def _decode(path: Path, dataset: pydicom.Dataset) -> npt.NDArray[Any]:
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian  # what files without a header are written in
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        missing = not get_decoder(syntax).is_available
    except NotImplementedError:
        missing = True
    if missing:
        raise DicomError(
            f"{path} is compressed as {syntax.name} ({syntax}), which no installed decoder reads. "
            "Install some (pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg), "
            "or decompress the file first (gdcmconv --raw in.dcm out.dcm)."
        )
    try:
        return pixel_array(dataset)
    except Exception as error:
        raise DicomError(f"{path} has pixels that cannot be decoded: {error} Copy or export it again.") from error


def _apply_luts(
    path: Path, stored: npt.NDArray[Any], dataset: pydicom.Dataset
) -> tuple[npt.NDArray[np.float64], list[str]]:
    notes = []
    try:
        values = apply_modality_lut(stored, dataset)
        if dataset.get("VOILUTSequence"):
            notes.append("VOI LUT applied")
            entries = np.rint(values).astype(np.int64)  # a table is indexed by whole numbers, also after a rescale
            return np.asarray(apply_voi_lut(entries, dataset), dtype=np.float64), notes
        if dataset.get("WindowCenter") is None or dataset.get("WindowWidth") is None:
            return np.asarray(values, dtype=np.float64), notes
        values = np.asarray(apply_voi_lut(values, dataset), dtype=np.float64)
    except Exception as error:
        raise DicomError(
            f"{path} has a look-up table or window that cannot be applied: {error}. Export it again without."
        ) from error
    centre, width = (np.atleast_1d(dataset[name].value)[0] for name in ("WindowCenter", "WindowWidth"))
    notes.append(f"window applied: centre {centre:g}, width {width:g}")
    if not dataset.get("ModalityLUTSequence") and float(dataset.get("RescaleSlope", 1)) < 0:
        # A window is increasing (C.11.2.1.2); pydicom's runs from slope · 0 down to slope · maximum.
        values = -values
    return values, notes


def _padding(stored: npt.NDArray[Any], dataset: pydicom.Dataset) -> npt.NDArray[np.bool_]:
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, dtype=bool)
    last = dataset.get("PixelPaddingRangeLimit", first)
    padding = (stored >= min(first, last)) & (stored <= max(first, last))
    # Some devices name a value that the picture uses throughout; then it is no padding.
    return padding if not padding.all() else np.zeros(stored.shape, dtype=bool)


def _fill_range(values: npt.NDArray[np.float64], padding: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    low, high = values[~padding].min(), values[~padding].max()
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    scaled[padding] = 0
    return scaled.astype(np.float32)


def _warn_of_view(dataset: pydicom.Dataset) -> list[str]:
    """Notes on what would make left and right, or the whole view, other than a frontal radiograph's."""
    notes = []
    view = str(dataset.get("ViewPosition", "")).upper()
    if view in {"LL", "RL", "LATERAL"}:
        notes.append(f"ViewPosition is {view}: not a frontal radiograph")
    rows = str((dataset.get("PatientOrientation") or [""])[0]).upper()
    if rows.startswith("R"):
        notes.append("PatientOrientation says that the patient's right is at the image's right: it may be mirrored")
    return notes
