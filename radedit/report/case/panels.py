"""A case as panels: one band for the images, one for what changed, and one or two for each predictor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.colors import Normalize, to_hex
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from radedit.harness.evidence.results import PredictorEntry, Results
from radedit.harness.explain.case import Case, CaseImage, Says, inside
from radedit.report.images.gallery import FELL, HAVE_THE_FINDING, name_of
from radedit.report.images.pictures import contours

DIVERGING, SEQUENTIAL = "RdBu_r", "inferno"
LEAST_SCALE = 10  # grey levels: below this, the map would show rounding as if it were change
SHOWN_PX = 256  # a picture has about this side
VEIL = 0.65  # opacity of the strongest evidence over an image


@dataclass(frozen=True)
class Panel:
    """One picture, and what is below it.

    Attributes:
        picture: None where a predictor can only be quoted.
        caption: A few words or numbers.
        predictions: Whether the caption is a predictor's prediction.
        wrong: Whether that is wrong; None where it is neither.
    """

    picture: Image.Image | None
    caption: str = ""
    predictions: bool = False
    wrong: bool | None = None


@dataclass(frozen=True)
class Band:
    """One picture of every image.

    Attributes:
        name: What is shown.
        note: In a few words.
        panels: Chain by chain, image by image.
        bar: Colour map and its lowest and highest value, where there is one.
    """

    name: str
    note: str
    panels: list[list[Panel]]
    bar: tuple[str, float, float] | None = None


@dataclass(frozen=True)
class Heading:
    """Name of an image, and what was done to make it."""

    name: str
    made: str


def bands(case: Case, results: Results) -> list[Band]:
    """All bands of a case, in the order of a page."""
    scale = difference_scale(case)
    found = [
        Band("Image", "as predictors see it", _each(case, lambda image, _: Panel(_grey(image)))),
        Band(
            "Difference", "to the chain’s first image; below, mean change",
            _each(case, lambda image, first: _change(case, image, first, scale)), (DIVERGING, -scale, scale),
        ),
    ]  # fmt: skip
    for predictor in results.predictors:
        found += _predictions(case, results, predictor)
    return found


def headings(case: Case, results: Results) -> list[list[Heading]]:
    """Of every image, chain by chain."""
    finding, shortcut = results.finding or "finding", results.shortcut or "shortcut"
    made = {
        "source": results.added and "as it is" or f"{finding} and {shortcut}",
        "vae": "encoded and decoded",
        "replay": "edited with an empty prompt",
        "sham": "same edit, nothing to remove" if results.finding else "prompt that adds nothing",
        "edit": results.added or f"{finding} removed",
        "counterfactual": f"{results.added}, drawn" if results.added else f"drawn without {finding}",
        "reference": f"no {finding}, no {shortcut}",
    }
    editor = str(results.config.get("editor", {}).get("_target_", "edit.edit")).split(".")[-2]

    def heading(kind: str) -> Heading:
        plain = kind.removeprefix("reference_")
        return Heading(name_of(editor if kind == "edit" else plain, results), made.get(plain, ""))

    return [[heading(image.kind) for image in chain] for chain in case.chains]


def difference_scale(case: Case) -> float:
    """Grey levels of 255 at the ends of the one scale of a case's difference maps."""
    changes = np.concatenate([image.difference.abs().flatten().numpy() for image in case.images])
    return max(LEAST_SCALE, float(np.quantile(changes[changes > 0], 0.999)) if changes.any() else 0.0)


def colour_stops(name: str, n: int = 9) -> list[str]:
    """Colours of a colour map from its lowest to its highest value, as CSS has them."""
    return [to_hex(matplotlib.colormaps[name](i / (n - 1))) for i in range(n)]


def is_wrong(results: Results, image: CaseImage, first: CaseImage, key: str) -> bool | None:
    """Whether a prediction is wrong, or Dice fell since the chain's first image; None if that is unknown."""
    says, before = image.says[key], first.says[key]
    if results.measure == "dice":
        return None if says.dice is None or before.dice is None else before.dice - says.dice >= FELL - 1e-9
    if says.probability is None or not results.finding:
        return None
    threshold = next(predictor.threshold for predictor in results.predictors if predictor.key == key)
    return (says.probability >= threshold) is not (image.kind in HAVE_THE_FINDING)


def _predictions(case: Case, results: Results, predictor: PredictorEntry) -> list[Band]:
    key = predictor.key
    says = [image.says[key] for image in case.images]
    highest = max((float(s.cam.max()) for s in says if s.cam is not None), default=0.0)

    def prediction(image: CaseImage, first: CaseImage) -> tuple[str, bool, bool | None]:
        wrong, caption = is_wrong(results, image, first, key), _caption(image.says[key])
        return caption, bool(caption), (wrong or None) if results.measure == "dice" else wrong  # no Dice is right

    found = []
    if any(s.cam is not None for s in says):
        note = f"Grad-CAM, {case.layers[key]}{'' if highest else ': no evidence on any image'}"
        painted = _each(case, lambda image, first: Panel(_heat(image, key, highest), *prediction(image, first)))
        found.append(Band(predictor.name, note, painted, (SEQUENTIAL, 0, highest)))
    if any(s.drawn is not None for s in says):
        truth = {} if case.truth is None else {"truth": case.truth.numpy()}
        note = "what it draws (red), and should (blue)" if truth else f"what it draws as {results.finding} (red)"
        painted = _each(
            case,
            lambda image, first: Panel(
                _outlined(image, truth | {"predicted": _array(image.says[key].drawn)}),
                *(() if found else prediction(image, first)),
            ),
        )
        found.append(Band(predictor.name, note, painted))
    return found or [Band(predictor.name, "", _each(case, lambda image, first: Panel(None, *prediction(image, first))))]


def _caption(says: Says) -> str:
    if says.dice is not None:
        return f"Dice {says.dice:.2f}"
    return "" if says.probability is None else f"{says.probability:.2f}"


def _each(case: Case, paint: Callable[[CaseImage, CaseImage], Panel]) -> list[list[Panel]]:
    """A panel of every image, made of it and of the first of its chain."""
    return [[paint(image, chain[0]) for image in chain] for chain in case.chains]


def _grey(image: CaseImage) -> Image.Image:
    return _outlined(image, {})


def _outlined(image: CaseImage, masks: dict[str, NDArray[np.bool_]]) -> Image.Image:
    return contours(image.image.numpy(), masks, scale=max(1, round(SHOWN_PX / image.image.shape[-1])))


def _change(case: Case, image: CaseImage, first: CaseImage, scale: float) -> Panel:
    """Of a chain's first image, which does not differ from itself, the masks."""
    masks = {name: case.masks[name].numpy() for name in ("keep", "edit")}  # where they share an outline, edit is above
    if image is first:
        return Panel(_outlined(image, masks), "m_edit orange, m_keep blue")
    colours = matplotlib.colormaps[DIVERGING](Normalize(-scale, scale)(image.difference.numpy()))
    caption = [f"{float(image.difference.abs().mean()):.1f}"]
    for name, mask in case.masks.items():
        mean = inside(image.difference.abs(), mask)
        caption += [] if mean is None else [f"{name} {mean:.1f}"]
    return Panel(_image(colours, image), " · ".join(caption))


def _heat(image: CaseImage, key: str, highest: float) -> Image.Image:
    """Evidence as a veil over the image, the denser the more there is."""
    cam = image.says[key].cam
    grey = np.repeat(image.image.numpy()[..., None], 3, axis=-1)
    if cam is None or not highest:
        return _image(grey, image)
    strength = cam.numpy() / highest
    colours = matplotlib.colormaps[SEQUENTIAL](0.25 + 0.75 * strength)[..., :3]
    opacity = (VEIL * strength**0.7)[..., None]
    return _image((1 - opacity) * grey + opacity * colours, image)


def _image(colours: NDArray[np.float64], image: CaseImage) -> Image.Image:
    picture = Image.fromarray((255 * np.clip(colours[..., :3], 0, 1)).round().astype(np.uint8))
    height, width = image.image.shape
    factor = max(1, round(SHOWN_PX / width))
    return picture.resize((width * factor, height * factor), Image.Resampling.BICUBIC)


def _array(mask: Tensor | None) -> NDArray[np.bool_]:
    assert mask is not None  # a predictor draws on all images or on none
    return mask.numpy()
