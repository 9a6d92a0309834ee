"""Records with their pictures side by side, the worst edits first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radedit.report.pictures import data_uris
from radedit.report.results import OUTLINES, Example, Predictor, Results
from radedit.report.wording import wording

BYTES = 6_000_000  # what the pictures may take, so that a page stays below 8 MB
NAMES = {
    "source": "Original",
    "masks": "Masks",
    "radedit": "RadEdit",
    "diffedit": "DiffEdit",
    "lance": "LANCE",
    "sdedit": "SDEdit",
    "vae": "Autoencoder",
    "replay": "Replay",
    "sham": "Sham",
    "keep_sham": "Keep-sham",
    "reference": "Reference",
}
FIRST = ("source", "masks")  # then editors
LAST = ("twin", "vae", "replay", "keep_sham", "reference", "sham")
HAVE_THE_FINDING = ("source", "vae", "replay", "keep_sham")
FELL = 0.05  # Dice that a segmenter loses between original and edit to count as one that fell


@dataclass(frozen=True)
class Answer:
    """A predictor's probability of the finding, and whether it is on the wrong side of 0.5; or Dice, and if it fell."""

    predictor: Predictor
    probability: float | None
    wrong: bool


@dataclass(frozen=True)
class Picture:
    """A picture of a record, at a path in the run's folder, and what the predictors say of it."""

    kind: str
    name: str
    path: str
    answers: list[Answer]


@dataclass(frozen=True)
class Card:
    """A record.

    Attributes:
        example: As in the results.
        pictures: Original and masks, the tested editor, other editors, the truth.
        edited: Kind of picture that the predictors were tested on.
        flipped: Positions, among the predictors, of those whose answer differs between the original and the edit, or
            whose Dice fell.
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


def uris_of(results: Results, folder: Path) -> dict[str, str]:
    """Path of each picture of the gallery → the picture itself, as a page holds it; the folder is the run's."""
    paths = [
        (f"Picture {kind!r} of record {example.record!r}", path)
        for example in results.gallery
        for kind, path in example.images.items()
    ]
    return data_uris(folder, paths, BYTES)


def typical(cards: Iterable[Card], predictor: Predictor) -> Card | None:
    """The kept record on whose edit the predictor gives its median answer: an example that nobody picked."""

    def answer(card: Card) -> float | None:
        return card.example.predictions.get(predictor.key, {}).get(card.edited)

    kept = [(p, card) for card in cards if card.example.kept and (p := answer(card)) is not None]
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
        Picture(kind, _caption(results, kind), example.images[kind], _answers(results, example, kind)) for kind in order
    ]
    return Card(example, pictures, edited, _flipped(results, example, edited))


def name_of(kind: str, results: Results | None = None) -> str:
    """What a kind of picture, or a measure, is called."""
    if kind == "twin" and results is not None:
        return wording(results).twin
    return NAMES.get(kind) or kind.replace("_", " ").capitalize()


def _caption(results: Results, kind: str) -> str:
    """`name_of`, and for a predictor's outlines also whose they are, if there are several."""
    if not kind.startswith(OUTLINES):
        return name_of(kind, results)
    _, film, key = kind.split(":")
    whose = f", {results.predictor(key).name}" if len(results.predictors) > 1 else ""
    return f"{name_of(film, results)}, outlined{whose}"


def _answers(results: Results, example: Example, kind: str) -> list[Answer]:
    film, _, drawer = kind.removeprefix(OUTLINES).partition(":")  # outlines are one predictor's, and of a film
    kind = film
    asked = any(kind in says for says in example.predictions.values())
    answers = []
    for predictor in results.predictors if asked else []:
        if drawer not in ("", predictor.key):
            continue
        says = example.predictions.get(predictor.key, {})
        p, present = says.get(kind), kind in HAVE_THE_FINDING
        if results.measure == "dice":
            wrong = _fell(says.get("source"), p)
        else:
            wrong = p is not None and bool(results.finding) and (p >= 0.5) is not present
        answers.append(Answer(predictor, p, wrong))
    return answers


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
            turned = before is not None and after is not None and (before >= 0.5) != (after >= 0.5)
        if turned:
            flipped.append(i)
    return flipped
