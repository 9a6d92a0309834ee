"""A case as panels: one band for the films, one for what changed, and one or two for each predictor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import Normalize, to_hex
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from radedit.harness.explain import Case, Film, Says, inside
from radedit.report.gallery import FELL, HAVE_THE_FINDING, name_of
from radedit.report.pictures import contours
from radedit.report.results import Predictor, Results

DIVERGING, SEQUENTIAL = "RdBu_r", "inferno"
LEAST_SCALE = 10  # grey levels: below this, the map would show rounding as if it were change
SHOWN_PX = 256  # a picture has about this side
VEIL = 0.65  # opacity of the strongest evidence over a film


@dataclass(frozen=True)
class Panel:
    """One picture, and what is below it.

    Attributes:
        picture: None where a predictor can only be quoted.
        caption: A few words or numbers.
        answers: Whether the caption is a predictor's answer.
        wrong: Whether that is wrong; None where it is neither.
    """

    picture: Image.Image | None
    caption: str = ""
    answers: bool = False
    wrong: bool | None = None


@dataclass(frozen=True)
class Band:
    """One picture of every film.

    Attributes:
        name: What is shown.
        note: In a few words.
        panels: Chain by chain, film by film.
        bar: Colour map and its lowest and highest value, where there is one.
    """

    name: str
    note: str
    panels: list[list[Panel]]
    bar: tuple[str, float, float] | None = None


@dataclass(frozen=True)
class Heading:
    """Name of a film, and what was done to make it."""

    name: str
    made: str


def bands(case: Case, results: Results) -> list[Band]:
    """All bands of a case, in the order of a page."""
    scale = difference_scale(case)
    found = [
        Band("Film", "as predictors see it", _each(case, lambda film, _: Panel(_grey(film)))),
        Band(
            "Difference", "to the chain’s first film; below, mean change",
            _each(case, lambda film, first: _change(case, film, first, scale)), (DIVERGING, -scale, scale),
        ),
    ]  # fmt: skip
    for predictor in results.predictors:
        found += _answers(case, results, predictor)
    return found


def headings(case: Case, results: Results) -> list[list[Heading]]:
    """Of every film, chain by chain."""
    finding, shortcut = results.finding or "finding", results.shortcut or "shortcut"
    made = {
        "source": results.added and "as it is" or f"{finding} and {shortcut}",
        "vae": "encoded and decoded",
        "replay": "edited with an empty prompt",
        "sham": "same edit, nothing to remove" if results.finding else "prompt that adds nothing",
        "edit": results.added or f"{finding} removed",
        "twin": f"{results.added}, drawn" if results.added else f"drawn without {finding}",
        "reference": f"no {finding}, no {shortcut}",
    }
    editor = str(results.config.get("editor", {}).get("_target_", "edit.edit")).split(".")[-2]

    def heading(kind: str) -> Heading:
        plain = kind.removeprefix("reference_")
        return Heading(name_of(editor if kind == "edit" else plain, results), made.get(plain, ""))

    return [[heading(film.kind) for film in chain] for chain in case.chains]


def difference_scale(case: Case) -> float:
    """Grey levels of 255 at the ends of the one scale of a case's difference maps."""
    changes = np.concatenate([film.difference.abs().flatten().numpy() for film in case.films])
    return max(LEAST_SCALE, float(np.quantile(changes[changes > 0], 0.999)) if changes.any() else 0.0)


def colour_stops(name: str, n: int = 9) -> list[str]:
    """Colours of a colour map from its lowest to its highest value, as CSS has them."""
    return [to_hex(matplotlib.colormaps[name](i / (n - 1))) for i in range(n)]


def is_wrong(results: Results, film: Film, first: Film, key: str) -> bool | None:
    """Whether a predictor's answer is wrong, or its Dice fell since the chain's first film; None if that is unknown."""
    says, before = film.says[key], first.says[key]
    if results.measure == "dice":
        return None if says.dice is None or before.dice is None else before.dice - says.dice >= FELL - 1e-9
    if says.probability is None or not results.finding:
        return None
    return (says.probability >= 0.5) is not (film.kind in HAVE_THE_FINDING)


def _answers(case: Case, results: Results, predictor: Predictor) -> list[Band]:
    key = predictor.key
    says = [film.says[key] for film in case.films]
    highest = max((float(s.cam.max()) for s in says if s.cam is not None), default=0.0)

    def answer(film: Film, first: Film) -> tuple[str, bool, bool | None]:
        wrong, caption = is_wrong(results, film, first, key), _caption(film.says[key])
        return caption, bool(caption), (wrong or None) if results.measure == "dice" else wrong  # no Dice is right

    found = []
    if any(s.cam is not None for s in says):
        note = "Grad-CAM, {} × {} cells".format(*case.grids[key]) + ("" if highest else ": no evidence on any film")
        painted = _each(case, lambda film, first: Panel(_heat(film, key, highest), *answer(film, first)))
        found.append(Band(predictor.name, note, painted, (SEQUENTIAL, 0, highest)))
    if any(s.drawn is not None for s in says):
        truth = {} if case.truth is None else {"truth": case.truth.numpy()}
        note = "what it draws (red), and should (blue)" if truth else f"what it draws as {results.finding} (red)"
        painted = _each(
            case,
            lambda film, first: Panel(
                _outlined(film, truth | {"predicted": _array(film.says[key].drawn)}),
                *(() if found else answer(film, first)),
            ),
        )
        found.append(Band(predictor.name, note, painted))
    return found or [Band(predictor.name, "", _each(case, lambda film, first: Panel(None, *answer(film, first))))]


def _caption(says: Says) -> str:
    if says.dice is not None:
        return f"Dice {says.dice:.2f}"
    return "" if says.probability is None else f"{says.probability:.2f}"


def _each(case: Case, paint: Callable[[Film, Film], Panel]) -> list[list[Panel]]:
    """A panel of every film, made of it and of the first of its chain."""
    return [[paint(film, chain[0]) for film in chain] for chain in case.chains]


def _grey(film: Film) -> Image.Image:
    return _outlined(film, {})


def _outlined(film: Film, masks: dict[str, NDArray[np.bool_]]) -> Image.Image:
    return contours(film.image.numpy(), masks, scale=max(1, round(SHOWN_PX / film.image.shape[-1])))


def _change(case: Case, film: Film, first: Film, scale: float) -> Panel:
    """Of a chain's first film, which does not differ from itself, the masks."""
    masks = {name: case.masks[name].numpy() for name in ("keep", "edit")}  # where they share an outline, edit is above
    if film is first:
        return Panel(_outlined(film, masks), "m_edit orange, m_keep blue")
    colours = matplotlib.colormaps[DIVERGING](Normalize(-scale, scale)(film.difference.numpy()))
    caption = [f"{float(film.difference.abs().mean()):.1f}"]
    for name, mask in case.masks.items():
        mean = inside(film.difference.abs(), mask)
        caption += [] if mean is None else [f"{name} {mean:.1f}"]
    return Panel(_image(colours, film), " · ".join(caption))


def _heat(film: Film, key: str, highest: float) -> Image.Image:
    """Evidence as a veil over the film, the denser the more there is."""
    cam = film.says[key].cam
    grey = np.repeat(film.image.numpy()[..., None], 3, axis=-1)
    if cam is None or not highest:
        return _image(grey, film)
    strength = cam.numpy() / highest
    colours = matplotlib.colormaps[SEQUENTIAL](0.25 + 0.75 * strength)[..., :3]
    opacity = (VEIL * strength**0.7)[..., None]
    return _image((1 - opacity) * grey + opacity * colours, film)


def _image(colours: NDArray[np.float64], film: Film) -> Image.Image:
    picture = Image.fromarray((255 * np.clip(colours[..., :3], 0, 1)).round().astype(np.uint8))
    height, width = film.image.shape
    factor = max(1, round(SHOWN_PX / width))
    return picture.resize((width * factor, height * factor), Image.Resampling.BICUBIC)


def _array(mask: Tensor | None) -> NDArray[np.bool_]:
    assert mask is not None  # a predictor draws on all films or on none
    return mask.numpy()
