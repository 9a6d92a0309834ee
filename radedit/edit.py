"""Edit one radiograph or a folder of them: `python -m radedit.edit image=… prompt=…`, see `conf/edit.yaml`.

From a program, `radedit.edit(image, masks, prompt)`, see `radedit.api.single_edit`.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from omegaconf import DictConfig

from radedit.api.callable_module import make_callable
from radedit.api.single_edit import edit
from radedit.app.command import entry_point

logger = logging.getLogger(__name__)


@entry_point("edit")
def main(config: DictConfig) -> None:
    """Check everything that can be checked, then load the generator and edit."""
    from radedit.app.single_edit import load_bundle, settings_of
    from radedit.harness.single.folder import edit_images
    from radedit.harness.single.inputs import find_images
    from radedit.report.images.side_by_side import draw

    image, edit_mask, keep_mask = (_path(config[key]) for key in ("image", "edit_mask", "keep_mask"))
    if image is None:
        raise ValueError("image is null. Say image=… with a PNG, JPEG or DICOM file, or a folder of them.")
    settings = settings_of(config)
    out = Path(str(config.out)).expanduser()
    if out.is_dir() and any(path.is_dir() and path.samefile(out) for path in (image, edit_mask, keep_mask) if path):
        raise ValueError(f"out is {out}, a folder of images or masks. Give another one, so that they do not mix.")
    found, refused, others = find_images(image, edit_mask, keep_mask, str(config.names))
    if others:
        logger.warning("Not read, as they are no images by their names: %s", ", ".join(others))
    n_images, load = len(found) + len(refused), partial(load_bundle, config)
    refused |= edit_images(found, settings, load, draw, out, overwrite=config.overwrite, stop=not image.is_dir())
    if refused:
        logger.error("%d of %d images could not be edited:", len(refused), n_images)
        for name, reason in sorted(refused.items()):
            logger.error("  %s: %s", name, reason)
        raise SystemExit(1)


def _path(value: object) -> Path | None:
    return None if value is None else Path(str(value)).expanduser()


make_callable(__name__, edit)

if __name__ == "__main__":
    main()
