"""What a report calls things, by the measure that its predictors are judged by."""

from __future__ import annotations

from dataclasses import dataclass

from radedit.harness.evidence.results import Results


@dataclass(frozen=True)
class Wording:
    """Words of a page.

    Attributes:
        measure: As it stands in a sentence.
        heading: Of the table.
        start: Where an attribution begins.
        axis: Of an attribution's figure.
        attribution: Heading of the attributions.
        chain: What an attribution does, in sentences.
        effect: What editing by itself changes.
        lost: What a shift costs.
        flipped, unflipped, flip: Buttons of the gallery, and what they mean.
        bars: What the gallery's bars are.
        counterfactual: Name of the image on which the shift is known to have happened.
        shifted: Likewise, of the set of such images.
        truth: What stands in for the real shift.
        unknown: Why nothing does.
    """

    measure: str
    heading: str
    start: str
    axis: str
    attribution: str
    chain: str
    effect: str
    lost: str
    flipped: str
    unflipped: str
    flip: str
    bars: str
    counterfactual: str
    shifted: str
    truth: str
    unknown: str


def wording(results: Results) -> Wording:
    """The words for a run's measure."""
    return _dice(results) if results.measure == "dice" else _accuracy(results)


def _accuracy(results: Results) -> Wording:
    finding, shortcut = results.finding or "the finding", results.shortcut or "shortcut"
    return Wording(
        measure="accuracy",
        heading="Accuracy",
        start="reference",
        axis="called positive though the finding is absent",
        attribution="What the false positives are made of",
        chain=(
            "A predictor may call an edited image positive because of the editing, not because of the shift. So each "
            "edit has a sham: the same prompt, masks and noise on a reference image, which has neither "
            f"{finding} nor {shortcut}. The terms lead from the reference’s rate of false positives to the edit’s and "
            "add up to the difference; they are printed in points, rounded so that they still do."
        ),
        effect="false positives",
        lost="accuracy",
        flipped="Flipped",
        unflipped="Not flipped",
        flip="Flipped: the predictor’s prediction on the edit differs from that on the original.",
        bars=f"a predictor’s probability of {finding}; {_from(results)} it is called present",
        counterfactual="True counterfactual",
        shifted="truly shifted",
        truth=(
            "Kept edits beside true images of the same patients on which the shift really happened. A synthetic test "
            "set is worth its name where the two agree."
        ),
        unknown=(
            "Not known here: true images of the same patients after the shift exist only where the radiographs are "
            "drawn (setting phantom)."
        ),
    )


def _from(results: Results) -> str:
    """From which probability on a finding is called present."""
    chosen = [p for p in results.predictors if p.operating_point]
    if not chosen:
        return "beyond the tick at 0.5"
    return f"from its threshold on ({', '.join(f'{p.name} {p.threshold:.2g}' for p in chosen)}; the tick is at 0.5)"


def _dice(results: Results) -> Wording:
    return Wording(
        measure="Dice",
        heading="Dice",
        start="source",
        axis=f"Dice of the {results.structure}",
        attribution="What the change of Dice is made of",
        chain=(
            "A segmenter may lose a lung because of the editing, not because of what was added. So each edit has a "
            "sham: the same image, masks, weight and noise with a prompt that adds nothing. The terms lead from the "
            "Dice on the source to that on the edit, both against the same mask, and add up to the difference; they "
            "are printed in points, rounded so that they still do."
        ),
        effect="Dice",
        lost="Dice",
        flipped="Fell",
        unflipped="Held",
        flip="Fell: Dice is 5 points lower on the edit than on the original, or more.",
        bars=f"Dice of the {results.structure}; the tick is at 0.5",
        counterfactual="Drawn",
        shifted="drawn",
        truth=(
            f"Edits beside the same images on which there is {results.added} for certain: phantoms of the same "
            "patients, or real ones with it drawn onto them, of known place and density."
        ),
        unknown="Not known here: there are no images of the same patients after the shift.",
    )
