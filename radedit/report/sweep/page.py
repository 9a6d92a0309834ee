"""One page of a stress test: of a single run, or of several seeds, additions or editors."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from radedit.data.io.atomic import remove_leftovers, write_atomically
from radedit.harness.evidence.results import KEPT, OUTLINES, OWN, Attribution, PredictorEntry, Results, Row
from radedit.harness.evidence.verdict import Verdict
from radedit.harness.sweep.put_together import name_of_editor
from radedit.harness.sweep.results import Sweep, Variant, load_sweep
from radedit.report.environment import amount_of, environment
from radedit.report.images.gallery import Card, gallery, name_of, places_of, typical, uris_of
from radedit.report.images.pictures import data_uris
from radedit.report.plots import figures
from radedit.report.plots.changes_plot import changes_plot
from radedit.report.plots.kept_plot import kept_plot
from radedit.report.reader_study.table import KINDS, readers_of
from radedit.report.sweep.figure5 import MEASURES as FIGURE_5
from radedit.report.sweep.figure5 import SOURCE, entries, figure5
from radedit.report.sweep.seeds_plot import seeds_plot
from radedit.report.words.findings import editor_findings, findings
from radedit.report.words.headline import excludes_zero, headline, pair
from radedit.report.words.numbers import plural
from radedit.report.words.wording import Wording, wording

PAGE = "report.html"
CELL_BYTES = 300_000  # of four pictures, which every predictor's card shows again
CELL_SIDE = 256
SETTINGS = {
    "phantom": "synthetic phantoms",
    "open": "openly licensed radiographs",
    "manifest": "the user’s own radiographs",
    "paper": "the paper’s data sets",
}
COUNTS = {"sources": "source image", "edited": "edit"}
COUNTED = {"skipped": "skipped", "kept": "kept", "rejected": "rejected by score", "undefined": "score undefined"}
QUALITY = {
    "keep_change_mean": "Mean change inside m_keep, grey levels",
    "keep_change_max": "Largest change inside m_keep, grey levels",
    "change_inside": "Mean change inside m_edit, grey levels",
    "true_change_inside": "The same by the true counterfactual, grey levels",
    "changed_outside": "Pixels outside m_edit and m_keep that changed by more than 8 grey levels, %",
    "heart_width_before": "Heart width before the edit, % of the image",
    "heart_width_after": "Heart width after it, %",
    "lung_area_before": "Lung area before the edit, % of the image",
    "lung_area_after": "Lung area after it, %",
}
MEASURES = {
    "dice": "Dice of the edited structure, %",
    "dice_all": "Dice of all structures, %",
    "hd95": "Hausdorff distance, 95th percentile, px",
    "asd": "Average surface distance, px",
    "area": "Area, % of the true one",
}
EMBEDDED = 60  # records of the gallery whose pictures the page holds
LONG_S = 3600  # nothing that a page shows takes so long to write: what is older was left by a process that was killed
FURTHER, TOGETHER = "gallery", 40  # folder of the others, and how many a file of it has
TWO_EDITORS = 4  # sentences on editors that the top of the page has room for: one pair of them

Plot = tuple[Markup, Markup]  # wide and narrow; the page shows the one that fits


@dataclass(frozen=True)
class Shown:
    """A variant with its figures; None where there is nothing to draw.

    Attributes:
        variant: Which.
        words: Of its measure.
        attributions: Of each predictor, with what its split divides, in words.
        changes: The paper's drop and its parts.
        seeds: A dot a training, where there are several.
        curve: What other thresholds would have kept.
    """

    variant: Variant
    words: Wording
    attributions: list[tuple[Attribution, PredictorEntry, Plot, str]]
    changes: Plot | None
    seeds: Plot | None
    curve: Plot | None

    @property
    def results(self) -> Results:
        """Of all its seeds."""
        return self.variant.results

    @property
    def meanings(self) -> dict[str, str]:
        """Term of an attribution → meaning, in the order of the terms, each once."""
        terms = [term for entry, *_ in self.attributions for term in (*entry.terms, *entry.split)]
        return {term.name: term.meaning for term in terms if term.meaning}


def write_report(folder: Path, sweep: Sweep | None = None) -> Path:
    """Write `report.html` into the folder of a finished run or sweep.

    Args:
        folder: Has the pictures that the results name: its own, and where there are several variants theirs in folders
            named by their keys.
        sweep: What was found; read from the folder where None.

    Returns:
        The page: one file, with everything inside; but of a gallery of more than 60 records the others' pictures stay
        in the run's folder, and what the page shows of them lies in `gallery/`.

    Raises:
        FileNotFoundError: If the results or a picture are missing.
        ValueError: If the results are not as `radedit.harness.evidence.results.Results` says.
    """
    folder = Path(folder)
    remove_leftovers(folder, older_than_s=LONG_S)
    page, sweep = folder / PAGE, sweep or load_sweep(folder)
    further = [] if sweep.several else gallery(sweep.first)[EMBEDDED:]
    _write_further(further, folder, sweep.first.shortcut)
    write_atomically(page, render(sweep, folder).encode())
    return page


def _write_further(cards: Sequence[Card], folder: Path, shortcut: str) -> None:
    """Write records that the page does not hold as scripts that it loads when they are to be shown.

    A page that was opened as a file may load scripts from beside it, but nothing else.
    """
    record: Any = environment().get_template("record.html.j2").module
    place = folder / FURTHER
    if cards:
        place.mkdir(exist_ok=True)
    scripts = range(0, len(cards), TOGETHER)
    for number, first in enumerate(scripts):
        part = cards[first : first + TOGETHER]
        places = places_of(part, folder)
        html = [str(record.record(card, places, shortcut)) for card in part]
        write_atomically(place / f"{number}.js", f"radeditRecords({number}, {json.dumps(html)});\n".encode())
    for old in place.glob("*.js"):
        if old.stem.isdigit() and int(old.stem) >= len(scripts):
            old.unlink(missing_ok=True)


def render(sweep: Sweep, folder: Path) -> str:
    """The page's HTML: what one run has, and what several have, each where it is there."""
    first, groups = sweep.first, sweep.groups
    drawn = entries(groups) if sweep.measure == "dice" else []
    editors = editor_findings(sweep)
    found = findings([group.results for group in groups])
    top = headline(first)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            sweep=sweep,
            first=first,
            several=sweep.several,
            words=wording(first),
            setting=SETTINGS.get(sweep.setting, ""),
            lede=found if sweep.several and found else top.lede,
            support=[
                *([] if sweep.several else [*top.support, *([found] if found else [])]),
                *(editors if len(editors) <= TWO_EDITORS else []),
            ],
            cautions=_cautions(sweep),
            counts=_counts(sweep),
            judged=_judged(sweep),
            check_sentences={check.sentence() for variant in sweep.variants for check in variant.results.checks},
            parts=[_shown(variant) for variant in sweep.variants],
            trainings=max(variant.results.trainings for variant in sweep.variants),
            cells=_cell_pictures(first, folder / sweep.variants[0].key if sweep.several else folder),
            tables=[(group, _paper_form(group.results)) for group in groups],
            has_paper=any(row.paper is not None for group in groups for row in group.results.table),
            entries=drawn,
            has_drops=any(entry.paper is not None for entry in drawn),
            source=SOURCE,
            figure5=[
                (name, _sizes(figure5, drawn, key))
                for key, name in FIGURE_5.items()
                if any(key in row.scores for entry in drawn for row in (entry.in_distribution, entry.synthetic))
            ],
            merged=[group for group in groups if group.members],
            contrasts=[
                (group, contrast, excludes_zero(contrast.difference))
                for group in groups
                for contrast in group.results.contrasts
            ],
            excludes_zero=excludes_zero,
            name_of_editor=name_of_editor,
            config=_config(first),
            **({} if sweep.several else _of_one(first, folder)),
        )
    )


def _of_one(results: Results, folder: Path) -> dict[str, Any]:
    """What a page of one stress set has beside: pictures, and every set of images."""
    lead, other = pair(results)
    cards = gallery(results)
    shown = typical(cards, lead)
    measures = {name for row in results.table for name in row.scores}
    return {
        "lead": lead,
        "other": other,
        "cards": cards,
        "embedded": min(EMBEDDED, len(cards)),
        "index": {"together": TOGETHER, "records": [[int(card.example.kept), card.flipped] for card in cards]},
        "uris": uris_of([*cards[:EMBEDDED], *([shown] if shown else [])], folder),
        "typical": shown,
        "outlined": any(picture.kind.startswith(OUTLINES) for card in cards for picture in card.pictures),
        "credited": any(card.example.attribution or card.example.licence for card in cards),
        "forest": _sizes(figures.forest, results) if results.table else None,
        "measures": [
            (MEASURES.get(name, name_of(name)), name)
            for name in (*(m for m in MEASURES if m in measures), *sorted(measures - set(MEASURES)))
        ],
        "agreement": _sizes(figures.agreement, results.agreements(), results) if results.agreement else None,
        "ranked": [
            entry for entry in results.ranking if entry.auroc_in_distribution or entry.auroc_edits or entry.at_threshold
        ],
        "figures": [(f, amount_of(f.value), amount_of(f.rival) if f.rival else "") for f in results.generator],
        "histogram": (
            _sizes(figures.score_histogram, results.score, results.threshold)
            if any(cosine is not None for cosine in results.score.cosine)
            else None
        ),
        "undefined": sum(cosine is None for cosine in results.score.cosine),
        "quality": [(QUALITY.get(k, name_of(k)), amount_of(v)) for k, v in results.edit_quality.items()],
        "readers": readers_of(folder, results),
        "kinds": KINDS,
    }


def _shown(variant: Variant) -> Shown:
    """A variant's figures, with names that are unique on the page."""
    results, words = variant.results, wording(variant.results)
    key = "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in variant.key)

    def attribution(entry: Attribution, *, narrow: bool) -> Markup:
        return figures.attribution(entry, results.predictor(entry.predictor), words, narrow=narrow, name=key)

    return Shown(
        variant,
        words,
        [
            (entry, results.predictor(entry.predictor), _sizes(attribution, entry), _split(entry))
            for entry in results.attribution
        ],
        changes=_sizes(changes_plot, results, f"changes-{key}") if results.changes else None,
        seeds=(
            _sizes(seeds_plot, results, f"seeds-{key}")
            if any(len(row.main_per_seed) > 1 for row in results.table)
            else None
        ),
        curve=_sizes(kept_plot, results, f"kept-{key}") if any(c.points for c in results.kept_curve) else None,
    )


def _sizes(figure: Callable[..., Markup], *arguments: Any) -> Plot:
    return figure(*arguments, narrow=False), figure(*arguments, narrow=True)


def _cautions(sweep: Sweep) -> list[str]:
    """Of all variants, each once, with the variants' names where they are not the same for all."""
    found: dict[str, list[str]] = {}
    for variant in sweep.variants:
        for caution in headline(variant.results).cautions:
            found.setdefault(caution, []).append(variant.name)
    return [
        caution if len(names) == len(sweep.variants) else f"{', '.join(names)}: {caution}"
        for caution, names in found.items()
    ]


def _counts(sweep: Sweep) -> list[tuple[str, int]]:
    """Words and number: of what there are several, then records, of all variants together."""
    trainings = max(variant.results.trainings for variant in sweep.variants)
    predictors = {predictor.key for variant in sweep.variants for predictor in variant.results.predictors}
    counts = [(plural(len(predictors), "model"), len(predictors))]
    counts += [("trainings of each", trainings)] if trainings > 1 else []
    counts += [("stress sets", len(sweep.variants))] if sweep.several else []
    for name in ("sources", "skipped", "edited", "kept", "rejected", "undefined"):
        if any(name in variant.results.counts for variant in sweep.variants):
            n = sum(variant.results.counts.get(name, 0) for variant in sweep.variants)
            counts.append((plural(n, COUNTS[name]) if name in COUNTS else COUNTED[name], n))
    return counts


def _judged(sweep: Sweep) -> list[tuple[PredictorEntry, str, list[tuple[Variant, Verdict]]]]:
    """Each predictor, its worst outcome, and its verdict on each variant."""
    predictors = {p.key: p for variant in reversed(sweep.variants) for p in variant.results.predictors}
    order = [p.key for p in sweep.first.predictors]
    found = []
    for key in sorted(predictors, key=lambda key: order.index(key) if key in order else len(order)):
        judged = [(variant, verdict) for variant in sweep.variants if (verdict := variant.results.verdict(key))]
        outcomes = {verdict.outcome for _, verdict in judged}
        worst = next((outcome for outcome in ("fail", "undecided", "pass") if outcome in outcomes), "")
        found.append((predictors[key], worst, judged))
    return found


def _paper_form(results: Results) -> list[tuple[PredictorEntry, Sequence[Row]]]:
    form = [(p, [row for data in (OWN, KEPT) if (row := results.row(p.key, data))]) for p in results.predictors]
    return [(predictor, rows) for predictor, rows in form if rows]


def _cell_pictures(results: Results, folder: Path) -> dict[str, str]:
    paths = [
        (f"Picture of cell {cell.finding}-{cell.shortcut} of predictor {predictor.key!r}", cell.picture)
        for predictor in results.predictors
        for cell in predictor.cells
        if cell.picture
    ]
    return data_uris(folder, paths, CELL_BYTES, smallest=CELL_SIDE)


def _split(entry: Attribution) -> str:
    """What the split of an attribution divides, in words."""
    parts = [term.value.value for term in entry.split]
    if not parts:
        return ""
    whole = math.isclose(math.fsum(parts), entry.edit.value - entry.reference.value, abs_tol=1e-6)
    return "the whole difference between reference and edit" if whole else "the shift"


def _config(results: Results) -> str:
    """What was asked, by which rules, and how: as YAML."""
    found = results.model_dump(mode="json", include={"scenario", "rules", "config"})
    return yaml.safe_dump(found, allow_unicode=True, sort_keys=False)
