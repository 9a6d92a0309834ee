"""Labels that are known of a whole data set, and the films that have given ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from radedit.data.cache import fingerprint
from radedit.types import Reader, Record, Sample


class Labelled:
    """A data set all of whose films have further labels: no film of before 2019 shows COVID-19.

    Args:
        reader: The data set.
        labels: Finding → 0 or 1.
    """

    def __init__(self, reader: Reader, labels: Mapping[str, int]) -> None:
        self.reader, self.labels = reader, dict(labels)
        self._records = [replace(record, labels={**record.labels, **self.labels}) for record in reader.records]

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def excluded(self) -> Mapping[str, int]:
        """Reason → number of films that the data set left out."""
        return getattr(self.reader, "excluded", {})

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"labelled": self.labels, "of": fingerprint(self.reader)}

    def load(self, record: Record) -> Sample:
        """As the data set loads it, under the new labels."""
        return replace(self.reader.load(record), record=record)


class WithLabels:
    """The films of a data set that have given labels.

    Args:
        reader: The data set.
        labels: Finding → 0 or 1; a film that was not read for one of them is left out.

    Raises:
        ValueError: If no film has them.
    """

    def __init__(self, reader: Reader, labels: Mapping[str, int]) -> None:
        self.reader, self.labels = reader, dict(labels)
        self._records = [
            record for record in reader.records if all(record.labels.get(f) == v for f, v in self.labels.items())
        ]
        if not self._records:
            read = sorted({finding for record in reader.records for finding in record.labels})
            wanted = ", ".join(f"{finding} = {value}" for finding, value in self.labels.items())
            raise ValueError(
                f"None of {len(reader.records)} films has {wanted}. Their labels are of {', '.join(read) or 'nothing'}."
            )

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def excluded(self) -> Mapping[str, int]:
        """Reason → number of films that were left out, here or by the data set."""
        rest = len(self.reader.records) - len(self._records)
        return {**getattr(self.reader, "excluded", {}), **({"other labels": rest} if rest else {})}

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"with": self.labels, "of": fingerprint(self.reader)}

    def load(self, record: Record) -> Sample:
        """As the data set loads it."""
        return self.reader.load(record)
