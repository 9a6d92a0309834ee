"""What a report says first of a segmenter: Dice, what was added, and that a weak generator shows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from radedit.harness.evidence.results import (
    KEPT,
    OWN,
    Attribution,
    Change,
    Example,
    PredictorEntry,
    Results,
    Row,
    Term,
)
from radedit.harness.evidence.verdict import Rules
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.stress.scenario import Addition
from radedit.report.images.gallery import gallery
from radedit.report.plots.figures import addition, waterfall
from radedit.report.words.headline import headline
from radedit.report.words.numbers import SPACE
from tests.report.conftest import ADDITION


def near(value: float) -> Estimate:
    return Estimate(value, value - 0.02, value + 0.02, 60)


def row(data: str, value: float, n: int = 60) -> Row:
    scores = {"dice": near(value), "hd95": near(7.5)}
    return Row(predictor="lungs", data=data, label="with it", n=n, scores=scores)


TERMS = {"VAE": -0.01, "inversion": 0.0, "artefact": -0.04, "shift": -0.10}
ATTRIBUTION = Attribution(
    predictor="lungs",
    n=60,
    reference=near(0.95),
    terms=[Term(name=name, value=near(value)) for name, value in TERMS.items()],
    edit=near(0.80),
    artefact=near(0.05),
    shift_effect=near(0.10),
)
WORDS = {"title": "Does it hold?", "added": "a left upper lobe consolidation", "edited": ["left_lung"]}
RESULTS = Results(
    scenario=Addition(**ADDITION | WORDS),
    rules=Rules(limit=0.02),
    setting="open",
    predictors=[PredictorEntry(key="lungs", name="Open lung segmenter", kind="segmenter")],
    table=[row(OWN, 0.95), row(KEPT, 0.80)],
    attribution=[ATTRIBUTION],
    changes=[Change(predictor="lungs", kind="synthetic", n=60, value=near(-0.15))],
    counts={"edited": 60, "kept": 60},
)


def but(**changed: Any) -> Results:
    """The same, but for some of it."""
    return RESULTS.model_copy(update=changed)


def test_the_lede_tells_dice_before_and_after_what_was_added() -> None:
    said = headline(RESULTS).lede.replace(SPACE, " ")
    assert said == (
        "The open lung segmenter’s Dice falls from 95 % to 80 % when there is a left upper lobe consolidation."
    )


def test_a_weak_generator_comes_before_any_number() -> None:
    weak = headline(but(weaknesses=["its edits add 3.0 grey levels where a drawn one adds 40.0"]))
    assert weak.lede.startswith("Nothing should be concluded from this run: the generator is weak.")
    assert weak.cautions[0] == "The generator is weak: its edits add 3.0 grey levels where a drawn one adds 40.0."


@pytest.mark.parametrize("n, cautioned", [(29, True), (30, False)])
def test_few_kept_edits_are_a_caution(n: int, cautioned: bool) -> None:
    few = headline(but(table=[row(OWN, 0.95), row(KEPT, 0.8, n)]))
    assert any("below 30 nothing should be concluded" in caution for caution in few.cautions) is cautioned


def test_a_path_that_costs_more_than_two_points_of_dice_is_a_caution() -> None:
    said = " ".join(headline(RESULTS).cautions).replace(SPACE, " ")
    assert "editing by itself moves Dice by 5 points, more than 2 points" in said


def test_the_terms_lead_from_source_to_edit_as_printed() -> None:
    assert [bar.name for bar in waterfall(ATTRIBUTION, "source")][0] == "source"
    assert addition(ATTRIBUTION) == "95.0 − 1.0 + 0.0 − 4.0 − 10.0 = 80.0"


@pytest.mark.parametrize("after, fell", [(0.9, [0]), (0.91, [])])
def test_a_card_knows_whose_dice_fell_by_five_points(after: float, fell: list[int], tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    images = dict.fromkeys(("source", "radedit", "outlines:radedit:lungs"), "x.png")
    says: dict[str, float | None] = {"source": 0.95, "radedit": after}
    shown = Example(record="r", kept=True, cosine=0.5, images=images, predictions={"lungs": says})
    card = gallery(but(gallery=[shown]))[0]
    assert card.edited == "radedit" and card.flipped == fell
    outlined = card.picture("outlines:radedit:lungs")
    assert outlined is not None and outlined.name == "RadEdit, outlined"
    assert [prediction.probability for prediction in outlined.predictions] == [after]


def test_what_no_figure_tells_of_the_generator_is_a_caution() -> None:
    assert "It imitates a drawing." in headline(but(remarks=["It imitates a drawing."])).cautions
