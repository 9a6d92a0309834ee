"""What a report says first of a segmenter: Dice, what was added, and that a weak generator shows nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radedit.report.figures import addition, waterfall
from radedit.report.gallery import gallery
from radedit.report.headline import headline
from radedit.report.numbers import SPACE
from radedit.report.results import KEPT, OWN, Attribution, Estimate, Example, Predictor, Results, Row, Term


def near(value: float) -> Estimate:
    return Estimate(value, value - 0.02, value + 0.02)


def row(data: str, value: float, n: int = 60) -> Row:
    return Row("lungs", data, "with it", n, scores={"dice": near(value), "hd95": near(7.5)})


ATTRIBUTION = Attribution(
    "lungs",
    60,
    near(0.95),
    [Term("VAE", near(-0.01)), Term("inversion", near(0.0)), Term("artefact", near(-0.04)), Term("shift", near(-0.10))],
    near(0.80),
)
RESULTS = Results(
    name="population",
    setting="open",
    title="Does it hold?",
    predictors=[Predictor("lungs", "Open lung segmenter", kind="segmenter")],
    table=[row(OWN, 0.95), row(KEPT, 0.80)],
    measure="dice",
    added="a left upper lobe consolidation",
    structure="left lung",
    attribution=[ATTRIBUTION],
    counts={"edited": 60, "kept": 60},
)


def test_the_lede_tells_dice_before_and_after_what_was_added() -> None:
    said = headline(RESULTS).lede.replace(SPACE, " ")
    assert said == (
        "The open lung segmenter’s Dice falls from 95 % to 80 % when there is a left upper lobe consolidation."
    )


def test_a_weak_generator_comes_before_any_number() -> None:
    weak = headline(replace(RESULTS, weaknesses=["its edits add 3.0 grey levels where a drawn one adds 40.0"]))
    assert weak.lede.startswith("Nothing should be concluded from this run: the generator is weak.")
    assert weak.cautions[0] == "The generator is weak: its edits add 3.0 grey levels where a drawn one adds 40.0."


@pytest.mark.parametrize("n, cautioned", [(29, True), (30, False)])
def test_few_kept_edits_are_a_caution(n: int, cautioned: bool) -> None:
    few = headline(replace(RESULTS, table=[row(OWN, 0.95), row(KEPT, 0.8, n)]))
    assert any("below 30 nothing should be concluded" in caution for caution in few.cautions) is cautioned


def test_a_path_that_costs_more_than_two_points_of_dice_is_a_caution() -> None:
    said = " ".join(headline(RESULTS).cautions).replace(SPACE, " ")
    assert "editing by itself moves Dice by 5 points, more than 2 points" in said


def test_the_terms_lead_from_source_to_edit_as_printed() -> None:
    assert [bar.name for bar in waterfall(ATTRIBUTION, "source")][0] == "source"
    assert addition(ATTRIBUTION) == "95.0 − 1.0 + 0.0 − 4.0 − 10.0 = 80.0"


@pytest.mark.parametrize("after, fell", [(0.9, [0]), (0.91, [])])
def test_a_card_knows_whose_dice_fell_by_five_points(after: float, fell: list[int], tmp_path) -> None:
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    images = dict.fromkeys(("source", "radedit", "outlines:radedit:lungs"), "x.png")
    shown = Example("r", True, 0.5, images, {"lungs": {"source": 0.95, "radedit": after}})
    card = gallery(replace(RESULTS, gallery=[shown]))[0]
    assert card.edited == "radedit" and card.flipped == fell
    outlined = card.picture("outlines:radedit:lungs")
    assert outlined is not None and outlined.name == "RadEdit, outlined"
    assert [answer.probability for answer in outlined.answers] == [after]


def test_what_no_figure_tells_of_the_generator_is_a_caution() -> None:
    assert "It imitates a drawing." in headline(replace(RESULTS, remarks=["It imitates a drawing."])).cautions
