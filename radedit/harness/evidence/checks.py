"""What must hold of a stress set before any verdict: the edits happened.

A generator that does too little has no editing artefact, and makes every good model look as if it failed; one that
erases the shortcut lets every bad model pass. Each check says what it found, beside what, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import read_rows
from radedit.harness.evidence.anatomy import CHANGED
from radedit.harness.evidence.oracle import shows
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.intervals import mean_of
from radedit.harness.stress.block_editor import UNTOUCHED

Name = Literal["kept", "residual", "shortcut", "strength", "keep", "outside", "round_trip"]
BATCH = 32
LEFT = 0.25  # with more of its pattern a finding is still seen; our choice, experiments/5.2-acquisition
_MORE_IMAGES = "Edit more images: with so few the interval is too wide."
KINDS = ("source", "vae", "edit", "sham", "counterfactual", "reference")


@dataclass(frozen=True)
class CheckLimits:
    """Limits of the checks; our choice, on training images (docs/explanation/controls.md).

    Attributes:
        kept: Least share of edits that the score keeps.
        kept_more: By how much that share must exceed the share among unchanged images, by the interval's lower end.
        residual: Largest share of kept edits in which the finding may be left behind, by the interval's upper end.
        shortcut: Least share of kept edits that still show the shortcut, by the interval's lower end.
        strength: Change inside m_edit by an addition, as a share of the true abnormality's; least and most.
        keep: Largest mean change inside m_keep, grey levels of 255; with paste_back=contrast before that is put back.
        outside: Largest share of pixels outside m_edit that an edit changes by more than 8 grey levels.
        psnr_loss: By how many dB the autoencoder may be worse on these images than its card says.
    """

    kept: float = 0.5
    kept_more: float = 0.2
    residual: float = 0.15
    shortcut: float = 0.85
    strength: tuple[float, float] = (0.5, 2.0)
    keep: float = 4.0
    outside: float = 0.10
    psnr_loss: float = 5.0

    def __post_init__(self) -> None:
        for name in ("kept", "kept_more", "residual", "shortcut", "outside"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ValueError(f"checks.{name} is {value}; expected a share, 0…1. Ten per cent are 0.10, not 10.")
        for name in ("keep", "psnr_loss"):
            if not isinstance(value := getattr(self, name), int | float) or not value >= 0:
                raise ValueError(f"checks.{name} is {value}; expected a number, 0 or more.")


@dataclass(frozen=True)
class Check:
    """One thing that must be so before a verdict is given.

    Attributes:
        name: Which check.
        question: What it asks, in words.
        holds: Whether it does; None where it can't be measured on this set.
        value: What was found.
        beside: What that is compared with, if it is another measurement.
        unit: Of both: "share", "grey levels" or "dB".
        limit: What was asked for, in words.
        remedy: What to do where it does not hold, or why it can't be measured.
    """

    name: Name
    question: str
    holds: bool | None
    value: Estimate | None
    beside: Estimate | None
    unit: str
    limit: str
    remedy: str

    def dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def sentence(self) -> str:
        """Why no model is judged, where the check does not hold."""
        found = "" if self.value is None else f" found {_written(self.value, self.unit)}"
        beside = "" if self.beside is None else f", {_written(self.beside, self.unit)} where nothing was edited"
        return f"{self.question} No:{found}{beside}; required {self.limit}. {self.remedy}"


def reasons(checks: Sequence[Check]) -> list[str]:
    """Sentences of the checks that do not hold: with any, verdicts abstain."""
    return [check.sentence() for check in checks if check.holds is False]


def failed_edits(stress_set: Path) -> dict[str, bool] | None:
    """Kept record → whether its edit left the finding behind; None where no true counterfactual says so."""
    edits = _Edits.of(stress_set)
    residual = edits.residual[edits.kept]
    if not len(residual) or np.isnan(residual).any():
        return None
    kept = [record for record, one in zip(edits.records, edits.kept, strict=True) if one]
    return dict(zip(kept, (residual > 0).tolist(), strict=True))


def keeps_shortcut(stress_set: Path, rows: Mapping[str, Mapping[str, Any]], kinds: Sequence[str]) -> dict[str, bool]:
    """Whether edits of one record still show what they were to keep.

    Args:
        stress_set: Its folder.
        rows: Kind of image → row of the record.
        kinds: Of edits.

    Returns:
        Kind of edit → whether the shortcut is still there; empty where no true image without the finding and none
        without both says so.
    """
    if not {"source", "counterfactual", "reference"} <= set(rows):
        return {}
    images = {kind: read_image(stress_set / row["image"]).pixels[None] for kind, row in rows.items() if row["image"]}
    source, truth, reference = (images[kind] for kind in ("source", "counterfactual", "reference"))
    return {
        kind: bool(shows(images[kind], truth, reference, beside=(source, truth))) for kind in kinds if kind in images
    }


def check_edits(
    stress_set: Path, threshold: float, limits: CheckLimits, *, addition: bool, psnr: float | None = None
) -> list[Check]:
    """Check the edits of a finished stress set, by what the set itself holds.

    Args:
        stress_set: Its folder.
        threshold: Editing score from which an edit was kept.
        limits: Fixed beforehand, on other worlds.
        addition: Whether the edits add an abnormality; else they remove a finding.
        psnr: Of the autoencoder's round trip by the generator's card, dB; None if it has none.

    Returns:
        Every check, in a fixed order; those that need a true counterfactual hold None on images that have none.
    """
    edits = _Edits.of(stress_set)
    found = list(_kept(edits, threshold, limits, addition))
    if addition:
        found.append(_strength(edits, limits))
    else:
        found += _judged(edits, limits)
    found += [_keep(edits, limits), _outside(edits, limits), _round_trip(edits, limits, psnr)]
    return found


@dataclass(frozen=True)
class _Edits:
    """What the checks measure, each (n,) in the order of `records`; NaN where a set lacks what it takes."""

    records: list[str]
    patients: list[str]
    kept: np.ndarray[Any, np.dtype[np.bool_]]
    untouched: dict[str, np.ndarray[Any, np.dtype[np.float64]]]
    residual: np.ndarray[Any, np.dtype[np.float64]]
    shortcut: np.ndarray[Any, np.dtype[np.float64]]
    added: np.ndarray[Any, np.dtype[np.float64]]
    truly_added: np.ndarray[Any, np.dtype[np.float64]]
    keep: np.ndarray[Any, np.dtype[np.float64]]
    outside: np.ndarray[Any, np.dtype[np.float64]]
    psnr: np.ndarray[Any, np.dtype[np.float64]]

    @classmethod
    def of(cls, stress_set: Path) -> _Edits:
        rows: dict[str, dict[str, dict[str, Any]]] = {}
        for row in read_rows(stress_set):
            rows.setdefault(row["attr_kind"], {})[row["attr_record"]] = row
        records = list(rows["edit"])
        measured: dict[str, list[float]] = {}
        for first in range(0, len(records), BATCH):
            for name, values in _measures(stress_set, rows, records[first : first + BATCH]).items():
                measured.setdefault(name, []).extend(values.tolist())
        nothing = np.full(len(records), np.nan)
        columns = {name: np.asarray(values) for name, values in measured.items()}
        return cls(
            records,
            [str(rows["edit"][record]["patient_id"]) for record in records],
            np.array([bool(rows["edit"][record]["kept"]) for record in records]),
            {
                kind: np.array([_number(rows[kind][record].get("own_cosine")) for record in records])
                for kind in UNTOUCHED
                if kind in rows and set(records) <= set(rows[kind])
            },
            *(
                columns.get(name, nothing)
                for name in ("residual", "shortcut", "added", "truly_added", "keep", "outside", "psnr")
            ),
        )

    def mean(self, values: ArrayLike, *, kept_only: bool = True) -> Estimate | None:
        """Of all edits, or of those that were kept; None if one has no value."""
        x = np.asarray(values, dtype=np.float64)
        chosen = self.kept if kept_only else np.ones(len(x), dtype=bool)
        if not chosen.any() or np.isnan(x[chosen]).any():
            return None
        patients = [patient for patient, one in zip(self.patients, chosen, strict=True) if one]
        return mean_of(x[chosen][None], patients).at()


def _measures(
    stress_set: Path, rows: Mapping[str, Mapping[str, Mapping[str, Any]]], records: Sequence[str]
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Measures of some records, by the images that the set has of them; none without masks or round trip."""
    if "vae" not in rows or any("mask_m_edit" not in rows["source"][record] for record in records):
        return {}
    images = {
        kind: torch.stack([read_image(stress_set / rows[kind][record]["image"]).pixels for record in records])
        for kind in KINDS
        if kind in rows and all(record in rows[kind] for record in records)
    }
    size = (images["edit"].shape[-2], images["edit"].shape[-1])
    m_edit = torch.stack([read_mask(stress_set / rows["source"][record]["mask_m_edit"], size) for record in records])
    edit, vae, source = images["edit"], images["vae"], images["source"]
    found = {
        "keep": torch.tensor([_number(rows["edit"][record]["keep_change_mean"]) for record in records]),
        "outside": _inside(((edit - vae).abs() > CHANGED).float(), ~m_edit),
        "psnr": -10 * (vae - source).pow(2).mean(dim=(1, 2, 3)).clamp(min=1e-10).log10(),
    }
    if "sham" in images:
        found["added"] = 255 * _inside(edit - images["sham"], m_edit)
    if (truth := images.get("counterfactual")) is not None:
        found["truly_added"] = 255 * _inside(truth - source, m_edit)
        found["residual"] = shows(edit, source, truth, share=LEFT).float()
        if (reference := images.get("reference")) is not None:
            found["shortcut"] = shows(edit, truth, reference, beside=(source, truth)).float()
    return {name: values.double().numpy() for name, values in found.items()}


def _kept(edits: _Edits, threshold: float, limits: CheckLimits, addition: bool) -> Iterator[Check]:
    """Does the score keep more of the edits than of images in which nothing was edited?"""
    question = "Does the editing score tell the edits from images that were not edited?"
    remedy = "Another weight or number of steps may edit more: radedit.tune tries them. Or the generator is too weak."
    value = edits.mean(edits.kept, kept_only=False)
    kinds = ["replay"] if addition else [kind for kind in UNTOUCHED if kind in edits.untouched]
    shares = {
        kind: np.nan_to_num(edits.untouched[kind], nan=-1.0) >= threshold for kind in kinds if kind in edits.untouched
    }
    if not shares or value is None:
        yield Check("kept", question, None, value, None, "share", "", "The set was made without these scores.")
        return
    kind = max(shares, key=lambda kind: float(shares[kind].mean()))
    more = edits.mean(edits.kept.astype(float) - shares[kind], kept_only=False)
    beside = edits.mean(shares[kind], kept_only=False)
    enough = more is not None and more.low is not None and more.low > limits.kept_more and value.value >= limits.kept
    if more is not None and more.value > limits.kept_more and value.value >= limits.kept:
        remedy = _MORE_IMAGES
    limit = f"at least {100 * limits.kept:g} %, and by the interval {100 * limits.kept_more:g} points more than these"
    yield Check("kept", question, enough, value, beside, "share", limit, remedy)


def _judged(edits: _Edits, limits: CheckLimits) -> Iterator[Check]:
    """Is the finding gone and the shortcut still there, where true counterfactuals say so?"""
    weight = "Use a larger weight, or a generator that has learned longer; radedit.tune tries weights."
    residual = edits.mean(edits.residual)
    unknown = "No image is known without the finding, so no oracle can judge; radedit.reader_study can."
    yield Check(
        "residual", "Is the finding left in few of the kept edits?",
        None if residual is None else residual.high is not None and residual.high <= limits.residual,
        residual, None, "share", f"upper end at most {100 * limits.residual:g} %",
        unknown if residual is None else weight if residual.value > limits.residual else _MORE_IMAGES,
    )  # fmt: skip
    shortcut = edits.mean(edits.shortcut)
    yield Check(
        "shortcut", "Do the kept edits still show the shortcut?",
        None if shortcut is None else shortcut.low is not None and shortcut.low >= limits.shortcut,
        shortcut, None, "share", f"lower end at least {100 * limits.shortcut:g} %",
        unknown if shortcut is None
        else "Enlarge m_keep, or use an editor that heeds it." if shortcut.value < limits.shortcut else _MORE_IMAGES,
    )  # fmt: skip


def _strength(edits: _Edits, limits: CheckLimits) -> Check:
    """Does an addition change grey levels about as much as the true abnormality does?"""
    added, truly = edits.mean(edits.added), edits.mean(edits.truly_added)
    low, high = limits.strength
    holds = None if added is None or truly is None else low * truly.value <= added.value <= high * truly.value
    if truly is not None and truly.value < 0 and added is not None:
        holds = high * truly.value <= added.value <= low * truly.value
    return Check(
        "strength", "Is what was added about as dense as the true abnormality?", holds, added, truly, "grey levels",
        f"{low:g} to {high:g} times the true change",
        "Change the weight of this addition; radedit.tune tries them." if truly is not None
        else "No image is known with the true abnormality.",
    )  # fmt: skip


def _keep(edits: _Edits, limits: CheckLimits) -> Check:
    value = edits.mean(edits.keep)
    return Check(
        "keep", "Is what m_keep should keep unchanged?", None if value is None else value.value <= limits.keep,
        value, None, "grey levels", f"a mean change of at most {limits.keep:g}",
        "Use edit.paste_back=keep, or an editor that heeds m_keep." if value is not None else "The masks keep nothing.",
    )  # fmt: skip


def _outside(edits: _Edits, limits: CheckLimits) -> Check:
    value = edits.mean(edits.outside)
    return Check(
        "outside", "Is most of the image outside m_edit unchanged?",
        None if value is None else value.value <= limits.outside, value, None, "share",
        f"at most {100 * limits.outside:g} % of its pixels (m_keep counts) changed by more than 8 grey levels",
        "Use a smaller weight, or DiffEdit’s masks.",
    )  # fmt: skip


def _round_trip(edits: _Edits, limits: CheckLimits, psnr: float | None) -> Check:
    value = edits.mean(edits.psnr, kept_only=False)
    question = "Does the generator’s autoencoder fit these images?"
    if psnr is None or value is None:
        return Check("round_trip", question, None, value, None, "dB", "", "The generator’s card has no figure.")
    return Check(
        "round_trip", question, value.value >= psnr - limits.psnr_loss, value, None, "dB",
        f"at least {psnr - limits.psnr_loss:.1f} dB; the card says {psnr:.1f}",
        "These images differ from those that the generator has learned from: train it on such, or check the import.",
    )  # fmt: skip


def _inside(values: Tensor, where: Tensor) -> Tensor:
    """Mean of each image inside its region, shape (B,); 0 where that is empty."""
    return (values * where).flatten(1).sum(1) / where.flatten(1).sum(1).clamp(min=1)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _written(estimate: Estimate, unit: str) -> str:
    """A value with its interval, in the unit's own way."""
    share = unit == "share"

    def say(value: float) -> str:
        return f"{100 * value:.0f}" if share else f"{value:.1f}"

    known = estimate.low is not None and estimate.high is not None
    between = f" ({say(estimate.low)} to {say(estimate.high)})" if known else ""  # type: ignore[arg-type]
    return f"{say(estimate.value)} {'%' if share else unit}{between}"
