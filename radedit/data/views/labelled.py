"""Labels that are known of a whole data set, and the images that have given ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from radedit.data.batches.cache import fingerprint
from radedit.data.views.relabelled import RelabelledDataset
from radedit.data.views.splits import Part
from radedit.types import Dataset


class Labelled(RelabelledDataset):
    """A data set all of whose images have further labels: no image of before 2019 shows COVID-19.

    Args:
        dataset: The data set.
        labels: Finding → 0 or 1.
    """

    def __init__(self, dataset: Dataset, labels: Mapping[str, int]) -> None:
        self.labels = dict(labels)
        super().__init__(dataset, [replace(r, labels={**r.labels, **self.labels}) for r in dataset.records])

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"labelled": self.labels, "of": fingerprint(self.dataset)}


class WithLabels(Part):
    """The images of a data set that have given labels.

    Args:
        dataset: The data set.
        labels: Finding → 0 or 1; an image that was not read for one of them is left out.

    Raises:
        ValueError: If no image has them.
    """

    def __init__(self, dataset: Dataset, labels: Mapping[str, int]) -> None:
        self.labels = dict(labels)
        wanted = ", ".join(f"{finding} = {value}" for finding, value in self.labels.items())
        records = [
            record for record in dataset.records if all(record.labels.get(f) == v for f, v in self.labels.items())
        ]
        if not records:
            read = sorted({finding for record in dataset.records for finding in record.labels})
            raise ValueError(
                f"None of {len(dataset.records)} images has {wanted}. Their labels are of "
                f"{', '.join(read) or 'nothing'}."
            )
        rest = len(dataset.records) - len(records)
        super().__init__(dataset, wanted, records, {"other labels": rest} if rest else {})

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"with": self.labels, "of": fingerprint(self.dataset)}
