"""Synthetic phantoms as a data set.

Licence: ours, no access needed, no folder: images are drawn when they are loaded. One record is one image of one
patient, with masks of both lungs, heart and every finding, boxes of its opacities, and an impression.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from radedit.phantom.render import RENDERER, render
from radedit.phantom.world import FINDINGS, Case, World
from radedit.types import Box, Record, Sample


class PhantomDataset:
    """Images of one namespace of a world, all of them or those with given findings.

    Args:
        world: The causal model.
        namespace: Which patients; two uses that must not share patients take two namespaces.
        n: Number of records.
        size: Width and height in pixels.
        where: Finding → 0 or 1: only images in which it is so. Patients are gone through until `n` are found.
        do: Interventions on every image (finding → 0 or 1, `hospital` or `view` → name), applied after `where`.
        would: Finding → attribute → value: only images on which the finding, if it is or were there, is described so.

    Raises:
        ValueError: If `where` and `would` can't be met (fewer than one image in 200 matches).
    """

    def __init__(
        self,
        world: World,
        namespace: str,
        n: int,
        size: int = 128,
        where: Mapping[str, int] | None = None,
        do: Mapping[str, int | str] | None = None,
        would: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.world, self.namespace, self.n, self.size = world, namespace, n, size
        self.where, self.do = dict(where or {}), dict(do or {})
        self.would = {finding: dict(words) for finding, words in (would or {}).items()}
        if unknown := (set(self.where) | set(self.would)) - set(FINDINGS):
            raise ValueError(f"Unknown findings in where or would: {sorted(unknown)}; allowed are {FINDINGS}.")

    @cached_property
    def cases(self) -> dict[str, Case]:
        """Record id → case."""
        cases: dict[str, Case] = {}
        patient = 0
        while len(cases) < self.n:
            for image in range(self.world.images_of(self.namespace, patient)):
                case = self.world.case(self.namespace, patient, image)
                if len(cases) < self.n and self._matches(case):
                    cases[case.id] = case.do(**self.do)  # type: ignore[arg-type]
            patient += 1
            if patient > 200 * (self.n + 10):
                raise ValueError(
                    f"Only {len(cases)} of {patient} patients have {self.where} and would have {self.would}; change "
                    "the world's prevalence."
                )
        return cases

    def _matches(self, case: Case) -> bool:
        if any((finding in case.present) != bool(value) for finding, value in self.where.items()):
            return False
        present: dict[str, Any] = dict.fromkeys(self.would, 1)
        words = case.do(**present).describe() if self.would else {}
        return all(wanted.items() <= words[finding].items() for finding, wanted in self.would.items())

    @property
    def fingerprint(self) -> dict[str, object]:
        """Everything that determines the images, for content hashes."""
        which = {key: getattr(self, key) for key in ("namespace", "n", "size", "where", "do")}
        which |= {"would": self.would} if self.would else {}
        world = asdict(self.world)
        if not self.world.ap:  # worlds of PA views only are named as before there were others
            del world["ap"]
        return {"renderer": RENDERER, "world": world, **which}

    @cached_property
    def records(self) -> Sequence[Record]:
        return [self.record(case) for case in self.cases.values()]

    def record(self, case: Case) -> Record:
        """Metadata of one image."""
        labels = {finding: int(finding in case.present) for finding in FINDINGS}
        attributes = {"hospital": case.hospital, "view": case.view, "sex": case.anatomy.sex}
        attributes |= {"age": str(case.anatomy.age), "body_size": case.anatomy.body_size}
        for finding, words in case.describe().items():
            attributes |= {f"{finding}_{word}": value for word, value in words.items()}
        return Record(case.id, case.patient_id, labels, case.report(), attributes)

    def load(self, record: Record) -> Sample:
        image = render(self.cases[record.id], self.size)
        boxes = {name: [Box(*box) for box in boxes] for name, boxes in image.boxes.items()}
        masks = {name: torch.from_numpy(mask)[None] for name, mask in image.masks.items()}
        return Sample(record, torch.from_numpy(image.image)[None], masks, boxes)

    def counterfactual(self, record: Record, *, without: Collection[str], other_texture: bool = False) -> Tensor:
        """The image of a record without some findings, (1, size, size); on request with other vessels and grain."""
        absent: dict[str, Any] = dict.fromkeys(without, 0)
        case = self.cases[record.id].do(**absent)
        return torch.from_numpy(render(case.with_other_texture() if other_texture else case, self.size).image)[None]

    def intervene(self, **do: int | str) -> PhantomDataset:
        """The same images under a further intervention; ids stay the same."""
        return PhantomDataset(self.world, self.namespace, self.n, self.size, self.where, self.do | do, self.would)
