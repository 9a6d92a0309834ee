"""Real radiographs with findings drawn onto them: known truth on real texture.

Licence and access are those of the radiographs; an image that was drawn on is an adaptation of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import get_args

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from radedit.data.batches.cache import fingerprint
from radedit.data.image.transforms import preprocess
from radedit.phantom.anatomy import SIDES, Anatomy, Side
from radedit.phantom.findings import Consolidation, Drain, Pneumothorax
from radedit.phantom.on_image import SIGMA, OneSided, draw
from radedit.phantom.render import RENDERER
from radedit.phantom.reports import check_findings, impression
from radedit.phantom.world import stream
from radedit.types import Dataset, Record, Sample

DRAWING = 2  # to be raised with every change of `radedit.phantom.on_image`
DRAWABLE = tuple(kind.__name__.lower() for kind in get_args(OneSided))
OTHER_TEXTURE = (0.11, 0.07)  # shift of texture down and across, fractions of the image: far enough to be unrelated


class DrawnDataset:
    """Images of another data set, each with findings that its report speaks of.

    Args:
        dataset: Images with the masks `left_lung` and `right_lung`. Records keep their ids.
        size: Side of the square images, px.
        findings: What may be drawn: one group of findings falls to each image by lot. Of pneumothorax, drain and
            consolidation; what lies in both lungs, or outside them, can't be drawn.
        would: Finding → attribute → value, such as `{consolidation: {side: left, lobe: upper}}`; the rest by lot.
        without: Findings that are left out of the groups: the true counterfactual of an edit that removes them.
        seed: Names the drawings, with the record's id.

    Raises:
        ValueError: If there is no such finding, attribute or value.
    """

    def __init__(
        self,
        dataset: Dataset,
        size: int,
        findings: Sequence[Sequence[str]],
        *,
        would: Mapping[str, Mapping[str, str]] | None = None,
        without: Collection[str] = (),
        seed: int = 0,
    ) -> None:
        self.dataset, self.size, self.seed = dataset, size, seed
        self.findings = [tuple(group) for group in findings]
        self.would = {name: dict(words) for name, words in (would or {}).items()}
        self.without = tuple(without)
        named = {*self.would, *self.without}.union(*self.findings)
        if (unknown := sorted(named - {*DRAWABLE})) or not self.findings:
            raise ValueError(
                f"{unknown[0] if unknown else 'Nothing'} can't be drawn onto an image. Allowed are "
                f"{', '.join(DRAWABLE)}, which have their place in one lung; for setting open say "
                "addition=consolidation_left."
            )
        check_findings(self.would)
        for name, words in self.would.items():
            if free := sorted({*words} - {"side", "lobe"}):
                raise ValueError(f"would fixes the {free[0]} of {name}. Allowed are its side, and a lobe.")
        self._origin = {record.id: record for record in dataset.records}

    @cached_property
    def records(self) -> Sequence[Record]:
        return [self._told(record) for record in self.dataset.records]

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        how = {key: getattr(self, key) for key in ("size", "findings", "would", "without", "seed")}
        return {"drawn": DRAWING, "renderer": RENDERER, "how": how, "of": fingerprint(self.dataset)}

    def load(self, record: Record) -> Sample:
        """One image, preprocessed to `size`, with a mask of each finding.

        Raises:
            ValueError: If the image has no masks of both lungs, or see the data set's own `load`.
        """
        return self._draw(self._image(record), record, self.of(record))

    def counterfactual(self, record: Record, *, without: Collection[str], other_texture: bool = False) -> Tensor:
        """The same image without some of its findings, shape (1, size, size); on request with other fine structure."""
        kept = {name: finding for name, finding in self.of(record).items() if name not in without}
        image = self._draw(self._image(record), record, kept).image
        if not other_texture:
            return image
        low = torch.from_numpy(ndimage.gaussian_filter(image.numpy(), (0, SIGMA * self.size, SIGMA * self.size)))
        down, across = (round(share * self.size) for share in OTHER_TEXTURE)
        return (low + (image - low).roll((down, across), (-2, -1))).clamp(0, 1)

    def of(self, record: Record) -> dict[str, OneSided]:
        """What is drawn onto an image, by name, in the order of drawing."""
        rng = self._stream(record, "group")
        group = self.findings[int(rng.integers(len(self.findings)))]
        drawn: dict[str, OneSided] = {}
        if "pneumothorax" in group:
            drawn["pneumothorax"] = self._as_wished(Pneumothorax.sample(self._stream(record, "pneumothorax")))
        if "consolidation" in group:
            drawn["consolidation"] = self._as_wished(Consolidation.sample(self._stream(record, "consolidation")))
        if "drain" in group:  # last: a tube lies over everything, and on the side of what it drains
            side = drawn["pneumothorax"].side if "pneumothorax" in drawn else SIDES[int(rng.integers(2))]
            drawn["drain"] = self._as_wished(Drain.sample(self._stream(record, "drain"), side))
        return {name: finding for name, finding in drawn.items() if name not in self.without}

    def _as_wished(self, finding: OneSided) -> OneSided:
        wish = self.would.get(type(finding).__name__.lower(), {})
        finding = replace(finding, **wish)  # type: ignore[arg-type]  # side and lobe were checked
        if isinstance(finding, Consolidation) and (finding.side, finding.lobe) == ("left", "middle"):
            return replace(finding, lobe="upper")  # the left lung has no middle lobe
        return finding

    def _image(self, record: Record) -> Sample:
        return preprocess(self.dataset.load(self._origin[record.id]), self.size)

    def _draw(self, sample: Sample, record: Record, findings: Mapping[str, OneSided]) -> Sample:
        if missing := [f"{side}_lung" for side in SIDES if f"{side}_lung" not in sample.masks]:
            raise ValueError(f"Record {record.id!r} has no mask {missing[0]!r}, so no lung to draw into.")
        lungs: dict[Side, np.ndarray] = {side: sample.masks[f"{side}_lung"][0].numpy() for side in SIDES}
        anatomy = Anatomy.draw(self._stream(record, "anatomy"))
        image, masks = draw(sample.image[0].numpy(), lungs, findings.values(), anatomy)
        return replace(
            sample,
            record=record,
            image=torch.from_numpy(image)[None],
            masks={**sample.masks, **{name: torch.from_numpy(mask)[None] for name, mask in masks.items()}},
        )

    def _told(self, record: Record) -> Record:
        drawn = {name: finding.describe() for name, finding in self.of(record).items()}
        labels = {name: int(name in drawn) for name in (*drawn, *self.without)}
        if not drawn:
            return replace(record, labels={**record.labels, **labels})
        report = impression(drawn, self._stream(record, "report"), negatives=False)  # the image may have other findings
        return replace(record, labels={**record.labels, **labels}, report=report)

    def _stream(self, record: Record, what: str) -> np.random.Generator:
        return stream("drawn", self.seed, record.id, what)
