"""A reader study's results: as JSON, and as tables in Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from radedit.data.io.atomic import write_atomically
from radedit.data.io.typed_json import read_typed
from radedit.harness.evidence.results import Results
from radedit.harness.reader_study.results import Agreement, Filled, ReaderResults
from radedit.harness.statistics.estimate import Estimate
from radedit.report.words.markdown import markdown, number

FILE = "readers.json"
KINDS = {"real": "Real", "vae": "Through the autoencoder", "sham": "Sham, edited to no effect", "edited": "Edited"}
QUESTIONS = {"looks": "real or edited, 1–5", "finding": "finding"}
NONE = "–"


def write_reader_results(results: ReaderResults, about: Mapping[str, Any], file: Path) -> None:
    """Write `readers.json`; `about` is provenance."""
    found = asdict(results) | {"about": dict(about)}
    write_atomically(file, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())


def readers_of(run: Path, results: Results) -> ReaderResults | None:
    """The reader study that lies beside a run's results; None where there is none.

    Raises:
        ValueError: If it is damaged, or of another stress set.
    """
    file = run / FILE
    if not file.is_file():
        return None
    found = read_typed(ReaderResults, file)
    if found.stress_set != results.hashes.stress_set:
        raise ValueError(
            f"{file} is of stress set {found.stress_set[:12]}, and the run is not. Delete it, or read the forms back "
            "with the key of their own study."
        )
    return found


def reader_table(results: ReaderResults) -> str:
    """Markdown: looks and finding by kind of image for each reader, agreement, and how far everyone came."""
    told = [["reader", "images", "n", "told from real, AUROC", "called edited, %"]]
    told += [
        [one.reader, one.kind, str(one.n), with_interval(one.auroc, 1, 2), with_interval(one.called_edited, 100, 0)]
        for one in results.told
    ]
    seen = [["reader", "images", results.finding, "n", "seen, %", "unsure"]]
    seen += [
        [one.reader, one.kind, "there" if one.has else "not there", str(one.n), with_interval(one.seen, 100, 0),
         str(one.unsure)]
        for one in results.seen
    ]  # fmt: skip
    agreement = [["readers", "question", "images", "same answer, %", "kappa"]]
    agreement += [
        [who(entry), QUESTIONS[entry.question], str(entry.n), with_interval(entry.same, 100, 0),
         with_interval(entry.kappa, 1, 2)]
        for entry in results.agreement
    ]  # fmt: skip
    filled = [["reader", "items answered", "of", "left open", "seconds an item (quartiles)", "minutes"]]
    filled += [
        [one.reader, str(one.complete), str(results.items), ", ".join(map(str, one.missing)) or NONE, seconds(one),
         f"{one.minutes:.0f}"]
        for one in results.filled
    ]  # fmt: skip
    tables = [markdown(lines) for lines in (told, seen, agreement, filled) if len(lines) > 1]
    return "\n\n".join([*tables, *results.cautions, f"Intervals: {results.interval}."]) + "\n"


def who(entry: Agreement) -> str:
    """Whose answers are compared."""
    return f"{entry.readers[0]}, twice" if len(entry.readers) == 1 else ", ".join(entry.readers)


def seconds(filled: Filled) -> str:
    """Of an item, with quartiles."""
    if filled.median is None:
        return NONE
    return f"{filled.median:.1f} ({filled.lower:.1f} to {filled.upper:.1f})"


def with_interval(estimate: Estimate | None, unit: float, digits: int) -> str:
    """A number and its bounds, where it is known."""
    if estimate is None:
        return NONE
    text = number(unit * estimate.value, digits, sign=False)
    if estimate.low is None or estimate.high is None:
        return text
    low, high = (number(unit * bound, digits, sign=False) for bound in (estimate.low, estimate.high))
    return f"{text} ({low} to {high})"
