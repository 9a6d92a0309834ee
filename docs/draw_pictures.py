"""Draw the pictures of glossary and tutorial, from phantoms only, out of one finished run of six records.

radedit stress +scenario=manifestation preset=demo logger=csv n=6 n_also=0 out=outputs/pictures
python docs/draw_pictures.py outputs/pictures
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.image.files import read_image, read_mask
from radedit.data.stress_set import image_path
from radedit.harness.evidence.results import Results, load
from radedit.harness.evidence.verdict import Measures, Rules, decide, worst_cases
from radedit.harness.predictors.predictions import FILE, Measured, read_predictions
from radedit.harness.statistics.intervals import mean_of
from radedit.phantom.world import World
from radedit.report.images.pictures import contours

DOCS = Path(__file__).parent
MODELS = {"confounded_classifier": "shortcut", "unconfounded_segmenter": "robust"}
POSITIVE = {"source", "replay", "keep_sham"}  # kinds on which the finding is there
RIGHT, WRONG, GREY = "#1a7f37", "#b3261e", "#455a64"
SIDE_IN, GAP_IN, TOP_IN, LINE_IN, DPI = 1.45, 0.08, 0.28, 0.19, 110


class Line(NamedTuple):
    """A line below a panel."""

    text: str
    colour: str = GREY


class Panel(NamedTuple):
    """One picture with its title and what stands below."""

    title: str
    picture: Image.Image
    lines: Sequence[Line] = ()


class Run:
    """A finished run with its stress set, of which one record is shown."""

    def __init__(self, out: Path, record: int = 0) -> None:
        self.folder = next(path.parent for path in sorted(out.glob("stress/*/results.json")))
        self.results: Results = load(self.folder)
        self.stress_set = next(path.parent for path in sorted(out.glob("stress_sets/*/manifest.csv")))
        self.measured: dict[str, Measured] = {one.key: one for one in read_predictions(self.folder / FILE)[0]}
        self.record = [example.record for example in self.results.gallery][record]

    def pixels(self, kind: str) -> np.ndarray:
        """Grey levels of one kind of image, shape (H, W), in [0, 1]."""
        return read_image(self.stress_set / image_path(kind, self.record)).pixels[0].numpy()

    def shown(self, kind: str, *, outlined: bool = False) -> Image.Image:
        """One kind of image, on request with the outlines of m_edit and m_keep."""
        masks = {
            name: read_mask(self.stress_set / image_path(f"m_{name}", self.record))[0].numpy()
            for name in ("edit", "keep")
        }
        return contours(self.pixels(kind), masks if outlined else {})

    def difference(self, kind: str, other: str, factor: float = 8) -> tuple[Image.Image, Line]:
        """By how much two kinds differ, times `factor`, and the mean over all pixels."""
        change = np.abs(self.pixels(kind) - self.pixels(other))
        return contours(np.clip(factor * change, 0, 1), {}), Line(f"mean {255 * change.mean():.1f} grey levels")

    def predictions(self, kind: str) -> list[Line]:
        """What both models predict on it, green where they are right."""
        lines = []
        for key, name in MODELS.items():
            found = self.measured[key].of(kind, [self.record])
            if found is not None:
                probability = float(found.values["probability"].mean())
                right = (probability >= 0.5) == (kind in POSITIVE)
                lines.append(Line(f"{'✓' if right else '✗'} {name} {probability:.2f}", RIGHT if right else WRONG))
        return lines

    def tells_apart(self) -> bool:
        """Whether the edit of this record misleads the model with the shortcut and not the other."""
        return [line.colour for line in self.predictions("edit")] == [WRONG, RIGHT]

    def panel(self, kind: str, title: str, *, outlined: bool = False) -> Panel:
        """An image with the predictions on it."""
        return Panel(title, self.shown(kind, outlined=outlined), self.predictions(kind))


def draw(panels: Sequence[Panel], path: Path, *, columns: int) -> None:
    """Write panels as a small PNG, row by row."""
    rows = -(-len(panels) // columns)
    bottom = LINE_IN * max((len(panel.lines) for panel in panels), default=0) + 0.08
    cell = TOP_IN + SIDE_IN + bottom
    width, height = columns * (SIDE_IN + GAP_IN) - GAP_IN, rows * cell
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    for i, panel in enumerate(panels):
        row, column = divmod(i, columns)
        left, low = column * (SIDE_IN + GAP_IN), height - row * cell - TOP_IN - SIDE_IN
        axes = figure.add_axes((left / width, low / height, SIDE_IN / width, SIDE_IN / height))
        axes.imshow(panel.picture, interpolation="bicubic", cmap="gray")
        axes.set_axis_off()
        axes.set_title(panel.title, fontsize=9, pad=3)
        for line, (text, colour) in enumerate(panel.lines):
            y = (low - LINE_IN * (line + 0.85)) / height
            figure.text((left + SIDE_IN / 2) / width, y, text, fontsize=8, ha="center", color=colour)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure with at most 128 colours, so that it stays small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(path, optimize=True)


def kinds(run: Run) -> None:
    """Every kind of image of one record."""
    masks = Panel("m_edit, m_keep", run.shown("source", outlined=True))
    titles = {"edit": "edit", "counterfactual": "counterfactual", "replay": "replay", "keep_sham": "keep-sham",
              "reference": "reference", "sham": "sham"}  # fmt: skip
    others = [run.panel(kind, title) for kind, title in titles.items()]
    draw([run.panel("source", "source"), masks, *others], DOCS / "reference/pictures/kinds.png", columns=4)


def replay(run: Run) -> None:
    """What the editor does with an empty prompt."""
    change = Panel("difference × 8", *_one(run.difference("replay", "source")))
    draw([run.panel("source", "source"), run.panel("replay", "replay"), change],
         DOCS / "reference/pictures/replay.png", columns=3)  # fmt: skip


def sham(run: Run) -> None:
    """The same editing where there is nothing to do."""
    reference = Panel("reference, masks", run.shown("reference", outlined=True), run.predictions("reference"))
    change = Panel("difference × 8", *_one(run.difference("sham", "reference")))
    draw([reference, run.panel("sham", "sham"), change], DOCS / "reference/pictures/sham.png", columns=3)


def artefact_and_shift(run: Run) -> None:
    """Editing artefact and shift effect, as steps from the reference to the edit."""
    for name, pairs in {
        "editing_artefact": [("reference", "reference"), ("sham", "sham: the artefact is sham less reference")],
        "shift_effect": [("sham", "sham"), ("edit", "edit: the shift effect is edit less sham")],
    }.items():
        figure = Figure(figsize=(6.0, 1.75), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.13, 0.3, 0.84, 0.56))
        for row, key in enumerate(MODELS):
            shares = [_positive(run, key, kind) for kind, _ in pairs]
            axes.plot(shares, [-row, -row], color="#90a4ae", lw=5, solid_capstyle="butt", zorder=1)
            axes.scatter(shares[:1], [-row], s=70, color="white", edgecolor=GREY, zorder=2, label=pairs[0][1])
            axes.scatter(shares[1:], [-row], s=70, color=GREY, edgecolor=GREY, zorder=3, label=pairs[1][1])
            points = 100 * (shares[1] - shares[0])
            beside = f"{points:+.0f} points" if round(points) else "0 points"
            axes.text(1.06, -row, beside, va="center", fontsize=9, color=WRONG if points > 10 else RIGHT)
        axes.set_yticks([0, -1], list(MODELS.values()), fontsize=9)
        axes.set_ylim(-1.6, 0.6)
        axes.set_xlim(-0.05, 1.34)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"], fontsize=8)
        axes.set_xlabel("images without a pneumothorax that are called positive, %", fontsize=8, loc="left")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            handles[:2], labels[:2], loc="lower left", bbox_to_anchor=(0, 0.98), ncols=2, fontsize=8, frameon=False
        )
        save(figure, DOCS / f"reference/pictures/{name}.png")


def qualifies(run: Run) -> None:
    """The four cells of true images, with the accuracy of both models."""
    entries = {entry.key: entry for entry in run.results.predictors if entry.key in MODELS}
    panels = []
    for finding, shortcut in ((1, 1), (1, 0), (0, 1), (0, 0)):
        lines = []
        for key, name in MODELS.items():
            cell = next(one for one in entries[key].cells if (one.finding, one.shortcut) == (finding, shortcut))
            lines.append(
                Line(f"{name}: {100 * cell.accuracy.value:.0f} % right", WRONG if cell.accuracy.value < 0.5 else RIGHT)
            )
        world = PhantomDataset(World(), "pictures", 1, 128, do={"pneumothorax": finding, "drain": shortcut})
        image = world.load(world.records[0]).image[0].numpy()
        title = {(1, 1): "both", (1, 0): "pneumothorax only", (0, 1): "drain only", (0, 0): "neither"}[
            finding, shortcut
        ]
        panels.append(Panel(title, contours(image, {}), lines))
    draw(panels, DOCS / "reference/pictures/qualifies.png", columns=4)


def verdict() -> None:
    """Three models of 100 images each, judged by the rules: worst cases of the shift effect beside the limit."""
    rules = Rules()
    figure = Figure(figsize=(6.0, 1.9), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.04, 0.24, 0.78, 0.6))
    patients = [str(i) for i in range(100)]
    none = mean_of(np.zeros((1, 100)), patients, paired=True)
    colours = {"pass": RIGHT, "undecided": "#8a6d00", "fail": WRONG}
    for row, failures in enumerate((1, 12, 55)):
        effect = mean_of(np.repeat([1.0, 0.0], [failures, 100 - failures])[None], patients, paired=True)
        found = Measures(effect, none, none, None)
        low, high = worst_cases(found, rules.limit)
        outcome = decide(found, rules)
        axes.plot([100 * low, 100 * high], [-row, -row], color=colours[outcome], lw=4, solid_capstyle="butt")
        axes.scatter([failures], [-row], s=55, color="white", edgecolor=colours[outcome], zorder=3)
        axes.text(83, -row, outcome, fontsize=10, va="center", color=colours[outcome])
    axes.axvline(100 * rules.limit, color=GREY, lw=1, ls="--")
    axes.text(100 * rules.limit, 0.75, f"limit, {100 * rules.limit:.0f} points", fontsize=8, ha="center", color=GREY)
    axes.set_yticks([])
    axes.set_ylim(-2.6, 0.7)
    axes.set_xlim(-12, 80)
    axes.set_xlabel("shift effect, points: estimate, and bounds by worst cases", fontsize=8, loc="left")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    save(figure, DOCS / "reference/pictures/verdict.png")


def patients() -> None:
    """For the tutorial: one patient with and without pneumothorax and drain."""
    panels = []
    for title, do in {
        "healthy": {"pneumothorax": 0, "drain": 0}, "pneumothorax": {"pneumothorax": 1, "drain": 0},
        "chest drain": {"pneumothorax": 0, "drain": 1}, "both": {"pneumothorax": 1, "drain": 1},
    }.items():  # fmt: skip
        images = PhantomDataset(World(), "pictures", 1, 256, do=do)
        panels.append(Panel(title, Image.fromarray(_bytes(images.load(images.records[0]).image[0].numpy()))))
    draw(panels, DOCS / "tutorial/patient.png", columns=4)


def edits(runs: Sequence[Run]) -> None:
    """For the tutorial: four records before and after editing, with both models' predictions."""
    panels = [run.panel(kind, title) for kind, title in (("source", "before"), ("edit", "after")) for run in runs]
    draw(panels, DOCS / "tutorial/edits.png", columns=4)


def _positive(run: Run, key: str, kind: str) -> float:
    """Share of all records' images of a kind that a model calls positive."""
    return float(run.measured[key].sets[kind].values["positive"].mean())


def _one(found: tuple[Image.Image, Line]) -> tuple[Image.Image, list[Line]]:
    picture, line = found
    return picture, [line]


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return (255 * np.clip(pixels, 0, 1)).round().astype(np.uint8)


def main(out: Path) -> None:
    """Draw all pictures."""
    runs = [Run(out, record) for record in range(4)]
    clear = next((run for run in runs if run.tells_apart()), runs[0])
    kinds(clear)
    replay(clear)
    sham(clear)
    artefact_and_shift(clear)
    qualifies(clear)
    verdict()
    patients()
    edits(runs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
