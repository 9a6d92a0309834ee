"""The kernel inception distance by a bundle's own image encoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radedit.models.bundle.bundle import Bundle
from radedit.studies.generator.realism import halves, kernel_distance


class Flat(Bundle):
    """A bundle whose image encoder takes means of the four quarters."""

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def embed_image(self, images: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)


def images(n: int, seed: int, brighter: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand((n, 1, 4, 4), generator=generator) * 0.5 + brighter).clamp(0, 1)


def test_images_of_one_kind_are_as_near_as_chance_has_it_and_others_are_farther() -> None:
    same = kernel_distance(Flat(), images(40, 0), images(40, 1))
    other = kernel_distance(Flat(), images(40, 0), images(40, 1, brighter=0.4))
    assert abs(same["value"]) < 2 * same["deviation"]
    assert other["value"] > same["value"] + 3 * (same["deviation"] + other["deviation"])


def test_the_same_images_and_seed_give_the_same_distance_and_leave_the_global_stream_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, two = (kernel_distance(Flat(), images(10, 0), images(8, 1)) for _ in range(2))
    assert one == two and (one["n_real"], one["n_made"]) == (10, 8)
    assert torch.equal(before, torch.get_rng_state())


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match="3 and 9 images"):
        kernel_distance(Flat(), images(3, 0), images(9, 1))


def test_halves_share_no_patient() -> None:
    tagged = [torch.full((1, 1, 1), float(i)) for i in range(5)]
    one, other = halves(tagged, ["a", "b", "a", "c", "b"])
    assert one.flatten().tolist() == [0, 2, 3] and other.flatten().tolist() == [1, 4]
