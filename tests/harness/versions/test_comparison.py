"""A worse version is refused, one that only might be is asked for more images, and an equal one passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radedit.harness.predictors.predictions import Measured, Predictions
from radedit.harness.sweep.finished_run import FinishedRun, read_run, read_runs
from radedit.harness.versions.comparison import (
    Comparison,
    Margin,
    compare,
    load_comparison,
    measure_by_measure,
    paired,
    worst_of,
)
from radedit.report.versions.comparison import FILE, JUNIT, TABLES, in_markdown, summary, write_comparison
from tests.made_up_runs import RATES, removal_run

N = 300
IDS = [f"r{i:03d}" for i in range(N)]
LABELS = {"source": 1, "reference": 0, "sham": 0, "edit": 0}


def model(right: float = 0.93, seeds: int = 1, **other: float) -> Measured:
    """A classifier that is right on so many images of each kind; the same images first, whatever the share."""
    sets = {}
    for i, kind in enumerate([*LABELS, "in_distribution"]):
        rng = np.random.default_rng(i)
        u = np.stack([rng.uniform(size=N) for _ in range(seeds)])
        sets[kind] = Predictions(
            IDS, [f"p{i // 2}" for i in range(N)], {"correct": (u < other.get(kind, right)).astype(np.float64)}
        )
    return Measured("own", "", sets)


def outcomes(a: Measured, b: Measured, margin: float = 0.05) -> dict[str, str | None]:
    found = measure_by_measure(a, b, IDS, IDS, Margin(margin), removal=True)
    return {one.measure: one.outcome for one in found}


def test_an_equal_version_passes_on_every_measure() -> None:
    found = outcomes(model(), model())
    assert {*found.values()} == {"pass", None} and len(found) == 5


@pytest.mark.parametrize("kind", ["edit", "reference", "source", "in_distribution"])
def test_a_version_that_is_worse_somewhere_fails_there_and_nowhere_else(kind: str) -> None:
    found = outcomes(model(), model(**{kind: 0.75}))
    assert [name for name, outcome in found.items() if outcome == "fail"] == [
        {
            "edit": "specificity on edits",
            "reference": "specificity on references",
            "source": "sensitivity on originals",
            "in_distribution": "accuracy on the in-distribution test set",
        }[kind]
    ]
    assert worst_of([outcome for outcome in found.values() if outcome]) == "fail"  # type: ignore[misc]


def test_a_loss_within_the_margin_passes_though_it_is_sure() -> None:
    assert outcomes(model(), model(edit=0.88), margin=0.15)["specificity on edits"] == "pass"


def test_a_loss_that_few_images_leave_open_is_undecided() -> None:
    assert outcomes(model(), model(edit=0.90))["specificity on edits"] == "undecided"
    few = measure_by_measure(model(), model(), IDS[:20], IDS[:20], Margin(0.9), removal=True)
    assert few[0].outcome == "undecided" and few[0].n == 20


def test_a_better_version_passes() -> None:
    assert outcomes(model(0.8), model(0.95))["specificity on edits"] == "pass"


def test_difference_is_paired_by_image() -> None:
    a, b = (one.sets["edit"] for one in (model(), model(edit=0.83)))
    found = paired(a, b, "correct").at()
    alone = (a.mean("correct"), b.mean("correct"))
    assert found.value == pytest.approx(alone[1].value - alone[0].value)
    width = found.high - found.low  # type: ignore[operator]
    assert width < 0.8 * sum(one.high - one.low for one in alone)  # type: ignore[operator, misc]


def test_trainings_widen_the_difference() -> None:
    a, b = (one.sets["edit"] for one in (model(seeds=3), model(seeds=3, edit=0.8)))
    found, one = paired(a, b, "correct"), model(edit=0.8).sets["edit"]
    assert found.seed_error > 0 and found.seeds == 3 and paired(model().sets["edit"], one, "correct").seed_error == 0


@pytest.mark.parametrize("wrong", [{"margin": 5}, {"margin": 0}, {"min_n": 1}, {"fail_on": "worse"}])
def test_what_is_no_margin_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Margin(**wrong)  # type: ignore[arg-type]


WORSE = {role: {**rates, "edit": min(1.0, rates["edit"] + 0.6)} for role, rates in RATES.items()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FinishedRun]:
    """Version 1, the same again, a worse one, and one that was tested on other edits."""
    out = tmp_path_factory.mktemp("outputs") / "stress"
    made = {
        "one": removal_run(out, 0),
        "same": removal_run(out, 1, predictions_of=0),
        "worse": removal_run(out, 2, predictions_of=0, rates=WORSE),
        "elsewhere": removal_run(out, 0, stress_set="other"),
    }
    return {name: read_run(folder) for name, folder in made.items()}


def compared(runs: dict[str, FinishedRun], other: str, **asked: str) -> Comparison:
    return compare([runs["one"]], [runs[other]], Margin(0.3), command="python -m radedit.compare_models a b", **asked)


def test_runs_are_compared_predictor_by_predictor(runs: dict[str, FinishedRun]) -> None:
    same, worse = compared(runs, "same"), compared(runs, "worse", baseline_model="unbiased")
    assert [pair.baseline.key for pair in same.pairs] == ["biased", "unbiased"]
    assert (same.outcome, same.exit_code) == ("pass", 0)
    assert (worse.outcome, worse.exit_code) == ("fail", 1) and len(worse.pairs) == 1


def test_exit_code_follows_the_rule(runs: dict[str, FinishedRun]) -> None:
    strict = compare([runs["one"]], [runs["same"]], Margin(0.02))
    assert (strict.outcome, strict.exit_code) == ("undecided", 3)
    assert compare([runs["one"]], [runs["same"]], Margin(0.02, fail_on="fail")).exit_code == 0


def test_runs_on_other_edits_are_refused_in_one_line(runs: dict[str, FinishedRun]) -> None:
    with pytest.raises(ValueError, match=r"^The stress sets differ: [^\n]*same edited images[^\n]*$"):
        compared(runs, "elsewhere")


def test_a_model_that_the_runs_do_not_have_is_refused(runs: dict[str, FinishedRun]) -> None:
    with pytest.raises(ValueError, match="candidate_model is 'v2'; the runs have biased, unbiased"):
        compared(runs, "same", candidate_model="v2")


def test_two_models_of_one_run_can_be_compared(runs: dict[str, FinishedRun]) -> None:
    found = compared(runs, "one", baseline_model="unbiased", candidate_model="biased")
    assert found.outcome == "fail" and not found.pairs[0].same
    assert compared(runs, "one").pairs[0].same


def test_what_is_written_is_read_and_says_the_same(runs: dict[str, FinishedRun], tmp_path: Path) -> None:
    found = compared(runs, "worse")
    write_comparison(tmp_path, found)
    assert load_comparison(tmp_path) == found and {p.name for p in tmp_path.iterdir()} == {FILE, TABLES, JUNIT}
    junit = (tmp_path / JUNIT).read_text(encoding="utf-8")
    failed = sum(one.outcome == "fail" for pair in found.pairs for one in pair.measures)
    assert failed and f'failures="{failed}"' in junit
    assert "specificity on edits" in in_markdown(found) and "FAIL" in summary(found)
    assert f"**{found.outcome}**" in (tmp_path / TABLES).read_text(encoding="utf-8")


def test_folders_of_runs_are_read(runs: dict[str, FinishedRun]) -> None:
    assert [run.hash for run in read_runs([runs["one"].folder])] == [runs["one"].hash]
