"""Samples that many predictors are asked about: loaded once, then held in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from radedit.data.cache import fingerprint
from radedit.data.fingerprint import content_hash
from radedit.types import Reader, Record, Sample


class Held:
    """A data set whose samples stay in memory after they were first loaded.

    Args:
        reader: The data set; a hundred films of 128 px take 7 MB.
        change: What is done to each film, shape (1, H, W), given its record; nothing where None.
        shelf: Whose room is shared; None holds all samples.
    """

    def __init__(
        self, reader: Reader, change: Callable[[Tensor, Record], Tensor] | None = None, shelf: Shelf | None = None
    ) -> None:
        self.reader, self.change, self.shelf = reader, change, shelf
        self._samples: dict[str, Sample] = {}

    @property
    def records(self) -> Sequence[Record]:
        return self.reader.records

    def load(self, record: Record) -> Sample:
        if record.id in self._samples:
            return self._samples[record.id]
        sample = self.reader.load(record)
        if self.change is not None:
            sample = replace(sample, image=self.change(sample.image, record))
        if self.shelf is None or self.shelf.takes(sample):
            self._samples[record.id] = sample
        return sample


class Shelf:
    """Data sets that are held together: equal ones only once, and no more than there is room for.

    Args:
        megabytes: Of all their samples; what is beyond is loaded each time that it is asked for.
    """

    def __init__(self, megabytes: float = 2048) -> None:
        self.room = megabytes * 1e6
        self._held: dict[str, Held] = {}

    def of(self, reader: Reader) -> Held:
        """The data set, or one of the same fingerprint that was asked for before; without one it is its own."""
        key = content_hash(fingerprint(reader)) if hasattr(reader, "fingerprint") else str(id(reader))
        return self._held.setdefault(key, Held(reader, shelf=self))

    def takes(self, sample: Sample) -> bool:
        """Whether there was room for one more sample."""
        needed = sum(tensor.nbytes for tensor in (sample.image, *sample.masks.values()))
        if needed > self.room:
            return False
        self.room -= needed
        return True
