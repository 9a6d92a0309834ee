"""Segmentation metrics: identities, MONAI as the oracle where it has a prediction, and the failures it hides."""

from __future__ import annotations

import math

import pytest
import torch
from monai.metrics.hausdorff_distance import HausdorffDistanceMetric
from torch import Tensor

from radedit.metrics import average_surface_distance, dice, hausdorff95, missed

EMPTY = torch.zeros(1, 1, 30, 40, dtype=torch.bool)
DISTANCES = (hausdorff95, average_surface_distance)


def square(top: int, left: int, side: int = 10) -> Tensor:
    mask = EMPTY.clone()
    mask[..., top : top + side, left : left + side] = True
    return mask


def test_a_perfect_prediction_has_dice_1_and_no_distance() -> None:
    assert dice(square(5, 5), square(5, 5)).item() == 1
    assert all(distance(square(5, 5), square(5, 5)).item() == 0 for distance in DISTANCES)


def test_dice_is_twice_the_overlap_over_both_areas() -> None:
    assert dice(square(5, 5), square(5, 10)).item() == pytest.approx(2 * 50 / 200)


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_shifted_prediction_is_off_by_no_more_than_its_shift(distance) -> None:
    assert 0 < distance(square(5, 5), square(5, 8)).item() <= 3


def test_a_shift_moves_the_95th_percentile_by_itself() -> None:
    assert hausdorff95(square(5, 5), square(5, 8)).item() == pytest.approx(3)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("predicted, truth", [(EMPTY, square(5, 5)), (square(5, 5), EMPTY)])
def test_a_missed_structure_is_the_worst_case(distance, predicted: Tensor, truth: Tensor) -> None:
    assert missed(predicted, truth).item()
    assert distance(predicted, truth).item() == pytest.approx(math.hypot(30, 40))
    assert dice(predicted, truth).item() == 0


def test_monai_would_let_a_missed_structure_improve_the_mean() -> None:
    """Why there is a module of our own."""
    predicted, truth = torch.cat([EMPTY, square(5, 5)]), torch.cat([square(5, 5), square(5, 8)])
    monai = HausdorffDistanceMetric(include_background=True, percentile=95)
    monai(predicted.float(), truth.float())
    hidden = monai.aggregate()
    assert isinstance(hidden, Tensor)
    assert not hidden.item() > 3.01  # the miss is not in it, or made it NaN
    assert hausdorff95(predicted, truth).mean().item() == pytest.approx((50 + 3) / 2)


@pytest.mark.parametrize("distance", DISTANCES)
def test_nothing_found_where_nothing_is_is_right(distance) -> None:
    assert not missed(EMPTY, EMPTY).item()
    assert distance(EMPTY, EMPTY).item() == 0
    assert dice(EMPTY, EMPTY).item() == 1


def test_each_image_and_structure_is_measured_for_itself() -> None:
    predicted = torch.cat([torch.cat([square(5, 5), square(5, 20)], 1), torch.cat([EMPTY, square(9, 9)], 1)])
    truth = torch.cat([torch.cat([square(5, 8), square(5, 20)], 1), torch.cat([square(5, 5), square(9, 9)], 1)])
    assert hausdorff95(predicted, truth).tolist() == [[pytest.approx(3), 0], [pytest.approx(50), 0]]


def test_masks_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="true ones"):
        hausdorff95(EMPTY, EMPTY[..., :20])
