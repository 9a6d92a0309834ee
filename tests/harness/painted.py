"""Images with a predictor's prediction painted into them, so that every number that follows is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from radedit.data.stress_set import StressSetWriter, image_path
from radedit.harness.predictors.classify import TestedModel
from radedit.types import Dataset, Record, Sample

SIZE = 8
CODES = {"one": (3, 3), "two": (3, 5)}  # predictor → pixel that holds its prediction


def painted(**predictions: float) -> Tensor:
    """An image on which the named predictors give these probabilities; both ends of the grey range are reached."""
    image = torch.full((1, SIZE, SIZE), 0.5)
    image[0, 0, 0], image[0, 0, 1] = 0.0, 1.0
    for name, probability in predictions.items():
        image[(0, *CODES[name])] = probability
    return image


class Reads:
    """A predictor that reads its prediction off the image, and counts the images it was shown."""

    def __init__(self, name: str) -> None:
        self.pixel, self.shown = CODES[name], 0

    def predict(self, images: Tensor) -> SimpleNamespace:
        self.shown += len(images)
        return SimpleNamespace(probability=images[:, 0, self.pixel[0], self.pixel[1]])


class Painted:
    """A data set of painted images: one patient each, unless `patients` says otherwise."""

    def __init__(
        self, images: Sequence[Tensor], labels: Sequence[int], name: str = "p", patients: Sequence[str] | None = None
    ) -> None:
        who = patients or [f"{name}{i}" for i in range(len(images))]
        self.records = [
            Record(f"{name}{i}", tested_model, {"pneumothorax": label})
            for i, (label, tested_model) in enumerate(zip(labels, who, strict=True))
        ]
        self.images = dict(zip((record.id for record in self.records), images, strict=True))

    def load(self, record: Record) -> Sample:
        return Sample(record, self.images[record.id])


def right_or_wrong(right: int, wrong: int, label: int, **others: float) -> Painted:
    """Images of one label on which both predictors are right, then ones on which both are wrong."""
    images = [painted(one=p, two=p) for p in [float(label)] * right + [1.0 - label] * wrong]
    return Painted(images, [label] * (right + wrong))


def model_under_test(name: str, role: str, own_test: Dataset, hash_: str = "") -> TestedModel:
    return TestedModel(
        name, f"Predictor {name}", role, Reads(name), own_test, "painted images", hash_ or name, 7, "classifier"
    )


POSITIVE = ("source", "vae", "replay", "keep_sham")


OF_REFERENCE = ("reference", "reference_vae", "reference_replay", "sham")


def write_set(
    folder: Path, predictions: Mapping[str, Mapping[str, Mapping[str, float]]], kept: Mapping[str, bool],
    references: Mapping[str, str] | None = None, **facts: Any,
) -> Path:  # fmt: skip
    """A stress set with given predictions.

    Args:
        folder: Of the set.
        predictions: Record → kind of image → predictor → probability.
        kept: Record → whether its edit is kept; a record that is absent has an undefined score.
        references: Record → patient whose image its reference is; its own where None.
        facts: Further columns of every row.
    """
    with StressSetWriter(folder, {"painted": True}) as writer:
        rows: list[dict[str, Any]] = []
        images: dict[str, Tensor] = {}
        for record, kinds in predictions.items():
            cosine = None if record not in kept else 0.5 if kept[record] else 0.1
            for kind, says in kinds.items():
                path = image_path(kind, record)
                images[path] = painted(**says)
                patient = record.partition("-")[0]
                named = references and kind in OF_REFERENCE
                rows.append(
                    {
                        "id": f"{record}/{kind}",
                        "patient_id": references[record] if references and named else patient,
                        **({"attr_reference": references[record]} if references and named else {}),
                        "image": path,
                        "label_pneumothorax": int(kind in POSITIVE),
                        "attr_kind": kind,
                        "attr_record": record,
                        "cosine": cosine,
                        "kept": kept.get(record, False),
                        "keep_change_mean": 1.0,
                        "keep_change_max": 2.0,
                        **facts,
                    }
                )
        if not writer.done(0):
            writer.claim(0)
            writer.write_block(0, rows, images, [{"id": "p-lost", "reason": "It is blank."}])
        writer.finish()
    return folder
