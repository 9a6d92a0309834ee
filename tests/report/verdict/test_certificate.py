"""The page that a verdict is filed as: all of it is there, on one page, and nothing is cut off."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from radedit.data.io.provenance import without_places
from radedit.harness.evidence.verdict import Measures, Rules, judge
from radedit.harness.statistics.means import CROSSED_INTERVAL
from radedit.report.verdict.certificate import facts, typeset, write_certificate
from radedit.report.verdict.certificate_text import Certificate, Judged, limits_in_words, summary
from tests.made_up_means import mean, unknown

RULES = Rules(fail_on="undecided")
HASH = "0123456789abcdef" * 4
Bounds = tuple[float, float | None, float | None]
FOUND: list[tuple[str, Bounds, Bounds, int, int]] = [  # name, shift effect, path, n, seeds
    ("Confounded classifier", (0.43, 0.31, 0.55), (0.005, -0.01, 0.02), 210, 5),
    ("Unconfounded classifier", (0.02, -0.01, 0.05), (-0.003, -0.02, 0.01), 210, 5),
    ("Unconfounded U-Net with head", (0.08, 0.03, 0.14), (0.011, -0.02, 0.03), 210, 5),
    ("A vendor’s detector with a name that is rather long, version 4.2.1-beta", (1.0, 1.0, 1.0), (0, 0, 0), 24, 1),
    ("f", (-1.0, -1.0, -1.0), (0.3, 0.2, 0.4), 12, 1),
    ("OneWordThatIsWiderThanItsColumn_of_the_table", (0.2, None, None), (0.0, None, None), 1, 1),
    ("costs $5 and {braces} $x$", (0.02, -0.03, 0.08), (0.01, 0.0, 0.07), 24, 1),
    ("last", (0.3, 0.2, 0.4), (0.0, 0.0, 0.0), 60, 3),
]


def judged(name: str, shift_effect: Bounds, artefact: Bounds, n: int, seeds: int) -> Judged:
    found = Measures(
        *(
            unknown(v, n) if low is None or high is None else mean(low, high, n)
            for v, low, high in (shift_effect, artefact)
        )
    )
    return Judged(name, judge(name, found, RULES), seeds, HASH[len(name) % 9 :])


def certificate(n: int = 2, **others: Any) -> Certificate:
    made = Certificate(
        title="Does the detector see the pneumothorax or the chest drain?",
        setting="Synthetic phantoms of two hospitals; RadEdit at w = 5.",
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


def ink(content: Certificate) -> NDArray[np.bool_]:
    """Where the page is not white, two pixels a point."""
    page = Image.open(io.BytesIO(typeset(content, "png"))).convert("RGB")
    assert page.size == (1191, 1684)  # A4
    dark: NDArray[np.bool_] = (np.asarray(page) < 250).any(axis=2)
    return dark


def texts(found: Any) -> Iterator[tuple[list[Any], str]]:
    """Every text of nested values, and how it is reached."""
    for key, value in found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ():
        if isinstance(value, str):
            yield [key], value
        yield from (([key, *rest], text) for rest, text in texts(value))


@pytest.mark.parametrize("case", CASES)
def test_nothing_reaches_into_the_margins(case: str) -> None:
    page, side = ink(CASES[case]), 88  # 16 mm
    assert page[:, side:-side].any()
    assert not page[:, :side].any() and not page[:, -side + 4 :].any() and not page[:76].any()
    assert not page[1594:1610].any(), "something hangs out of the page's body into its foot"


def test_every_text_that_is_handed_to_the_template_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    found = facts(certificate(1, weaknesses=["few edits were kept"]))
    other: Any = found
    monkeypatch.setattr("radedit.report.verdict.certificate.facts", lambda _: other)
    whole = typeset(certificate(1))
    kinds = {tuple(key for key in where if isinstance(key, str)): where for where, _ in texts(found)}
    for *path, last in kinds.values():
        other = copy.deepcopy(found)
        inner: Any = other
        for key in path:
            inner = inner[key]
        inner[last] = {"fail": "pass", "artefact": "shift effect"}.get(inner[last], "another text")
        assert typeset(certificate(1)) != whole, (*path, last)


@pytest.mark.parametrize("n", [1, 8])
def test_every_predictor_has_its_outcome_and_its_hash(n: int) -> None:
    content = certificate(n)
    for one, row in zip(content.predictors, facts(content)["predictors"], strict=True):
        assert row["outcome"] == one.verdict.outcome and row["hash"] == one.hash[:12]


def test_page_tells_limit_intervals_counts_and_hashes() -> None:
    found = facts(certificate(2))
    said = " ".join(text for _, text in texts(found))
    parts = (
        "limit 10.0",
        "+43.0",
        "+31.0 to +55.0",
        "+0.5",
        "−1.0 to +2.0",
        "n = 210, 5 seeds",
        "fewer than 30 records",
    )
    assert all(part in said for part in parts)
    assert f"{HASH[:32]} {HASH[32:]}" in said and HASH[3:15] in said
    assert "python -m radedit.stress +scenario=manifestation" in said and "a machine" in said
    assert "exit code 1 on a fail, 3 if undecided" in said


def test_undecided_is_told_why() -> None:
    assert any("n = 12, below min_n = 30" in row["because"] for row in facts(certificate(5))["predictors"])


def test_no_place_of_this_machine_is_on_the_page() -> None:
    command = "python -m radedit.stress +scenario=a images=/home/jane.doe/ward/images.csv"
    said = str(facts(certificate(command=command, limits=["See ~/secret/notes.txt."])))
    assert "jane.doe" not in said and "secret" not in said and "images.csv" in said and "notes.txt" in said


def test_phantoms_say_nothing_of_real_images_and_no_page_is_for_the_clinic() -> None:
    drawn, real = (" ".join(limits_in_words(certificate(drawn=drawn))) for drawn in (True, False))
    assert "nothing follows for real radiographs" in drawn and "drawn" not in real
    assert "Not for clinical use" in drawn and "Not for clinical use" in real


def test_weak_generator_is_told_above_the_table_and_below() -> None:
    found = facts(certificate(weaknesses=["it kept only 3 of 60 edits"]))
    assert found["weaknesses"] == ["it kept only 3 of 60 edits"]
    assert found["limits"].startswith("The generator is weak")


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
    assert written.startswith(b"%PDF") and b"/Type/Pages/Count 1/" in written
    assert b"/MediaBox[0 0 595.2756 841.8898]" in written
    assert b"CreationDate" not in written
    assert write_certificate(tmp_path / "again.pdf", certificate(2)).read_bytes() == written


@pytest.mark.parametrize("colour", ["00704f", "b34700", "566474"])
def test_word_stands_out_from_its_colour(colour: str) -> None:
    """WCAG's contrast of white against the colour, or of the colour against white: 4.5 or more."""
    assert f'rgb("#{colour}")' in files("radedit.report").joinpath("templates/certificate.typ").read_text("utf-8")
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(f"#{colour}")]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5


@pytest.mark.parametrize(
    "text", ['#panic("run")', "$x$ *bold* _it_", '#import "/etc/passwd"', "`raw` <label> @ref", "漢字", "\udcff"]
)
def test_text_is_set_as_it_is_and_never_read_as_markup(text: str, tmp_path: Path) -> None:
    plain = facts(certificate(title=text))
    assert plain["title"] == without_places(text)
    written = write_certificate(tmp_path / "a.pdf", certificate(title=text, command=text, weaknesses=[text]))
    assert written.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("n", [0, 9])
def test_no_predictor_and_more_than_eight_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} predictors were judged; a certificate has 1 to 8"):
        typeset(certificate(predictors=[judged(*FOUND[0])] * n))


def test_text_that_can_not_fit_is_refused_and_not_cut() -> None:
    with pytest.raises(ValueError, match="too long for one page.*500 limits"):
        typeset(certificate(limits=["This is not said here either."] * 500))


def test_all_that_is_drawn_lies_on_the_scale() -> None:
    found = facts(certificate(8))
    estimates = [estimate for row in found["predictors"] for estimate in row["estimates"]]
    shown = [x for e in estimates for x in (e["at"], *(e["ends"] or []))]
    assert all(0 < x < 1 for x in (*shown, found["limit"]["at"], *(tick["at"] for tick in found["ticks"])))
    assert sum(tick["zero"] for tick in found["ticks"]) == 1
