"""Records with their pictures side by side, the worst edits first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from radedit.harness.evidence.results import OUTLINES, Example, PredictorEntry, Results
from radedit.harness.sweep.put_together import EDITORS
from radedit.report.images.pictures import data_uris, found_picture
from radedit.report.words.wording import wording

BYTES = 6_000_000  # what the pictures may take, so that a page stays below 8 MB
NAMES = {
    "source": "Original",
    "masks": "Masks",
    **EDITORS,
    "vae": "Autoencoder",
    "replay": "Replay",
    "sham": "Sham",
    "keep_sham": "Keep-sham",
    "reference": "Reference",
}
FIRST = ("source", "masks")  # then editors
LAST = ("counterfactual", "vae", "replay", "keep_sham", "reference", "sham")
HAVE_THE_FINDING = ("source", "vae", "replay", "keep_sham")
FELL = 0.05  # Dice that a segmenter loses between original and edit to count as one that fell


@dataclass(frozen=True)
class ShownPrediction:
    """A predictor's probability of the finding, and if its side of the threshold is wrong; or Dice, and if it fell."""

    predictor: PredictorEntry
    probability: float | None
    wrong: bool


@dataclass(frozen=True)
class Picture:
    """A picture of a record, at a path in the run's folder, and what the predictors say of it.

    Attributes:
        kind, name: As in the results, and as a caption.
        path: In the run's folder.
        predictions: One a predictor; none where the image was not shown to them.
        keeps: Whether the structure that is to be kept is still there; None where that is not known.
    """

    kind: str
    name: str
    path: str
    predictions: list[ShownPrediction]
    keeps: bool | None = None


@dataclass(frozen=True)
class Card:
    """A record.

    Attributes:
        example: As in the results.
        pictures: Original and masks, the tested editor, other editors, the truth.
        edited: Kind of picture that the predictors were tested on.
        flipped: Positions, among the predictors, of those whose prediction differs between the original and the edit,
            or whose Dice fell.
    """

    example: Example
    pictures: list[Picture]
    edited: str
    flipped: list[int]

    def picture(self, kind: str) -> Picture | None:
        """One of its pictures."""
        return next((picture for picture in self.pictures if picture.kind == kind), None)


def gallery(results: Results) -> list[Card]:
    """Cards of all records: those with pictures of more editors first, then by editing score, the worst first."""
    return sorted((_card(results, example) for example in results.gallery), key=_order)


def uris_of(cards: Iterable[Card], folder: Path) -> dict[str, str]:
    """Path of each picture of some cards → the picture itself, as a page holds it; the folder is the run's."""
    return data_uris(folder, _named(cards), BYTES)


def places_of(cards: Iterable[Card], folder: Path) -> dict[str, str]:
    """Path of each picture of some cards → where a page in the run's folder finds it."""
    return {
        path: quote(found_picture(folder, path, what).relative_to(folder).as_posix()) for what, path in _named(cards)
    }


def _named(cards: Iterable[Card]) -> list[tuple[str, str]]:
    """What each picture is, for errors, and its path."""
    return [
        (f"Picture {picture.kind!r} of record {card.example.record!r}", picture.path)
        for card in cards
        for picture in card.pictures
    ]


def typical(cards: Iterable[Card], predictor: PredictorEntry) -> Card | None:
    """The kept record on whose edit the predictor gives its median prediction: an example not picked by hand."""

    def prediction(card: Card) -> float | None:
        return card.example.predictions.get(predictor.key, {}).get(card.edited)

    kept = [(p, card) for card in cards if card.example.kept and (p := prediction(card)) is not None]
    kept = [(p, card) for p, card in kept if card.picture("source") and card.picture(card.edited)]
    kept.sort(key=lambda item: item[0])
    return kept[(len(kept) - 1) // 2][1] if kept else None


def _order(card: Card) -> tuple[Any, ...]:
    cosine = card.example.cosine
    return -len(card.pictures), cosine is not None, cosine or 0.0, card.example.record


def _card(results: Results, example: Example) -> Card:
    outlines = [kind for kind in example.images if kind.startswith(OUTLINES)]
    editors = [kind for kind in example.images if kind not in (*FIRST, *LAST, *outlines)]
    edited = editors[0] if editors else ""  # the results name the tested one first
    order = [kind for kind in (*FIRST, *editors, *LAST, *outlines) if kind in example.images]
    pictures = [
        Picture(
            kind,
            _caption(results, kind),
            example.images[kind],
            _predictions(results, example, kind),
            example.structures.get(kind),
        )
        for kind in order
    ]
    return Card(example, pictures, edited, _flipped(results, example, edited))


def name_of(kind: str, results: Results | None = None) -> str:
    """What a kind of picture, or a measure, is called."""
    if kind == "counterfactual" and results is not None:
        return wording(results).counterfactual
    return NAMES.get(kind) or kind.replace("_", " ").capitalize()


def _caption(results: Results, kind: str) -> str:
    """`name_of`, and for a predictor's outlines also whose they are, if there are several."""
    if not kind.startswith(OUTLINES):
        return name_of(kind, results)
    _, image, key = kind.split(":")
    whose = f", {results.predictor(key).name}" if len(results.predictors) > 1 else ""
    return f"{name_of(image, results)}, outlined{whose}"


def _predictions(results: Results, example: Example, kind: str) -> list[ShownPrediction]:
    image, _, drawer = kind.removeprefix(OUTLINES).partition(":")  # outlines are one predictor's, and of an image
    kind = image
    asked = any(kind in says for says in example.predictions.values())
    predictions = []
    for predictor in results.predictors if asked else []:
        if drawer not in ("", predictor.key):
            continue
        says = example.predictions.get(predictor.key, {})
        p, present = says.get(kind), kind in HAVE_THE_FINDING
        if results.measure == "dice":
            wrong = _fell(says.get("source"), p)
        else:
            wrong = p is not None and bool(results.finding) and (p >= predictor.threshold) is not present
        predictions.append(ShownPrediction(predictor, p, wrong))
    return predictions


def _fell(before: float | None, after: float | None) -> bool:
    return before is not None and after is not None and before - after >= FELL - 1e-9


def _flipped(results: Results, example: Example, edited: str) -> list[int]:
    flipped = []
    for i, predictor in enumerate(results.predictors):
        says = example.predictions.get(predictor.key, {})
        before, after = says.get("source"), says.get(edited)
        if results.measure == "dice":
            turned = _fell(before, after)
        else:
            least = predictor.threshold
            turned = before is not None and after is not None and (before >= least) != (after >= least)
        if turned:
            flipped.append(i)
    return flipped
