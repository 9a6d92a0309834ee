"""One mask, or several, in each format that other tools write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pycocotools.mask
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

Mask = NDArray[np.bool_]
Levels = NDArray[np.integer[Any]]
FLAT = np.diag([-1.0, -1.0, 1.0, 1.0])  # columns to the left, rows to the back: a picture as ITK writes it
UPRIGHT = np.array([[-1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # rows to the feet


def write_png(path: Path, mask: Mask) -> Path:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return path


def write_nifti(
    path: Path,
    levels: Levels | Mask,
    *,
    affine: NDArray[np.float64] = FLAT,
    spacing: tuple[float, float] = (1.0, 1.0),
    axes: Sequence[tuple[int, int]] = ((0, 1), (1, 1), (2, 1)),
    dtype: type = np.uint8,
) -> Path:
    """Rows and columns of `levels`, then its axes exchanged and mirrored, which the affine follows (by nibabel).

    Args:
        affine: Of columns, rows and slice, in this order.
        axes: For each of these, the place that it gets in the file and whether it is mirrored (-1).
    """
    whole = affine.copy()
    whole[:3, :3] *= [spacing[1], spacing[0], 1]
    image = nib.Nifti1Image(levels.T[..., None].astype(dtype), whole)
    image = image.as_reoriented(np.array(axes, dtype=float))
    image.header.set_xyzt_units("mm")
    image.to_filename(path)
    return path


def radiograph(
    path: Path, size: tuple[int, int], *, spacing: tuple[float, float] | None = (0.2, 0.2), orientation: str = "L\\F"
) -> Path:
    """A digital radiograph, such that highdicom takes it as the source of a segmentation."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = DigitalXRayImageStorageForPresentation, generate_uid()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = "p", "", "", ""
    data.StudyID, data.StudyDate, data.StudyTime, data.AccessionNumber, data.ReferringPhysicianName = "", "", "", "", ""
    data.Modality, data.SeriesNumber, data.InstanceNumber, data.Manufacturer = "DX", 1, 1, "made up"
    data.Rows, data.Columns = size
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.BurnedInAnnotation, data.LossyImageCompression, data.ImageType = "NO", "00", ["ORIGINAL", "PRIMARY"]
    if spacing:
        data.PixelSpacing = data.ImagerPixelSpacing = list(spacing)
    if orientation:
        data.PatientOrientation = orientation.split("\\")
    pixels = (np.arange(size[0] * size[1]) % 251).astype(np.uint8).tobytes()
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data.save_as(path, enforce_file_format=True)
    return path


def write_seg(
    path: Path, masks: Mapping[str, Mask], image: Dataset, *, kind: str = "BINARY", omit_empty: bool = True
) -> Path:
    """A DICOM segmentation of these segments, by highdicom."""
    described = [
        SegmentDescription(
            number, name, codes.SCT.Organ, codes.SCT.Lung, "MANUAL" if kind != "x" else "AUTOMATIC",
        )
        for number, name in enumerate(masks, 1)
    ]  # fmt: skip
    stacked = np.stack(list(masks.values()), axis=-1)[None]
    if kind == "LABELMAP":
        pixels: Any = (stacked * np.arange(1, len(masks) + 1)).max(axis=-1).astype(np.uint8)
    else:
        pixels = stacked.astype(np.float32 if kind == "FRACTIONAL" else np.uint8)
    Segmentation(
        [image], pixels, kind, described, generate_uid(), 1, generate_uid(), 1, "made up", "made up", "1", "1",
        omit_empty_frames=omit_empty, transfer_syntax_uid=ExplicitVRLittleEndian,
    ).save_as(path)  # fmt: skip
    return path


def packed(mask: Mask) -> str:
    """COCO's compressed run lengths, by pycocotools."""
    return str(pycocotools.mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode())


def counts(mask: Mask) -> list[int]:
    """COCO's plain run lengths: background first, column by column."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    lengths = np.diff(np.r_[0, edges, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


def write_coco(path: Path, images: Mapping[str, tuple[int, int]], regions: Sequence[tuple[str, str, Any]]) -> Path:
    """An annotation file: image → size, and regions as (image, category, segmentation)."""
    names, kinds = list(images), sorted({category for _, category, _ in regions} | {"other"})
    content = {
        "images": [
            {"id": i + 7, "file_name": name, "height": images[name][0], "width": images[name][1]}
            for i, name in enumerate(names)
        ],
        "categories": [{"id": i + 1, "name": kind} for i, kind in enumerate(kinds)],
        "annotations": [
            {"id": i, "image_id": names.index(name) + 7, "category_id": kinds.index(kind) + 1, "segmentation": region}
            for i, (name, kind, region) in enumerate(regions)
        ],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
