"""MIMIC-Seg: lungs of 1,141 images of MIMIC-CXR, in a layout that is not public."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from radedit.data.checks.mask_check import require_fitting_masks
from radedit.data.datasets.mimic.lung_files import LungFiles, LungMask, find_roles, kind_of, listing
from radedit.data.layouts.download import Download
from radedit.data.layouts.image_files import ImageFile, ImageFiles, Masking
from radedit.data.layouts.joined_masks import join_masks

NAME = "MIMIC-Seg"
SUFFIXES = {".png", ".jpg", ".jpeg", ".npy", ".dcm"}
DICOM_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}")
N_LOOKED_AT = 5  # our choice: images whose content decides where names do not
MASKS = ("lungs", "right_lung", "left_lung")


class MimicSeg(ImageFiles):
    """Images of MIMIC-CXR that MIMIC-Seg has lungs of, with these.

    Licence and access: https://physionet.org/content/lung-segment-mimic-cxr/1.0.0, credentialed, under a data use
    agreement; nothing of it may be passed on. The lungs were found by networks, and wrong ones removed by hand.

    Its layout is not public: known is that each image has "a pair of segmented images", lungs and rest. So it is found
    out. Files belong to the image whose dicom_id is in their path. What they are is found by their names, else by the
    content of a few: a mask has two levels and a black border; else the lungs are on the one picture with a black
    border. A mask is taken as it is; pictures give lungs where they are brighter than the rest, or not black.
    Where that does not single out one file, there is an error with a listing of names to send us.

    One record is one record of `dataset`, with the masks `lungs`, and `right_lung` and `left_lung`, the patient's,
    which are the two parts that they fall into.

    Args:
        dataset: The images of MIMIC-CXR.
        root: MIMIC-Seg's folder.
        mask_pattern: Regular expression for paths of masks, in small letters.
        lung_pattern: For pictures of the lungs.
        rest_pattern: For pictures of the rest.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no file bears a dicom_id, none is of the dataset's images, an image is there twice, the files
            cannot be distinguished, or the masks do not fit the images.
    """

    def __init__(
        self,
        dataset: ImageFiles,
        root: str | Path,
        *,
        mask_pattern: str = "mask(?!ed)|label",
        lung_pattern: str = "lung",
        rest_pattern: str = "rest|other|non.?lung|background",
    ) -> None:
        download = Download(NAME, root)
        groups = _groups(download)
        kinds = [kind for group in groups.values() for kind in group]
        patterns = {"mask": mask_pattern, "lung": lung_pattern, "rest": rest_pattern}
        whole = max(groups.values(), key=len).keys()
        alike = [group for group in groups.values() if group.keys() == whole]
        roles = find_roles(alike[:N_LOOKED_AT], patterns)
        if roles is None:
            raise ValueError(
                f"{NAME}: which files under {download.root} are masks of the lungs, pictures of them, or of the rest, "
                f"cannot be told, neither by name nor by content:\n{listing(kinds)}\nSet mask_pattern, or "
                "lung_pattern and rest_pattern, and please send us this listing; it holds no data."
            )
        wanted = [kind for kind in (roles.mask, roles.lung, roles.rest) if kind]

        def masks_of(image: ImageFile) -> dict[str, Masking] | str:
            group = groups.get(_dicom_id(image.image.as_posix()))
            if group is None:
                return f"not in {NAME}"
            if missing := [kind for kind in wanted if kind not in group]:
                return f"{NAME} lacks {missing[0]}"
            mask, lung, rest = (group[kind] if kind else None for kind in (roles.mask, roles.lung, roles.rest))
            return {name: LungMask(LungFiles(mask, lung, rest), name) for name in MASKS}

        images, excluded = join_masks(dataset, NAME, masks_of)
        ids = {_dicom_id(dataset.image_file(record).image.as_posix()) for record in dataset.records}
        if not ids & groups.keys():
            raise ValueError(
                f"{NAME}: none of the {len(groups)} images under {download.root} is among the {len(ids)} images of "
                f"{dataset.name}, such as {next(iter(groups))}. Are these images of MIMIC-CXR, all of them?"
            )
        excluded[f"in {NAME}, but not among the images"] = len(groups.keys() - ids)
        name = f"{NAME} on {dataset.name}"
        require_fitting_masks(name, (image for image in images if image.image.is_file()))
        about = {"images": dataset.fingerprint, "roles": roles, "masks": sorted(Counter(kinds).items())}
        super().__init__(name, dataset.root, images, excluded=+excluded, about=about, check_files=False)


def _groups(download: Download) -> dict[str, dict[str, Path]]:
    """dicom_id → kind → file."""
    files = [path for path in download.files if path.suffix.lower() in SUFFIXES]
    top = os.path.commonpath([path.parent for path in files] or [download.root])  # its name does not describe a file
    places = {path: path.relative_to(top).as_posix().lower() for path in files}
    groups: dict[str, dict[str, Path]] = {}
    for path, place in places.items():
        if dicom_id := _dicom_id(place):
            group = groups.setdefault(dicom_id, {})
            kind = kind_of(place, dicom_id)
            if kind in group:
                raise ValueError(
                    f"{NAME}: {group[kind]} and {path} are of one image, and alike in name. Keep one of them."
                )
            group[kind] = path
    if not groups:
        raise ValueError(
            f"{NAME}: no PNG, JPEG, NPY or DICOM file under {download.root} has a dicom_id in its path, such as "
            "0a1b2c3d-11112222-33334444-55556666-77778888. There are:\n"
            + (listing([kind_of(place) for place in places.values()]) or "  none")
        )
    return groups


def _dicom_id(path: str) -> str:
    """The last one in a path, or nothing."""
    found = DICOM_ID.findall(path.lower())
    return found[-1] if found else ""
