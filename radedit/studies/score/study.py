"""What the editing score can tell (Section 4.4): good edits from each kind of failure, on images whose truth is known.

Edits are called good or failed by the oracle, which is trained on nothing. Beside them stand anchors, images that are
good or failed for certain: the true counterfactual, and the autoencoder's round trip, on which nothing has been edited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.image.files import read_image, read_mask
from radedit.data.io.progress import tracked
from radedit.data.stress_set import read_rows
from radedit.editing.score import directional_similarity
from radedit.harness.evidence.known_truth import Regions, Truth, quality
from radedit.harness.statistics.ranks import auroc
from radedit.harness.stress.scenario import Addition, Removal, StressData
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.world import FINDINGS

BATCH = 32
ANCHORS = {"counterfactual": "true counterfactual", "vae": "nothing edited (VAE)", "replay": "nothing edited (replay)"}
UNTOUCHED = ("vae", "replay", "keep_sham", "sham")
EDITORS = ("edit", "diffedit", "lance", "sdedit")
NOT_DONE, LOST, ARTEFACT = "not done", "shortcut lost", "changed elsewhere"
THRESHOLDS = tuple(round(-0.2 + 0.05 * i, 2) for i in range(23))


@dataclass(frozen=True)
class Scored:
    """One image and its score.

    Attributes:
        record, patient: Of the source.
        kind: Of image.
        cosine: Editing score; NaN where it is undefined.
        failure: What is wrong with it; empty if it is good, None if that is not known.
    """

    record: str
    patient: str
    kind: str
    cosine: float
    failure: str | None


def study(scenario: Removal | Addition, data: StressData, bundle: Bundle, stress_set: Path) -> list[Scored]:
    """Score every image of a finished stress set against its source.

    Raises:
        ValueError: If the set's sources are not phantoms.
    """
    if not isinstance(data.source, PhantomDataset):
        raise ValueError("The truth of an edit is known of phantoms only. Say setting=phantom.")
    rows = read_rows(stress_set)
    paths = {(row["attr_record"], row["attr_kind"]): stress_set / row["image"] for row in rows}
    sources = {row["attr_record"]: row for row in rows if row["attr_kind"] == "source"}
    text_real, text_edit = bundle.embed_text([scenario.score_real, scenario.score_edit])
    records = list(sources)
    kinds = [kind for kind in (*EDITORS, *UNTOUCHED, "counterfactual") if any((r, kind) in paths for r in records)]
    found: list[Scored] = []
    starts = range(0, len(records), BATCH)
    for first in tracked(starts, len(starts), "Scoring", "blocks"):
        chunk = records[first : first + BATCH]
        real = bundle.embed_image(_images(paths, chunk, "source").to(bundle.device))
        judge = _Oracle.of(scenario, data.source, bundle, stress_set, [sources[record] for record in chunk])
        for kind in kinds:
            have = [i for i, record in enumerate(chunk) if (record, kind) in paths]
            if not have:
                continue
            images = _images(paths, [chunk[i] for i in have], kind)
            image = bundle.embed_image(images.to(bundle.device))
            cosine = directional_similarity(real[have], image, text_real, text_edit).cpu().tolist()
            failures = judge.failures(images, have, kind)
            for i, c, failure in zip(have, cosine, failures, strict=True):
                found.append(Scored(chunk[i], str(sources[chunk[i]]["patient_id"]), kind, c, failure))
    return found


def _images(paths: Mapping[tuple[str, str], Path], records: Sequence[str], kind: str) -> Tensor:
    return torch.stack([read_image(paths[record, kind]).pixels for record in records])


@dataclass(frozen=True)
class _Oracle:
    """Says what is wrong with images of a block; of additions, only of those for which it is certain."""

    truth: Truth | None
    regions: Regions | None
    has_shortcut: bool

    @classmethod
    def of(
        cls, scenario: Removal | Addition, dataset: PhantomDataset, bundle: Bundle, folder: Path, rows: Sequence[Any]
    ) -> _Oracle:
        if isinstance(scenario, Addition):
            return cls(None, None, False)
        has_shortcut = scenario.shortcut in FINDINGS
        other = scenario.shortcut if has_shortcut else scenario.finding
        truth = Truth.of(dataset, [row["attr_record"] for row in rows], bundle, scenario.finding, other)
        size = (bundle.size, bundle.size)
        edit, keep = (
            torch.stack([read_mask(folder / row[f"mask_m_{name}"], size) for row in rows]) for name in ("edit", "keep")
        )
        return cls(truth, Regions.of(edit, keep, bundle.factor), has_shortcut)

    def failures(self, images: Tensor, have: Sequence[int], kind: str) -> Iterator[str | None]:
        if kind in UNTOUCHED:
            yield from [NOT_DONE] * len(images)
        elif kind == "counterfactual":
            yield from [""] * len(images)
        elif self.truth is None or self.regions is None:
            yield from [None] * len(images)
        else:
            some = _only(self.truth, have)
            regions = Regions(**{name: getattr(self.regions, name)[list(have)] for name in vars(self.regions)})
            measured = quality(images, some, regions)
            for i in range(len(images)):
                gone, kept, clean = (bool(measured[name][i]) for name in ("gone", "kept", "clean"))
                yield NOT_DONE if not gone else LOST if self.has_shortcut and not kept else "" if clean else ARTEFACT


def _only(truth: Truth, have: Sequence[int]) -> Truth:
    """Some images of a batch."""
    index = list(have)
    parts = {name: value[index] for name, value in vars(truth).items() if isinstance(value, Tensor)}
    return Truth(samples=[truth.samples[i] for i in index], **parts)


def by_failure(scored: Sequence[Scored]) -> list[dict[str, Any]]:
    """AUROC of the score for good edits against each kind of failure, edits and anchors apart, with intervals."""
    known = [one for one in scored if not np.isnan(one.cosine)]
    good = {
        "edits": [one for one in known if one.kind in EDITORS and one.failure == ""],
        "anchors": [one for one in known if one.kind == "counterfactual"],
    }
    failed = {
        ("edits", name): [one for one in known if one.kind in EDITORS and one.failure == name]
        for name in (NOT_DONE, LOST, ARTEFACT)
    } | {("anchors", kind): [one for one in known if one.kind == kind] for kind in UNTOUCHED}
    table = []
    for (which, name), bad in failed.items():
        if not bad or not good[which]:
            continue
        area = auroc(_cosines(good[which]), _cosines(bad), _patients(good[which]), _patients(bad))
        found = {"which": which, "failure": name, "good": len(good[which]), "failed": len(bad)}
        table.append(found | {"auroc": area.dict() if area else None})
    return table


def sweep(scored: Sequence[Scored], kind: str = "edit") -> list[dict[str, float | None]]:
    """For every threshold: how many of the editor's edits it keeps, and the share of these that the oracle calls good.

    The share is None where nothing is kept, or nothing is judged.
    """
    edits = [one for one in scored if one.kind == kind]
    judged = [one for one in edits if one.failure is not None]
    rows: list[dict[str, float | None]] = []
    for threshold in THRESHOLDS:
        kept = [one for one in edits if one.cosine >= threshold]  # NaN is not
        good = [one for one in kept if one.failure == ""]
        share = len(good) / len(kept) if kept and judged else None
        rows.append({"threshold": threshold, "kept": len(kept), "of": len(edits), "good": share})
    return rows


def roc(good: Sequence[float], bad: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true keep rates as the threshold falls, each of shape (n + 1,)."""
    cosines = np.array([*good, *bad])
    is_good = np.array([1.0] * len(good) + [0.0] * len(bad))[np.argsort(-cosines, kind="stable")]
    return (
        np.append(0.0, np.cumsum(1 - is_good) / max(1, len(bad))),
        np.append(0.0, np.cumsum(is_good) / max(1, len(good))),
    )


def _cosines(scored: Sequence[Scored]) -> list[float]:
    return [one.cosine for one in scored]


def _patients(scored: Sequence[Scored]) -> list[str]:
    return [one.patient for one in scored]
