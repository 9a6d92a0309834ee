"""One record of a run as a strip of pictures, with the predictions of the paper's pair of models for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from radedit.data.io.atomic import whole_file
from radedit.harness.evidence.results import Results
from radedit.report.images.gallery import Picture, gallery, typical
from radedit.report.words.headline import pair

FILE = "strip.png"
ORDER = ("source", "masks", "radedit", "diffedit", "lance", "sdedit", "counterfactual", "sham")
PANEL_IN, GAP_IN, TOP_IN, LINE_IN = 1.62, 0.07, 0.3, 0.2
RIGHT, WRONG, LOST = "#1a7f37", "#b3261e", "#96590a"


def write_strip(results: Results, folder: Path) -> Path | None:
    """Draw the typical one of the records that most editors edited; None where no edit was kept.

    A prediction gets a tick where it is right and the image is a test: where an edit lost what it was to keep, no
    prediction is right or wrong, and the picture says what was lost.

    Args:
        results: Of a finished run.
        folder: Its folder, which the picture is written to.
    """
    cards = gallery(results)
    lead, other = pair(results)
    most = max((len(card.pictures) for card in cards), default=0)
    card = typical([card for card in cards if len(card.pictures) == most], lead) or typical(cards, lead)
    if card is None:
        return None
    keys = [predictor.key for predictor in (lead, other) if predictor]
    shown = [picture for kind in ORDER if (picture := card.picture(kind))]
    known = any(picture.keeps is not None for picture in shown)
    figure = Figure(dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    width = len(shown) * (PANEL_IN + GAP_IN) - GAP_IN
    bottom = 0.04 + LINE_IN * (len(keys) + known)
    height = TOP_IN + PANEL_IN + bottom
    figure.set_size_inches(width, height)
    for i, picture in enumerate(shown):
        left = i * (PANEL_IN + GAP_IN)
        axes = figure.add_axes((left / width, bottom / height, PANEL_IN / width, PANEL_IN / height))
        axes.imshow(Image.open(folder / picture.path).convert("RGB"), interpolation="bicubic")
        axes.set_axis_off()
        axes.set_title(picture.name, fontsize=9, pad=4)
        for line, (text, colour) in enumerate(said_of(picture, keys, results.shortcut)):
            figure.text(
                (left + PANEL_IN / 2) / width, (bottom - LINE_IN * (line + 0.75)) / height, text, fontsize=7.5,
                ha="center", color=colour, parse_math=False,
            )  # fmt: skip
    with whole_file(folder / FILE) as temporary:
        figure.savefig(temporary, format="png")
    return folder / FILE


def said_of(picture: Picture, keys: Sequence[str], shortcut: str) -> list[tuple[str, str]]:
    """What stands below a picture: predictions, and whether the shortcut was kept; with the colour of each line.

    Args:
        picture: Of a record.
        keys: Predictors that are quoted, in this order.
        shortcut: What an edit is to keep, in words.
    """
    lines = []
    quoted = [one for one in picture.predictions if one.predictor.key in keys and one.probability is not None]
    for prediction in sorted(quoted, key=lambda one: keys.index(one.predictor.key)):
        says = f"{prediction.predictor.role or prediction.predictor.name} {prediction.probability:.2f}"
        mark, colour = ("–", LOST) if picture.keeps is False else ("✗", WRONG) if prediction.wrong else ("✓", RIGHT)
        lines.append((f"{mark} {says}", colour))
    if picture.keeps is not None:
        lines.append((f"✓ {shortcut} kept", RIGHT) if picture.keeps else (f"✗ {shortcut} lost: no test", LOST))
    return lines
