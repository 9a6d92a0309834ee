"""Evidence from predictors whose every answer is known, because it is painted into the films."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radedit.harness.evaluate import Subject
from radedit.harness.evidence import Evidence
from radedit.harness.removal import gather
from radedit.harness.scenario import Removal, StressData
from radedit.harness.verdict import Rules
from tests.harness.painted import SIZE, Painted, Reads, film, right_or_wrong, subject, write_set

KINDS = (
    "source", "vae", "replay", "edit", "keep_sham", "reference", "reference_vae", "reference_replay", "sham", "twin",
)  # fmt: skip
N = 16

Answers = dict[str, dict[str, dict[str, float]]]
Gather = Callable[..., Evidence]


@pytest.fixture
def answers() -> Answers:
    """Random answers of two predictors on every kind of image of 16 films of 8 patients."""
    rng = np.random.default_rng(0)
    return {
        f"p{i // 2:02d}-{i % 2}": {kind: {"one": rng.uniform(), "two": rng.uniform()} for kind in KINDS}
        for i in range(N)
    }


@pytest.fixture
def gathered(scenario: Removal, tmp_path: Path) -> Gather:
    """Gathers evidence from given answers."""

    def run(
        answers: Answers, kept: Mapping[str, bool] | None = None, *, cells: Mapping[str, Painted] | None = None,
        subjects: Sequence[Subject] | None = None, n_gallery: int = 4, folder: str = "set",
    ) -> Evidence:  # fmt: skip
        records = list(answers)
        stress_set = write_set(tmp_path / folder, answers, dict.fromkeys(records, True) if kept is None else kept)
        own = right_or_wrong(3, 1, 1)
        sources = Painted([film()] * (len(records) + 1), [1] * (len(records) + 1))
        return gather(
            subjects or [subject("one", "confounded", own), subject("two", "unconfounded", own)], scenario,
            StressData(sources, shifted=right_or_wrong(1, 4, 0), cells=cells or {}),
            stress_set, size=SIZE, answers=tmp_path / f"{folder}-answers", n_gallery=n_gallery, rules=Rules(),
        )  # fmt: skip

    return run


def positive(answers: Answers, kind: str, who: str, records: Sequence[str] | None = None) -> float:
    return float(np.mean([answers[r][kind][who] >= 0.5 for r in records or answers]))


def row(found: Evidence, who: str, data: str) -> dict[str, Any]:
    return next(row for row in found.table if (row["predictor"], row["data"]) == (who, data))


@pytest.mark.parametrize("who", ["one", "two"])
def test_table_has_the_accuracies_that_were_painted(who: str, answers: Answers, gathered: Gather) -> None:
    found = gathered(answers)
    expected = {
        "ordinary test set": 0.75,
        "truly shifted, other patients": 0.2,
        "synthetic (kept)": 1 - positive(answers, "edit", who),
        "synthetic (all)": 1 - positive(answers, "edit", who),
        "truly shifted, same patients": 1 - positive(answers, "twin", who),
        "replay": positive(answers, "replay", who),
        "sham": 1 - positive(answers, "sham", who),
    }
    table = {row["data"]: row["accuracy"]["value"] for row in found.table if row["predictor"] == who}
    assert table == pytest.approx(expected)


def test_papers_number_stands_beside_the_role_that_it_belongs_to(answers: Answers, gathered: Gather) -> None:
    found = gathered(answers)
    papers = {(row["predictor"], row["data"]): row["paper"] for row in found.table if row["paper"] is not None}
    assert papers == {("one", "ordinary test set"): 93.3, ("one", "synthetic (kept)"): 17.9}


@pytest.mark.parametrize("n_kept", [0, 5, N])
def test_attribution_telescopes_exactly(n_kept: int, answers: Answers, gathered: Gather) -> None:
    for entry in gathered(answers, {r: i < n_kept for i, r in enumerate(answers)}).attribution:
        terms = {term["name"]: term["value"]["value"] for term in entry["terms"]}
        assert list(terms) == ["VAE", "inversion", "artefact", "shift"]
        assert entry["reference"]["value"] + sum(terms.values()) == pytest.approx(entry["edit"]["value"], abs=1e-12)
        split = sum(term["value"]["value"] for term in entry["split"])
        assert split == pytest.approx(entry["edit"]["value"] - entry["reference"]["value"], abs=1e-12)


def test_each_term_is_the_step_that_it_is_named_after(answers: Answers, gathered: Gather) -> None:
    """One link of the chain changes all answers, and only its own term sees that."""
    steps = {
        "VAE": "reference_vae", "inversion": "reference_replay", "artefact": "sham", "shift": "edit",
    }  # fmt: skip
    for i, name in enumerate(steps):
        changed = {
            record: {kind: dict.fromkeys(("one", "two"), float(kind in list(steps.values())[i:])) for kind in KINDS}
            for record in list(answers)[:2]
        }
        for entry in gathered(changed, folder=name).attribution:
            terms = {term["name"]: term["value"]["value"] for term in entry["terms"]}
            assert terms == {other: float(other == name) for other in steps}


def test_shams_follow_their_edits_keep_decision(answers: Answers, gathered: Gather) -> None:
    kept = {record: i % 3 == 0 for i, record in enumerate(answers)}
    records = [record for record, keep in kept.items() if keep]
    found = gathered(answers, kept)
    for entry in found.attribution:
        who = entry["predictor"]
        assert entry["n"] == len(records) == row(found, who, "sham")["n"] == row(found, who, "synthetic (kept)")["n"]
        assert entry["reference"]["value"] == pytest.approx(positive(answers, "reference", who, records))
        assert entry["edit"]["value"] == pytest.approx(positive(answers, "edit", who, records))
        assert entry["keep_sham"]["source"]["value"] == pytest.approx(positive(answers, "source", who, records))
        assert entry["keep_sham"]["keep_sham"]["value"] == pytest.approx(positive(answers, "keep_sham", who, records))
        assert entry["control"]["value"] == pytest.approx(
            positive(answers, "source", who, records) - positive(answers, "replay", who, records)
        )
        assert row(found, who, "sham")["accuracy"]["value"] == pytest.approx(
            1 - positive(answers, "sham", who, records)
        )


def test_counts_are_of_records(answers: Answers, gathered: Gather) -> None:
    ids = list(answers)
    found = gathered(answers, dict.fromkeys(ids[:7], True) | dict.fromkeys(ids[7:12], False))
    assert found.counts == {
        "sources": N + 1, "edited": N, "skipped": 1, "kept": 7, "rejected": 5, "undefined": 4,
    }  # fmt: skip
    assert found.skipped == [{"record": "p-lost", "reason": "It is blank."}]
    assert found.score["kept"] == [True] * 7 + [False] * 9
    assert found.score["cosine"] == [0.5] * 7 + [0.1] * 5 + [None] * 4


def test_nothing_kept_has_no_row_of_kept_edits_and_says_so(answers: Answers, gathered: Gather) -> None:
    found = gathered(answers, dict.fromkeys(answers, False))
    assert not [row for row in found.table if row["data"] == "synthetic (kept)"]
    assert row(found, "one", "synthetic (all)")["n"] == N
    assert any("No edit was kept" in note for note in found.notes)


def test_other_editors_of_the_first_records_leave_the_numbers_alone(answers: Answers, gathered: Gather) -> None:
    """Fewer edits are kept than another editor made, and of other records."""
    kept = {record: i >= N - 3 for i, record in enumerate(answers)}
    before = gathered(answers, kept, folder="before")
    for record in list(answers)[:5]:
        answers[record]["diffedit"] = {"one": 0.9, "two": 0.9}
    after = gathered(answers, kept, folder="after")
    assert (after.table, after.attribution, after.agreement) == (before.table, before.attribution, before.agreement)
    assert set(after.gallery) <= set(list(answers)[:5])  # those that every editor edited come first


def test_agreement_is_paired(gathered: Gather) -> None:
    """Right on half the patients, and on the same ones after the edit and after the real shift."""
    answers: Answers = {
        f"p{i:02d}-0": {kind: {"one": float(i % 2), "two": float((i + (kind == "twin")) % 2)} for kind in KINDS}
        for i in range(N)
    }
    same, opposite = (entry for entry in gathered(answers).agreement if entry["edits"] == "kept")
    for entry in (same, opposite):
        assert entry["synthetic"]["value"] == entry["truth"]["value"] == 0.5
        assert entry["synthetic"]["low"] < 0.45 < 0.55 < entry["synthetic"]["high"]
    assert (same["difference"]["low"], same["difference"]["high"]) == (0, 0)
    assert opposite["difference"]["value"] == 0 and opposite["difference"]["high"] > 0.2


def test_agreement_is_told_for_kept_edits_and_for_all(gathered: Gather) -> None:
    answers: Answers = {f"p{i:02d}-0": {kind: {"one": 0.1, "two": 0.1} for kind in KINDS} for i in range(N)}
    kept = {record: i < N // 2 for i, record in enumerate(answers)}
    found = gathered(answers, kept).agreement
    assert [(entry["edits"], entry["n"]) for entry in found] == [("kept", N // 2)] * 2 + [("all", N)] * 2


BORDERS = [
    ("confounded", "1-0", 7, True), ("confounded", "1-0", 6, False),
    ("confounded", "0-0", 9, True), ("confounded", "0-0", 8, False),
    ("confounded", "0-1", 4, True), ("confounded", "0-1", 5, False),
    ("confounded", "1-1", 0, True),  # not asked of it
]  # fmt: skip


@pytest.mark.parametrize(("role", "cell", "right", "qualifies"), BORDERS)
def test_confounded_predictor_qualifies_at_the_borders_of_evidence_md(
    role: str, cell: str, right: int, qualifies: bool, answers: Answers, gathered: Gather
) -> None:
    """ptx+ drain− ≥ 70 %, ptx− drain− ≥ 90 %, ptx− drain+ ≤ 40 %."""
    good = {"1-1": 10, "1-0": 10, "0-1": 0, "0-0": 10} | {cell: right}
    cells = {name: right_or_wrong(n, 10 - n, int(name[0])) for name, n in good.items()}
    who = [subject("one", role, right_or_wrong(3, 1, 1))]
    (predictor,) = gathered(dict(list(answers.items())[:2]), cells=cells, subjects=who).predictors
    assert predictor["qualified"] is qualifies
    if not qualifies:
        finding, shortcut = ("+" if part == "1" else "−" for part in cell.split("-"))
        assert f"pneumothorax {finding}, drain {shortcut}" in predictor["why"] and f"{10 * right}%" in predictor["why"]
    found = {f"{c['finding']}-{c['shortcut']}": c["accuracy"]["value"] for c in predictor["cells"]}
    assert found == pytest.approx({name: n / 10 for name, n in good.items()})


@pytest.mark.parametrize("cell", ["1-1", "1-0", "0-1", "0-0"])
def test_unconfounded_predictor_must_be_right_in_every_cell(cell: str, answers: Answers, gathered: Gather) -> None:
    cells = {name: right_or_wrong(10, 0, int(name[0])) for name in ("1-1", "1-0", "0-1", "0-0")}
    who = [subject("two", "unconfounded", right_or_wrong(3, 1, 1))]
    few = dict(list(answers.items())[:2])
    assert gathered(few, cells=cells, subjects=who, folder="good").predictors[0]["qualified"]
    cells[cell] = right_or_wrong(4, 6, int(cell[0]))
    assert not gathered(few, cells=cells, subjects=who, folder="bad").predictors[0]["qualified"]


def test_answers_are_asked_for_once(answers: Answers, gathered: Gather) -> None:
    who = [subject("one", "confounded", right_or_wrong(3, 1, 1))]
    reads = who[0].predictor
    assert isinstance(reads, Reads)
    first = gathered(answers, subjects=who)
    shown = reads.shown
    assert shown == N * len(KINDS) + 4 + 5  # the set, its ordinary test set, the truly shifted
    assert gathered(answers, subjects=who, folder="set").table == first.table
    assert reads.shown == shown


def test_gallery_begins_with_the_surest_mistakes(answers: Answers, gathered: Gather) -> None:
    certainty = {record: np.mean(list(kinds["edit"].values())) for record, kinds in answers.items()}
    assert gathered(answers, n_gallery=6).gallery == sorted(answers, key=lambda r: -certainty[r])[:6]


def test_probabilities_of_the_gallery_are_those_that_were_painted(answers: Answers, gathered: Gather) -> None:
    found = gathered(answers)
    for record in found.gallery:
        for who in ("one", "two"):
            painted = {kind: answers[record][kind][who] for kind in KINDS}
            assert found.probabilities[record][who] == pytest.approx(painted, abs=0.5 / 255 + 1e-6)


def test_change_of_kept_pixels_is_summed_up(answers: Answers, gathered: Gather) -> None:
    quality = gathered(answers).quality
    assert quality is not None
    assert quality["keep_change_mean"]["value"] == 1.0 and quality["keep_change_max"] == 2.0
