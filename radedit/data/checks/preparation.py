"""A data set checked image by image, block by block, and what was found written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from radedit.data.batches.cache import fingerprint
from radedit.data.checks.census import Census
from radedit.data.checks.checked import check_images, identical_images, missing_images, reopen
from radedit.data.checks.index_table import write_index
from radedit.data.checks.resized import ResizedCopy
from radedit.data.io.blocks import rows_of, work_in_blocks
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.table import write_table
from radedit.types import Dataset, Record

MISSING, UNREADABLE, IDENTICAL = "missing.csv", "unreadable.csv", "identical.csv"


class Preparation:
    """The check of one data set, with its outputs in one folder.

    Args:
        dataset: The data set.
        out: Folder of the outputs, outside the data set.
        copy: Of resized images; none is made where None.
        block: Images that are done, or done again, together.
        workers: Processes.
    """

    def __init__(
        self, dataset: Dataset, out: Path, *, copy: ResizedCopy | None = None, block: int = 256, workers: int = 2
    ) -> None:
        self.dataset, self.out, self.copy, self.block, self.workers = dataset, out, copy, block, workers
        self.census = Census(getattr(dataset, "name", type(dataset).__name__), getattr(dataset, "excluded", {}))

    def run(self, *, retry: bool = False) -> int:
        """Look for missing files and, if there is none, at every image; then write what was found.

        Args:
            retry: Whether to look again at images that could not be read.

        Returns:
            The number of images of which a file is missing.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        missing = self._list(MISSING, ({"id": r.id, "reason": why} for r, why in missing_images(self.dataset)))
        if missing:
            for record in self.dataset.records:
                self.census.count(record)
            return missing
        reopen(self._blocks, unreadable=retry)
        check = partial(check_images, self.dataset, self.copy.write if self.copy else None)
        n = len(self.dataset.records)
        work_in_blocks(check, n, self._blocks, block=self.block, workers=self.workers, what="Checking")
        for record, row in self.rows():
            self.census.count(record, row)
        if self.copy:
            self.copy.write_tables(self.rows)
        write_index(self.out / "index.parquet", self.rows)
        self._list(IDENTICAL, identical_images(self.rows))
        self._list(UNREADABLE, self._failed(missing=False))
        return self._list(MISSING, self._failed(missing=True))

    def rows(self) -> Iterator[tuple[Record, Mapping[str, Any]]]:
        """Records with what their check found; see `check_images`."""
        n = len(self.dataset.records)
        return zip(self.dataset.records, rows_of(self._blocks, n, self.block), strict=True)

    def records_to_show(self, n: int) -> list[Record]:
        """Records from all over the set that can be read, half of them with masks or boxes, where there are some."""
        drawn: list[int] = []
        plain: list[int] = []
        for number, (_, row) in enumerate(self.rows()):
            if not row["error"]:
                shown = any(row["masks"].values()) or any(row["boxes"].values())
                (drawn if shown else plain).append(number)
        half = max(n // 2, n - len(plain))
        chosen = [*_spread(drawn, half)]
        chosen += _spread(plain, n - len(chosen))
        return [self.dataset.records[number] for number in sorted(chosen)]

    @cached_property
    def _blocks(self) -> Path:
        key = content_hash([fingerprint(self.dataset), self.copy.size if self.copy else None])
        return self.out / "blocks" / key[:16]

    def _failed(self, *, missing: bool) -> Iterator[dict[str, str]]:
        for record, row in self.rows():
            if row["error"] and row["missing"] == missing:
                yield {"id": record.id, "reason": row["error"]}

    def _list(self, file: str, rows: Iterable[Mapping[str, str]]) -> int:
        """Write a table where there is something to write, else leave none of an earlier run; the number of rows."""
        listed = list(rows)
        (self.out / file).unlink(missing_ok=True)
        if listed:
            write_table(self.out / file, list(listed[0]), listed)
        return len(listed)


def _spread(numbers: Sequence[int], n: int) -> list[int]:
    """At most `n` of the numbers, evenly from all of them."""
    n = min(n, len(numbers))
    return [numbers[i * len(numbers) // n] for i in range(n)]
