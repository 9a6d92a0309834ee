"""The caches of a training's images and latents, filled before it begins."""

from __future__ import annotations

from pathlib import Path

from radedit.data.batches.cache import cached_images, images_path
from radedit.data.batches.latents import latents_path, write_latents
from radedit.models.bundle.bundle import Bundle, hash_folder
from radedit.types import Dataset


class LatentCache:
    """Where `radedit.data.batches.latents.LatentData` looks for what it would else make.

    Args:
        bundle: Whose VAE encodes.
        folder: Of the bundle, as the training names it; None for one that has none.
        size: Side of the square images, px.
        cache: Folder of the training's caches.

    Raises:
        ValueError: If the bundle has no VAE, or one for images of another size.
    """

    def __init__(self, bundle: Bundle, folder: str | None, size: int, cache: str | Path) -> None:
        bundle.require("vae")
        if bundle.size != size:
            raise ValueError(
                f"The generator is for images of {bundle.size} px, but size is {size}. Say size={bundle.size}."
            )
        self.bundle, self.size, self.cache = bundle, size, Path(cache)
        vae = Path(folder or "") / "vae"
        self.encoder_hash = hash_folder(vae) if folder and vae.is_dir() else bundle.hash

    def fill(self, dataset: Dataset, workers: int) -> tuple[Path, Path]:
        """Preprocess and encode all images of a set, unless they are there; the files of images and of latents."""
        images_file = images_path(self.cache / "images", dataset, self.size)
        records, images = cached_images(dataset, self.size, images_file, workers=workers)
        latents_file = latents_path(self.cache / "latents", self.encoder_hash, images_file, records)
        write_latents(latents_file, images, lambda batch: self.bundle.encode(batch.to(self.bundle.device)))
        return images_file, latents_file
