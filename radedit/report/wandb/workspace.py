"""A saved view of a W&B project, in which sweeps, editors and predictors stand side by side without a click.

Untested against a server: only the specification is tested, and that it names metrics that runs have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from radedit.harness.evidence.results import KEPT, OWN, Results
from radedit.report.wandb.log import EDITOR, slug, summary

MAIN = ("accuracy", "dice")
COLUMNS = 2
HEADLINE = (slug(OWN), slug(KEPT))
TERMS = ("reference", "vae", "inversion", "artefact", "shift", "edit")


@dataclass(frozen=True)
class Found:
    """A metric of the form `test/<predictor>/<set>/<measure>`."""

    predictor: str
    set: str
    measure: str

    @property
    def name(self) -> str:
        return f"test/{self.predictor}/{self.set}/{self.measure}"


def workspace(entity: str, project: str, name: str, runs: Sequence[Results]) -> Any:
    """Headline, attribution, counts and cost, and edits; runs are grouped by their sweep, then by editor.

    Args:
        entity: User or team.
        project: That the runs are logged to.
        name: Of the view.
        runs: Results of finished runs; what they measured is shown.

    Returns:
        A `wandb_workspaces.workspaces.Workspace`, not saved.

    Raises:
        ValueError: If there are no runs, or `wandb-workspaces` is not installed.
    """
    if not runs:
        raise ValueError(
            "There are no runs, so nothing is known of the metrics to show. Name folders of finished runs."
        )
    ws, wr = _package()
    names = list(dict.fromkeys(name for results in runs for name in summary(results)))
    tests = [Found(*name.split("/")[1:]) for name in names if name.startswith("test/") and name.count("/") == 3]
    sections = {
        "Headline": [*_bars_of_tests(wr, tests, headline=True), *_scatters(wr, tests)],
        "Other sets of images": _bars_of_tests(wr, tests, headline=False),
        "Attribution": _bars_of_terms(wr, names),
        "Counts and cost": _bars_of_prefix(wr, names, ("score/", "counts/", "cost/")),
        "Edits": [
            wr.MediaBrowser(title="Typical edit of each run", media_keys=["strip"], num_columns=1, layout=_wide(wr)),
            wr.WeavePanelSummaryTable(table_name="edits", layout=_wide(wr)),
            wr.MediaBrowser(title="Report", media_keys=["report"], num_columns=1, layout=_wide(wr)),
        ],
    }
    layout = ws.SectionLayoutSettings(columns=COLUMNS, rows=3)
    headlines = [test.name for test in tests if test.set in HEADLINE and test.measure in MAIN]
    verdicts = [name for name in names if name.startswith("verdict/") and name.count("/") == 1]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=[ws.Section(name=k, panels=v, is_open=True, layout_settings=layout) for k, v in sections.items() if v],
        runset_settings=ws.RunsetSettings(
            groupby=[ws.Metric("Group"), ws.Config(EDITOR)],
            pinned_columns=[f"summary:{name}" for name in (*verdicts, *headlines)],
        ),
        settings=ws.WorkspaceSettings(max_runs=50),
    )


def specification(workspace: Any) -> str:
    """What would be sent to the server, as JSON."""
    view = workspace._to_model()  # the package has no public way to it
    return str(view.model_dump_json(by_alias=True, exclude_none=True, indent=1))


def _package() -> tuple[Any, Any]:
    """`wandb-workspaces`, which nothing else needs."""
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
    except ModuleNotFoundError as error:
        raise ValueError(
            "A workspace is made by the package wandb-workspaces, which is not installed. Install it: "
            "python -m pip install --constraint constraints.txt --editable '.[workspace]'."
        ) from error
    return ws, wr


def _bars_of_tests(wr: Any, tests: Sequence[Found], *, headline: bool) -> list[Any]:
    """For each measure and set, one bar a predictor and group; the paper's two sets are the headline."""
    order = {set_: place for place, set_ in enumerate(HEADLINE)}
    sets = dict.fromkeys((t.measure, t.set) for t in tests if t.measure in MAIN and (t.set in order) is headline)
    return [
        _bars(
            wr,
            f"{_words(measure).capitalize()}, {_words(set_)}",
            {t.name: t.predictor for t in tests if (t.measure, t.set) == (measure, set_)},
            range_x=(0, 1),
        )
        for measure, set_ in sorted(sets, key=lambda key: (key[0], order.get(key[1], len(order))))
    ]


def _scatters(wr: Any, tests: Sequence[Found]) -> list[Any]:
    """For each predictor, every run's in-distribution against its synthetic test set: which models degrade."""
    own, kept = HEADLINE
    known = {test.name for test in tests}
    pairs = {
        (t.predictor, t.measure): (t.name, Found(t.predictor, kept, t.measure).name)
        for t in tests
        if t.set == own and t.measure in MAIN
    }
    return [
        wr.ScatterPlot(
            title=f"{_words(measure).capitalize()} of {_words(predictor)}: before and after the edit",
            x=wr.SummaryMetric(before), y=wr.SummaryMetric(after), range_x=(0, 1), range_y=(0, 1),
        )
        for (predictor, measure), (before, after) in pairs.items()
        if after in known
    ]  # fmt: skip


def _bars_of_terms(wr: Any, names: Sequence[str]) -> list[Any]:
    """For each term, one bar a predictor and group, and the agreement with known truth where there is one."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        kind, _, rest = name.partition("/")
        if kind in ("attribution", "agreement") and rest.count("/") == 1:
            predictor, _, term = rest.partition("/")
            title = "Synthetic less truly shifted" if kind == "agreement" else _words(term)
            found.setdefault(title, {})[name] = predictor
    known = [_words(term) for term in TERMS]
    order = sorted(found, key=lambda title: known.index(title) if title in known else len(known))
    return [_bars(wr, title, found[title]) for title in order]


def _bars_of_prefix(wr: Any, names: Iterable[str], prefixes: Sequence[str]) -> list[Any]:
    found = {prefix: [name for name in names if name.startswith(prefix)] for prefix in prefixes}
    titles = {"score/": "Share of edits that were kept", "counts/": "Records", "cost/": "Minutes"}
    return [
        _bars(wr, titles[prefix], {name: name.removeprefix(prefix) for name in of})
        for prefix, of in found.items()
        if of
    ]


def _bars(wr: Any, title: str, metrics: Mapping[str, str], **how: Any) -> Any:
    """Bars of the groups that the runs are in: mean, and standard deviation over seeds."""
    return wr.BarPlot(
        title=title,
        metrics=list(metrics),
        line_titles={name: _words(word) for name, word in metrics.items()},
        groupby_aggfunc="mean",
        groupby_rangefunc="stddev",
        max_bars_to_show=50,
        **how,
    )


def _wide(wr: Any) -> Any:
    return wr.Layout(w=24, h=12)


def _words(name: str) -> str:
    return name.replace("_", " ")
