"""What the editing score tells apart: histograms of each kind of film, and ROC curves by kind of failure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from radedit.harness.score_study import ARTEFACT, EDITORS, LOST, NOT_DONE, Scored, roc

COLOURS = {"": "#1a7f37", NOT_DONE: "#b3261e", LOST: "#e69f00", ARTEFACT: "#56b4e9", None: "#777777"}
NAMES = {"": "good", None: "not judged"}


def score_figure(scored: Sequence[Scored], threshold: float, path: Path) -> None:
    """Draw to a PNG file.

    Args:
        scored: Films with scores.
        threshold: At and above which edits are kept.
        path: Of the picture.
    """
    known = [one for one in scored if not np.isnan(one.cosine)]
    edits = [one for one in known if one.kind in EDITORS]
    figure = Figure(figsize=(10.5, 3.5), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3)
    bins = np.linspace(-1, 1, 41)
    failures = [name for name in ("", NOT_DONE, LOST, ARTEFACT, None) if any(o.failure == name for o in edits)]
    left.hist(
        [[o.cosine for o in edits if o.failure == name] for name in failures], bins, stacked=True,
        color=[COLOURS[name] for name in failures], label=[NAMES.get(name) or str(name) for name in failures],
    )  # fmt: skip
    left.set_title("Edits, by what became of them", fontsize=9)
    for kind, colour in {"twin": "#1a7f37", "vae": "#b3261e", "replay": "#e69f00", "keep_sham": "#56b4e9"}.items():
        cosines = [one.cosine for one in known if one.kind == kind]
        if cosines:
            middle.hist(cosines, bins, histtype="step", linewidth=1.5, color=colour, label=kind.replace("_", "-"))
    middle.set_title("Anchors: films of which it is certain", fontsize=9)
    for axes in (left, middle):
        axes.axvline(threshold, color="black", linewidth=1, linestyle="--")
        axes.set_xlabel("editing score, cos(ΔI, ΔT)", fontsize=8)
        axes.legend(fontsize=7, frameon=False)
    good = [one.cosine for one in edits if one.failure == ""] or [o.cosine for o in known if o.kind == "twin"]
    for name in (NOT_DONE, LOST, ARTEFACT):
        bad = [one.cosine for one in edits if one.failure == name]
        if bad and good:
            false, true = roc(good, bad)
            right.plot(false, true, color=COLOURS[name], label=f"{name}, n = {len(bad)}")
    twins, untouched = ([o.cosine for o in known if o.kind == kind] for kind in ("twin", "vae"))
    if twins and untouched:
        right.plot(*roc(twins, untouched), color="black", linestyle=":", label="twin against VAE (anchors)")
    right.plot([0, 1], [0, 1], color="#cccccc", linewidth=1)
    right.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    right.set_xlabel("failures kept", fontsize=8)
    right.set_ylabel("good edits kept", fontsize=8)
    right.set_title("ROC by kind of failure", fontsize=9)
    if right.get_legend_handles_labels()[0]:
        right.legend(fontsize=7, frameon=False, loc="lower right")
    for axes in (left, middle, right):
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
