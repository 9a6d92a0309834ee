"""Evidence from predictors whose every prediction is known, because it is painted into the images."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from radedit.harness.evidence.edits import paste_notes
from radedit.harness.evidence.evidence import Evidence, measures
from radedit.harness.evidence.removal import YARDSTICK, gather
from radedit.harness.evidence.results import Row, Skipped
from radedit.harness.evidence.verdict import Rules
from radedit.harness.predictors.classify import TestedModel
from radedit.harness.predictors.predictions import Measured
from radedit.harness.predictors.predictions import Predictions as Predicted
from radedit.harness.stress.scenario import Removal, StressData
from tests.harness.painted import SIZE, Painted, Reads, model_under_test, painted, right_or_wrong, write_set

KINDS = (
    "source", "vae", "replay", "edit", "keep_sham", "reference", "reference_vae", "reference_replay", "sham",
    "counterfactual",
)  # fmt: skip
N = 16

Predictions = dict[str, dict[str, dict[str, float]]]
Gather = Callable[..., Evidence]


def random_predictions() -> Predictions:
    """Of two predictors on every kind of image of 16 images of 8 patients."""
    rng = np.random.default_rng(0)
    return {
        f"p{i // 2:02d}-{i % 2}": {kind: {"one": rng.uniform(), "two": rng.uniform()} for kind in KINDS}
        for i in range(N)
    }


@pytest.fixture
def predictions() -> Predictions:
    return random_predictions()


@pytest.fixture
def gathered(scenario: Removal, tmp_path: Path) -> Gather:
    """Gathers evidence from given predictions."""
    return gathering(scenario, tmp_path)


@pytest.fixture(scope="module")
def evidence(scenario: Removal, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """From random predictions, all edits being kept. Not to be changed."""
    return gathering(scenario, tmp_path_factory.mktemp("evidence"))(random_predictions(), n_gallery=6)


@pytest.fixture(scope="module")
def seen(scenario: Removal, tmp_path_factory: pytest.TempPathFactory) -> Gather:
    """Gathers evidence where models see the finding, from one set for all tests."""
    return functools.partial(gathering(scenario, tmp_path_factory.mktemp("seen")), SEEN)


def gathering(scenario: Removal, out: Path) -> Gather:
    def run(
        predictions: Predictions, kept: Mapping[str, bool] | None = None, *, cells: Mapping[str, Painted] | None = None,
        patients: Sequence[TestedModel] | None = None, n_gallery: int = 4, folder: str = "set",
        references: Mapping[str, str] | None = None,
    ) -> Evidence:  # fmt: skip
        records = list(predictions)
        stress_set = write_set(out / folder, predictions, dict.fromkeys(records, True) if kept is None else kept,
                               references)  # fmt: skip
        own = right_or_wrong(3, 1, 1)
        sources = Painted([painted()] * (len(records) + 1), [1] * (len(records) + 1))
        return gather(
            patients or [model_under_test("one", "confounded", own), model_under_test("two", "unconfounded", own)],
            scenario,
            StressData(sources, shifted=right_or_wrong(1, 4, 0), cells=cells or {}),
            stress_set, size=SIZE, predictions=out / f"{folder}-predictions", n_gallery=n_gallery, rules=Rules(),
        )  # fmt: skip

    return run


def positive(predictions: Predictions, kind: str, who: str, records: Sequence[str] | None = None) -> float:
    return float(np.mean([predictions[r][kind][who] >= 0.5 for r in records or predictions]))


def row(found: Evidence, who: str, data: str) -> Row:
    return next(row for row in found.figures.table if (row.predictor, row.data) == (who, data))


@pytest.mark.parametrize("who", ["one", "two"])
def test_table_has_the_accuracies_that_were_painted(who: str, predictions: Predictions, evidence: Evidence) -> None:
    expected = {
        "in-distribution test set": 0.75,
        "truly shifted, other patients": 0.2,
        "synthetic (kept)": 1 - positive(predictions, "edit", who),
        "synthetic (all)": 1 - positive(predictions, "edit", who),
        "truly shifted, same patients": 1 - positive(predictions, "counterfactual", who),
        "replay": positive(predictions, "replay", who),
        "sham": 1 - positive(predictions, "sham", who),
    }
    table = {row.data: row.accuracy.value for row in evidence.figures.table if row.predictor == who}
    assert table == pytest.approx(expected)


def test_papers_number_stands_beside_the_role_that_it_belongs_to(evidence: Evidence) -> None:
    papers = {(row.predictor, row.data): row.paper for row in evidence.figures.table if row.paper is not None}
    assert papers == {("one", "in-distribution test set"): 93.3, ("one", "synthetic (kept)"): 17.9}


@pytest.mark.parametrize("n_kept", [0, 5, N])
def test_attribution_telescopes_exactly(
    n_kept: int, predictions: Predictions, gathered: Gather, evidence: Evidence
) -> None:
    kept = {r: i < n_kept for i, r in enumerate(predictions)}
    found = evidence if n_kept == N else gathered(predictions, kept)
    assert found.counts["kept"] == n_kept
    for entry in found.figures.attribution:
        terms = {term.name: term.value.value for term in entry.terms}
        assert list(terms) == ["VAE", "inversion", "artefact", "shift"]
        assert entry.reference.value + sum(terms.values()) == pytest.approx(entry.edit.value, abs=1e-12)
        split = sum(term.value.value for term in entry.split)
        assert split == pytest.approx(entry.edit.value - entry.reference.value, abs=1e-12)


def test_each_term_is_the_step_that_it_is_named_after(predictions: Predictions, gathered: Gather) -> None:
    """One link of the chain changes all predictions, and only its own term sees that."""
    steps = {
        "VAE": "reference_vae", "inversion": "reference_replay", "artefact": "sham", "shift": "edit",
    }  # fmt: skip
    for i, name in enumerate(steps):
        changed = {
            record: {kind: dict.fromkeys(("one", "two"), float(kind in list(steps.values())[i:])) for kind in KINDS}
            for record in list(predictions)[:2]
        }
        for entry in gathered(changed, folder=name).figures.attribution:
            terms = {term.name: term.value.value for term in entry.terms}
            assert terms == {other: float(other == name) for other in steps}


def test_shams_follow_their_edits_keep_decision(predictions: Predictions, gathered: Gather) -> None:
    kept = {record: i % 3 == 0 for i, record in enumerate(predictions)}
    records = [record for record, keep in kept.items() if keep]
    found = gathered(predictions, kept)
    for entry in found.figures.attribution:
        who = entry.predictor
        assert entry.n == len(records) == row(found, who, "sham").n == row(found, who, "synthetic (kept)").n
        assert entry.reference.value == pytest.approx(positive(predictions, "reference", who, records))
        assert entry.edit.value == pytest.approx(positive(predictions, "edit", who, records))
        assert entry.keep_sham.source.value == pytest.approx(positive(predictions, "source", who, records))
        assert entry.keep_sham.keep_sham.value == pytest.approx(positive(predictions, "keep_sham", who, records))
        assert entry.control.value == pytest.approx(
            positive(predictions, "source", who, records) - positive(predictions, "replay", who, records)
        )
        assert row(found, who, "sham").main.value == pytest.approx(1 - positive(predictions, "sham", who, records))


def test_counts_are_of_records(predictions: Predictions, gathered: Gather) -> None:
    ids = list(predictions)
    found = gathered(predictions, dict.fromkeys(ids[:7], True) | dict.fromkeys(ids[7:12], False))
    assert found.counts == {
        "sources": N + 1, "edited": N, "skipped": 1, "kept": 7, "rejected": 5, "undefined": 4,
    }  # fmt: skip
    assert found.skipped == [Skipped(record="p-lost", reason="It is blank.")]
    assert found.score.kept == [True] * 7 + [False] * 9
    assert found.score.cosine == [0.5] * 7 + [0.1] * 5 + [None] * 4


def test_nothing_kept_has_no_row_of_kept_edits_and_says_so(predictions: Predictions, gathered: Gather) -> None:
    found = gathered(predictions, dict.fromkeys(predictions, False))
    assert not [row for row in found.figures.table if row.data == "synthetic (kept)"]
    assert row(found, "one", "synthetic (all)").n == N
    assert any("No edit was kept" in note for note in found.notes)


def test_other_editors_of_the_first_records_leave_the_numbers_alone(predictions: Predictions, gathered: Gather) -> None:
    """Fewer edits are kept than another editor made, and of other records."""
    kept = {record: i >= N - 3 for i, record in enumerate(predictions)}
    before = gathered(predictions, kept, folder="before")
    for record in list(predictions)[:5]:
        predictions[record]["diffedit"] = {"one": 0.9, "two": 0.9}
    after = gathered(predictions, kept, folder="after")
    assert after.figures == before.figures
    assert set(after.gallery) <= set(list(predictions)[:5])  # those that every editor edited come first


def test_agreement_is_paired(gathered: Gather) -> None:
    """Right on half the patients, and on the same ones after the edit and after the real shift."""
    predictions: Predictions = {
        f"p{i:02d}-0": {
            kind: {"one": float(i % 2), "two": float((i + (kind == "counterfactual")) % 2)} for kind in KINDS
        }
        for i in range(N)
    }
    same, opposite = (entry for entry in gathered(predictions).figures.agreement if entry.edits == "kept")
    for entry in (same, opposite):
        assert entry.synthetic.value == entry.truth.value == 0.5
        assert entry.synthetic.low < 0.45 < 0.55 < entry.synthetic.high
    assert same.difference.value == 0 and -0.25 < same.difference.low < 0 < same.difference.high < 0.25
    assert opposite.difference.value == 0 and opposite.difference.high > 0.2


def test_agreement_is_told_for_kept_edits_and_for_all(gathered: Gather) -> None:
    predictions: Predictions = {f"p{i:02d}-0": {kind: {"one": 0.1, "two": 0.1} for kind in KINDS} for i in range(N)}
    kept = {record: i < N // 2 for i, record in enumerate(predictions)}
    found = gathered(predictions, kept).figures.agreement
    assert [(entry.edits, entry.n) for entry in found] == [("kept", N // 2)] * 2 + [("all", N)] * 2


def one_patient_each(n: int, **positive: float) -> Predictions:
    """Records of as many patients on which one model says yes on the first ones of each kind, as many as are given."""
    return {
        f"q{i:03d}-0": {kind: dict.fromkeys(("one", "two"), float(i < positive.get(kind, 0))) for kind in KINDS}
        for i in range(n)
    }


SEEN = one_patient_each(N, source=N, vae=N, replay=N, keep_sham=N)  # by a model that sees the finding
BORDERS = [
    ("confounded", "1-0", 7, True), ("confounded", "1-0", 6, False),
    ("confounded", "0-0", 9, True), ("confounded", "0-0", 8, False),
    ("confounded", "0-1", 4, True), ("confounded", "0-1", 5, False),
    ("confounded", "1-1", 0, True),  # not asked of it
]  # fmt: skip


@pytest.mark.parametrize(("role", "cell", "right", "qualifies"), BORDERS)
def test_confounded_predictor_qualifies_at_the_borders_of_evidence_md(
    role: str, cell: str, right: int, qualifies: bool, seen: Gather
) -> None:
    """ptx+ drain− ≥ 70 %, ptx− drain− ≥ 90 %, ptx− drain+ ≤ 40 %."""
    good = {"1-1": 10, "1-0": 10, "0-1": 0, "0-0": 10} | {cell: right}
    cells = {name: right_or_wrong(n, 10 - n, int(name[0])) for name, n in good.items()}
    who = [model_under_test("one", role, right_or_wrong(3, 1, 1))]
    (predictor,) = seen(cells=cells, patients=who).predictors
    assert predictor.qualified is qualifies
    if not qualifies:
        finding, shortcut = ("+" if part == "1" else "−" for part in cell.split("-"))
        assert f"pneumothorax {finding}, drain {shortcut}" in predictor.why and f"{10 * right} %" in predictor.why
    found = {f"{c.finding}-{c.shortcut}": c.accuracy.value for c in predictor.cells}
    assert found == pytest.approx({name: n / 10 for name, n in good.items()})


@pytest.mark.parametrize("cell", ["1-1", "1-0", "0-1", "0-0"])
def test_unconfounded_predictor_must_be_right_in_every_cell(cell: str, seen: Gather) -> None:
    cells = {name: right_or_wrong(10, 0, int(name[0])) for name in ("1-1", "1-0", "0-1", "0-0")}
    who = [model_under_test("two", "unconfounded", right_or_wrong(3, 1, 1))]
    assert seen(cells=cells, patients=who).predictors[0].qualified
    cells[cell] = right_or_wrong(4, 6, int(cell[0]))
    assert not seen(cells=cells, patients=who).predictors[0].qualified


def test_predictions_are_asked_for_once(predictions: Predictions, gathered: Gather) -> None:
    who = [model_under_test("one", "confounded", right_or_wrong(3, 1, 1))]
    reads = who[0].predictor
    assert isinstance(reads, Reads)
    first = gathered(predictions, patients=who)
    shown = reads.shown
    assert shown == N * len(KINDS) + 4 + 5  # the set, its in-distribution test set, the truly shifted
    assert gathered(predictions, patients=who, folder="set").figures.table == first.figures.table
    assert reads.shown == shown


def test_gallery_begins_with_the_surest_mistakes(predictions: Predictions, evidence: Evidence) -> None:
    certainty = {record: np.mean(list(kinds["edit"].values())) for record, kinds in predictions.items()}
    assert evidence.gallery == sorted(predictions, key=lambda r: -certainty[r])[:6]


def test_probabilities_of_the_gallery_are_those_that_were_painted(predictions: Predictions, evidence: Evidence) -> None:
    for record in evidence.gallery:
        for who in ("one", "two"):
            painted = {kind: predictions[record][kind][who] for kind in KINDS}
            assert evidence.probabilities[record][who] == pytest.approx(painted, abs=0.5 / 255 + 1e-6)


def test_change_of_kept_pixels_is_summed_up(evidence: Evidence) -> None:
    quality = evidence.quality
    assert quality["keep_change_mean"].value == 1.0 and quality["keep_change_max"] == 2.0


def test_references_that_serve_several_sources_widen_effect_and_artefact(gathered: Gather) -> None:
    """Forty sources share four references, one of which says yes after the sham edit wherever it serves."""
    predictions = one_patient_each(40, edit=30, sham=10, source=40, replay=40, keep_sham=40)
    reused = {record: f"r{i // 10}" for i, record in enumerate(predictions)}
    alone, shared = (
        gathered(predictions, folder=folder, references=references)
        for folder, references in (("alone", None), ("shared", reused))
    )
    for measure in ("shift_effect", "artefact"):
        naive, clustered = (getattr(found.figures.attribution[0], measure) for found in (alone, shared))
        assert clustered.value == naive.value
        assert clustered.high - clustered.low > 1.3 * (naive.high - naive.low)
        assert clustered.n_effective < naive.n_effective
    path, naive_path = (next(c.value for c in found.figures.changes if c.kind == "path") for found in (shared, alone))
    assert path.high - path.low > 1.3 * (naive_path.high - naive_path.low)
    assert any("4 reference images of 4 patients serve 40 sources" in note for note in shared.notes)


def test_failed_edits_count_as_right_in_the_net_effect_alone() -> None:
    """Of six edits two failed; the model calls four positive, among them one that failed. One reference is positive."""
    names = [f"p{i}" for i in range(6)]
    values = {"edit": [1, 1, 1, 1, 0, 0], "source": [1] * 6, "replay": [1] * 6, "sham": [0, 0, 0, 0, 0, 1]}
    sets = {
        kind: Predicted(names, names, {"positive": np.array([values.get(kind, values["sham"])], dtype=float)})
        for kind in KINDS
    }
    found = measures(Measured("one", "", sets), YARDSTICK, names, {name: name in ("p3", "p4") for name in names})
    assert found is not None and found.residual is not None and found.net_effect is not None
    assert (found.shift_effect.value, found.residual.value) == pytest.approx((3 / 6, 2 / 6))
    assert found.net_effect.value == pytest.approx(2 / 6)
    without = measures(Measured("one", "", sets), YARDSTICK, names)
    assert without is not None and (without.residual, without.net_effect) == (None, None)


def test_set_that_does_not_name_its_references_still_counts_and_says_so(gathered: Gather) -> None:
    found = gathered(one_patient_each(40, edit=30, source=40, replay=40))
    assert found.figures.verdicts[0].shift_effect is not None
    assert any("did not note whose images the references are" in note for note in found.notes)


BLIND = {  # probability on originals and all else that shows the finding, and where it is gone
    "never says yes": (0.1, 0.1, "sensitivity on the originals is 0 %"),
    "always says yes": (0.9, 0.9, "specificity on the references is 0 %"),
    "untrained": (None, None, "sensitivity on the originals is"),
    "inverted": (0.1, 0.9, "it predicts the opposite"),
    "threshold too high": (0.4, 0.1, "the threshold is to blame"),
}


@pytest.mark.parametrize("model", BLIND)
def test_a_model_that_does_not_see_the_finding_gets_no_verdict_and_does_not_qualify(
    model: str, gathered: Gather
) -> None:
    shown, gone, because = BLIND[model]
    rng = np.random.default_rng(0)

    def probability(kind: str) -> float:
        expected = shown if kind in ("source", "vae", "replay", "keep_sham") else gone
        return float(rng.uniform(0.3, 0.7)) if expected is None else expected

    predictions = {f"q{i:03d}-0": {kind: dict.fromkeys(("one", "two"), probability(kind)) for kind in KINDS}
                   for i in range(60)}  # fmt: skip
    found = gathered(predictions)
    for verdict, predictor in zip(found.figures.verdicts, found.predictors, strict=True):
        assert (verdict.outcome, verdict.p, verdict.p_holm) == ("undecided", None, None)
        assert any(because in reason for reason in verdict.reasons) and "is not judged" in verdict.reasons[-1]
        assert predictor.qualified is False and because in predictor.why


@pytest.mark.parametrize(("edit", "said"), [
    ({"paste_back": "contrast"}, "what the device in m_keep adds"), ({"paste_back": "keep"}, "own pixels in m_keep"),
    ({"paste_back": "outside"}, "own pixels outside m_edit"), ({"paste_back": "none"}, None), ({}, None), (None, None),
])  # fmt: skip
def test_what_was_put_back_into_edits_is_said(edit: object, said: str | None, tmp_path: Path) -> None:
    assert paste_notes(tmp_path) == []  # of a set that has no meta.json
    (tmp_path / "meta.json").write_text(json.dumps({"fingerprint": {"edit": edit}}))
    notes = paste_notes(tmp_path)
    assert (said in notes[0] and "the paper's method puts nothing back" in notes[0]) if said else notes == []
