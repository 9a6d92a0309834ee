"""A mask that is the bright part of its image stays on it, from the published files to the latents' resolution."""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d, max_pool2d

from radedit.data.datasets.chexmask.chexmask import CheXmask
from radedit.data.datasets.siim_acr import SiimAcr
from radedit.data.image.transforms import preprocess
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.masks import to_latent
from radedit.types import Record, Sample
from tests.data.fixtures.chexmask import HEADER
from tests.data.fixtures.phantom_image import Mask, absolute_runs, relative_runs, write_dicom

FACTOR = 4  # pixels for each latent cell and direction
SIDE = 32  # of the preprocessed image, px


@st.composite
def bright_parts(draw: st.DrawFn) -> Mask:
    """An L within the centre square of an image that is not square: no turn or reflection takes it to itself."""
    height, width = draw(st.sampled_from([(40, 56), (56, 40), (64, 96), (100, 64)]))
    short = min(height, width)
    top, left = ((length - short) // 2 for length in (height, width))
    long_arm, thickness = short // 2, short // 8
    row = top + draw(st.integers(2, short - long_arm - 2))
    column = left + draw(st.integers(2, short - long_arm - 2))
    mask = np.zeros((height, width), dtype=bool)
    mask[row : row + long_arm, column : column + thickness] = True
    mask[row + long_arm - thickness : row + long_arm, column : column + long_arm // 2] = True
    return mask


def check_stays_on_the_bright_part(sample: Sample, name: str) -> None:
    radiograph = preprocess(sample, SIDE)
    image, mask = radiograph.image, radiograph.masks[name]
    assert mask.any() and (image[mask] > 0.3).all() and (image[~mask] < 0.7).all()

    nothing = torch.zeros_like(mask)
    m_edit = to_latent(mask, nothing, FACTOR).masks.edit
    share = avg_pool2d(image, FACTOR)
    assert m_edit.any() and (share[m_edit > 0] > 0.3).all() and (share[m_edit == 0] < 0.7).all()
    m_keep = to_latent(nothing, mask, FACTOR).masks.keep
    brightest = max_pool2d(image, FACTOR)
    assert (brightest[m_keep > 0] > 0.3).all() and (brightest[m_keep == 0] < 0.7).all()


@settings(max_examples=25)
@given(mask=bright_parts())
def test_relative_runs_stay_on_the_bright_part_of_a_dicom_image(mask: Mask) -> None:
    with TemporaryDirectory() as folder:
        write_dicom(Path(folder, "siim", "a", "b", "1.2.3.dcm"), 255 * mask.astype(np.uint8), PatientID="p")
        Path(folder, "siim", "train-rle.csv").write_text(f"ImageId, EncodedPixels\n1.2.3, {relative_runs(mask)}\n")
        dataset = SiimAcr(Path(folder, "siim"), cache=Path(folder, "cache"))
        check_stays_on_the_bright_part(dataset.load(dataset.records[0]), "pneumothorax")


@settings(max_examples=25)
@given(mask=bright_parts())
def test_absolute_runs_stay_on_the_bright_part_of_a_dicom_image(mask: Mask) -> None:
    with TemporaryDirectory() as folder:
        path = write_dicom(Path(folder, "images", "1.dcm"), 255 * mask.astype(np.uint8))
        Path(folder, "chexmask").mkdir()
        with Path(folder, "chexmask", "MIMIC-CXR-JPG.csv").open("w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["dicom_id", *HEADER])
            writer.writerow(["1", "0.9", "0.9", "", "", "", absolute_runs(mask), *mask.shape])
        images = ImageFiles("images", path.parent, [ImageFile(Record("1", "p"), path)], excluded={})
        dataset = CheXmask(images, Path(folder, "chexmask"), cache=Path(folder, "cache"))
        check_stays_on_the_bright_part(dataset.load(dataset.records[0]), "heart")
