"""A verdict for people: one page to print, sign and file."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import typst
from matplotlib.ticker import MaxNLocator

from radedit.data.io.atomic import write_atomically
from radedit.data.io.provenance import without_places
from radedit.report.plots.changes_plot import spread
from radedit.report.plots.figures import Axis
from radedit.report.verdict.certificate_text import Certificate, Judged, limits_in_words, rules_in_words, short, summary
from radedit.report.words.numbers import percent, points

FILE = "certificate.pdf"
MOST = 8  # predictors on a page
DIGITS = 12  # of a hash
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"  # so that a page looks the same everywhere


def write_certificate(path: Path, content: Certificate) -> Path:
    """Write the verdict as a PDF of one page, A4; the same bytes for the same content.

    Args:
        path: Of the file; its folder must exist.
        content: What it says.

    Raises:
        ValueError: If there are no predictors or more than eight, or the text does not fit on a page.
    """
    write_atomically(path, typeset(content))
    return path


def typeset(content: Certificate, form: Literal["pdf", "png"] = "pdf") -> bytes:
    """The page, set by `templates/certificate.typ` in letters as large as fit.

    Args:
        content: What it says.
        form: `pdf` or `png`.

    Raises:
        ValueError: As `write_certificate`.
    """
    n = len(content.predictors)
    if not 1 <= n <= MOST:
        raise ValueError(
            f"{n} predictors were judged; a certificate has 1 to {MOST}. Write one for each group of them."
        )
    template = files("radedit.report").joinpath("templates/certificate.typ").read_bytes()
    data = json.dumps(facts(content), ensure_ascii=False).encode("utf-8", "replace").decode()  # no lone surrogates
    try:
        compiled: Any = typst.compile  # its annotations want font folders of the template's type, bytes
        page = compiled(template, format=form, font_paths=[FONTS], ignore_system_fonts=True, sys_inputs={"data": data})
    except typst.TypstError as error:
        if "too long" not in str(error):
            raise
        raise ValueError(
            f"The certificate is too long for one page, even in the smallest letters; hand in fewer than {n} "
            f"predictors, {len(content.limits)} limits, {len(content.weaknesses)} weaknesses, or shorter ones."
        ) from None
    return bytes(page)


def facts(content: Certificate) -> dict[str, Any]:
    """What the template sets, as JSON has it, without places of this machine; positions are shares of the plot."""
    estimates = [e for one in content.predictors for e in (one.verdict.shift_effect, one.verdict.artefact) if e]
    bounds = [bound for e in estimates for bound in (e.value, e.low, e.high) if bound is not None]
    ends = min(0.0, content.rules.limit, *bounds), max(0.0, content.rules.limit, *bounds)
    margin = 0.06 * (ends[1] - ends[0])
    at = Axis(0, 1, low := ends[0] - margin, high := ends[1] + margin)
    ticks = np.asarray(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(100 * low, 100 * high)) / 100
    shown = [float(tick) for tick in ticks if low <= tick <= high]
    digits = 0 if all(abs(100 * tick - round(100 * tick)) < 1e-6 for tick in shown) else 1

    def row(judged: Judged) -> dict[str, Any]:
        verdict, seeds = judged.verdict, f"{judged.seeds} seed{'' if judged.seeds == 1 else 's'}"
        reasons = " ".join(verdict.reasons[:-1] or verdict.reasons)
        return {
            "outcome": verdict.outcome,
            "name": short("name", judged.name),
            "counts": f"n = {verdict.n}, {seeds}",
            "hash": judged.hash[:DIGITS] or "no hash",
            "because": reasons if verdict.outcome == "undecided" else "",  # what was decided speaks by its numbers
            "estimates": [
                {"name": name, "value": points(e.value), "interval": spread(e) or "no interval", "at": at(e.value),
                 "ends": None if e.low is None or e.high is None else [at(e.low), at(e.high)]}
                for name, e in (("shift effect", verdict.shift_effect), ("artefact", verdict.artefact)) if e
            ],
        }  # fmt: skip

    half = len(content.stress_set) // 2
    facts = (
        ("Generator", content.generator[:DIGITS], True),
        ("Stress set", f"{content.stress_set[:half]} {content.stress_set[half:]}".strip(), True),
        ("Commit", content.commit, True),
        ("Command", short("command", content.command), True),
        ("Date", content.created, False),
        ("Machine", short("machine", content.machine), False),
    )
    page = {
        "title": short("title", content.title),
        "setting": short("setting", content.setting),
        "summary": summary(content),
        "weaknesses": list(content.weaknesses),
        "predictors": [row(judged) for judged in content.predictors],
        "ticks": [{"at": at(tick), "text": points(tick, digits), "zero": abs(tick) < 1e-9} for tick in shown],
        "limit": {"at": at(content.rules.limit), "text": f"limit {percent(content.rules.limit)}"},
        "rules": rules_in_words(content),
        "facts": [{"name": name, "text": text or "not known", "mono": mono} for name, text, mono in facts],
        "limits": " ".join(limits_in_words(content)),
        "version": content.version,
    }
    found: dict[str, Any] = without_places(page)
    return found
