"""A data set without what is in another, so that no predictor is tested on patients whom it has learned from."""

from __future__ import annotations

from operator import attrgetter

from radedit.data.batches.cache import fingerprint
from radedit.data.io.fingerprint import content_hash
from radedit.data.views.splits import Part
from radedit.types import Dataset

BY = ("patient", "image")


class Disjoint(Part):
    """The images of a data set that are not in another one.

    Args:
        dataset: The data set.
        other: Whose patients, or images, are left out; both sets call them the same.
        by: `patient` leaves out all images of a patient, `image` those of the same id.

    Raises:
        ValueError: If `by` is neither, or no image is left.
    """

    def __init__(self, dataset: Dataset, other: Dataset, by: str = "patient") -> None:
        if by not in BY:
            raise ValueError(f"by is {by!r}. Allowed are {', '.join(BY)}.")
        key = attrgetter("patient_id" if by == "patient" else "id")
        taken = {key(record) for record in other.records}
        records = [record for record in dataset.records if key(record) not in taken]
        if not records:
            raise ValueError(f"Each of {len(dataset.records)} images is of a {by} that the other set has, too.")
        rest = len(dataset.records) - len(records)
        super().__init__(dataset, f"without a {by}", records, {f"{by} is in the other set": rest} if rest else {})

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        records = content_hash([record.id for record in self._records])
        return {"records": records, "of": fingerprint(self.dataset)}
