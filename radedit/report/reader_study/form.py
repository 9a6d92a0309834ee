"""The page of a reader study: every image and every question, and nothing that tells one kind of image from another."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from markupsafe import Markup
from PIL import Image

from radedit.data.image.files import read_image
from radedit.report.environment import environment


@dataclass(frozen=True)
class ReaderForm:
    """What readers get; the key is not among it.

    Attributes:
        study: Hash that names the study.
        finding: That is asked for, in words.
        images: Data URIs, in order.
        credits: Whom the images are by, all together.
    """

    study: str
    finding: str
    images: list[str]
    credits: Sequence[str] = ()


def render_form(form: ReaderForm) -> str:
    """The page's HTML: one file that works offline."""
    parts = {
        name: Markup(files("radedit.report").joinpath(f"templates/reader_form.{name}").read_text("utf-8"))
        for name in ("css", "js")
    }
    return environment().get_template("reader_form.html.j2").render(form=form, **parts)


def blind(pictures: Sequence[Path]) -> list[str]:
    """Pictures as data URIs of PNGs that differ in their pixels and in nothing else.

    A file of a stress set says in its metadata what it is, and a blurred image makes a smaller file. So pixels alone
    are taken over, 8 bits deep, and are not compressed: each image has as many bytes as any other.

    Raises:
        ValueError: If they are not all of one size.
    """
    images = [read_image(picture).pixels[0].numpy() for picture in pictures]
    if sizes := {image.shape for image in images} - {images[0].shape}:
        raise ValueError(
            f"Images are of sizes {images[0].shape} and {sizes.pop()}, by which readers could tell them; expected one."
        )
    uris = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(file, "PNG", compress_level=0)
        uris.append(f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}")
    return uris
