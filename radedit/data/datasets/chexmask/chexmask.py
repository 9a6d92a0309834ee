"""CheXmask: lungs and heart, segmented by a network, for the images of other sets."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from radedit.data.checks.mask_check import require_fitting_masks
from radedit.data.datasets.chexmask.index import build_index, image_key, read_qualities
from radedit.data.datasets.chexmask.masks import STRUCTURES, SegmentedMask
from radedit.data.io.file_hash import file_hash
from radedit.data.layouts.download import Download, index_file
from radedit.data.layouts.image_files import ImageFile, ImageFiles, Masking
from radedit.data.layouts.joined_masks import join_masks

NAME = "CheXmask"


class Part(NamedTuple):
    """How a table names its images: the column, and how many parts of a path identify one."""

    id_column: str
    id_parts: int


PARTS = {
    "MIMIC-CXR-JPG": Part("dicom_id", 1),
    "CheXpert": Part("Path", 4),  # train/patient00001/study1/view1_frontal
    "ChestX-Ray8": Part("Image Index", 1),
}


class CheXmask(ImageFiles):
    """Images of another dataset that CheXmask has masks of, with these.

    Licence and access: https://physionet.org/content/chexmask-cxr-segmentation-data, open, CC BY 4.0; the images are
    their own set's. Expected is the folder as published, with tables as CSV or `.csv.gz`:

        OriginalResolution/{MIMIC-CXR-JPG,CheXpert,ChestX-Ray8}.csv

    One record is one record of `dataset`, with the masks `left_lung` and `right_lung` (the patient's), `lungs` and
    `heart`. A structure that was not found is an empty mask. Masks are decoded when an image is loaded, for which the
    table is indexed once.

    Args:
        dataset: The images, in their published layout: images are found in the table by their paths.
        root: CheXmask's folder.
        part: Its table, that of the images' set.
        cache: Folder, outside the root, for the index; about half of the table's size.
        min_rca: Least mean Dice of the reverse classification accuracy, 0…1, by which CheXmask's authors judge a
            mask. They advise 0.7. By its numbers, the paper used 0: every mask.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If the table is of preprocessed images, of another set or damaged, has an image twice, or if its
            masks are of images of another size.

    Note:
        Height and Width of some tables may be crossed, as in the scripts that wrote them. Where they are, judged by the
        image, its masks are filled from the landmarks instead. A size that is neither is an error on loading.
    """

    def __init__(
        self,
        dataset: ImageFiles,
        root: str | Path,
        *,
        part: str = "MIMIC-CXR-JPG",
        cache: str | Path = ".cache/datasets",
        min_rca: float = 0.7,
    ) -> None:
        if part not in PARTS:
            raise ValueError(f"part is {part!r}. Allowed are {', '.join(PARTS)}, those whose images have a dataset.")
        if not 0 <= min_rca <= 1:
            raise ValueError(f"min_rca is {min_rca}. Allowed is 0…1; CheXmask's authors advise 0.7.")
        download = Download(NAME, root)
        table = _table(download, part)
        id_column, id_parts = PARTS[part]
        stat = table.stat()
        version = {"table": table.name, "bytes": stat.st_size, "changed_ns": stat.st_mtime_ns}
        index = index_file(cache, download.root, "chexmask", **version).with_suffix(".sqlite")
        if not index.exists():
            build_index(table, id_column, id_parts, index)
        qualities = read_qualities(index)

        def masks_of(image: ImageFile) -> dict[str, Masking] | str:
            key = image_key(image.image.as_posix(), id_parts)
            if key not in qualities:
                return f"not in {NAME}'s {part}"
            quality = qualities[key]
            if min_rca and (quality is None or not quality >= min_rca):
                return "no Dice RCA" if quality is None else f"Dice RCA below {min_rca:g}"
            return {name: SegmentedMask(index.resolve(), key, structures) for name, structures in STRUCTURES.items()}

        images, excluded = join_masks(dataset, NAME, masks_of)
        if excluded[f"not in {NAME}'s {part}"] == len(dataset.records):
            theirs = image_key(dataset.image_file(dataset.records[0]).image.as_posix(), id_parts)
            raise ValueError(
                f"{NAME}: none of the {len(dataset.records)} images of {dataset.name} is in {table}, such as "
                f"{theirs!r}; "
                f"the table has {next(iter(qualities))!r}. Is part={part} that of these images?"
            )
        require_fitting_masks(f"{NAME} on {dataset.name}", (image for image in images if image.image.is_file()))
        about = {"images": dataset.fingerprint, "table": file_hash(table, "whole"), "min_rca": min_rca}
        super().__init__(
            f"{NAME} on {dataset.name}", dataset.root, images, excluded=excluded, about=about, check_files=False
        )


def _table(download: Download, part: str) -> Path:
    found = download.named([f"{part}.csv"])
    original = [path for path in found if "Preprocessed" not in path.resolve().parts]
    if not original:
        raise ValueError(
            f"{NAME}: {found[0]} has masks of preprocessed images: padded to squares, MIMIC's also cropped, then "
            "resized to 1024, so they fit no published image. Use the folder OriginalResolution."
        )
    if len(original) > 1:
        raise ValueError(f"{NAME}: {' and '.join(map(str, original))} are there. Keep one of them under the root.")
    return original[0]
