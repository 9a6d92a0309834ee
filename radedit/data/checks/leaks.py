"""Whether two sets that should not share a patient do."""

from __future__ import annotations

import itertools
import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from radedit.types import Record

logger = logging.getLogger(__name__)


class Overlap(NamedTuple):
    """Two published sets that have images in common, by their names without case and punctuation."""

    one: str
    other: str
    why: str
    same_patients: bool = False  # whether both call a patient the same


KNOWN = (
    Overlap("mimicseg", "mimiccxr", "MIMIC-Seg is drawn on images of MIMIC-CXR", True),
    Overlap("chexmask", "mimiccxr", "CheXmask is drawn on images of MIMIC-CXR", True),
    Overlap("chexmask", "mimicseg", "both are drawn on images of MIMIC-CXR", True),
    Overlap("chexmask", "chexpert", "CheXmask is drawn on images of CheXpert", True),
    Overlap("chexmask", "nih", "CheXmask is drawn on images of NIH ChestX-ray", True),
    Overlap("chexmask", "chestxray", "CheXmask is drawn on images of NIH ChestX-ray", True),
    Overlap("siimacr", "nih", "images of SIIM-ACR are from NIH ChestX-ray"),
    Overlap("siimacr", "chestxray", "images of SIIM-ACR are from NIH ChestX-ray"),
    Overlap("rsnapneumonia", "nih", "images of RSNA Pneumonia are from NIH ChestX-ray"),
    Overlap("rsnapneumonia", "chestxray", "images of RSNA Pneumonia are from NIH ChestX-ray"),
    Overlap("siimfisabiorsna", "bimcv", "images of SIIM-FISABIO-RSNA are from BIMCV-COVID19 and RICORD"),
    Overlap("siimfisabiorsna", "ricord", "images of SIIM-FISABIO-RSNA are from BIMCV-COVID19 and RICORD"),
    Overlap("tbx11k", "montgomery", "TBX11K contains Montgomery"),
    Overlap("tbx11k", "shenzhen", "TBX11K contains Shenzhen"),
)


def check_leaks(sets: Mapping[str, Sequence[Record]], content: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Raise if two sets, such as training and test, share a patient or an image; warn where they are known to.

    Patients are compared where both records are of one published set (attribute `source`), of two that name their
    patients alike, or of none: numbers of two other sets may agree by chance.

    Args:
        sets: Name → records.
        content: Name → record → what names its pixels, such as the index of `radedit.prepare` has; images are not
            compared where None.

    Raises:
        ValueError: If a patient, or an image, is in two of the sets.
    """
    patients = {name: _by_source(records) for name, records in sets.items()}
    for (one, first), (other, second) in itertools.combinations(patients.items(), 2):
        for (source, mine), (rival, theirs) in itertools.product(first.items(), second.items()):
            known = _known(source, rival)
            # Names may say more, such as a version; an empty one agrees with all.
            same = source.startswith(rival) or rival.startswith(source)
            if same or (known and known.same_patients):
                _refuse("patients", one, other, sorted(mine & theirs))
            elif known:
                logger.warning(
                    "%r and %r may share patients, which their names do not show: %s.", one, other, known.why
                )
    for (one, first_images), (other, second_images) in itertools.combinations((content or {}).items(), 2):
        theirs_by_content = {value: key for key, value in second_images.items()}
        shared = sorted(
            f"{key} = {theirs_by_content[value]}" for key, value in first_images.items() if value in theirs_by_content
        )
        _refuse("images", one, other, shared)


def _refuse(what: str, one: str, other: str, shared: Sequence[str]) -> None:
    if shared:
        raise ValueError(
            f"{len(shared)} {what} are in both {one!r} and {other!r}: {', '.join(shared[:5])}"
            f"{', …' if len(shared) > 5 else ''}. Split by patient, or leave them out of one."
        )


def _by_source(records: Sequence[Record]) -> dict[str, set[str]]:
    """Published set → its patients."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        found[re.sub(r"[^a-z0-9]", "", record.attributes.get("source", "").lower())].add(record.patient_id)
    return found


def _known(source: str, rival: str) -> Overlap | None:
    for overlap in KNOWN:
        for a, b in ((source, rival), (rival, source)):
            if a.startswith(overlap.one) and b.startswith(overlap.other):
                return overlap
    return None
