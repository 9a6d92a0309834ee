"""What a sweep found, as `sweep.json` holds it: several variants of one question, each of several predictor seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radedit.report.decode import decode
from radedit.report.results import Results, Verdict

FILE = "sweep.json"


@dataclass(frozen=True)
class Member:
    """A run that went in.

    Attributes:
        folder: Its name, below `outputs/stress`.
        run: Its hash.
        variant: Key of the one that it belongs to.
        stress_set: Hash of the edits.
        predictor_seed: Of its predictors' training.
        created, commit, command: Its provenance.
    """

    folder: str
    run: str
    variant: str
    stress_set: str
    predictor_seed: int | None = None
    created: str = ""
    commit: str = ""
    command: str = ""


@dataclass(frozen=True)
class Variant:
    """One stress set of the sweep, or several whose films were put together.

    Attributes:
        key: Also the folder of its page, where it has one.
        name: In words.
        group: Of Figure 5, or the key itself.
        results: Of all seeds, without the gallery.
        members: Keys of the variants that were put together; empty for a single one.
    """

    key: str
    name: str
    group: str
    results: Results
    members: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Attributes:
        name: Scenario.
        setting: As in a run.
        title: The question.
        section: Of the paper.
        measure: `accuracy` or `dice`.
        hash: Of the runs' hashes, whatever their order.
        created: When the last of its runs ended.
        command: That made the runs and this report, or that makes it again from the runs.
        rules: That were fixed beforehand.
        outcome: Of all verdicts: `fail`, `pass` or `undecided`.
        exit_code: By the rules.
        runs: That went in.
        variants: Each with a page of its own.
        groups: As Figure 5 has them; the variants themselves, where there is nothing to put together.
        verdicts: Of every variant; where there are several, predictors are named `<variant>/<key>`.
    """

    name: str
    setting: str
    title: str
    section: str
    measure: str
    hash: str
    created: str
    command: str
    rules: dict[str, Any]
    outcome: str
    exit_code: int
    runs: list[Member]
    variants: list[Variant]
    groups: list[Variant]
    verdicts: list[Verdict]


def load_sweep(folder: Path) -> Sweep:
    """Read a finished sweep.

    Raises:
        FileNotFoundError: If the folder has none.
        ValueError: If it is not what `Sweep` says; the message names the place.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; python -m radedit.sweep writes it.")
    try:
        sweep: Sweep = decode(Sweep, json.loads(path.read_text(encoding="utf-8")), "")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return sweep
