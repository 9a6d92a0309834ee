"""From answers to evidence, whatever the scenario: table, attribution, agreement, verdicts.

A scenario says by a `Yardstick` what is measured and along which chain of images; the terms telescope exactly:

    edit − first = VAE + inversion + artefact + shift
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from radedit.harness.answers import Answers, Measured
from radedit.harness.evaluate import Subject
from radedit.harness.scenario import Addition, Removal
from radedit.harness.statistics import Estimate, crossed_difference, crossed_mean
from radedit.harness.verdict import Rules, Verdict, judge
from radedit.types import Reader

PATH = ("VAE", "inversion", "artefact")


@dataclass(frozen=True)
class Term:
    """One step of an attribution: the measure after it less that before it."""

    name: str
    before: str
    after: str
    meaning: str


@dataclass(frozen=True)
class Row:
    """One line of a table: which films, and what the right answer is on them.

    Attributes:
        data: What the films are called.
        label: The right answer, in words.
        set: Name of the answers.
        films: `own` for all films of the set, `kept` for those whose edit was kept, `every` for all that were edited.
        paper: Column of the paper's table, if it has one.
    """

    data: str
    label: str
    set: str
    films: str = "kept"
    paper: str = ""


@dataclass(frozen=True)
class Yardstick:
    """How a kind of scenario measures.

    Attributes:
        measure: What tables turn on: 1 is good.
        chained: What is attributed.
        worse: 1 if more of it is worse, −1 if less is.
        terms: From the first image of the chain to the edit.
        split: The same difference by means of the true twin, where there is one.
        tabled: Measures that tables show beside `measure`.
        control: Where the chain does not begin with the originals: from these to what the path alone makes of them.
    """

    measure: str
    chained: str
    worse: int
    terms: tuple[Term, ...]
    split: tuple[Term, ...] = ()
    tabled: tuple[str, ...] = ()
    control: Term | None = None

    @property
    def first(self) -> str:
        """Image that the chain begins with."""
        return self.terms[0].before


def table(
    measured: Sequence[Measured],
    rows: Sequence[Row],
    yardstick: Yardstick,
    paper: Mapping[str, Mapping[str, Sequence[float]]],
    kept: Sequence[str],
    every: Sequence[str],
) -> list[dict[str, Any]]:
    """Each predictor's measure on each set of films, in the paper's form, with the paper's number beside it.

    Controls follow the keep decision of their edit. Where nothing was kept, they are over all edits.
    """
    result: list[dict[str, Any]] = []
    for one in measured:
        for row in rows:
            if row.films == "kept" and row.set == "edit" and not kept:
                continue
            found = one.sets.get(row.set)
            if found is not None and row.films != "own":
                found = one.of(row.set, every if row.films == "every" else kept or every)
            if found is None:
                continue
            said = paper.get(one.role, {}).get(row.paper)
            per_seed = found.per_seed(yardstick.measure)
            entry = {
                "predictor": one.key,
                "data": row.data,
                "label": row.label,
                "n": len(found.ids),
                "seeds": len(per_seed),
                "std": float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else None,
                "per_seed": {name: found.per_seed(name) for name in (yardstick.measure, *yardstick.tabled)},
                "paper": None if said is None else said[0],
                "paper_std": None if said is None else said[1],
            }
            if yardstick.tabled:
                entry["scores"] = {name: found.mean(name).dict() for name in (yardstick.measure, *yardstick.tabled)}
                entry["missed"] = int(found.values["missed"].sum())
            else:
                entry["accuracy"] = found.mean(yardstick.measure).dict()
            result.append(entry)
    return result


def attribution(measured: Sequence[Measured], yardstick: Yardstick, records: Sequence[str]) -> list[dict[str, Any]]:
    """What was measured on the edit as a sum of terms along its chain; empty for a predictor without all of it."""
    result = []
    for one in measured:
        chain = _chain(one, yardstick, records)
        if chain is None:
            continue
        values, subjects = chain

        def terms(
            which: Sequence[Term], values: Mapping[str, Any] = values, subjects: Sequence[str] = subjects
        ) -> list[dict[str, Any]]:
            return [
                {
                    "name": term.name,
                    "meaning": term.meaning,
                    "value": crossed_mean(values[term.after] - values[term.before], subjects).dict(),
                }
                for term in which
                if term.before in values and term.after in values
            ]

        last = {term.name: term for term in yardstick.terms}[PATH[-1]].after
        entry = {
            "predictor": one.key,
            "n": len(records),
            "reference": crossed_mean(values[yardstick.first], subjects).dict(),
            "terms": terms(yardstick.terms),
            "edit": crossed_mean(values["edit"], subjects).dict(),
            "split": terms(yardstick.split),
            "path": crossed_mean(yardstick.worse * (values[last] - values[yardstick.first]), subjects).dict(),
            "excess": crossed_mean(yardstick.worse * (values["edit"] - values[last]), subjects).dict(),
        }
        control = yardstick.control
        if control is not None and {control.before, control.after} <= set(values):
            lost = yardstick.worse * (values[control.before] - values[control.after])
            entry["control"] = crossed_mean(lost, subjects).dict()
        if "keep_sham" in values:
            sides = {kind: crossed_mean(values[kind], subjects).dict() for kind in ("source", "keep_sham")}
            entry["keep_sham"] = sides
        result.append(entry)
    return result


def _chain(
    one: Measured, yardstick: Yardstick, records: Sequence[str]
) -> tuple[dict[str, NDArray[np.float64]], list[str]] | None:
    """Chained measure on every kind of image of these records, (S, N) each, and whose films they are."""
    found = {kind: answers for kind in one.sets if (answers := one.of(kind, records)) is not None}
    needed = {yardstick.first, *(term.after for term in yardstick.terms)}
    if not records or not needed <= set(found):
        return None
    return {kind: answers.values[yardstick.chained] for kind, answers in found.items()}, found["edit"].subjects


def contrast(worse: Measured, better: Measured, yardstick: Yardstick, records: Sequence[str]) -> dict[str, Any] | None:
    """The paper's signature: by how much more the shift costs one predictor than the other, same films and patients."""
    chains = [_chain(one, yardstick, records) for one in (worse, better)]
    if chains[0] is None or chains[1] is None:
        return None
    last = yardstick.terms[-1].before
    shift = [yardstick.worse * (values["edit"] - values[last]) for values, _ in (chains[0], chains[1])]
    difference = crossed_difference(shift[0], shift[1], chains[0][1])
    return {"worse": worse.key, "better": better.key, "n": len(records), "difference": difference.dict()}


def agreement(
    measured: Sequence[Measured], yardstick: Yardstick, records: Sequence[str], edits: str = "kept"
) -> list[dict[str, Any]]:
    """The measure on edits and on true twins of the same patients, with the paired difference; `edits` says which."""
    result = []
    for one in measured:
        synthetic, truth = (one.of(kind, records) for kind in ("edit", "twin"))
        if synthetic is None or truth is None or not records:
            continue
        name = yardstick.measure
        difference = crossed_mean(synthetic.values[name] - truth.values[name], synthetic.subjects)
        ends = {"synthetic": synthetic.mean(name).dict(), "truth": truth.mean(name).dict()}
        entry = {"predictor": one.key, "edits": edits, "n": len(records), **ends, "difference": difference.dict()}
        result.append(entry)
    return result


def verdicts(attributions: Sequence[Mapping[str, Any]], rules: Rules) -> list[Verdict]:
    """One for each predictor: is what the shift costs it, beyond the sham, above the limit that was set beforehand?"""
    return [
        judge(
            entry["predictor"], Estimate(**entry["excess"]), Estimate(**entry["path"]), entry["n"], rules,
            Estimate(**entry["control"]) if "control" in entry else None,
        )
        for entry in attributions
    ]  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """All that a report of a scenario tells, as JSON has it, but for provenance and pictures.

    Attributes:
        scenario: What was asked.
        subjects: Who was tested.
        measured: Their answers.
        kept: Records whose edit was kept.
        predictors: Each with its four cells and whether it qualifies.
        table, attribution, agreement, verdicts: See the functions of these names.
        contrasts: See `contrast`; the paper's pair first.
        ranking: Of classifiers: AUROC, and other statements about order.
        score: Editing score of every edit, and whether it was kept.
        counts: Of records.
        skipped: Records that could not be edited.
        quality: See `radedit.harness.edits.edit_quality`.
        gallery: Records to be shown, the worst first.
        probabilities: Record → predictor → kind of image → probability, or Dice.
        cells: Cell → reader of its films, for pictures.
        notes: Sentences for the reader.
        answers: Record → kind of image → predictor → mask that it drew, (1, H, W), for pictures.
        truths: Record → what they should have drawn.
    """

    scenario: Removal | Addition
    subjects: list[Subject]
    measured: list[Measured]
    kept: list[str]
    predictors: list[dict[str, Any]]
    table: list[dict[str, Any]]
    attribution: list[dict[str, Any]]
    agreement: list[dict[str, Any]]
    verdicts: list[Verdict]
    contrasts: list[dict[str, Any]]
    score: dict[str, list[Any]]
    counts: dict[str, int]
    skipped: list[dict[str, str]]
    quality: dict[str, Any] | None
    gallery: list[str]
    probabilities: dict[str, dict[str, dict[str, float]]]
    cells: Mapping[str, Reader]
    notes: list[str]
    ranking: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, dict[str, dict[str, Tensor]]] = field(default_factory=dict)
    truths: dict[str, Tensor] = field(default_factory=dict)


def figures(
    measured: Sequence[Measured],
    rows: Sequence[Row],
    yardstick: Yardstick,
    scenario: Removal | Addition,
    rules: Rules,
    kept: Sequence[str],
    every: Sequence[str],
) -> dict[str, Any]:
    """Table, attribution, agreement, verdicts and contrasts of one run, or of several seeds that were stacked."""
    records = kept or every
    attributed = attribution(measured, yardstick, records)
    agreed = agreement(measured, yardstick, kept) if kept else []
    return {
        "table": table(measured, rows, yardstick, scenario.paper, kept, every),
        "attribution": attributed,
        "agreement": [*agreed, *agreement(measured, yardstick, every, "all")],
        "verdicts": verdicts(attributed, rules),
        "contrasts": [
            found
            for worse, better in pairs(measured)
            if (found := contrast(worse, better, yardstick, records)) is not None
        ],
    }


WORSE = {"confounded": "unconfounded", "biased": "unbiased", "weak": "strong"}


def pairs(measured: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    """Every predictor that should fall with every one that should hold."""
    return [(one, two) for one in measured for two in measured if WORSE.get(one.role) == two.role]


def probabilities_of(
    measured: Sequence[Measured], records: Sequence[str], kinds: Sequence[str], measure: str
) -> dict[str, dict[str, dict[str, float]]]:
    """Record → predictor → kind of image → measure, for pictures."""

    def values(one: Measured, record: str) -> dict[str, float]:
        found = {kind: one.of(kind, [record]) for kind in kinds}
        return {kind: float(a.values[measure].mean()) for kind, a in found.items() if a is not None}

    return {record: {one.key: values(one, record) for one in measured} for record in records}


def worst_first(measured: Sequence[Measured], records: Sequence[str], measure: str, worse: int) -> list[str]:
    """Records by how badly the predictors do on their edits."""

    def values(answers: Answers) -> NDArray[np.float64]:
        return answers.values[measure].mean(axis=0)

    badness = worse * np.mean([values(one.sets["edit"].only(records)) for one in measured], axis=0)
    return [records[i] for i in np.argsort(-badness, kind="stable")]
