"""Images of a data set at a glance, with their masks and boxes drawn in."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from radedit.data.io.atomic import whole_file
from radedit.report.images.pictures import mask_colours
from radedit.types import Sample

SIDE_IN, CAPTION_IN, LINE_IN = 1.7, 0.42, 0.17
COLUMNS = 6
DPI = 130


def contact_sheet(samples: Sequence[Sample], path: Path) -> None:
    """Draw images in rows of six, each with its id, view, split and the findings that it has.

    Args:
        samples: Square images, at least one. Masks are outlined, boxes are dashed.
        path: PNG file.
    """
    names = list(dict.fromkeys(name for sample in samples for name in [*sample.masks, *sample.boxes]))
    colours = {name: "#{:02x}{:02x}{:02x}".format(*colour) for name, colour in mask_colours(names).items()}
    rows = math.ceil(len(samples) / COLUMNS)
    head = 0.15 + LINE_IN * math.ceil(len(names) / COLUMNS)
    width, height = SIDE_IN * COLUMNS, (SIDE_IN + CAPTION_IN) * rows + head
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="black")
    FigureCanvasAgg(figure)
    for number, sample in enumerate(samples):
        row, column = divmod(number, COLUMNS)
        bottom = height - head - (SIDE_IN + CAPTION_IN) * row - SIDE_IN
        axes = figure.add_axes((column / COLUMNS, bottom / height, 0.97 / COLUMNS, 0.97 * SIDE_IN / height))
        axes.imshow(sample.image[0].numpy(), cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
        axes.set_axis_off()
        for name, colour in colours.items():
            _draw(axes, sample, name, colour)
        axes.text(
            0, -0.03, "\n".join(textwrap.wrap(_caption(sample), 34)[:3]), transform=axes.transAxes, color="white",
            fontsize=5.5, va="top", parse_math=False,
        )  # fmt: skip
    if names:
        handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
        figure.legend(handles=handles, loc="upper left", ncols=COLUMNS, frameon=False, fontsize=7, labelcolor="white")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw(axes: Axes, sample: Sample, name: str, colour: str) -> None:
    if name in sample.masks and sample.masks[name].any():
        mask = sample.masks[name][0].numpy()
        height, width = mask.shape
        extent = (-1.5, width + 0.5, -1.5, height + 0.5)  # with a border, so that outlines close at the image's edge
        axes.contour(np.pad(mask, 1), levels=[0.5], colors=[colour], linewidths=1, extent=extent)
    for box in sample.boxes.get(name, []):
        corner = (box.x - 0.5, box.y - 0.5)
        axes.add_patch(Rectangle(corner, box.width, box.height, fill=False, edgecolor=colour, linestyle=(0, (4, 2))))


def _caption(sample: Sample) -> str:
    record = sample.record
    about = [record.attributes.get(name, "") for name in ("view", "split")]
    findings = [finding for finding, value in record.labels.items() if value == 1]
    return " · ".join(filter(None, [record.id[-30:], *about, ", ".join(findings)]))
