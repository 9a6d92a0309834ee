"""What the editing score tells apart: histograms of each kind of image, and ROC curves by kind of failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from radedit.data.io.atomic import whole_file
from radedit.studies.score.study import ARTEFACT, EDITORS, LOST, NOT_DONE, Scored, roc

COLOURS = {"": "#1a7f37", NOT_DONE: "#b3261e", LOST: "#e69f00", ARTEFACT: "#56b4e9", None: "#777777"}
ANCHORS = {"counterfactual": "#1a7f37", "vae": "#b3261e", "replay": "#e69f00", "keep_sham": "#56b4e9"}
NAMES = {"": "good", None: "not judged"}


def score_figure(scored: Sequence[Scored], threshold: float, path: Path) -> None:
    """Draw to a PNG file.

    Args:
        scored: Images with scores.
        threshold: At and above which edits are kept.
        path: Of the picture.
    """
    known = [one for one in scored if not np.isnan(one.cosine)]
    edits = [one for one in known if one.kind in EDITORS]
    figure = Figure(figsize=(10.5, 3.5), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, last = np.asarray(figure.subfigures(1, 3)).ravel()
    failures = {NAMES.get(name) or str(name): (colour, [o.cosine for o in edits if o.failure == name])
                for name, colour in COLOURS.items()}  # fmt: skip
    anchors = {kind.replace("_", "-"): (colour, [one.cosine for one in known if one.kind == kind])
               for kind, colour in ANCHORS.items()}  # fmt: skip
    _histograms(left, "Edits, by what became of them", failures, threshold)
    _histograms(middle, "Anchors: images of which it is certain", anchors, threshold)
    right = last.subplots()
    good = [one.cosine for one in edits if one.failure == ""] or [o.cosine for o in known if o.kind == "counterfactual"]
    for name in (NOT_DONE, LOST, ARTEFACT):
        bad = [one.cosine for one in edits if one.failure == name]
        if bad and good:
            false, true = roc(good, bad)
            right.plot(false, true, color=COLOURS[name], label=f"{name}, n = {len(bad)}")
    counterfactuals, untouched = ([o.cosine for o in known if o.kind == kind] for kind in ("counterfactual", "vae"))
    if counterfactuals and untouched:
        right.plot(
            *roc(counterfactuals, untouched), color="black", linestyle=":", label="counterfactual against VAE (anchors)"
        )
    right.plot([0, 1], [0, 1], color="#cccccc", linewidth=1)
    right.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    right.set_xlabel("failures kept", fontsize=8)
    right.set_ylabel("good edits kept", fontsize=8)
    right.set_title("ROC by kind of failure", fontsize=9)
    if right.get_legend_handles_labels()[0]:
        right.legend(fontsize=7, frameon=False, loc="lower right")
    _plain(right)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png")


def _histograms(
    part: SubFigure, title: str, kinds: Mapping[str, tuple[str, Sequence[float]]], threshold: float
) -> None:
    """One below the other, on one scale of scores, so that none hides another; each has its own scale of counts."""
    found = {name: (colour, cosines) for name, (colour, cosines) in kinds.items() if len(cosines)}
    part.suptitle(title, fontsize=9)
    if not found:
        return
    rows = part.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, (colour, cosines)) in zip(rows, found.items(), strict=True):
        axes.hist(cosines, np.linspace(-1, 1, 41), color=colour)
        axes.axvline(threshold, color="black", linewidth=1, linestyle="--")
        axes.set_title(f"{name}, n = {len(cosines)}", fontsize=7, loc="left", pad=2)
        axes.locator_params(axis="y", nbins=3, integer=True)
        _plain(axes)
    rows[-1].set_xlabel("editing score, cos(ΔI, ΔT)", fontsize=8)


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
