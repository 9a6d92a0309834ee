"""The page that a verdict is filed as: all of it is there, nothing is cut off, nothing lies on anything else."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.transforms import Bbox

from radedit.harness.statistics import CROSSED_INTERVAL, Estimate
from radedit.harness.verdict import Rules, judge
from radedit.report.certificate import Certificate, Judged, draw, write_certificate
from radedit.report.certificate_text import limits_in_words, summary
from radedit.report.paper import HEIGHT, LEFT, RIGHT, Paper
from radedit.report.verdict_plot import Scale
from radedit.report.verdict_table import LOOKS

RULES = Rules(fail_on="undecided")
HASH = "0123456789abcdef" * 4
Bounds = tuple[float, float | None, float | None]
FOUND: list[tuple[str, Bounds, Bounds, int, int]] = [  # name, excess, path, n, seeds
    ("Confounded classifier", (0.43, 0.31, 0.55), (0.005, -0.01, 0.02), 210, 5),
    ("Unconfounded classifier", (0.02, -0.01, 0.05), (-0.003, -0.02, 0.01), 210, 5),
    ("Unconfounded U-Net with head", (0.08, 0.03, 0.14), (0.011, -0.02, 0.03), 210, 5),
    ("A vendor’s detector with a name that is rather long, version 4.2.1-beta", (1.0, 1.0, 1.0), (0, 0, 0), 24, 1),
    ("f", (-1.0, -1.0, -1.0), (0.3, 0.2, 0.4), 12, 1),
    ("OneWordThatIsWiderThanItsColumn_of_the_table", (0.2, None, None), (0.0, None, None), 1, 1),
    ("costs $5 and {braces} $x$", (0.02, -0.03, 0.08), (0.01, 0.0, 0.07), 24, 1),
    ("last", (0.3, 0.2, 0.4), (0.0, 0.0, 0.0), 60, 3),
]


def judged(name: str, excess: Bounds, path: Bounds, n: int, seeds: int) -> Judged:
    return Judged(name, judge(name, Estimate(*excess, n), Estimate(*path, n), n, RULES), seeds, HASH[len(name) % 9 :])


def certificate(n: int = 2, **others: Any) -> Certificate:
    made = Certificate(
        title="Does the detector see the pneumothorax or the chest drain?",
        setting="Drawn radiographs of two hospitals; RadEdit at w = 5.",
        drawn=True,
        measure="false positives on edits less those on references",
        predictors=[judged(*found) for found in FOUND[:n]],
        rules=RULES,
        interval=CROSSED_INTERVAL,
        stress_set=HASH,
        generator=HASH[3:],
        commit="6e85433a0b1c2d3e4f5061728394a5b6c7d8e9f0-dirty",
        command="python -m radedit.stress +scenario=manifestation",
        created="2026-01-02T03:04:05+00:00",
        machine="a machine, 2 threads, Linux",
        version="0.1.0",
    )
    return replace(made, **others)


LONG = {
    "title": "Does the detector see the pneumothorax, or does it see the chest drain? " * 5,
    "setting": "Openly licensed radiographs of three collections. " * 9,
    "drawn": False,
    "command": "python -m radedit.stress " + "+override=value/with/a/rather_long/path " * 20,
    "weaknesses": ["the editing score kept only 31 of 210 edits"],
    "limits": ["Records without a mask of the drain were left out (12 of 222)."],
}
CASES = {str(n): certificate(n) for n in (1, 2, 4, 8)} | {
    "long": certificate(5, **LONG),
    "8, long title": certificate(8, title=LONG["title"]),
    "nothing known": certificate(1, generator="", stress_set="", commit="", command="", created="", machine=""),
}


def extents(page: Paper) -> list[tuple[str, Bbox]]:
    """Every text and where its ink is, in points from the bottom left."""
    fine = 10  # pixels a point: at one, letters are rounded to whole pixels, which a PDF does not do
    page.figure.set_dpi(72 * fine)
    renderer = FigureCanvasAgg(page.figure).get_renderer()
    boxes = [Bbox(text.get_window_extent(renderer).get_points() / fine) for text in page.axes.texts]
    return [(text.get_text(), box) for text, box in zip(page.axes.texts, boxes, strict=True)]


def words(page: Paper) -> str:
    return " ".join(text.get_text() for text in page.axes.texts)


@pytest.fixture(scope="module", params=CASES, ids=str)
def page(request: pytest.FixtureRequest) -> Paper:
    return draw(CASES[request.param])


def test_nothing_is_cut_off(page: Paper) -> None:
    for text, box in extents(page):
        assert box.x0 >= LEFT - 1 and box.x1 <= RIGHT + 1, text
        assert box.y0 >= 15 and box.y1 <= HEIGHT - 25, text


def test_no_text_lies_on_another(page: Paper) -> None:
    for (one, a), (other, b) in combinations(extents(page), 2):
        shared = Bbox.intersection(a, b)
        # Boxes of lines below each other may share the space under letters that have no tail.
        assert shared is None or shared.width < 1 or shared.height < 0.15 * min(a.height, b.height), (one, other)


def test_letters_stay_large_enough_to_be_read(page: Paper) -> None:
    assert all(float(text.get_fontsize()) >= 4.5 for text in page.axes.texts)


@pytest.mark.parametrize("n", [1, 8])
def test_every_predictor_has_its_outcome_by_sign_and_word_and_its_hash(n: int) -> None:
    content = certificate(n)
    said = [text.get_text() for text in draw(content).axes.texts]
    for one in content.predictors:
        sign, word, _ = LOOKS[one.verdict.outcome]
        assert said.count(f"{sign} {word}") == sum(p.verdict.outcome == one.verdict.outcome for p in content.predictors)
        assert one.hash[:12] in said


def test_page_tells_limit_intervals_counts_and_hashes() -> None:
    said = words(draw(certificate(2)))
    for part in ("limit 10.0", "+43.0 +31.0 to +55.0", "+0.5 −1.0 to +2.0", "n = 210, 5 seeds", "± 5.0 points", "30"):
        assert part in said
    assert HASH[:32] in said and HASH[32:] in said and HASH[3:15] in said
    assert "python -m radedit.stress +scenario=manifestation" in said and "a machine" in said
    assert "exit code 1 on a fail, 3 if undecided" in said


def test_undecided_is_told_why() -> None:
    said = words(draw(certificate(5)))
    assert "Only 12 of the 30 records" in said and "+30.0 points (95% interval +20.0 to +40.0), not within" in said


def test_phantoms_say_nothing_of_real_films_and_no_page_is_for_the_clinic() -> None:
    drawn, real = (" ".join(limits_in_words(certificate(drawn=drawn))) for drawn in (True, False))
    assert "nothing follows for real radiographs" in drawn and "drawn" not in real
    assert "Not for clinical use" in drawn and "Not for clinical use" in real


def test_weak_generator_is_told_above_the_table_and_below() -> None:
    content = certificate(weaknesses=["it kept only 3 of 60 edits"])
    assert "The generator is weak: it kept only 3 of 60 edits." in words(draw(content))
    assert limits_in_words(content)[0].startswith("The generator is weak")


@pytest.mark.parametrize(
    ("n", "sentence"),
    [
        (1, "Overall: fail."),
        (2, "Overall: fail. Of 2 predictors, 1 fails, 1 passes."),
        (5, "Overall: fail. Of 5 predictors, 1 fails, 3 are undecided, 1 passes."),
    ],
)
def test_summary_counts_outcomes(n: int, sentence: str) -> None:
    assert summary(certificate(n)) == sentence


def test_file_is_one_page_of_a4_and_the_same_bytes_again(tmp_path: Path) -> None:
    written = write_certificate(tmp_path / "certificate.pdf", certificate(2)).read_bytes()
    assert written.startswith(b"%PDF") and written.count(b"/Type /Page ") == 1 and b"/Count 1 " in written
    assert b"/MediaBox [ 0 0 595.28 841.89 ]" in written
    assert b"CreationDate" not in written
    assert write_certificate(tmp_path / "again.pdf", certificate(2)).read_bytes() == written


@pytest.mark.parametrize("outcome", ["pass", "fail", "undecided"])
def test_word_stands_out_from_its_colour(outcome: Any) -> None:
    """WCAG's contrast of white against the colour, or of the colour against white: 4.5 or more."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(LOOKS[outcome][2])]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5


@pytest.mark.parametrize("n", [0, 9])
def test_no_predictor_and_more_than_eight_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} predictors were judged; a certificate has 1 to 8"):
        draw(certificate(predictors=[judged(*FOUND[0])] * n))


def test_text_that_can_not_fit_is_refused_and_not_cut() -> None:
    with pytest.raises(ValueError, match="points too long for one page.*500 limits"):
        draw(certificate(limits=["This is not said here either."] * 500))


def test_all_that_is_drawn_lies_on_the_scale() -> None:
    estimates = [estimate for one in certificate(8).predictors for estimate in (one.verdict.excess, one.verdict.path)]
    scale = Scale.of(estimates, RULES, 100, 50)
    shown = [bound for e in estimates for bound in (e.value, e.low, e.high) if bound is not None]
    assert all(100 < scale(value) < 150 for value in (*shown, RULES.limit, -RULES.path_limit, *scale.ticks))
