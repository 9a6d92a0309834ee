"""Latents are encoded once, kept on disk, and found again by images and encoder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from radedit.data.batches.latents import LatentData, write_latents
from radedit.data.batches.module import ImageData
from radedit.data.datasets.phantom import PhantomDataset
from radedit.phantom.world import World

SIZE = 32


class Encoder:
    """Halves each side, and counts the images it is handed."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale, self.images = scale, 0

    def __call__(self, images: Tensor) -> Tensor:
        self.images += len(images)
        return self.scale * torch.nn.functional.avg_pool2d(images, 2)


def make(cache: Path, encoder: Encoder | None, encoder_hash: str = "vae", namespace: str = "train") -> LatentData:
    train, val = (PhantomDataset(World(), name, n, SIZE) for name, n in ((namespace, 5), ("val", 2)))
    images = ImageData(train, val, size=SIZE, batch_size=2, cache=str(cache / "images"), workers=1)
    data = LatentData(images, batch_size=2, seed=0, cache=str(cache / "latents"))
    if encoder is not None:
        data.use(encoder, encoder_hash)
    return data


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where images and latents of the first encoder are kept already."""
    folder, encoder = tmp_path_factory.mktemp("cache"), Encoder()
    make(folder, encoder).setup()
    assert encoder.images == 7
    return folder


def test_the_same_images_and_encoder_are_not_encoded_again(cache: Path) -> None:
    encoder = Encoder()
    data = make(cache, encoder)
    data.setup("fit")
    data.setup("validate")
    assert encoder.images == 0
    assert len(data.latents["train"]) == 5


@pytest.mark.parametrize(("encoder_hash", "namespace", "encoded"), [("other vae", "train", 7), ("vae", "others", 5)])
def test_another_encoder_or_other_images_are_encoded(
    cache: Path, encoder_hash: str, namespace: str, encoded: int
) -> None:
    encoder = Encoder(scale=2.0)
    make(cache, encoder, encoder_hash, namespace).setup()
    assert encoder.images == encoded


def test_latents_are_those_of_their_image_and_report(cache: Path) -> None:
    data = make(cache, Encoder())
    data.setup()
    for i, record in enumerate(data.source.images["train"].records):
        item, image = data.latents["train"][i], data.source.images["train"][i]["image"]
        assert item["report"] == record.report
        expected = torch.nn.functional.avg_pool2d(image[None], 2)[0]
        torch.testing.assert_close(item["latent"], expected.half().float())


def test_an_encoding_that_was_broken_off_leaves_no_cache(tmp_path: Path) -> None:
    def breaks(images: Tensor) -> Tensor:
        raise KeyboardInterrupt

    data = make(tmp_path, None)
    data.use(breaks, "vae")
    with pytest.raises(KeyboardInterrupt):
        data.setup()
    assert not list((tmp_path / "latents").glob("*.npy"))


def test_without_an_encoder_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="call `use`"):
        make(tmp_path, None).setup()


def test_batches_come_in_the_same_order_every_time(cache: Path) -> None:
    data = make(cache, Encoder())
    data.setup()
    loader = iter(data.train_dataloader())
    batches = [next(loader)["report"] for _ in range(6)]
    again = iter(data.train_dataloader())
    assert [next(again)["report"] for _ in range(6)] == batches


def test_an_encoding_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 1, 8, 8), dtype=np.uint8)
    encoder = Encoder()

    def breaks(batch: Tensor) -> Tensor:
        if encoder.images == 6:
            raise KeyboardInterrupt
        return encoder(batch)

    with pytest.raises(KeyboardInterrupt):
        write_latents(tmp_path / "latents.npy", images, breaks, batch=3)
    again = Encoder()
    write_latents(tmp_path / "latents.npy", images, again, batch=3)
    write_latents(tmp_path / "whole.npy", images, Encoder(), batch=3)
    assert again.images == 4
    assert np.array_equal(np.load(tmp_path / "latents.npy"), np.load(tmp_path / "whole.npy"))


def test_latents_of_which_a_byte_was_changed_are_encoded_again(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 1, 8, 8), dtype=np.uint8)
    path, encoder = tmp_path / "latents.npy", Encoder()
    write_latents(path, images, encoder, batch=3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
    write_latents(path, images, encoder, batch=3)
    assert encoder.images == 20 and path.read_bytes() == whole


def test_two_processes_that_want_the_same_latents_encode_them_once(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 1, 8, 8), dtype=np.uint8)
    notes = tmp_path / "encoded"

    def slow(batch: Tensor) -> Tensor:
        with notes.open("a") as file:
            file.write(f"{len(batch)}\n")
        time.sleep(0.05)
        return Encoder()(batch)

    children = []
    for _ in range(2):
        if (child := os.fork()) == 0:
            try:
                write_latents(tmp_path / "latents.npy", images, slow, batch=3)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    assert sum(map(int, notes.read_text().split())) == len(images)
