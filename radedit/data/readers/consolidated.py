"""Real radiographs with a consolidation drawn onto them: known truth on real texture.

Licence and access are those of the radiographs; a film that was drawn on is an adaptation of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from radedit.data.cache import fingerprint
from radedit.data.transforms import preprocess
from radedit.phantom.anatomy import SIDES, Anatomy, Side
from radedit.phantom.findings import Consolidation
from radedit.phantom.on_film import consolidated
from radedit.phantom.render import RENDERER
from radedit.phantom.reports import LOBES, impression
from radedit.phantom.world import stream
from radedit.types import Reader, Record, Sample

DRAWING = 1  # to be raised with every change of `radedit.phantom.on_film`


class ConsolidatedReader:
    """Films of another data set, each with one consolidation that its report speaks of.

    Args:
        reader: Films with the masks `left_lung` and `right_lung`. Records keep their ids.
        size: Side of the square films, px.
        side: Of every consolidation; drawn by lot where None.
        lobe: Likewise.
        seed: Names the consolidations, with the record's id.

    Raises:
        ValueError: If there is no such side or lobe.
    """

    def __init__(
        self, reader: Reader, size: int, *, side: Side | None = None, lobe: str | None = None, seed: int = 0
    ) -> None:
        if side not in (None, *SIDES) or lobe not in (None, *LOBES):
            raise ValueError(
                f"A consolidation can't be drawn into side {side!r}, lobe {lobe!r}; sides are {', '.join(SIDES)}, "
                f"lobes {', '.join(LOBES)}. What has no such place, oedema or a pacemaker, can't be drawn onto a film: "
                "say addition=consolidation_left."
            )
        self.reader, self.size, self.side, self.lobe, self.seed = reader, size, side, lobe, seed
        self._origin = {record.id: record for record in reader.records}

    @cached_property
    def records(self) -> Sequence[Record]:
        return [self._told(record) for record in self.reader.records]

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        how = {key: getattr(self, key) for key in ("size", "side", "lobe", "seed")}
        return {"consolidated": DRAWING, "renderer": RENDERER, "how": how, "of": fingerprint(self.reader)}

    def load(self, record: Record) -> Sample:
        """One film, preprocessed to `size`, with the mask `consolidation`.

        Raises:
            ValueError: If the film has no masks of both lungs, or see the data set's own `load`.
        """
        sample = preprocess(self.reader.load(self._origin[record.id]), self.size)
        if missing := {"left_lung", "right_lung"} - set(sample.masks):
            raise ValueError(f"Record {record.id!r} has no mask {min(missing)!r}, so no lung to consolidate.")
        drawn = self.consolidation(record)
        other = "right" if drawn.side == "left" else "left"
        lung, opposite = (sample.masks[f"{side}_lung"][0].numpy() for side in (drawn.side, other))
        anatomy = Anatomy.draw(self._stream(record, "anatomy"))
        image, mask = consolidated(sample.image[0].numpy(), lung, opposite, drawn, anatomy)
        masks = {**sample.masks, "consolidation": torch.from_numpy(mask)[None]}
        return replace(sample, record=record, image=torch.from_numpy(image)[None], masks=masks)

    def consolidation(self, record: Record) -> Consolidation:
        """What is drawn onto a film."""
        drawn = Consolidation.sample(self._stream(record, "consolidation"))
        side, lobe = self.side or drawn.side, self.lobe or drawn.lobe
        return replace(drawn, side=side, lobe="upper" if (side, lobe) == ("left", "middle") else lobe)

    def _told(self, record: Record) -> Record:
        drawn = {"consolidation": self.consolidation(record).describe()}
        report = impression(drawn, self._stream(record, "report"), negatives=False)  # the film may have other findings
        return replace(record, labels={**record.labels, "consolidation": 1}, report=report)

    def _stream(self, record: Record, what: str) -> np.random.Generator:
        return stream("consolidated", self.seed, record.id, what)
