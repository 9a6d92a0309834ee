"""A finished run as its folder has it: what was asked, by which rules, and every answer on every film."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radedit.harness.answers import FILE as FILMS
from radedit.harness.answers import read_films
from radedit.harness.pooled import Answered, reading
from radedit.harness.scenario import TRUTH, Addition, Removal
from radedit.harness.verdict import Rules
from radedit.report.results import FILE, load

SCENARIOS: dict[str, type[Removal] | type[Addition]] = {
    f"{kind.__module__}.{kind.__name__}": kind for kind in (Removal, Addition)
}
RULES = f"{Rules.__module__}.{Rules.__name__}"


@dataclass(frozen=True)
class FinishedRun:
    """One job of a sweep.

    Attributes:
        folder: Of the run.
        results: Its `results.json`.
        scenario: What was asked.
        rules: Fixed beforehand.
        answered: Every answer of its predictors.
    """

    folder: Path
    results: dict[str, Any]
    scenario: Removal | Addition
    rules: Rules
    answered: Answered

    @property
    def hash(self) -> str:
        """Of everything that determines the run."""
        return str(self.results["hashes"]["run"])

    @property
    def stress_set(self) -> str:
        """Hash of everything that determines the edits."""
        return str(self.results["hashes"]["stress_set"])

    @property
    def editor(self) -> str:
        """Name of the editor that is tested."""
        return str(self.results["config"]["editor"]["_target_"]).split(".")[-2]

    @property
    def order(self) -> tuple[bool, int, str]:
        """Runs by the seed of their predictors, whatever the order that they are given in."""
        seed = self.results.get("predictor_seed")
        return seed is None, seed or 0, self.hash

    @property
    def cosines(self) -> dict[str, float | None]:
        """Record → editing score, None where it is undefined."""
        score = self.results["score"]
        records = score.get("record") or next(one.sets["edit"].ids for one in self.answered.measured)
        return dict(zip(records, score["cosine"], strict=True))

    @property
    def twin_is(self) -> str:
        """What its table calls the twins: the only line that has no fixed name."""
        rows, _ = reading(self.scenario, "")
        known = {row.data for row in rows}
        return next((row["data"] for row in self.results["table"] if row["data"] not in known), TRUTH)


def read_run(folder: Path) -> FinishedRun:
    """Read the folder of a finished stress test.

    Raises:
        ValueError: If it is none, or its files are damaged or lack something; the message says what to do.
    """
    if not (folder / FILE).is_file():
        what = "does not exist" if not folder.exists() else f"has no {FILE}"
        raise ValueError(
            f"{folder} {what}, so it is no folder of a finished stress test; expected one such as "
            "outputs/stress/manifestation-0123456789ab, which python -m radedit.stress +scenario=… names at its end."
        )
    load(folder)  # complains of what it can't read
    results = json.loads((folder / FILE).read_text(encoding="utf-8"))
    config, hashes = results.get("config", {}), results.get("hashes", {})
    lacking = [name for name in ("scenario", "rules", "editor") if name not in config]
    lacking += [f"hash of the {name}" for name in ("run", "stress_set", "predictors") if name not in hashes]
    lacking += [FILMS] if not (folder / FILMS).is_file() else []
    if lacking:
        raise ValueError(
            f"{folder} has no {lacking[0].replace('_', ' ')}; it was made by an earlier version of radedit. "
            f"Run its command again ({results.get('command') or 'python -m radedit.stress +scenario=…'}): "
            "edits and answers that are there already are not made twice."
        )
    scenario, rules = dict(config["scenario"]), dict(config["rules"])
    kind = SCENARIOS.get(scenario.pop("_target_", ""))
    if kind is None or rules.pop("_target_", RULES) != RULES:
        raise ValueError(
            f"{folder / FILE}: config.scenario is of a kind that can't be put together; expected "
            f"{' or '.join(SCENARIOS)}."
        )
    measured, kept = read_films(folder / FILMS)
    thresholds = {
        entry["predictor"]: entry["threshold"] for entry in results.get("ranking", []) if "threshold" in entry
    }
    try:
        asked, fixed = kind(**scenario), Rules(**rules)
    except TypeError as error:
        raise ValueError(f"{folder / FILE}: config can't be read: {error}.") from None
    return FinishedRun(folder, results, asked, fixed, Answered(measured, kept, hashes["predictors"], thresholds))
