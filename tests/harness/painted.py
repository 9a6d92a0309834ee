"""Films with a predictor's answer painted into them, so that every number that follows is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from radedit.data.stress_set import StressSetWriter, image_path
from radedit.harness.evaluate import Subject
from radedit.types import Reader, Record, Sample

SIZE = 8
CODES = {"one": (3, 3), "two": (3, 5)}  # predictor → pixel that holds its answer


def film(**answers: float) -> Tensor:
    """A film on which the named predictors give these probabilities; both ends of the grey range are reached."""
    image = torch.full((1, SIZE, SIZE), 0.5)
    image[0, 0, 0], image[0, 0, 1] = 0.0, 1.0
    for name, probability in answers.items():
        image[(0, *CODES[name])] = probability
    return image


class Reads:
    """A predictor that reads its answer off the film, and counts the films it was shown."""

    def __init__(self, name: str) -> None:
        self.pixel, self.shown = CODES[name], 0

    def predict(self, images: Tensor) -> SimpleNamespace:
        self.shown += len(images)
        return SimpleNamespace(probability=images[:, 0, self.pixel[0], self.pixel[1]])


class Painted:
    """A data set of painted films: one patient each, unless `subjects` says otherwise."""

    def __init__(
        self, films: Sequence[Tensor], labels: Sequence[int], name: str = "p", subjects: Sequence[str] | None = None
    ) -> None:
        who = subjects or [f"{name}{i}" for i in range(len(films))]
        self.records = [
            Record(f"{name}{i}", subject, {"pneumothorax": label})
            for i, (label, subject) in enumerate(zip(labels, who, strict=True))
        ]
        self.films = dict(zip((record.id for record in self.records), films, strict=True))

    def load(self, record: Record) -> Sample:
        return Sample(record, self.films[record.id])


def right_or_wrong(right: int, wrong: int, label: int, **others: float) -> Painted:
    """Films of one label on which both predictors are right, then ones on which both are wrong."""
    films = [film(one=p, two=p) for p in [float(label)] * right + [1.0 - label] * wrong]
    return Painted(films, [label] * (right + wrong))


def subject(name: str, role: str, own_test: Reader, hash_: str = "") -> Subject:
    return Subject(
        name, f"Predictor {name}", role, Reads(name), own_test, "painted films", hash_ or name, 7, "classifier"
    )


POSITIVE = ("source", "vae", "replay", "keep_sham")


def write_set(
    folder: Path, answers: Mapping[str, Mapping[str, Mapping[str, float]]], kept: Mapping[str, bool], **facts: Any
) -> Path:
    """A stress set with given answers.

    Args:
        folder: Of the set.
        answers: Record → kind of image → predictor → probability.
        kept: Record → whether its edit is kept; a record that is absent has an undefined score.
        facts: Further columns of every row.
    """
    with StressSetWriter(folder, {"painted": True}) as writer:
        rows: list[dict[str, Any]] = []
        images: dict[str, Tensor] = {}
        for record, kinds in answers.items():
            cosine = None if record not in kept else 0.5 if kept[record] else 0.1
            for kind, says in kinds.items():
                path = image_path(kind, record)
                images[path] = film(**says)
                rows.append(
                    {
                        "id": f"{record}/{kind}",
                        "subject_id": record.partition("-")[0],
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
