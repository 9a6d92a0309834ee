"""Labels that are known of a whole data set, and the films that have given ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from radedit.data.cache import fingerprint
from radedit.data.splits import Part
from radedit.data.told import Told
from radedit.types import Reader


class Labelled(Told):
    """A data set all of whose films have further labels: no film of before 2019 shows COVID-19.

    Args:
        reader: The data set.
        labels: Finding → 0 or 1.
    """

    def __init__(self, reader: Reader, labels: Mapping[str, int]) -> None:
        self.labels = dict(labels)
        super().__init__(reader, [replace(r, labels={**r.labels, **self.labels}) for r in reader.records])

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"labelled": self.labels, "of": fingerprint(self.reader)}


class WithLabels(Part):
    """The films of a data set that have given labels.

    Args:
        reader: The data set.
        labels: Finding → 0 or 1; a film that was not read for one of them is left out.

    Raises:
        ValueError: If no film has them.
    """

    def __init__(self, reader: Reader, labels: Mapping[str, int]) -> None:
        self.labels = dict(labels)
        wanted = ", ".join(f"{finding} = {value}" for finding, value in self.labels.items())
        records = [
            record for record in reader.records if all(record.labels.get(f) == v for f, v in self.labels.items())
        ]
        if not records:
            read = sorted({finding for record in reader.records for finding in record.labels})
            raise ValueError(
                f"None of {len(reader.records)} films has {wanted}. Their labels are of {', '.join(read) or 'nothing'}."
            )
        rest = len(reader.records) - len(records)
        super().__init__(reader, wanted, records, {"other labels": rest} if rest else {})

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"with": self.labels, "of": fingerprint(self.reader)}
