"""Pasting back: the source's own pixels where the masks say so, and a soft seam on the side of the edit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radedit.harness.stress.paste import paste_back

Case = tuple[Tensor, Tensor, Tensor, Tensor]  # edit, source, edit mask, keep mask

SIZE = 64


@pytest.fixture
def case() -> Case:
    """Edit, source, edit mask and keep mask of two images; the masks overlap."""
    noise = torch.rand(2, 2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    edit, keep = (torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool) for _ in range(2))
    edit[..., 10:50, 10:40], keep[..., 20:60, 36:44] = True, True
    return noise[0], noise[1], edit, keep


def test_none_returns_the_edit(case: Case) -> None:
    assert torch.equal(paste_back(*case, "none", 4), case[0])


@pytest.mark.parametrize("feather_px", [0, 4, 40])
@pytest.mark.parametrize("mode", ["keep", "outside"])
def test_pasted_pixels_are_the_sources_own(mode: str, feather_px: float, case: Case) -> None:
    _, source, edit, keep = case
    pasted = keep if mode == "keep" else keep | ~edit
    assert torch.equal(paste_back(*case, mode, feather_px)[pasted], source[pasted])


@pytest.mark.parametrize("mode", ["keep", "outside"])
def test_hard_seam_leaves_the_edit_elsewhere(mode: str, case: Case) -> None:
    edited, _, edit, keep = case
    free = ~keep if mode == "keep" else edit & ~keep
    assert torch.equal(paste_back(*case, mode, 0)[free], edited[free])


def test_seam_is_a_gaussian_of_the_distance_in_pixels_at_512() -> None:
    edited, source = torch.zeros(1, 1, SIZE, SIZE), torch.ones(1, 1, SIZE, SIZE)
    keep = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    keep[..., :20] = True
    row = paste_back(edited, source, ~keep, keep, "keep", 16)[0, 0, 0]  # σ of 16 px at 512 is 2 px at 64
    torch.testing.assert_close(row[20:], torch.exp(-((torch.arange(1, SIZE - 19) / 2) ** 2) / 2))


@pytest.mark.parametrize("mode", ["keep", "contrast"])
def test_nothing_to_keep_changes_nothing(mode: str, case: Case) -> None:
    edited, source, edit, keep = case
    assert torch.equal(paste_back(edited, source, edit, torch.zeros_like(keep), mode, 4), edited)


def seen_through(brightness: float) -> tuple[Tensor, Tensor]:
    """A line that adds 0.2 to a background of one brightness, and its mask, at 128 px."""
    keep = torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    keep[..., 20:100, 60:62] = True
    return torch.full((1, 1, 128, 128), brightness) + 0.2 * keep, keep


def test_contrast_keeps_what_a_device_adds_to_what_is_behind_it() -> None:
    source, keep = seen_through(0.2)
    lost = torch.full_like(source, 0.6)  # what was behind is brighter, and the device is gone
    pasted = paste_back(lost, source, ~keep, keep, "contrast", 4)
    torch.testing.assert_close(pasted, seen_through(0.6)[0], atol=1e-6, rtol=0)
    assert torch.equal(
        paste_back(lost, source, ~keep, keep, "keep", 0)[keep], source[keep]
    )  # which keeps what was behind


def test_contrast_of_an_unchanged_image_is_the_image(case: Case) -> None:
    _, source, edit, keep = case
    torch.testing.assert_close(paste_back(source, source, edit, keep, "contrast", 4), source)


def test_contrast_pastes_the_sources_own_pixels_deep_inside_a_wide_mask() -> None:
    generator = torch.Generator().manual_seed(0)
    edited, source = (torch.rand(1, 1, 128, 128, generator=generator) for _ in range(2))
    keep = torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    keep[..., 20:100, 20:100] = True
    pasted = paste_back(edited, source, ~keep, keep, "contrast", 4)
    torch.testing.assert_close(pasted[..., 32:88, 32:88], source[..., 32:88, 32:88], atol=1e-3, rtol=0)
    far = torch.ones_like(keep)
    far[..., 18:102, 18:102] = False
    assert torch.equal(pasted[far], edited[far])


@pytest.mark.parametrize("mode", ["outside", "contrast"])
def test_images_of_a_batch_do_not_mix(mode: str, case: Case) -> None:
    edited, source, edit, keep = (part.split(1) for part in case)
    alone = [paste_back(edited[i], source[i], edit[i], keep[i], mode, 4) for i in range(2)]
    assert torch.equal(paste_back(*case, mode, 4), torch.cat(alone))


@pytest.mark.parametrize(("mode", "feather_px"), [("inside", 4), ("keep", -1)])
def test_other_modes_and_seams_are_refused(mode: str, feather_px: float, case: Case) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        paste_back(*case, mode, feather_px)


def test_shapes_must_agree(case: Case) -> None:
    with pytest.raises(ValueError, match="keep_mask has shape"):
        paste_back(*case[:3], case[3][..., :-1], "keep", 4)
