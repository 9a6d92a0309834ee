"""Samples that many predictors predict: loaded once, then held in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from radedit.data.batches.cache import fingerprint
from radedit.data.io.fingerprint import content_hash
from radedit.types import Dataset, Record, Sample


class CachedDataset:
    """A data set whose samples stay in memory after they were first loaded.

    Args:
        dataset: The data set; a hundred images of 128 px take 7 MB.
        change: What is done to each image, shape (1, H, W), given its record; nothing where None.
        memory_budget: Whose room is shared; None holds all samples.
    """

    def __init__(
        self,
        dataset: Dataset,
        change: Callable[[Tensor, Record], Tensor] | None = None,
        memory_budget: MemoryBudget | None = None,
    ) -> None:
        self.dataset, self.change, self.memory_budget = dataset, change, memory_budget
        self._samples: dict[str, Sample] = {}

    @property
    def records(self) -> Sequence[Record]:
        return self.dataset.records

    def load(self, record: Record) -> Sample:
        if record.id in self._samples:
            return self._samples[record.id]
        sample = self.dataset.load(record)
        if self.change is not None:
            sample = replace(sample, image=self.change(sample.image, record))
        if self.memory_budget is None or self.memory_budget.takes(sample):
            self._samples[record.id] = sample
        return sample


class MemoryBudget:
    """Data sets that are held together: equal ones only once, and no more than there is room for.

    Args:
        megabytes: Of all their samples; what is beyond is loaded at every access.
    """

    def __init__(self, megabytes: float = 2048) -> None:
        self.room = megabytes * 1e6
        self._held: dict[str, CachedDataset] = {}

    def of(self, dataset: Dataset) -> CachedDataset:
        """The data set, or one of the same fingerprint that was requested before; without one it is its own."""
        key = content_hash(fingerprint(dataset)) if hasattr(dataset, "fingerprint") else str(id(dataset))
        return self._held.setdefault(key, CachedDataset(dataset, memory_budget=self))

    def takes(self, sample: Sample) -> bool:
        """Whether there was room for one more sample."""
        needed = sum(tensor.nbytes for tensor in (sample.image, *sample.masks.values()))
        if needed > self.room:
            return False
        self.room -= needed
        return True
