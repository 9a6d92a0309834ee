"""The caches of a training's films and latents, filled before it begins."""

from __future__ import annotations

from pathlib import Path

from radedit.data.cache import cached_films, films_path
from radedit.data.latents import latents_path, write_latents
from radedit.models.bundle import Bundle, hash_folder
from radedit.types import Reader


class LatentCache:
    """Where `radedit.data.latents.LatentData` looks for what it would else make.

    Args:
        bundle: Whose VAE encodes.
        folder: Of the bundle, as the training names it; None for one that has none.
        size: Side of the square films, px.
        cache: Folder of the training's caches.

    Raises:
        ValueError: If the bundle has no VAE, or one for films of another size.
    """

    def __init__(self, bundle: Bundle, folder: str | None, size: int, cache: str | Path) -> None:
        bundle.require("vae")
        if bundle.size != size:
            raise ValueError(
                f"The generator is for films of {bundle.size} px, but size is {size}. Say size={bundle.size}."
            )
        self.bundle, self.size, self.cache = bundle, size, Path(cache)
        vae = Path(folder or "") / "vae"
        self.encoder_hash = hash_folder(vae) if folder and vae.is_dir() else bundle.hash

    def fill(self, reader: Reader, workers: int) -> tuple[Path, Path]:
        """Preprocess and encode all films of a set, unless they are there; the files of films and of latents."""
        films_file = films_path(self.cache / "films", reader, self.size)
        records, films = cached_films(reader, self.size, films_file, workers=workers)
        latents_file = latents_path(self.cache / "latents", self.encoder_hash, films_file, records)
        write_latents(latents_file, films, lambda batch: self.bundle.encode(batch.to(self.bundle.device)))
        return films_file, latents_file
