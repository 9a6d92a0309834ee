"""The editing score says whether image and text moved the same way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from radedit.editing.score import directional_similarity, eq5_as_printed, keep


def embeddings(n: int = 4, d: int = 16, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return normalize(torch.randn(count, n, d, generator=generator), dim=-1)


def test_it_is_the_cosine_between_the_changes() -> None:
    image_real, image_edit, text_real, text_edit = embeddings()
    expected = cosine_similarity(image_edit - image_real, text_edit - text_real)
    torch.testing.assert_close(directional_similarity(image_real, image_edit, text_real, text_edit), expected)


@pytest.mark.parametrize(("sign", "expected"), [(1.0, 1.0), (-1.0, -1.0)])
def test_moving_with_the_text_is_one_and_against_it_minus_one(sign: float, expected: float) -> None:
    image_real, _, text_real, text_edit = embeddings()
    image_edit = image_real + sign * 0.1 * (text_edit - text_real)
    cosine = directional_similarity(image_real, image_edit, text_real, text_edit)
    torch.testing.assert_close(cosine, torch.full((4,), expected), rtol=0, atol=1e-5)


def test_subtracting_the_other_way_round_is_the_same() -> None:
    image_real, image_edit, text_real, text_edit = embeddings()
    forward = directional_similarity(image_real, image_edit, text_real, text_edit)
    torch.testing.assert_close(directional_similarity(image_edit, image_real, text_edit, text_real), forward)


def test_one_pair_of_prompts_serves_a_batch() -> None:
    image_real, image_edit, text_real, text_edit = embeddings()
    shared = directional_similarity(image_real, image_edit, text_real[0], text_edit[0])
    repeated = directional_similarity(image_real, image_edit, text_real[:1].expand(4, -1), text_edit[:1].expand(4, -1))
    torch.testing.assert_close(shared, repeated)


def test_image_that_did_not_change_has_no_score() -> None:
    image_real, image_edit, text_real, text_edit = embeddings()
    image_edit[1] = image_real[1]
    cosine = directional_similarity(image_real, image_edit, text_real, text_edit)
    assert cosine.isnan().tolist() == [False, True, False, False]


def test_rounding_of_the_embedding_is_no_change() -> None:
    image_real, _, text_real, text_edit = embeddings()
    image_edit = torch.nextafter(image_real, torch.zeros_like(image_real))
    assert directional_similarity(image_real, image_edit, text_real, text_edit).isnan().all()


def test_text_that_did_not_change_has_no_score() -> None:
    image_real, image_edit, text_real, _ = embeddings()
    assert directional_similarity(image_real, image_edit, text_real, text_real).isnan().all()


def test_edits_are_kept_from_the_threshold_on_and_rejected_without_a_score() -> None:
    cosine = torch.tensor([0.9, 0.2, 0.1999, -1.0, torch.nan])
    assert keep(cosine).tolist() == [True, True, False, False, False]
    assert keep(cosine, threshold=-1.0).tolist() == [True, True, True, True, False]


def test_eq_5_as_printed_is_low_for_good_edits() -> None:
    torch.testing.assert_close(eq5_as_printed(torch.tensor([1.0, 0.2, -1.0])), torch.tensor([0.0, 0.8, 2.0]))
