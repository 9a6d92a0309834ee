"""One record of a run as a strip of pictures, with what the paper's pair of predictors says of each."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from radedit.report.gallery import gallery, typical
from radedit.report.headline import pair
from radedit.report.results import Results

FILE = "strip.png"
ORDER = ("source", "masks", "radedit", "diffedit", "lance", "sdedit", "twin", "sham")
PANEL_IN, GAP_IN, TOP_IN, LINE_IN = 1.62, 0.07, 0.3, 0.2
RIGHT, WRONG = "#1a7f37", "#b3261e"


def write_strip(results: Results, folder: Path) -> Path | None:
    """Draw the typical one of the records that most editors edited; None where no edit was kept.

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
    figure = Figure(dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    width = len(shown) * (PANEL_IN + GAP_IN) - GAP_IN
    bottom = 0.04 + LINE_IN * len(keys)
    height = TOP_IN + PANEL_IN + bottom
    figure.set_size_inches(width, height)
    for i, picture in enumerate(shown):
        left = i * (PANEL_IN + GAP_IN)
        axes = figure.add_axes((left / width, bottom / height, PANEL_IN / width, PANEL_IN / height))
        axes.imshow(Image.open(folder / picture.path).convert("RGB"), interpolation="bicubic")
        axes.set_axis_off()
        axes.set_title(picture.name, fontsize=9, pad=4)
        answers = [answer for answer in picture.answers if answer.predictor.key in keys]
        for line, answer in enumerate(sorted(answers, key=lambda a: keys.index(a.predictor.key))):
            if answer.probability is not None:
                says = f"{answer.predictor.role or answer.predictor.name} {answer.probability:.2f}"
                figure.text(
                    (left + PANEL_IN / 2) / width, (bottom - LINE_IN * (line + 0.75)) / height,
                    f"{'✗' if answer.wrong else '✓'} {says}", fontsize=7.5, ha="center",
                    color=WRONG if answer.wrong else RIGHT,
                )  # fmt: skip
    figure.savefig(folder / FILE)
    return folder / FILE
