"""The verdict of a variant of a sweep as pages to file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import radedit
from radedit.data.io.fingerprint import content_hash
from radedit.harness.evidence.results import Results
from radedit.harness.sweep.put_together import name_of_editor
from radedit.report.sweep.page import SETTINGS
from radedit.report.verdict.certificate import FILE, MOST, write_certificate
from radedit.report.verdict.certificate_text import Certificate, Judged

MEASURE = {
    "accuracy": "false positives on edits less those on shams",
    "dice": "Dice on shams less that on edits",
}


def write_certificates(folder: Path, results: Results, command: str) -> list[Path]:
    """Write `certificate.pdf`, and where there are more predictors than a page has room for, `certificate-2.pdf`, ….

    Args:
        folder: Of the variant.
        results: Of all seeds.
        command: That makes the sweep again.
    """
    judged = [
        Judged(
            results.predictor(verdict.predictor).name,
            verdict,
            len(results.predictor(verdict.predictor).seeds),
            _together(results.hashes.predictors[verdict.predictor]),
        )
        for verdict in results.verdicts
    ]
    setting = SETTINGS.get(results.setting, "")
    unqualified = [predictor.name for predictor in results.predictors if predictor.qualified is False]
    paths = []
    for first in range(0, len(judged), MOST):
        content = Certificate(
            title=results.title,
            setting=f"{results.setting}{setting and f' ({setting})'}, edited by {name_of_editor(results.editor)}",
            drawn=results.setting == "phantom",
            measure=MEASURE[results.measure],
            predictors=judged[first : first + MOST],
            rules=results.rules,
            interval=results.interval,
            stress_set=results.hashes.stress_set,
            generator=results.hashes.generator,
            commit=results.commit,
            command=command,
            created=results.created,
            machine=results.machine,
            version=radedit.__version__,
            weaknesses=results.weaknesses,
            limits=[f"Not what their role says, by the four cells: {', '.join(unqualified)}."] if unqualified else [],
        )
        name = FILE if first == 0 else f"{Path(FILE).stem}-{first // MOST + 1}.pdf"
        paths.append(write_certificate(folder / name, content))
    return paths


def _together(hashes: Mapping[str, str]) -> str:
    """The hash of a predictor, or of all its trainings together."""
    different = sorted(set(hashes.values()))
    return different[0] if len(different) == 1 else content_hash(different)
