"""Matplotlib figures as part of a page: its fonts, its colours in light and dark, no identifiers that collide."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# Colours of the page (style.css), each by a colour that Matplotlib knows and that nothing else uses.
INK, MUTED, LINE, SURFACE = "#010101", "#010102", "#010103", "#010104"
BAD, GOOD, CAUTION, ACCENT, SOFT = "#010105", "#010106", "#010107", "#010108", "#010109"
VARIABLES = {
    INK: "--ink", MUTED: "--muted", LINE: "--line", SURFACE: "--surface", BAD: "--bad", GOOD: "--good",
    CAUTION: "--caution", ACCENT: "--accent", SOFT: "--soft",
}  # fmt: skip
Align = Literal["left", "center", "right"]
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the page's font
    "svg.hashsalt": "radedit",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}


class Sheet:
    """A transparent figure to draw on in CSS pixels, from the top left."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)
        self.axes.axis("off")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        colour: str = INK,
        size: float = 13,
        align: Align = "left",
        bold: bool = False,
    ) -> None:
        """Write one line, centred on `y`."""
        weight = "bold" if bold else "normal"
        self.axes.text(
            x, y + 0.35 * size, text, color=colour, fontsize=size, ha=align, va="baseline", weight=weight,
            parse_math=False,
        )  # fmt: skip

    def line(
        self, x: Sequence[float], y: Sequence[float], *, colour: str = LINE, width: float = 1, dashed: bool = False
    ) -> None:
        """Join points; what is drawn later lies on top."""
        dashes = (3, 3) if dashed else (None, None)
        self.axes.plot(x, y, color=colour, linewidth=width, dashes=dashes, clip_on=False, zorder=1)

    def mark(self, x: float, y: float, shape: str, *, colour: str, size: float = 8, hollow: bool = False) -> None:
        """Set a marker: `o`, `D`, `s`, `^`, `|`."""
        face = SURFACE if hollow else colour
        self.axes.plot(
            [x], [y], shape, color=colour, markersize=size, markerfacecolor=face, markeredgewidth=1.8, clip_on=False
        )

    def bar(self, x0: float, x1: float, y0: float, y1: float, *, colour: str) -> None:
        """Fill a rectangle."""
        self.axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=colour, edgecolor="none", clip_on=False))

    def svg(self, name: str, alt: str) -> Markup:
        """See `inline`."""
        return inline(self.figure, name, alt)


def inline(figure: Figure, name: str, alt: str) -> Markup:
    """An `<svg>` element to stand in a page.

    Args:
        figure: In the colours above.
        name: Unique on the page.
        alt: What is to be seen, for those who don't.
    """
    file = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context(STYLE):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's font has it, not Matplotlib's
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = file.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<\?xml.*?\?>|<!DOCTYPE.*?>", "", svg, flags=re.DOTALL)
    referred = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", svg))
    svg = re.sub(r"<[^>]+>", lambda tag: _at_home(tag.group(), name, referred), svg[svg.index("<svg") :])
    width, height = (round(inches * 72) for inches in figure.get_size_inches())
    box = f"0 0 {width} {height}"
    head = f'<svg class="figure" viewBox="{box}" style="max-width: {width}px"'
    head += f' role="img" aria-label="{escape(alt)}">'
    return Markup(head + re.sub(r"\s*\n\s*", "\n", svg[svg.index(">") + 1 :]))


def _at_home(tag: str, name: str, referred: set[str]) -> str:
    """A tag with the page's colours and font, and with an id of its own if something refers to it."""
    for colour, variable in VARIABLES.items():
        tag = tag.replace(colour, f"var({variable})")
    tag = re.sub(r"font-family: [^;\"]*;? ?|transform=\"rotate\(-0[^\"]*\)\"", "", tag)
    tag = re.sub(r"(font: [\w .]*px )[^;\"]*", r"\1var(--sans)", tag)
    tag = re.sub(r' id="([^"]*)"', lambda id_: f' id="{name}-{id_[1]}"' if id_[1] in referred else "", tag)
    return re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-", tag)
