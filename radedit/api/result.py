"""The result of a stress test as a program has it: `results.json`, typed, with its table and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr

from radedit.data.io.checksums import require_whole
from radedit.harness.evidence.results import FILE, REMEDY, Results, load
from radedit.harness.sweep.results import FILE as SWEEP

if TYPE_CHECKING:
    from pandas import DataFrame


class StressResult(Results):
    """A finished stress test: all that `results.json` holds, see `radedit.harness.evidence.results.Results`.

    `verdicts` has one for each model; `predictors`, `table`, `attribution`, `checks`, `provenance` and so on are as in
    the published schema.

    Examples:
        >>> import radedit
        >>> result = radedit.load_result("outputs/stress/manifestation-0123456789ab")  # doctest: +SKIP
        >>> result.verdict("own").outcome  # doctest: +SKIP
        'undecided'
    """

    _folder: Path = PrivateAttr()

    @classmethod
    def of(cls, folder: Path) -> Self:
        """What the folder of a finished run holds."""
        found = cls.model_validate_json(load(folder).model_dump_json())
        found._folder = folder
        return found

    @property
    def folder(self) -> Path:
        """Where results, pictures, predictions and report lie."""
        return self._folder

    def to_frame(self) -> DataFrame:
        """Every number of the table, one a row.

        Returns:
            Columns `predictor`, `name`, `role`, `images` (which), `n` (how many), `measure` (`accuracy`; of a segmenter
            `dice`, `hd95` in px, …), `value`, and `low` and `high`, the bounds of its 95 % interval, NaN where there
            are none.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for row in self.table:
            entry = self.predictor(row.predictor)
            for measure, estimate in (row.scores or {"accuracy": row.main}).items():
                rows.append({
                    "predictor": row.predictor, "name": entry.name, "role": entry.role, "images": row.data, "n": row.n,
                    "measure": measure, "value": estimate.value, "low": estimate.low, "high": estimate.high,
                })  # fmt: skip
        return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})

    def report(self) -> Path:
        """Path of the report, one HTML file with all its pictures; written again where it is gone."""
        from radedit.report.sweep.page import PAGE, write_report

        page = self.folder / PAGE
        return page if page.is_file() else write_report(self.folder)

    def __str__(self) -> str:
        """The verdicts, a line for each model."""
        if not self.verdicts:
            return f"{self.title} No verdict: {' '.join(self.notes) or 'nothing was judged.'}"
        lines = [self.title]
        for verdict in self.verdicts:
            reason = verdict.reasons[0] if verdict.reasons else ""
            lines.append(f"{verdict.outcome.upper():9}  {self.predictor(verdict.predictor).name}  {reason}".rstrip())
        return "\n".join(lines)

    def __repr__(self) -> str:
        said = ", ".join(f"{verdict.predictor}: {verdict.outcome}" for verdict in self.verdicts) or "no verdict"
        return f"<{type(self).__name__} of {self.name}, {said}>"


def load_result(path: str | Path) -> StressResult:
    """Read a finished stress test back.

    Args:
        path: Its folder, or the `results.json` in it; also the folder of a sweep, if it tested one thing.

    Returns:
        What `stress` returned.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is of another version, or a file was changed since it was written; the message names it.

    Examples:
        >>> import radedit
        >>> radedit.load_result("nowhere")
        Traceback (most recent call last):
        ...
        FileNotFoundError: nowhere/results.json does not exist; a stress test writes it when it has finished.
    """
    found = Path(path).expanduser()
    folder = found.parent if found.name == FILE else _variant(found)
    require_whole(folder, "The run", REMEDY)
    return StressResult.of(folder)


def _variant(folder: Path) -> Path:
    """Of a sweep's folder, that of its only variant; any other as it is."""
    if not (folder / SWEEP).is_file() or (folder / FILE).is_file():
        return folder
    variants = sorted(results.parent for results in folder.glob(f"*/{FILE}"))
    if len(variants) != 1:
        raise ValueError(f"{folder} is a sweep of {len(variants)}. Load one: {', '.join(map(str, variants))}.")
    return variants[0]
