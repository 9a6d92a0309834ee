"""By what number an edit is kept or rejected."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from radedit.editing.score import directional_similarity
from radedit.models.bundle.bundle import Bundle


class EditScore(Protocol):
    """A function of images and texts; a file of `conf/score` names one."""

    def __call__(self, real: Tensor, edited: Tensor, *, text_real: str, text_edit: str, bundle: Bundle) -> Tensor:
        """Score edits; high is good.

        Args:
            real: Images as they are, grey levels in [0, 1], shape (B, 1, H, W).
            edited: Their edits, likewise.
            text_real: What describes the images as they are; the scenario's `score_real`.
            text_edit: What describes them as they should become; its `score_edit`.
            bundle: The generator, with text and image encoder of the score.

        Returns:
            One number an image, shape (B,); NaN where there is none, which is rejected.
        """
        ...


def directional(real: Tensor, edited: Tensor, *, text_real: str, text_edit: str, bundle: Bundle) -> Tensor:
    """cos(ΔI, ΔT) of Section 4.4, by the bundle's encoders; arguments as of `EditScore`.

    Returns:
        Cosines in [−1, 1], shape (B,); NaN where image or text did not change.
    """
    embed_text_real, embed_text_edit = bundle.embed_text([text_real, text_edit])
    return directional_similarity(
        bundle.embed_image(real), bundle.embed_image(edited), embed_text_real, embed_text_edit
    )


def scores(score: EditScore, real: Tensor, edited: Tensor, text_real: str, text_edit: str, bundle: Bundle) -> Tensor:
    """The score of each edit, shape (B,), on the CPU.

    Raises:
        ValueError: If it does not give one number an image.
    """
    found = score(real, edited, text_real=text_real, text_edit=text_edit, bundle=bundle)
    if not isinstance(found, Tensor) or found.shape != (len(real),):
        said = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        raise ValueError(f"The score returns {said} for {len(real)} edits; expected a tensor of shape ({len(real)},).")
    return found.float().cpu()
