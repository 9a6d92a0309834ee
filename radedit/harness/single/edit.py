"""Editing one image as its user brings it: any size in, the same size out, and a note of everything that was done."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from radedit.data.image.geometry import Geometry
from radedit.data.image.transforms import stretch
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.provenance import NOTICE, git_commit, sha256_of, versions
from radedit.editing.editor import Editor, draws_latents, masks_read
from radedit.editing.inversion import Trajectory
from radedit.editing.noise import record_randn
from radedit.harness.single.inputs import InputFiles, InputImage
from radedit.harness.stress.memory import is_out_of_memory
from radedit.harness.stress.paste import check_paste_back, paste_back
from radedit.masks import check_keep_share, to_latent
from radedit.schedule import Schedule, check_spacing
from radedit.types import NoisePredictor, Randn

if TYPE_CHECKING:
    from radedit.models.bundle.bundle import Bundle  # imports diffusers: seconds, before a wrong path can be reported

MUCH_LOST = 0.4  # evidence.md, 3: stress sets leave such records out


@dataclass(frozen=True)
class EditSettings:
    """How images are edited.

    Attributes:
        prompt: What the edited image should show.
        editor: `edit` of one of `radedit.editing`'s modules, with its hyperparameters bound.
        steps: T.
        spacing: Of these steps, see `Schedule.from_diffusers`.
        seed: Of the noise; each image's is bound to its id as well.
        inversion_prompt: c_inv; None is ∅.
        paste_back: See `radedit.harness.stress.paste.paste_back`; "auto" is "keep" where there is a keep mask that the
            editor reads, else "none".
        feather_px: Likewise.
        keep_share: Least share of a latent cell's pixels that must be kept for the cell to be.

    Raises:
        ValueError: If a value is not allowed.
    """

    prompt: str
    editor: partial[Tensor]
    steps: int = 50
    seed: int = 0
    inversion_prompt: str | None = None
    paste_back: str = "none"
    feather_px: float = 4
    keep_share: float = 0
    spacing: float = 1

    def __post_init__(self) -> None:
        if not str(self.prompt).strip():
            raise ValueError("prompt is empty. Say what the edited image should show, as a report would.")
        for name in ("steps", "seed"):
            if type(getattr(self, name)) is not int:
                raise ValueError(f"{name} is {getattr(self, name)!r}; allowed are whole numbers.")
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; allowed are 1 and more.")
        start = self.parameters.get("start")
        if start is not None and (type(start) is not int or not 1 <= start <= self.steps):
            raise ValueError(
                f"start is {start!r}; allowed are the steps 1…{self.steps}, and null for the editor's own."
            )
        numbers = {name: getattr(self, name) for name in ("feather_px", "keep_share")}
        for name, value in {"editor.w": self.parameters.get("w", 0), **numbers}.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}; allowed are numbers.")
        check_keep_share(self.keep_share)
        check_spacing(self.spacing)
        check_paste_back("none" if self.paste_back == "auto" else self.paste_back, self.feather_px)

    @property
    def name(self) -> str:
        """Of the editor."""
        return self.editor.func.__module__.rsplit(".", 1)[-1]

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Of the editor."""
        return self.editor.keywords

    @property
    def reads(self) -> tuple[str, ...]:
        """Masks that the editor reads, of "edit" and "keep"."""
        return masks_read(sys.modules[self.editor.func.__module__])

    @property
    def samples(self) -> bool:
        """Whether x_0 is a draw from the autoencoder's posterior, and not the mode."""
        return draws_latents(sys.modules[self.editor.func.__module__])

    @property
    def needs(self) -> set[str]:
        """Masks that must be given."""
        pasted = {"keep": {"keep"}, "contrast": {"keep"}, "outside": {"edit"}}.get(self.paste_back, set())
        return pasted | ({"edit"} & set(self.reads))

    def pasted(self, files: InputFiles) -> str:
        """What is pasted back into an image, of the modes of `paste_back`."""
        if self.paste_back != "auto":
            return self.paste_back
        return "keep" if files.keep_mask is not None and "keep" in self.reads else "none"


@dataclass(frozen=True)
class EditedImage:
    """An edit, in its image's geometry and grey range.

    Attributes:
        original: What was edited.
        image: The edited image, shape (1, H, W).
        bits: Grey levels that a picture of it needs: 8 if the image had no more, else 16.
        provenance: All that determines it, and what it changed; for JSON.
    """

    original: InputImage
    image: Tensor
    bits: int
    provenance: dict[str, Any]


def request_of(files: InputFiles, settings: EditSettings) -> dict[str, Any]:
    """Everything that determines an edit but the generator, for JSON; files by name and checksum."""
    paths = {"image": files.image, "edit_mask": files.edit_mask, "keep_mask": files.keep_mask}
    return {
        "id": files.id,
        **{key: path and {"path": files.shown(path), "sha256": sha256_of(path)} for key, path in paths.items()},
        "prompt": settings.prompt,
        "inversion_prompt": settings.inversion_prompt,
        "editor": {"name": settings.name, **settings.parameters},
        "seed": settings.seed,
        "steps": settings.steps,
        **({"spacing": settings.spacing} if settings.spacing != 1 else {}),
        "keep_share": settings.keep_share,
        "paste_back": {"mode": settings.pasted(files), "feather_px": settings.feather_px},
        "radedit": versions()["radedit"],
    }


def edit_image(radiograph: InputImage, settings: EditSettings, bundle: Bundle) -> EditedImage:
    """Edit the image's centre square, and put it back.

    Images are edited one by one, so that an image's result does not depend on what else is in its folder.

    Args:
        radiograph: From `load_image`.
        settings: How.
        bundle: The generator.

    Raises:
        ValueError: If nothing of the edit mask is left at the generator's resolution, or the edit diverged.
    """
    bundle.require("vae", "unet", "scheduler", "text_encoder", "tokenizer")
    geometry = Geometry.of(radiograph.image, bundle.size)
    source = stretch(geometry.image(radiograph.image))[None]
    edit, keep = geometry.mask(radiograph.edit)[None], geometry.mask(radiograph.keep)[None]
    masks, lost = to_latent(edit, keep, bundle.factor, settings.keep_share)
    if "edit" in settings.reads and not masks.edit.any():
        raise ValueError(
            f"Edit mask {radiograph.files.edit_mask} fills no cell of {bundle.factor}×{bundle.factor} px of the "
            f"generator's "
            f"{bundle.size}×{bundle.size} that is not kept. Make it larger, or the keep mask smaller."
        )
    schedule = bundle.schedule(settings.steps, settings.spacing)
    prompts = [settings.prompt, *([settings.inversion_prompt] if settings.inversion_prompt else [])]
    c, c_inv = [*bundle.embed_prompts(prompts).split(1), None][:2]
    noise = partial(record_randn, settings.seed, [radiograph.files.id], device=bundle.device)
    x_0 = bundle.encode(source.to(bundle.device), noise(stream="latent") if settings.samples else None).float()
    f_theta, editor = bundle.predictor(schedule), Editor.of(settings.editor)
    trajectory = inverted(editor, f_theta, x_0, schedule, noise(), c_inv)
    x_edited = editor.edit(f_theta, x_0, c_inv, c, masks, schedule, noise(), trajectory=trajectory)
    square, round_trip = bundle.decode(x_edited).cpu(), bundle.decode(x_0).cpu()
    if not (torch.isfinite(x_edited).all() and torch.isfinite(square).all()):
        raise ValueError("The edit diverged: it has values that are not finite. Use a smaller w, or float32.")

    restored = geometry.restore(square[0], radiograph.image)[None]
    image, original = radiograph.image[None], radiograph.image[None]
    mode = settings.pasted(radiograph.files)
    image = paste_back(restored, original, radiograph.edit[None], radiograph.keep[None], mode, settings.feather_px)
    shown = radiograph.edit if radiograph.files.edit_mask else torch.zeros_like(radiograph.edit)
    request = request_of(radiograph.files, settings)
    provenance = {
        "synthetic": NOTICE,
        **request,
        "generator": bundle.hash,
        "fingerprint": content_hash(contents(request | {"generator": bundle.hash})),
        "size": {"width": geometry.width, "height": geometry.height, "generator": bundle.size},
        "notes": [*radiograph.notes, *_notes(radiograph, settings, bundle, geometry, float(lost))],
        "edit_mask_lost_to_keep": round(float(lost), 4),
        "change": {
            "unit": "absolute, grey levels of 255",
            "output_to_input": _change(image, original, shown[None], radiograph.keep[None]),
            "square_to_vae_round_trip": _change(square, round_trip, geometry.mask(shown)[None], keep),
            "vae_round_trip_to_square": _change(round_trip, source, geometry.mask(shown)[None], keep),
        },
        "versions": versions(),
        "device": bundle.device.type,
        "git_commit": git_commit(),
    }
    return EditedImage(radiograph, image[0], _bits(radiograph.image), provenance)


def inverted(
    editor: Editor, f_theta: NoisePredictor, x_0: Tensor, schedule: Schedule, randn: Randn, c_inv: Tensor | None
) -> Trajectory | None:
    """The image's inversion, many steps a network call, or one by one where memory does not hold them."""
    try:
        return editor.invert(f_theta, x_0, schedule, randn, c_inv)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    return editor.invert(f_theta, x_0, schedule, randn, c_inv, rows=1)


def contents(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request with checksums alone for files: where they lie does not determine the edit."""
    return {key: value.get("sha256", value) if isinstance(value, dict) else value for key, value in request.items()}


def _notes(image: InputImage, settings: EditSettings, bundle: Bundle, geometry: Geometry, lost: float) -> list[str]:
    """What the user might not expect of this edit."""
    notes = []
    height, width = geometry.resized
    seen = bundle.size**2 / (height * width)
    if seen < 1:
        notes.append(f"only the centre square was edited, {100 * seen:.0f} % of the image")
    short = min(geometry.height, geometry.width)
    if short > bundle.size and settings.paste_back != "outside":
        notes.append(
            f"the generator works at {bundle.size} px, the image has {short}: finer detail is lost where nothing is "
            "pasted back (paste_back=outside pastes all but the edit mask)"
        )
    elif short < bundle.size:
        notes.append(f"the image was enlarged from {short} to {bundle.size} px for the edit")
    if image.files.keep_mask is not None and "keep" not in settings.reads:
        notes.append(f"{settings.name} does not read the keep mask; changes inside it are only measured")
    if image.files.edit_mask is not None and "edit" not in settings.reads:
        notes.append(f"{settings.name} does not read the edit mask; changes inside it are only measured")
    if image.files.edit_mask is not None and lost > MUCH_LOST:
        notes.append(
            f"{100 * lost:.0f} % of the edit mask is lost to the keep mask; a stress test would leave this image out"
        )
    if settings.inversion_prompt:
        notes.append("the inversion prompt is not empty: what no mask covers changes even where nothing is edited")
    tokens, most = len(bundle.tokenizer(settings.prompt, verbose=False)["input_ids"]), bundle.tokenizer.model_max_length
    if tokens > most:
        notes.append(f"the prompt has {tokens} tokens; the generator read the first {most}")
    return notes


def _change(after: Tensor, before: Tensor, edit: Tensor, keep: Tensor) -> dict[str, dict[str, float] | None]:
    """Mean and largest absolute change of each region; None for one without pixels."""
    change = 255 * (after - before).abs()
    regions = {"edit_mask": edit & ~keep, "keep_mask": keep, "elsewhere": ~edit & ~keep}
    return {
        name: {"mean": round(float(change[where].mean()), 3), "max": round(float(change[where].max()), 3)}
        if where.any()
        else None
        for name, where in regions.items()
    }


def _bits(image: Tensor) -> int:
    levels = image.double() * 255
    return 8 if (levels - levels.round()).abs().max() < 1e-3 else 16
