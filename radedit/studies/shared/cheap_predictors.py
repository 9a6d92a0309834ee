"""Cheap predictors: dozens of them, each trained in seconds, in this process, and found again by content hash."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import lightning as L
import torch

from radedit.data.batches.module import ImageData
from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.progress import tracked
from radedit.models.predictors import Network, load_predictor
from radedit.phantom.world import World
from radedit.training.augmentation import LightBatch
from radedit.training.classifier import ClassifierTraining

logger = logging.getLogger(__name__)

CARD = "card.json"


@dataclass(frozen=True)
class Family:
    """What the cheap predictors of one scenario have in common; they differ in their world and in their seed.

    Attributes:
        name: Of the scenario.
        world_of: Strength of the shortcut, 0…1 → the world that a predictor learns from.
        network: Makes one, untrained.
        training: A partial of `ClassifierTraining` or `SegmenterTraining`, with the learning rate and the like.
        namespace: Patients are of `<namespace>-train` and `<namespace>-val`.
        n: Images to learn from; a world's images are shared by all of its seeds.
        n_val: Images for the card's figures.
        size: Side of the images, px.
        steps: Of the training.
        batch_size: Images a step.
        masks: That the network draws.
        flip: Probability that an image is flipped; 0 where masks name sides.
    """

    name: str
    world_of: Callable[[float], World]
    network: Callable[[], Network]
    training: Callable[..., ClassifierTraining]
    namespace: str
    n: int
    n_val: int
    size: int
    steps: int
    batch_size: int = 32
    masks: Sequence[str] = ()
    flip: float = 0.5

    def member(self, strength: float, seed: int, world: World | None = None) -> Member:
        """One predictor; `world` where it is not `world_of(strength)`."""
        return Member(self, strength, seed, world or self.world_of(strength))


@dataclass(frozen=True)
class Member:
    """One cheap predictor, trained or not.

    Attributes:
        family: What it has in common with others.
        strength: Of the shortcut in its world.
        seed: Of its first weights, of the order of its images and of their augmentation.
        world: What it learns from.
    """

    family: Family
    strength: float
    seed: int
    world: World

    @cached_property
    def images(self) -> dict[str, PhantomDataset]:
        """What it learns from, and what its card is written by."""
        sizes = {"train": self.family.n, "val": self.family.n_val}
        return {
            part: PhantomDataset(self.world, f"{self.family.namespace}-{part}", n, self.family.size)
            for part, n in sizes.items()
        }

    @cached_property
    def hash(self) -> str:
        """Names all that determines its weights."""
        family = self.family
        training = family.training
        assert isinstance(training, partial)
        return content_hash({
            "images": {part: dataset.fingerprint for part, dataset in self.images.items()},
            "network": family.network().config,
            "training": {"of": training.func.__name__, **training.keywords},
            "augmentation": {"of": LightBatch.__name__, "flip": family.flip},
            **{key: getattr(family, key) for key in ("size", "steps", "batch_size", "masks")},
            "seed": self.seed,
        })  # fmt: skip

    @property
    def key(self) -> str:
        """Short name, as in files."""
        return f"{self.family.name}-{self.strength:.2f}-{self.seed}-{self.hash[:12]}"


@dataclass(frozen=True)
class Trained:
    """Cheap predictors by key, and what became of those that are missing.

    Attributes:
        networks: Key → predictor, in the order they were asked for.
        new: Keys of those that were trained just now; all others were found.
        failed: Key and reason of each that could not be trained.
    """

    networks: dict[str, Network]
    new: list[str]
    failed: list[dict[str, str]]


def obtain(members: Sequence[Member], out: Path, cache: Path) -> Trained:
    """Find the predictors, or train them one after the other; a run that was killed goes on with the first missing one.

    Args:
        members: Which.
        out: Each has a folder there, named by its key, which is whole or absent.
        cache: Of the images.

    Returns:
        Them; a training that diverges is listed and stops no other.
    """
    new: list[str] = []
    failed: list[dict[str, str]] = []
    missing = [member for member in members if not (out / member.key / CARD).is_file()]
    for member in tracked(missing, len(missing), "Training", "predictors"):
        try:
            train(member, out / member.key, cache)
        except (ValueError, RuntimeError) as error:
            logger.warning("%s could not be trained: %s", member.key, error)
            failed.append({"predictor": member.key, "reason": str(error)})
        else:
            new.append(member.key)
    lost = {one["predictor"] for one in failed}
    networks = {member.key: load_predictor(out / member.key) for member in members if member.key not in lost}
    return Trained(networks, new, failed)


def image_data(member: Member, cache: Path) -> ImageData:
    """What a predictor learns from, drawn once for all seeds of its world."""
    family = member.family
    return ImageData(
        member.images["train"], member.images["val"], size=family.size, batch_size=family.batch_size, seed=member.seed,
        masks=family.masks, cache=str(cache), workers=1,
    )  # fmt: skip


def train(member: Member, folder: Path, cache: Path) -> None:
    """Train a predictor and write it to `folder`, all at once.

    Raises:
        ValueError: If its weights are not finite.
    """
    family, data = member.family, image_data(member, cache)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with torch.random.fork_rng(devices=[]), _quiet():
            torch.manual_seed(member.seed)
            module = family.training(family.network(), augmentation=LightBatch(family.flip), seed=member.seed)
            trainer = L.Trainer(
                max_steps=family.steps, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
                enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0, num_sanity_val_steps=0,
            )  # fmt: skip
            trainer.fit(module, data)
            module.export(data, temporary)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)  # of a broken kind: a whole one has a card and is never trained again
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's lines about devices, which say the same for every predictor."""
    talks: list[Any] = [logging.getLogger(name) for name in ("lightning.pytorch", "pytorch_lightning", "lightning")]
    levels = [talk.level for talk in talks]
    for talk in talks:
        talk.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for talk, level in zip(talks, levels, strict=True):
            talk.setLevel(level)
