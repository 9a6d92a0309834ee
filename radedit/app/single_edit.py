"""What `conf/edit.yaml` says of editing one image, as objects; for the command and for the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.harness.single.edit import EditSettings

if TYPE_CHECKING:
    from radedit.models.bundle.bundle import Bundle


def settings_of(config: DictConfig) -> EditSettings:
    """How images are edited.

    Raises:
        ValueError: If a value is not allowed.
    """
    return EditSettings(
        prompt="" if config.prompt is None else str(config.prompt),
        editor=instantiate(config.editor),
        steps=config.steps,
        seed=config.seed,
        inversion_prompt=config.inversion_prompt,
        paste_back=str(config.paste_back),
        feather_px=config.feather_px,
        keep_share=config.keep_share,
        spacing=config.spacing,
    )


def load_bundle(config: DictConfig) -> Bundle:
    """The generator."""
    bundle: Bundle = instantiate(config.generator, _convert_="all")
    return bundle
