"""Small files of the kinds that users bring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

Make = Callable[..., Path]


@pytest.fixture
def grey() -> NDArray[np.uint8]:
    """Levels 0…255 that rise along the rows and are the same in no two corners, shape (12, 20)."""
    return np.linspace(0, 255, 240).round().astype(np.uint8).reshape(12, 20)


@pytest.fixture
def save(tmp_path: Path) -> Make:
    """Writes an array of grey levels or colours as a picture and returns its path."""

    def write(name: str, array: NDArray[Any], **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path, **options)
        return path

    return write


@pytest.fixture
def dicom(tmp_path: Path) -> Make:
    """Writes stored values of shape (H, W) or (H, W, 3) as DICOM, with further elements by keyword."""

    def write(
        stored: NDArray[Any], *, name: str = "image.dcm", syntax: UID = ExplicitVRLittleEndian, **elements: Any
    ) -> Path:
        dataset = Dataset()
        dataset.SOPClassUID = ComputedRadiographyImageStorage
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[name])
        dataset.Modality = "CR"
        dataset.Rows, dataset.Columns = stored.shape[:2]
        dataset.SamplesPerPixel = 3 if stored.ndim == 3 else 1
        dataset.PhotometricInterpretation = "RGB" if stored.ndim == 3 else "MONOCHROME2"
        if stored.ndim == 3:
            dataset.PlanarConfiguration = 0
        dataset.BitsAllocated = stored.dtype.itemsize * 8
        dataset.BitsStored = dataset.BitsAllocated
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelRepresentation = int(np.issubdtype(stored.dtype, np.signedinteger))
        dataset.PixelData = stored.tobytes()
        dataset["PixelData"].VR = "OW" if stored.dtype.itemsize == 2 else "OB"
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax.is_encapsulated:
            dataset["PixelData"].is_undefined_length = True
        path = tmp_path / name
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write
