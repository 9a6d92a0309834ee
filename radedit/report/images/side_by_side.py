"""One picture of an edit: the original, its masks, the edit, and where they differ."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn.functional import interpolate

from radedit.harness.single.edit import EditedImage
from radedit.report.words.numbers import plural

EDIT, KEEP = "#E69F00", "#56B4E9"  # Okabe and Ito: distinct to colour-blind readers
INK, FAINT = "#1a1a1a", "#6b6b6b"
PANEL_IN, GAP_IN, LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 3.3, 0.16, 0.2, 0.95, 0.95, 0.62
DPI = 150
SHOWN_PX = 768  # a panel has fewer pixels
LEAST_SCALE = 10  # grey levels: below this, the map would show rounding as if it were change


def draw(edited: EditedImage) -> bytes:
    """Draw original | masks | edit | difference.

    Args:
        edited: From `radedit.harness.single.edit.edit_image`.

    Returns:
        A PNG, the same bytes for the same edit.
    """
    image, note = edited.original, edited.provenance
    original, after = _shrink(image.image), _shrink(edited.image)
    height, width = original.shape
    panel_height_in = PANEL_IN * height / width
    figure_in = (LEFT_IN + 4 * PANEL_IN + 3 * GAP_IN + RIGHT_IN, TOP_IN + panel_height_in + BOTTOM_IN)
    figure = Figure(figsize=figure_in, dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)

    def axes(number: float, width_in: float = PANEL_IN) -> Axes:
        left_in = LEFT_IN + number * (PANEL_IN + GAP_IN)
        ax = figure.add_axes((
            left_in / figure_in[0], BOTTOM_IN / figure_in[1], width_in / figure_in[0], panel_height_in / figure_in[1]
        ))  # fmt: skip
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(False)
        return ax

    size = note["size"]
    panels = [axes(number) for number in range(4)]
    for ax, shown in zip(panels, (original, original, after), strict=False):
        ax.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
    _caption(panels[0], "Original", f"{size['width']} × {size['height']} px")
    _draw_masks(panels[1], edited)
    _caption(panels[2], "Edited", f"generator at {size['generator']} px")

    difference = 255 * (after - original)
    scale = max(LEAST_SCALE, float(np.quantile(np.abs(difference), 0.999)))
    levels = Normalize(-scale, scale)
    panels[3].imshow(difference, cmap="RdBu_r", norm=levels, interpolation="antialiased")
    change = note["change"]["output_to_input"]
    parts = [f"{name.split('_')[0]} {values['mean']:.1f}" for name, values in change.items() if values]
    _caption(panels[3], "Difference", f"mean change: {', '.join(parts)}")
    bar = axes(4, width_in=0.12)
    figure.colorbar(ScalarMappable(levels, "RdBu_r"), cax=bar)
    bar.set_ylabel("edited − original (grey levels of 255)", color=FAINT, fontsize=8)
    bar.tick_params(labelsize=8, colors=FAINT, length=2)

    _write_head(figure, note, figure_in)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Disclaimer": f"synthetic: {note['synthetic']}"})
    return buffer.getvalue()


def _draw_masks(ax: Axes, edited: EditedImage) -> None:
    """Masks as tinted areas with contours, and the square that the generator saw."""
    files = edited.original.files
    given = [
        (name, mask, colour)
        for name, mask, path, colour in (
            ("edit", edited.original.edit, files.edit_mask, EDIT),
            ("keep", edited.original.keep, files.keep_mask, KEEP),
        )
        if path is not None
    ]
    for _, mask, colour in given:
        shown = _shrink(mask.float())
        tint = np.zeros((*shown.shape, 4))
        tint[..., :3] = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        tint[..., 3] = 0.22 * shown
        ax.imshow(tint, interpolation="nearest")
        if 0 < shown.mean() < 1:
            ax.contour(np.pad(shown, 1), levels=[0.5], colors=[colour], linewidths=1.4, extent=_padded(shown))
    height, width = _shrink(edited.original.image).shape
    if height != width:
        side = min(height, width)
        corner = ((width - side) / 2 - 0.5, (height - side) / 2 - 0.5)
        ax.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="white", linestyle=(0, (4, 4)), linewidth=0.8))
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(height - 0.5, -0.5)
    _caption(ax, "Masks", "" if given else "none given")
    if given:
        handles = [Line2D([], [], color=colour, linewidth=2.5, label=name) for name, _, colour in given]
        ax.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=0.35, ncols=2, frameon=False,
            fontsize=9, labelcolor=FAINT, handlelength=1.2, columnspacing=1.4, borderpad=0,
        )  # fmt: skip


def _write_head(figure: Figure, note: dict[str, Any], figure_in: tuple[float, float]) -> None:
    """Prompt, settings and disclaimer."""
    x, (_, height_in) = LEFT_IN / figure_in[0], figure_in
    prompt = textwrap.shorten(note["prompt"], width=110, placeholder=" …")
    text: dict[str, Any] = {"ha": "left", "va": "baseline", "parse_math": False}
    figure.text(x, 1 - 0.36 / height_in, f"“{prompt}”", fontsize=14, color=INK, **text)
    editor = note["editor"]
    settings = [f"{key} = {value:g}" for key, value in editor.items() if isinstance(value, int | float)]
    pasted = note["paste_back"]["mode"]
    facts = [
        editor["name"],
        *settings,
        f"{note['steps']} {plural(note['steps'], 'step')}",
        f"seed {note['seed']}",
        f"paste back: {pasted}",
    ]
    where = textwrap.shorten(str(note["id"]), width=50, placeholder=" …")
    figure.text(x, 1 - 0.59 / height_in, "   ·   ".join([where, *facts]), fontsize=9, color=FAINT, **text)
    figure.text(x, 0.13 / height_in, f"Synthetic: {note['synthetic']}.", fontsize=8, color=FAINT, **text)


def _caption(ax: Axes, title: str, below: str) -> None:
    ax.set_title(title, fontsize=11, color=INK, pad=5, loc="left")
    ax.annotate(
        below, (0.5, 0), xytext=(0, -5), textcoords="offset points", xycoords="axes fraction", ha="center", va="top",
        fontsize=9, color=FAINT,
    )  # fmt: skip


def _shrink(image: Tensor) -> npt.NDArray[np.float32]:
    """A picture (1, H, W) at the size at which it is shown, (h, w)."""
    height, width = image.shape[-2:]
    factor = min(1.0, SHOWN_PX / min(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    shown = interpolate(image[None], size, mode="bilinear", antialias=True) if factor < 1 else image[None]
    return shown[0, 0].numpy()


def _padded(shown: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Extent of a picture with a border of one pixel, so that contours close at the image's edge."""
    height, width = shown.shape
    return (-1.5, width + 0.5, -1.5, height + 0.5)
