"""One printed page, A4 upright, in points from its top left: text is measured before it is set."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import matplotlib
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import LoadFlags

from radedit.report.svg import STYLE, Align, Sheet

WIDTH, HEIGHT = 595.28, 841.89  # 210 × 297 mm
LEFT, RIGHT, TOP, BOTTOM = 45.0, WIDTH - 45, 44.0, HEIGHT - 42  # margins; the footer lies below
# As style.css has them when printed.
INK, MUTED, LINE, SOFT, CAUTION = "#16202b", "#566474", "#c9d1da", "#f0f3f7", "#96590a"
PDF = {**STYLE, "pdf.fonttype": 42}  # text can be searched and copied
LEADING = 1.36

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells every table of every font that it writes


@dataclass(frozen=True)
class Font:
    """How text looks.

    Attributes:
        size: In points.
        colour: Of the letters.
        bold: Heavy.
        mono: Letters of one width, for hashes and commands.
    """

    size: float
    colour: str = INK
    bold: bool = False
    mono: bool = False

    @property
    def family(self) -> str:
        """These come with Matplotlib, so that a page looks the same everywhere."""
        return "DejaVu Sans Mono" if self.mono else "DejaVu Sans"


class Paper(Sheet):
    """A white page to draw on."""

    def __init__(self) -> None:
        super().__init__(WIDTH, HEIGHT)
        self.figure.set_facecolor("white")
        FigureCanvasPdf(self.figure)

    def put(self, x: float, y: float, text: str, font: Font, *, align: Align = "left") -> None:
        """Set one line, its baseline at y."""
        self.axes.text(
            x, y, text, color=font.colour, fontsize=font.size, family=font.family, parse_math=False,
            weight="bold" if font.bold else "normal", ha=align, va="baseline",
        )  # fmt: skip

    def paragraph(self, x: float, y: float, width: float, text: str, font: Font) -> float:
        """Set text in lines of `width` at most, from y down; gives the y below it."""
        for line in wrap(text, width, font):
            self.put(x, y + font.size, line, font)
            y += LEADING * font.size
        return y

    def pdf(self, metadata: Mapping[str, str]) -> bytes:
        """The page as a PDF file, the same bytes for the same page."""
        file = io.BytesIO()
        with matplotlib.rc_context(PDF):
            self.figure.savefig(file, format="pdf", metadata={**metadata, "CreationDate": None})
        return file.getvalue()


def width_of(text: str, font: Font) -> float:
    """Width of a line in points; kerning, which draws letters together, is left out."""
    return font.size * sum(_advance(letter, font.family, font.bold) for letter in text)


@lru_cache(maxsize=4096)
def _advance(letter: str, family: str, bold: bool) -> float:
    """How far a letter moves the next, in units of the font's size."""
    face = get_font(findfont(FontProperties(family=family, weight="bold" if bold else "normal")))
    face.set_size(100, 72)
    return face.load_char(ord(letter), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 100


def wrap(text: str, width: float, font: Font) -> list[str]:
    """Lines no wider than `width`: broken at spaces, and within a word only where it is wider by itself."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if width_of(longer, font) <= width:
            line = longer
            continue
        lines += [line] if line else []
        *whole, line = _pieces(word, width, font)
        lines += whole
    return [*lines, line] if line else lines


def _pieces(word: str, width: float, font: Font) -> Iterator[str]:
    piece = ""
    for letter in word:
        if piece and width_of(piece + letter, font) > width:
            yield piece
            piece = ""
        piece += letter
    yield piece
