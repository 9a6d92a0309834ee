"""Editing every image of a folder: what can't be edited is said first or last, and stops no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from radedit.data.io.file_lock import FileLock
from radedit.data.io.interruption import Interruption
from radedit.harness.single.edit import EditedImage, EditSettings, edit_image, request_of
from radedit.harness.single.inputs import InputFiles, load_image
from radedit.harness.single.names import stem
from radedit.harness.single.outputs import check_name, is_finished, prepare_folder, write_edit

if TYPE_CHECKING:
    from radedit.models.bundle.bundle import Bundle  # imports diffusers: seconds, before a wrong path can be reported

logger = logging.getLogger(__name__)


def edit_images(
    found: Sequence[InputFiles],
    settings: EditSettings,
    load_bundle: Callable[[], Bundle],
    draw: Callable[[EditedImage], bytes],
    out: Path,
    *,
    overwrite: bool = False,
    stop: bool = False,
) -> dict[str, str]:
    """Edit images one by one and write each as soon as it is done; those that are there already are left.

    Args:
        found: The images' files.
        settings: How.
        load_bundle: Loads the generator; called after all images were checked, if one of them can be edited.
        draw: Makes the picture beside an edited image, as bytes of a PNG.
        out: Folder of the outputs.
        overwrite: Whether to replace outputs, also those of another edit.
        stop: Whether to raise at the first image that can't be edited.

    Returns:
        File name → reason for those that could not be edited.

    Raises:
        BlockingIOError: If another process writes the folder.
        KeyboardInterrupt: If Ctrl-C was pressed; the image at work is finished first.
    """
    prepare_folder(out)
    refused: dict[str, str] = {}

    @contextmanager
    def refusing(files: InputFiles) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError) as error:
            if stop:
                raise
            refused[files.image.name] = str(error)

    with FileLock(out / ".lock"):
        for files in found:
            with refusing(files):
                check_name(out, files.id)
                load_image(files, settings.needs)
                if not overwrite:
                    is_finished(out, files.id, request_of(files, settings))
        ready = [files for files in found if files.image.name not in refused]
        if not ready:
            return refused
        bundle = load_bundle()
        with Interruption("image") as interruption:
            for number, files in enumerate(ready, start=1):
                interruption.check()
                with refusing(files):
                    progress = f"{number}/{len(ready)}"
                    request = request_of(files, settings) | {"generator": bundle.hash}
                    if not overwrite and is_finished(out, files.id, request):
                        logger.info("%s %s is finished already", progress, files.image.name)
                        continue
                    edited = edit_image(load_image(files, settings.needs), settings, bundle)
                if files.image.name in refused:
                    continue
                path = write_edit(edited, draw(edited), out)  # a disk that is full would refuse every other image too
                logger.info("%s %s", progress, path)
                if files.id != stem(files.image):
                    logger.info("    of %s: not named after it (names=file does so)", files.image.name)
                for note in edited.provenance["notes"]:
                    logger.info("    note: %s", note)
    return refused
