"""What a data set holds, counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from radedit.data.checks.checked import Row
from radedit.types import Record


class Census:
    """Counts of records, and of what their images were found to hold.

    Args:
        name: Of the set.
        excluded: Reason → number of images that its dataset left out.
    """

    def __init__(self, name: str, excluded: Mapping[str, int]) -> None:
        self.name, self.excluded = name, dict(excluded)
        self.records = 0
        self.patients: defaultdict[str, set[str]] = defaultdict(set)  # by split
        self.attributes: dict[str, Counter[str]] = {"split": Counter(), "view": Counter()}
        self.labels: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.checked: Counter[str] = Counter()
        self.masks: Counter[str] = Counter()
        self.boxes: Counter[str] = Counter()

    def count(self, record: Record, row: Row | None = None) -> None:
        """Count a record, and what its check found where it was checked."""
        self.records += 1
        self.patients[record.attributes.get("split", "")].add(record.patient_id)
        for name, values in self.attributes.items():
            values[record.attributes.get(name, "") or "not given"] += 1
        for finding, value in record.labels.items():
            self.labels[finding][value] += 1
        if row is None:
            return
        self.checked["missing" if row["missing"] else "unreadable" if row["error"] else "readable"] += 1
        self.masks.update(name for name, share in row.get("masks", {}).items() if share)
        self.boxes.update(name for name, number in row.get("boxes", {}).items() if number)

    @property
    def split_patients(self) -> int:
        """Patients who are in several official splits."""
        splits = Counter(patient for patients in self.patients.values() for patient in patients)
        return sum(number > 1 for number in splits.values())

    def figures(self) -> dict[str, Any]:
        """All counts, of JSON's types."""
        return {
            "set": self.name,
            "images": self.records,
            "patients": len(set().union(*self.patients.values())),
            "patients in several splits": self.split_patients,
            **{name: _sorted(values) for name, values in self.attributes.items()},
            "labels": {
                finding: {"1": values[1], "0": values[0], "not read": self.records - values.total()}
                for finding, values in sorted(self.labels.items())
            },
            "left out": _sorted(Counter(self.excluded)),
            "checked": _sorted(self.checked),
            "images with masks": _sorted(self.masks),
            "images with boxes": _sorted(self.boxes),
        }

    def text(self) -> str:
        """The counts as lines to read."""
        figures = self.figures()
        lines = [f"{self.name}: {figures['images']:,} images of {figures['patients']:,} patients"]
        for name in ("split", "view", "left out", "images with masks", "images with boxes", "checked"):
            if figures[name]:
                lines.append(f"  {name}: " + " · ".join(f"{value} {n:,}" for value, n in figures[name].items()))
        for finding, values in figures["labels"].items():
            lines.append(f"  label {finding}: " + " · ".join(f"{value} {n:,}" for value, n in values.items() if n))
        if self.split_patients:
            lines.append(f"  {self.split_patients:,} patients are in more than one official split")
        return "\n".join(lines)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())
