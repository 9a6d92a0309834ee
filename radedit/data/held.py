"""Samples that many predictors are asked about: loaded once, then held in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from radedit.types import Reader, Record, Sample


class Held:
    """A data set whose samples stay in memory after they were first loaded.

    Args:
        reader: The data set; a hundred films of 128 px take 7 MB.
        change: What is done to each film, shape (1, H, W), given its record; nothing where None.
    """

    def __init__(self, reader: Reader, change: Callable[[Tensor, Record], Tensor] | None = None) -> None:
        self.reader, self.change = reader, change
        self._samples: dict[str, Sample] = {}

    @property
    def records(self) -> Sequence[Record]:
        return self.reader.records

    def load(self, record: Record) -> Sample:
        if record.id not in self._samples:
            sample = self.reader.load(record)
            if self.change is not None:
                sample = replace(sample, image=self.change(sample.image, record))
            self._samples[record.id] = sample
        return self._samples[record.id]
