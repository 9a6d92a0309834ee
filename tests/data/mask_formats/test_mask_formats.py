"""Masks of every format give the bits that they give as PNG; what does not lie on its image is refused."""

from __future__ import annotations

import gzip
import itertools
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pycocotools.mask
import pydicom
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.io.table import write_table
from radedit.data.layouts.rle import encode_absolute, encode_relative
from radedit.data.mask_formats.coco import decode_counts, draw_polygon
from radedit.data.mask_formats.source import MaskSource
from tests.data.mask_formats.writers import (
    FLAT,
    UPRIGHT,
    Mask,
    counts,
    packed,
    radiograph,
    write_coco,
    write_nifti,
    write_png,
    write_seg,
)

TURNS = [  # every way in which three axes can be exchanged and mirrored
    tuple(zip(order, signs, strict=True))
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
SLOW = settings(max_examples=25)


@st.composite
def masks(draw: st.DrawFn, least: int = 2) -> Mask:
    size = draw(st.tuples(st.integers(least, 23), st.integers(least, 23)))
    seed, density = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))
    return np.random.default_rng(seed).random(size) < density


def manifest(folder: Path, cell: str, mask: Mask, *, image: Path | None = None, **options: Any) -> ManifestDataset:
    """A set of one image with one mask, `drain`, checked when it is opened."""
    if image is None:
        image = folder / "a.png"
        Image.fromarray((np.arange(mask.size, dtype=np.uint16) % 256).astype(np.uint8).reshape(mask.shape)).save(image)
    row = {"id": "a", "patient_id": "p", "image": image.name, "mask_drain": cell}
    write_table(folder / "m.csv", list(row), [row])
    return ManifestDataset(folder / "m.csv", check_sizes=True, **options)


def read(folder: Path, cell: str, mask: Mask, **options: Any) -> NDArray[np.bool_]:
    dataset = manifest(folder, cell, mask, **options)
    assert len(dataset.records) == 1
    return np.asarray(dataset.load(dataset.records[0]).masks["drain"][0].numpy())


def as_png(folder: Path, mask: Mask) -> NDArray[np.bool_]:
    write_png(folder / "oracle.png", mask)
    return read(folder, "oracle.png", mask)


@SLOW
@given(mask=masks(), turn=st.sampled_from(TURNS), upright=st.booleans(), name=st.sampled_from(["a.nii", "a.nii.gz"]),
       dtype=st.sampled_from([np.uint8, np.int16, np.float32, np.float64]))  # fmt: skip
def test_nifti_gives_the_bits_of_png_however_its_axes_lie(
    tmp_path: Path, mask: Mask, turn: Any, upright: bool, name: str, dtype: type
) -> None:
    write_nifti(tmp_path / name, mask, affine=UPRIGHT if upright else FLAT, axes=turn, dtype=dtype)
    assert (read(tmp_path, name, mask) == as_png(tmp_path, mask)).all()


@SLOW
@given(mask=masks(), kind=st.sampled_from(["BINARY", "FRACTIONAL", "LABELMAP"]), omit=st.booleans(), data=st.data())
def test_dicom_segmentation_gives_the_bits_of_png(
    tmp_path: Path, mask: Mask, kind: str, omit: bool, data: st.DataObject
) -> None:
    other = data.draw(masks().map(lambda m: np.resize(m, mask.shape))) & (~mask if kind == "LABELMAP" else True)
    other[0, 0] = not mask[0, 0]  # highdicom refuses files without any pixel
    other[-1, -1] = not mask[-1, -1]
    source = radiograph(tmp_path / "a.dcm", mask.shape)
    if not mask.any() and omit:
        other[0, 0] = True
    write_seg(
        tmp_path / "seg.dcm", {"Lung": other, "Chest drain": mask}, pydicom.dcmread(source), kind=kind, omit_empty=omit
    )
    expected = as_png(tmp_path, mask)
    for cell in ("seg.dcm#2", "seg.dcm#chest_drain"):
        assert (read(tmp_path, cell, mask, image=source) == expected).all()
        assert (read(tmp_path, cell, mask) == expected).all()


@SLOW
@given(mask=masks())
def test_coco_and_run_lengths_give_the_bits_of_png(tmp_path: Path, mask: Mask) -> None:
    height, width = mask.shape
    expected = as_png(tmp_path, mask)
    tensor = torch.from_numpy(mask)[None]
    left = mask & (np.arange(width) < width // 2)
    regions = [("x/a.png", "drain", {"size": [height, width], "counts": counts(left)}),
               ("x/a.png", "drain", {"size": [height, width], "counts": packed(mask & ~left)}),
               ("b.png", "drain", {"size": [height, width], "counts": packed(~mask)})]  # fmt: skip
    write_coco(tmp_path / "c.json", {"x/a.png": mask.shape, "b.png": mask.shape}, regions)
    (tmp_path / "one.json").write_text(json.dumps({"size": [height, width], "counts": packed(mask)}))
    cells = ["c.json", "c.json#drain", "one.json", f"rle_coco:{packed(mask)}",
             f"rle_relative:{encode_relative(tensor)}", f"rle_absolute:{encode_absolute(tensor)}"]  # fmt: skip
    for cell in cells:
        assert (read(tmp_path, cell, mask) == expected).all(), cell
    assert not read(tmp_path, "c.json#other", mask).any()


@SLOW
@given(mask=masks(), name=st.sampled_from(["grey.png", "palette.png", "deep.png", "map.nii.gz"]))
def test_label_map_gives_the_bits_of_png(tmp_path: Path, mask: Mask, name: str) -> None:
    others = np.random.default_rng(0).integers(0, 3, mask.shape) * 2  # 0, 2 and 4
    levels = np.where(mask, np.random.default_rng(1).choice([3, 5], mask.shape), others)
    if name.endswith(".gz"):
        write_nifti(tmp_path / name, levels)
    else:
        picture = Image.fromarray(levels.astype(np.uint16 if name == "deep.png" else np.uint8))
        if name == "palette.png":
            picture.putpalette([7, 7, 7, *range(60)])
        picture.save(tmp_path / name)
    names = {"background": 0, "drain": [3, 5], "lungs": 2, "heart": 4}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": names}))
    rows = [{"value": str(n), "name": name} for n, name in [(3, "drain"), (5, "drain"), (2, "lungs"), (4, "heart")]]
    write_table(tmp_path / "labels.csv", ["value", "name"], rows)
    for given_as in (names, "dataset.json", "labels.csv"):
        assert (read(tmp_path, name, mask, label_names=given_as) == as_png(tmp_path, mask)).all()
    assert (read(tmp_path, f"{name}#2", mask) == (levels == 2)).all()


@settings(max_examples=300)
@given(points=st.lists(st.tuples(st.floats(-3, 40), st.floats(-3, 30)), min_size=3, max_size=9))
def test_polygons_are_drawn_as_the_reference_implementation_draws_them(points: list[tuple[float, float]]) -> None:
    flat = [side for point in points for side in point]
    fine = (5 * np.array(points) + 0.5).astype(int)
    if (fine == np.roll(fine, 1, axis=0)).all(axis=1).any():
        return  # there it divides zero by zero
    (encoded,) = pycocotools.mask.frPyObjects([flat], 26, 33)
    assert (draw_polygon(flat, (26, 33)) == pycocotools.mask.decode(encoded)).all()


@given(mask=masks(1))
def test_packed_run_lengths_are_those_of_the_reference_implementation(mask: Mask) -> None:
    assert (decode_counts(packed(mask), mask.shape) == mask).all()


MASK = np.zeros((12, 16), dtype=bool)
MASK[2:5, 3:11] = True
Write = Callable[[Path], str]


def nifti(**options: Any) -> Write:
    return lambda folder: write_nifti(folder / "m.nii", MASK, **options).name


def seg(folder: Path, change: Callable[[pydicom.Dataset], None]) -> str:
    source = radiograph(folder / "source.dcm", MASK.shape)
    write_seg(folder / "seg.dcm", {"Drain": MASK}, pydicom.dcmread(source))
    data = pydicom.dcmread(folder / "seg.dcm")
    change(data)
    data.save_as(folder / "seg.dcm")
    return "seg.dcm"


def measures(data: pydicom.Dataset, spacing: list[float]) -> None:
    item = pydicom.Dataset()
    item.PixelSpacing = spacing
    data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = [item]


def plane(data: pydicom.Dataset, cosines: list[float]) -> None:
    item = pydicom.Dataset()
    item.ImageOrientationPatient = cosines
    data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = [item]


def compress(data: pydicom.Dataset) -> None:
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless
    data.PixelData = encapsulate([b"no codestream"])


def turned(affine: Any, code: int = 1) -> Write:
    def write(folder: Path) -> str:
        nib.Nifti1Image(MASK.T[..., None].astype(np.uint8), affine).to_filename(folder / "m.nii")
        content = bytearray((folder / "m.nii").read_bytes())
        struct.pack_into("<hh", content, 252, 0, code)  # qform_code, sform_code
        (folder / "m.nii").write_bytes(content)
        return "m.nii"

    return write


COS = np.cos(np.radians(5))
SIN = np.sin(np.radians(5))
MISPLACED: dict[str, tuple[Write, str]] = {
    "nifti, other size": (lambda f: write_nifti(f / "m.nii", MASK[:-1]).name, "is 16×11 but its image is 16×12"),
    "nifti, rows first": (lambda f: write_nifti(f / "m.nii", MASK.T).name, "is 12×16 but its image is 16×12"),
    "nifti, pixels numbered": (turned(np.eye(4)), "only numbers pixels"),
    "nifti, no affine": (turned(FLAT, code=0), "it has no affine"),
    "nifti, askew": (turned([[-COS, SIN, 0, 0], [-SIN, -COS, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "lies askew"),
    "nifti, side view": (turned([[0, 0, -1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]), "from the side"),
    "nifti, oblong pixels": (nifti(spacing=(1.0, 2.0)), "spacing 1 × 2 mm .* square pixels"),
    "coco, other size": (
        lambda f: write_coco(f / "c.json", {"a.png": (11, 16)}, [("a.png", "drain", [[1, 1, 5, 1, 5, 5]])]).name,
        "is 16×11 but its image is 16×12",
    ),
    "seg, other size": (lambda f: seg(f, lambda d: setattr(d, "Rows", 11)), "is 16×11 but its image is 16×12"),
    "seg, mirrored": (lambda f: seg(f, lambda d: setattr(d, "PatientOrientation", ["R", "F"])), "right and feet"),
    "seg, plane": (lambda f: seg(f, lambda d: plane(d, [-1, 0, 0, 0, 0, -1])), "right and feet"),
    "seg, askew": (lambda f: seg(f, lambda d: plane(d, [COS, SIN, 0, 0, 0, -1])), "askew"),
    "seg, spacing": (lambda f: seg(f, lambda d: measures(d, [0.2, 0.3])), r"0.2 × 0.3 mm \(rows × columns\)"),
    "png, other size": (lambda f: write_png(f / "m.png", MASK[1:]).name, "is 16×11 but its image is 16×12"),
}


@pytest.mark.parametrize("case", MISPLACED)
def test_mask_that_does_not_lie_on_its_image_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    write, said = MISPLACED[case]
    cell = write(tmp_path)
    with pytest.raises(ValueError, match=said) as caught:
        manifest(tmp_path, cell, MASK)
    assert "m.csv, line 2: mask drain:" in str(caught.value) and "\n" not in str(caught.value).strip()


OF_DICOM: dict[str, tuple[dict[str, Any], Write, str | None]] = {
    "spacing of the image": ({}, nifti(spacing=(0.2, 0.2)), None),
    "spacing of a picture": ({}, nifti(), None),
    "other spacing": ({}, nifti(spacing=(0.3, 0.3)), "spacing 0.3 × 0.3 mm .* its image has 0.2 × 0.2"),
    "mirrored image": ({"orientation": "R\\F"}, nifti(), "its image's to right and feet"),
    "oblong image": ({"spacing": (0.2, 0.4)}, nifti(spacing=(0.2, 0.4)), None),
    "no orientation": ({"orientation": ""}, nifti(), None),
}


@pytest.mark.parametrize("case", OF_DICOM)
def test_nifti_is_compared_with_the_header_of_a_dicom_image(case: str, tmp_path: Path) -> None:
    options, write, said = OF_DICOM[case]
    image, cell = radiograph(tmp_path / "a.dcm", MASK.shape, **options), write(tmp_path)
    if said is None:
        assert (read(tmp_path, cell, MASK, image=image) == MASK).all()
    else:
        with pytest.raises(ValueError, match=said):
            manifest(tmp_path, cell, MASK, image=image)


def test_segmentation_of_another_image_is_refused(tmp_path: Path) -> None:
    cell = seg(tmp_path, lambda data: None)
    with pytest.raises(ValueError, match="drawn on other images"):
        manifest(tmp_path, cell, MASK, image=radiograph(tmp_path / "a.dcm", MASK.shape))
    assert (read(tmp_path, cell, MASK, image=tmp_path / "source.dcm") == MASK).all()


BOMB = struct.pack("<i", 348) + b"\0" * 36 + struct.pack("<8h", 3, 30000, 30000, 1, 1, 1, 1, 1)
REFUSED: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "several numbers": (lambda f: write_nifti(f / "m.nii", MASK * np.arange(16)), "m.nii", "label_names"),
    "fractions": (lambda f: write_nifti(f / "m.nii", MASK * 0.5, dtype=np.float32), "m.nii", "fractions"),
    "negative": (lambda f: write_nifti(f / "m.nii", -1 * MASK, dtype=np.int16), "m.nii", "negative"),
    "not a number": (
        lambda f: write_nifti(f / "m.nii", np.where(MASK, np.nan, 0), dtype=np.float32),
        "m.nii",
        "infinite|fractions",
    ),
    "volume": (
        lambda f: nib.Nifti1Image(np.zeros((16, 12, 3), np.uint8), FLAT).to_filename(f / "m.nii"),
        "m.nii",
        "a volume",
    ),
    "cut off": (
        lambda f: (f / "m.nii").write_bytes(write_nifti(f / "m.nii", MASK).read_bytes()[:-9]),
        "m.nii",
        "instead of 192",
    ),
    "cut off gzip": (
        lambda f: (f / "m.nii.gz").write_bytes(write_nifti(f / "m.nii.gz", MASK).read_bytes()[:-30]),
        "m.nii.gz",
        "NIfTI",
    ),
    "zip bomb": (
        lambda f: (f / "m.nii.gz").write_bytes(gzip.compress(BOMB.ljust(2**24, b"\0"))),
        "m.nii.gz",
        "cannot be read",
    ),
    "pickle": (lambda f: (f / "m.pkl").write_bytes(pickle.dumps(MASK)), "m.pkl", "no known format"),
    "numpy": (lambda f: np.save(f / "m.npy", MASK), "m.npy", "no known format"),
    "no such segment": (lambda f: seg(f, lambda d: None), "seg.dcm#heart", "1 \\('Drain'\\)"),
    "no segmentation": (lambda f: radiograph(f / "m.dcm", MASK.shape), "m.dcm", "no segmentation"),
    "frames without pixels": (
        lambda f: seg(f, lambda d: setattr(d, "PixelData", b"\0\0")),
        "seg.dcm",
        "2 bytes of pixels instead of 24",
    ),
    "compressed": (
        lambda f: seg(f, compress),
        "seg.dcm",
        "JPEG 2000",
    ),
    "two frames": (
        lambda f: seg(f, lambda d: d.PerFrameFunctionalGroupsSequence.append(d.PerFrameFunctionalGroupsSequence[0])),
        "seg.dcm",
        "frames",
    ),
    "no such category": (
        lambda f: write_coco(f / "c.json", {"a.png": MASK.shape}, []),
        "c.json",
        "no category 'drain'; it has other",
    ),
    "no such image": (
        lambda f: write_coco(f / "c.json", {"b.png": MASK.shape}, [("b.png", "drain", [])]),
        "c.json",
        "0 images named 'a.png'",
    ),
    "nested": (lambda f: (f / "c.json").write_text('{"images":' + "[" * 100_000), "c.json", "nested too deeply"),
    "runs too long": (
        lambda f: (f / "c.json").write_text('{"size": [12, 16], "counts": [0, 10000000000]}'),
        "c.json",
        "do not add up",
    ),
    "huge": (
        lambda f: (f / "c.json").write_text('{"size": [100000, 100000], "counts": []}'),
        "c.json",
        "allowed are up to",
    ),
    "endless outline": (
        lambda f: write_coco(f / "c.json", {"a.png": MASK.shape}, [("a.png", "drain", [[0, 0, 1e9, 0, 1e9, 9]])]),
        "c.json",
        "far outside",
    ),
    "cell": (lambda f: None, "rle_relative:3 5 900 2", "of another image size"),
    "cell, packed": (lambda f: None, "rle_coco:~~~", "no text of run lengths"),
    "number without a name": (
        lambda f: Image.fromarray(MASK * np.uint8(7)).save(f / "m.png"),
        "m.png#lungs",
        "label_names",
    ),
    "colour": (lambda f: Image.new("RGB", (16, 12), (1, 2, 3)).save(f / "m.png"), "m.png#2", "one channel"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_mask_is_refused_with_the_reason(case: str, tmp_path: Path) -> None:
    write, cell, said = REFUSED[case]
    write(tmp_path)
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(MASK.shape)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=said):
        MaskSource.of(cell, tmp_path, "drain", "a.png").read(tmp_path / "a.png", MASK.shape)


def test_number_that_the_table_does_not_name_is_refused(tmp_path: Path) -> None:
    Image.fromarray(MASK * np.uint8(255)).save(tmp_path / "m.png")
    with pytest.raises(ValueError, match="255, which label_names does not name"):
        read(tmp_path, "m.png", MASK, label_names={"drain": 1})
    assert (read(tmp_path, "m.png", MASK, label_names={"lungs": 1}) == MASK).all()


def test_another_structure_of_one_file_is_another_set(tmp_path: Path) -> None:
    write_nifti(tmp_path / "m.nii", MASK * np.array([1, 2] * 8))
    one, two = (manifest(tmp_path, f"m.nii#{n}", MASK).fingerprint for n in (1, 2))
    assert one != two


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150)
@given(data=st.data(), kind=st.sampled_from(["m.nii", "m.nii.gz", "seg.dcm", "c.json"]))
def test_damaged_file_is_read_or_refused_but_never_crashes(data: st.DataObject, kind: str, tmp_path: Path) -> None:
    image = tmp_path / "source.dcm"
    if not (tmp_path / kind).exists():
        seg(tmp_path, lambda each: None)
        write_nifti(tmp_path / "m.nii", MASK)
        write_nifti(tmp_path / "m.nii.gz", MASK)
        write_coco(tmp_path / "c.json", {"source.dcm": MASK.shape}, [("source.dcm", "drain", [[1, 1, 5, 1, 5, 5]])])
    content = bytearray((tmp_path / kind).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / f"damaged-{kind}"
    damaged.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))])
    try:
        mask = MaskSource.of(damaged.name, tmp_path, "drain", image.name).read(image, MASK.shape)
    except (ValueError, OSError):
        return
    assert mask.shape == (1, *MASK.shape) and mask.dtype == torch.bool
