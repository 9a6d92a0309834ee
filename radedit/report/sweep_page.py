"""One self-contained page for a sweep: the paper's table or figure, verdicts, and what the drops are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from radedit.report import figures
from radedit.report.changes_plot import changes_plot
from radedit.report.figure5 import MEASURES, SOURCE, Entry, entries, figure5
from radedit.report.findings import excludes_zero, finding, findings, signature
from radedit.report.headline import headline
from radedit.report.kept_plot import kept_plot
from radedit.report.page import PAGE, SETTINGS, environment
from radedit.report.results import KEPT, OWN, Predictor, Results, Verdict
from radedit.report.seeds_plot import seeds_plot
from radedit.report.sweep_results import Sweep, Variant, load_sweep
from radedit.report.wording import wording

Figure = Callable[..., Markup]


def write_sweep_page(folder: Path) -> Path:
    """Write `report.html` into the folder of a finished sweep.

    Raises:
        FileNotFoundError: If it has no `sweep.json`.
        ValueError: If that is not as `radedit.report.sweep_results.Sweep` says.
    """
    page = folder / PAGE
    page.write_text(render_sweep(load_sweep(folder)), encoding="utf-8")
    return page


def render_sweep(sweep: Sweep) -> str:
    """The page's HTML."""
    first = sweep.variants[0].results
    drawn = entries(sweep.groups) if sweep.measure == "dice" else []
    return (
        environment()
        .get_template("sweep.html.j2")
        .render(
            sweep=sweep,
            first=first,
            words=wording(first),
            setting=SETTINGS.get(sweep.setting, ""),
            finding=findings([group.results for group in sweep.groups]),
            lede=_lede(sweep),
            cautions=_cautions(sweep),
            counts=_counts(sweep),
            cards=_cards(sweep),
            tables=[(group, _paper_form(group.results)) for group in sweep.groups],
            has_paper=any(row.paper is not None for group in sweep.groups for row in group.results.table),
            several=len(sweep.variants) > 1,
            entries=drawn,
            merged=[group for group in sweep.groups if group.members],
            source=SOURCE,
            has_drops=any(entry.paper is not None for entry in drawn),
            figure5=[(name, _sizes(figure5, drawn, key)) for key, name in MEASURES.items() if _has(drawn, key)],
            contrasts=[
                (variant, contrast, finding(variant.results, contrast), excludes_zero(contrast))
                for variant in sweep.groups
                for contrast in variant.results.contrasts
            ],
            parts=[_part(variant) for variant in sweep.variants],
            cells_shown=any(predictor.cells for predictor in first.predictors),
        )
    )


def _sizes(figure: Figure, *arguments: Any) -> list[Markup]:
    """Wide and narrow; the page shows the one that fits."""
    return [figure(*arguments, narrow=narrow) for narrow in (False, True)]


def _has(found: Sequence[Entry], measure: str) -> bool:
    return any(measure in row.scores for entry in found for row in (entry.ordinary, entry.synthetic))


def _lede(sweep: Sweep) -> str:
    """The finding, or where nothing can be contrasted, what the run's own page says first."""
    return findings([group.results for group in sweep.groups]) or headline(sweep.variants[0].results).lede


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
    trainings = max(row.seeds for variant in sweep.variants for row in variant.results.table)
    predictors = {predictor.key for variant in sweep.variants for predictor in variant.results.predictors}
    counts = [("predictors", len(predictors)), ("trainings of each", trainings)]
    if len(sweep.variants) > 1:
        counts.append(("variants", len(sweep.variants)))
    for name, words in (("edited", "edits"), ("kept", "kept by the score")):
        counts.append((words, sum(variant.results.counts.get(name, 0) for variant in sweep.variants)))
    return counts


def _cards(sweep: Sweep) -> list[tuple[Predictor, str, list[tuple[Variant, Verdict]]]]:
    """Predictor, its worst outcome, and its verdict on each variant."""
    predictors = {p.key: p for variant in reversed(sweep.variants) for p in variant.results.predictors}
    order = [p.key for p in sweep.variants[0].results.predictors]
    cards = []
    for key in sorted(predictors, key=lambda key: order.index(key) if key in order else len(order)):
        judged = [(variant, verdict) for variant in sweep.variants if (verdict := variant.results.verdict(key))]
        outcomes = {verdict.outcome for _, verdict in judged}
        worst = next((outcome for outcome in ("fail", "undecided", "pass") if outcome in outcomes), "")
        cards.append((predictors[key], worst, judged))
    return cards


def _paper_form(results: Results) -> list[tuple[Predictor, list[Any]]]:
    form = [(p, [row for data in (OWN, KEPT) if (row := results.row(p.key, data))]) for p in results.predictors]
    return [(predictor, rows) for predictor, rows in form if rows]


def _part(variant: Variant) -> dict[str, Any]:
    """What the page shows of a variant, with names that are unique on it."""
    results, words = variant.results, wording(variant.results)
    key = "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in variant.key)

    def attribution(entry: Any, *, narrow: bool) -> Markup:
        return figures.attribution(entry, results.predictor(entry.predictor), words, narrow=narrow, name=key)

    return {
        "variant": variant,
        "id": key,
        "words": words,
        "results": results,
        "signature": signature(results),
        "changes": _sizes(changes_plot, results, f"changes-{key}") if results.changes else None,
        "attributions": [
            (results.predictor(entry.predictor), entry, _sizes(attribution, entry)) for entry in results.attribution
        ],
        "seeds": _sizes(seeds_plot, results, f"seeds-{key}")
        if any(len(row.main_per_seed) > 1 for row in results.table)
        else None,
        "curve": _sizes(kept_plot, results, f"kept-{key}") if any(c.points for c in results.kept_curve) else None,
        "known": sum(1 for cosine in results.score.cosine if cosine is not None and math.isfinite(cosine)),
    }
