"""Text on a printed page: measured before it is set."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from radedit.report.paper import Font, Paper, width_of, wrap


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(codec="latin-1", exclude_categories=["C"]), max_size=80), width=st.floats(20, 200))
def test_wrapped_lines_are_narrow_and_lose_no_letter(text: str, width: float) -> None:
    lines = wrap(text, width, Font(9))
    assert all(width_of(line, Font(9)) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@pytest.mark.parametrize("font", [Font(9), Font(9, bold=True), Font(9, mono=True)], ids=["plain", "bold", "mono"])
@pytest.mark.parametrize("text", ["Unconfounded classifier", "AVAToy 12.3 − ✗ ± ’", "0123456789abcdef"])
def test_measured_width_is_that_which_is_drawn(text: str, font: Font) -> None:
    page = Paper()
    page.put(50, 50, text, font)
    page.figure.set_dpi(720)
    drawn = page.axes.texts[0].get_window_extent(FigureCanvasAgg(page.figure).get_renderer()).width / 10
    assert width_of(text, font) == pytest.approx(drawn, rel=0.06)  # kerning
    assert drawn < width_of(text, font) + 0.5


def test_paragraph_ends_below_its_lines() -> None:
    page = Paper()
    end = page.paragraph(50, 100, 60, "three words here, or more", Font(10))
    baselines = [text.get_position()[1] for text in page.axes.texts]
    assert len(baselines) == 3 and baselines == sorted(baselines)
    assert baselines[0] > 100 and baselines[-1] < end


def test_dollar_signs_and_braces_are_letters() -> None:
    page = Paper()
    page.put(50, 50, r"$\frac{1}{$ costs {5}", Font(9))
    assert page.pdf({"Title": "costs"}).startswith(b"%PDF")
