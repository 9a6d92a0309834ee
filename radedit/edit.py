"""Edit one radiograph or a folder of them: `python -m radedit.edit image=… prompt=…`, see `conf/edit.yaml`."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.configuration import entry_point
from radedit.harness.films import find_films
from radedit.harness.folder import edit_films
from radedit.harness.single import EditSettings
from radedit.report.side_by_side import draw

logger = logging.getLogger(__name__)


@entry_point("edit")
def main(config: DictConfig) -> None:
    """Check everything that can be checked, then load the generator and edit."""
    image, edit_mask, keep_mask = (_path(config[key]) for key in ("image", "edit_mask", "keep_mask"))
    if image is None:
        raise ValueError("image is null. Say image=… with a PNG, JPEG or DICOM file, or a folder of them.")
    settings = EditSettings(
        prompt="" if config.prompt is None else str(config.prompt),
        editor=instantiate(config.editor),
        steps=config.steps,
        seed=config.seed,
        inversion_prompt=config.inversion_prompt,
        paste_back=str(config.paste_back),
        feather_px=config.feather_px,
    )
    out = Path(str(config.out)).expanduser()
    if out.is_dir() and any(path.is_dir() and path.samefile(out) for path in (image, edit_mask, keep_mask) if path):
        raise ValueError(f"out is {out}, a folder of films or masks. Give another one, so that they do not mix.")
    found, refused, others = find_films(image, edit_mask, keep_mask)
    if others:
        logger.warning("Not read, as they are no films by their names: %s", ", ".join(others))
    n_films, load_bundle = len(found) + len(refused), partial(instantiate, config.generator)
    refused |= edit_films(found, settings, load_bundle, draw, out, overwrite=config.overwrite, stop=not image.is_dir())
    if refused:
        logger.error("%d of %d films could not be edited:", len(refused), n_films)
        for name, reason in sorted(refused.items()):
            logger.error("  %s: %s", name, reason)
        raise SystemExit(1)


def _path(value: object) -> Path | None:
    return None if value is None else Path(str(value)).expanduser()


if __name__ == "__main__":
    main()
