"""One self-contained page from a finished run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from radedit.report import figures, numbers
from radedit.report.changes_plot import changes_plot
from radedit.report.findings import finding
from radedit.report.gallery import gallery, name_of, typical, uris_of
from radedit.report.headline import headline, pair
from radedit.report.kept_plot import kept_plot
from radedit.report.pictures import data_uris
from radedit.report.reader_table import KINDS, readers_of
from radedit.report.results import KEPT, OUTLINES, OWN, Attribution, Estimate, Results, load
from radedit.report.wording import wording

PAGE = "report.html"
CELL_BYTES = 300_000  # of four pictures, which every predictor's card shows again
CELL_SIDE = 256
SETTINGS = {
    "phantom": "drawn radiographs",
    "open": "openly licensed radiographs",
    "manifest": "the user’s own radiographs",
    "paper": "the paper’s data sets",
}
COUNTS = {
    "sources": "source films",
    "skipped": "skipped",
    "edited": "edited",
    "kept": "kept",
    "rejected": "rejected by score",
    "undefined": "score undefined",
}
QUALITY = {
    "keep_change_mean": "Mean change inside m_keep, grey levels",
    "keep_change_max": "Largest change inside m_keep, grey levels",
    "change_inside": "Mean change inside m_edit, grey levels",
    "true_change_inside": "The same by the true counterfactual, grey levels",
    "changed_outside": "Pixels outside both masks that changed by more than 8 grey levels, %",
    "heart_width_before": "Heart width before the edit, % of the film",
    "heart_width_after": "Heart width after it, %",
    "lung_area_before": "Lung area before the edit, % of the film",
    "lung_area_after": "Lung area after it, %",
}
MEASURES = {
    "dice": "Dice of the edited structure, %",
    "dice_all": "Dice of all structures, %",
    "hd95": "Hausdorff distance, 95th percentile, px",
    "asd": "Average surface distance, px",
    "area": "Area, % of the true one",
}
FRACTIONS = ("dice", "dice_all", "area")


def write_report(folder: Path) -> Path:
    """Write `report.html` into the folder of a finished run.

    Args:
        folder: Has `results.json` and the pictures that it names.

    Returns:
        The page: one file, with everything that it shows inside.

    Raises:
        FileNotFoundError: If the results or a picture are missing.
        ValueError: If the results are not as `radedit.report.results.Results` says.
    """
    folder = Path(folder)
    page = folder / PAGE
    page.write_text(render(load(folder), folder), encoding="utf-8")
    return page


def render(results: Results, folder: Path) -> str:
    """The page's HTML."""
    lead, other = pair(results)
    cards = gallery(results)
    template = environment().get_template("report.html.j2")
    return template.render(
        results=results,
        lead=lead,
        other=other,
        headline=headline(results),
        finding_sentence=finding(results),
        trainings=max((row.seeds for row in results.table), default=1),
        seeds=sorted({str(seed) for predictor in results.predictors for seed in predictor.seeds if seed is not None}),
        ranked=[entry for entry in results.ranking if entry.auroc_ordinary or entry.auroc_edits or entry.at_threshold],
        words=wording(results),
        setting=SETTINGS.get(results.setting, ""),
        cells=_cell_pictures(results, folder),
        cells_shown=any(predictor.cells for predictor in results.predictors),
        cards=cards,
        uris=uris_of(results, folder),
        typical=typical(cards, lead),
        paper_form=[
            (p, [row for data in (OWN, KEPT) if (row := results.row(p.key, data))]) for p in results.predictors
        ],
        has_paper=any(row.paper is not None for row in results.table),
        plots=_plots(results),
        meanings=_meanings(results),
        attributions=[(entry, results.predictor(entry.predictor), _split(entry)) for entry in results.attribution],
        counts=[(words, results.counts[name]) for name, words in COUNTS.items() if name in results.counts],
        quality=[(QUALITY.get(k, name_of(k)), _amount(v)) for k, v in (results.edit_quality or {}).items()],
        measures=[(MEASURES.get(k, name_of(k)), k) for k in _measures(results)],
        figures=[(f, _amount(f.value), _amount(f.rival) if f.rival else "") for f in results.generator],
        outlined=any(picture.kind.startswith(OUTLINES) for card in cards for picture in card.pictures),
        readers=readers_of(folder, results),
        kinds=KINDS,
        credited=any(card.example.attribution or card.example.licence for card in cards),
        undefined=sum(cosine is None for cosine in results.score.cosine),
        config=yaml.safe_dump(results.config, allow_unicode=True, sort_keys=False) if results.config else "",
        hashes=list(_flat(results.hashes)),
    )


def environment() -> jinja2.Environment:
    """Templates, with the filters and the style that all pages share."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("radedit.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "about": numbers.about,
        "percent": numbers.percent,
        "points": numbers.points,
        "interval": numbers.interval,
        "amount": numbers.amount,
        "grade": _grade,
        "points_of": lambda fraction: f"{100 * fraction:g} points",
        "measured": _measured,
        "p_value": lambda p: "< 0.001" if p < 0.001 else f"{p:.3f}",
        "unbroken": numbers.unbroken,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
    }
    environment.globals |= {
        "addition": figures.addition,
        "style": Markup(files("radedit.report").joinpath("templates/style.css").read_text("utf-8")),
        "script": Markup(files("radedit.report").joinpath("templates/gallery.js").read_text("utf-8")),
    }
    return environment


def _cell_pictures(results: Results, folder: Path) -> dict[str, str]:
    paths = [
        (f"Picture of cell {cell.finding}-{cell.shortcut} of predictor {predictor.key!r}", cell.picture)
        for predictor in results.predictors
        for cell in predictor.cells
        if cell.picture
    ]
    return data_uris(folder, paths, CELL_BYTES, smallest=CELL_SIDE)


def _plots(results: Results) -> dict[str, Any]:
    """Each figure wide and narrow; the page shows the one that fits."""
    sizes = (False, True)
    plots: dict[str, Any] = {
        "attribution": {
            entry.predictor: [
                figures.attribution(entry, results.predictor(entry.predictor), wording(results), narrow=narrow)
                for narrow in sizes
            ]
            for entry in results.attribution
        }
    }
    if results.table:
        plots["forest"] = [figures.forest(results, narrow=narrow) for narrow in sizes]
    if results.agreement:
        plots["agreement"] = [figures.agreement(results.agreements(), results, narrow=narrow) for narrow in sizes]
    if results.changes:
        plots["changes"] = [changes_plot(results, "changes", narrow=narrow) for narrow in sizes]
    if any(curve.points for curve in results.kept_curve):
        plots["curve"] = [kept_plot(results, "kept", narrow=narrow) for narrow in sizes]
    if any(cosine is not None for cosine in results.score.cosine):
        plots["score"] = [figures.score_histogram(results.score, results.threshold, narrow=narrow) for narrow in sizes]
    return plots


def _meanings(results: Results) -> dict[str, str]:
    """Term → meaning, in the order of the terms, each once."""
    terms = [term for entry in results.attribution for term in (*entry.terms, *entry.split)]
    return {term.name: term.meaning for term in terms if term.meaning}


def _split(entry: Attribution) -> str:
    """What the split of an attribution divides, in words."""
    parts = [term.value.value for term in entry.split]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts) or entry.edit.value is None or entry.reference.value is None:
        return ""
    whole = math.isclose(math.fsum(known), entry.edit.value - entry.reference.value, abs_tol=1e-6)
    return "the whole difference between reference and edit" if whole else "the shift"


def _amount(value: Estimate | float | None) -> str:
    if not isinstance(value, Estimate):
        return numbers.amount(value)
    known = value.low is not None and value.high is not None
    between = f" ({numbers.amount(value.low)} to {numbers.amount(value.high)})" if known else ""
    return f"{numbers.amount(value.value)}{between}"


def _measures(results: Results) -> list[str]:
    """Names of the scores that the table has, each once, in the order of the page."""
    found = {name for row in results.table for name in row.scores}
    return [name for name in MEASURES if name in found] + sorted(found - set(MEASURES))


def _measured(estimate: Estimate, name: str) -> str:
    """A score in its own unit with its interval."""
    if name not in FRACTIONS:
        return _amount(estimate)
    between = numbers.interval(estimate)
    return f"{numbers.percent(estimate.value)}{f' ({between})' if between else ''}"


def _grade(accuracy: float | None) -> str:
    """A word for an accuracy, which the style sheet has a colour for."""
    if accuracy is None:
        return "unknown"
    return "high" if accuracy >= 0.9 else "middling" if accuracy >= 0.7 else "low"


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} · ")
        else:
            yield f"{prefix}{key}".replace("_", " "), str(value)
