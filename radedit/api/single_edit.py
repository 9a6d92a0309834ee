"""An edit of one image that a program holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds, which the command's help need not wait
    from numpy.typing import ArrayLike
    from torch import Tensor

    from radedit.harness.single.edit import EditedImage
    from radedit.models.bundle.bundle import Bundle

    Picture = Tensor | ArrayLike | str | Path


def edit(
    image: Picture,
    masks: Mapping[str, Picture | None] | tuple[Picture | None, Picture | None] | Picture | None,
    prompt: str,
    *,
    generator: Bundle | str | Path = "phantom",
    editor: str = "radedit",
    w: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    paste_back: str = "auto",
    id: str | None = None,
    overrides: Sequence[str] = (),
) -> EditedImage:
    """Edit one image by a prompt, inside one mask and outside another.

    It is what `radedit edit` does, without files.

    Args:
        image: Grey levels, shape (H, W) or (1, H, W): float in [0, 1], 8 or 16 bits; or a PNG, JPEG or DICOM file. Its
            centre square is edited, at the generator's resolution.
        masks: Where to edit and what to keep, of the image's size: `{"edit": a, "keep": b}`, `(a, b)`, or `a` alone.
            Each is an array of bools, of 0 and 1 or 0 and 255, or a file; None is everything to edit, nothing to keep.
        prompt: What the edited image should show, as a report would say it.
        generator: `phantom`, `open`, `radedit_hub`, the folder of a bundle, or what `load_generator` returned, which
            several edits then share.
        editor: The method: `radedit`, `diffedit`, `lance` or `sdedit`.
        w: Guidance weight; None takes the generator's usual one.
        steps: T; None takes 50.
        seed: Of the noise, together with `id`.
        paste_back: `none`, `keep` (the image's own pixels in the keep mask), `contrast` (what a device in the keep mask
            adds to what is behind it), `outside` (`keep`, and all around the edit mask), or `auto`: `keep` where there
            is a keep mask that the editor reads.
        id: Name of the image. None names a file after itself, or after its content where its name may be a person's
            (`overrides=["names=file"]` names it after itself all the same), and anything else `image`.
        overrides: Anything else as on the command line, such as `["start=20"]`.

    Returns:
        The edit: `image`, float32 in [0, 1], shape (1, H, W), and `provenance`: all that determines it, and what it
        changed.

    Raises:
        ValueError: If a value, shape or range is not allowed, nothing is left to edit, or the edit diverged.
        FileNotFoundError: If a file is not there.

    Examples:
        >>> import numpy, radedit
        >>> image = numpy.random.default_rng(0).random((128, 128)).astype("float32")
        >>> where = numpy.zeros((128, 128), bool)
        >>> where[32:96, 32:96] = True
        >>> edited = radedit.edit(image, {"edit": where, "keep": ~where}, "No acute cardiopulmonary process.", steps=2)
        >>> tuple(edited.image.shape)
        (1, 128, 128)
        >>> edited.provenance["change"]["output_to_input"]["edit_mask"]["mean"] > 0
        True
    """
    from radedit.api.configured import configured, override
    from radedit.app.single_edit import load_bundle, settings_of
    from radedit.harness.single.edit import edit_image
    from radedit.harness.single.inputs import InputFiles, find_images, load_image
    from radedit.models.bundle.bundle import Bundle

    values: dict[str, Any] = {"prompt": prompt, "seed": seed, "paste_back": paste_back}
    values |= {key: value for key, value in {"editor.w": w, "steps": steps}.items() if value is not None}
    chosen = [] if isinstance(generator, Bundle) else named_generator(generator)
    typed = [f"editor={editor}", *chosen, *(override(key, value) for key, value in values.items()), *overrides]
    with configured("edit", typed) as config, TemporaryDirectory() as folder:
        settings = settings_of(config)
        where, kept = _pair(masks)
        picture = _file(image, Path(folder) / "image.png")
        edit_mask, keep_mask = (
            None if mask is None else _file(mask, Path(folder) / f"{name}_mask.png", is_mask=True)
            for name, mask in (("edit", where), ("keep", kept))
        )
        names = str(config.names)
        own = find_images(picture, None, None, names)[0][0].id if isinstance(image, str | Path) else "image"
        files = InputFiles(own if id is None else id, picture, edit_mask, keep_mask, names)
        radiograph = load_image(files, settings.needs)
        return edit_image(radiograph, settings, generator if isinstance(generator, Bundle) else load_bundle(config))


def load_generator(generator: str | Path = "phantom", *, overrides: Sequence[str] = ()) -> Bundle:
    """Load a generator once for several calls of `edit`.

    Args:
        generator: `phantom` (shipped), `open`, `radedit_hub` (the published weights), or the folder of a bundle.
        overrides: As on the command line, such as `["generator.device=cpu"]`.

    Raises:
        ValueError: If there is none of that name, or its files are not as they must be.
        FileNotFoundError: If a file is not there.

    Examples:
        >>> import radedit
        >>> radedit.load_generator("phantom").size  # side of its images, px
        128
    """
    from radedit.api.configured import configured
    from radedit.app.single_edit import load_bundle

    with configured("edit", ["editor=radedit", *named_generator(generator), *overrides]) as config:
        return load_bundle(config)


def named_generator(generator: str | Path) -> list[str]:
    """Overrides that choose a generator of `conf/generator`, or a folder."""
    from radedit.api.configured import override

    if isinstance(generator, Path) or Path(generator).expanduser().is_dir():
        return ["generator=trained", override("generator.folder", str(generator))]
    return [f"generator={generator}"]


def _pair(masks: Any) -> tuple[Any, Any]:
    """The edit mask and the keep mask."""
    if isinstance(masks, Mapping):
        if unknown := sorted(set(masks) - {"edit", "keep"}):
            raise ValueError(f"masks has the key {unknown[0]!r}; allowed are 'edit' and 'keep'.")
        return masks.get("edit"), masks.get("keep")
    if isinstance(masks, tuple | list):
        if len(masks) != 2:
            raise ValueError(f"masks has {len(masks)} elements; expected two: where to edit, and what to keep.")
        return masks[0], masks[1]
    return masks, None


def _file(picture: Any, path: Path, *, is_mask: bool = False) -> Path:
    """A picture's own file, or one that is written for it."""
    import numpy as np
    import torch

    from radedit.data.image.files import write_png

    if isinstance(picture, str | Path):
        return Path(picture).expanduser()
    levels = np.asarray(picture.detach().cpu() if isinstance(picture, torch.Tensor) else picture)
    what = "mask" if is_mask else "image"
    if levels.ndim == 2:
        levels = levels[None]
    if levels.ndim != 3 or levels.shape[0] != 1:
        raise ValueError(f"The {what} has shape {levels.shape}; allowed are (H, W) and (1, H, W), in grey.")
    if is_mask:
        if levels.dtype != bool and not set(np.unique(levels).tolist()) <= {0, levels.max()}:
            raise ValueError(
                f"A mask has values from {levels.min()} to {levels.max()}; allowed are two, such as 0 and 1."
            )
        write_png(path, torch.from_numpy(levels != 0), text={})
        return path
    white = {"uint8": 255, "uint16": 65535}.get(levels.dtype.name)
    if white is None and levels.dtype.kind != "f":
        raise ValueError(f"The image has the type {levels.dtype}; allowed are float in [0, 1], uint8 and uint16.")
    write_png(path, torch.from_numpy(levels / (white or 1)), text={}, bits=8 if white == 255 else 16)
    return path
