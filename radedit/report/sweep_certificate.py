"""The verdict of a variant of a sweep as pages to file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import radedit
from radedit.data.fingerprint import content_hash
from radedit.harness.verdict import Rules, Verdict
from radedit.report.certificate import FILE, MOST, Certificate, Judged, write_certificate
from radedit.report.gallery import NAMES
from radedit.report.page import SETTINGS

MEASURE = {
    "accuracy": "false positives on edits less those on shams",
    "dice": "Dice on shams less that on edits",
}


def write_certificates(
    folder: Path, results: Mapping[str, Any], verdicts: Sequence[Verdict], rules: Rules, command: str
) -> list[Path]:
    """Write `certificate.pdf`, and where there are more predictors than a page has room for, `certificate-2.pdf`, ….

    Args:
        folder: Of the variant.
        results: Of all seeds, as `results.json` has them.
        verdicts: One a predictor.
        rules: Fixed beforehand.
        command: That makes the sweep again.
    """
    predictors = {predictor["key"]: predictor for predictor in results["predictors"]}
    hashes = results["hashes"]["predictors"]
    editor = str(results["config"]["editor"]["_target_"]).split(".")[-2]
    judged = [
        Judged(
            predictors[verdict.predictor]["name"],
            verdict,
            len(predictors[verdict.predictor]["seeds"]),
            _together(hashes[verdict.predictor]),
        )
        for verdict in verdicts
    ]
    setting = SETTINGS.get(results["setting"], "")
    unqualified = [p["name"] for p in results["predictors"] if p.get("qualified") is False]
    paths = []
    for first in range(0, len(judged), MOST):
        content = Certificate(
            title=results["title"],
            setting=f"{results['setting']}{f' ({setting})' if setting else ''}, edited by {NAMES.get(editor, editor)}",
            drawn=results["setting"] == "phantom",
            measure=MEASURE[results.get("measure", "accuracy")],
            predictors=judged[first : first + MOST],
            rules=rules,
            interval=results["interval"],
            stress_set=results["hashes"]["stress_set"],
            generator=results["hashes"].get("generator", ""),
            commit=results.get("commit", ""),
            command=command,
            created=results.get("created", ""),
            machine=results.get("machine", ""),
            version=radedit.__version__,
            weaknesses=results.get("weaknesses", []),
            limits=[f"Not what their role says, by the four cells: {', '.join(unqualified)}."] if unqualified else [],
        )
        name = FILE if first == 0 else f"{Path(FILE).stem}-{first // MOST + 1}.pdf"
        paths.append(write_certificate(folder / name, content))
    return paths


def _together(hashes: Mapping[str, str]) -> str:
    """The hash of a predictor, or of all its trainings together."""
    different = sorted(set(hashes.values()))
    return different[0] if len(different) == 1 else content_hash(different)
