"""Training the joint space: what is alike attracts, and special tokens are never masked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from radedit.data.batches.module import step_generator
from radedit.models.bundle.bundle import Bundle
from radedit.training.joint import JointTraining
from tests.tiny_bundle import WORDS


@pytest.fixture
def training(tiny_bundle: Path) -> JointTraining:
    bundle = Bundle.load(tiny_bundle)
    assert bundle.text_encoder is not None
    assert bundle.image_encoder is not None
    training = JointTraining(bundle.text_encoder, bundle.image_encoder, bundle.tokenizer).requires_grad_(False)
    training.log_temperature.fill_(4.6)  # sharp
    return training


def images(n: int) -> Tensor:
    return torch.rand((n, 1, 32, 32), generator=torch.Generator().manual_seed(0))


def test_images_beside_their_reports_have_no_loss(training: JointTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    basis = torch.eye(3, 8)
    monkeypatch.setattr(training.text_encoder, "project", lambda *_: basis)
    monkeypatch.setattr(training.image_encoder, "forward", lambda _: basis)
    loss, hit = training.contrast({"report": WORDS, "image": images(3)})
    assert float(loss) < 1e-3
    assert float(hit) == 1
    monkeypatch.setattr(training.image_encoder, "forward", lambda _: basis.roll(1, 0))
    loss, hit = training.contrast({"report": WORDS, "image": images(3)})
    assert float(loss) > 10
    assert float(hit) == 0


def test_images_with_one_report_do_not_repel_one_another(
    training: JointTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three images of two reports: the loss is least where the two alike share a place, at their entropy."""
    reports, places = [WORDS[0], WORDS[0], WORDS[1]], torch.eye(2, 8)[[0, 0, 1]]
    monkeypatch.setattr(training.text_encoder, "project", lambda *_: places)
    monkeypatch.setattr(training.image_encoder, "forward", lambda _: places)
    loss, hit = training.contrast({"report": reports, "image": images(3)})
    assert float(loss) == pytest.approx(2 / 3 * torch.log(torch.tensor(2.0)).item(), abs=1e-3)
    assert float(hit) == 1


def test_special_tokens_are_never_masked(training: JointTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def masked_loss(input_ids: Tensor, attention: Tensor, labels: Tensor) -> Tensor:
        seen.append((input_ids, labels))
        return torch.zeros(())

    monkeypatch.setattr(training.text_encoder, "masked_loss", masked_loss)
    training.mask_share = 0.5
    tokenizer = training.tokenizer
    for step in range(10):
        training.masked(WORDS, step_generator(0, step, 0))
    input_ids, labels = (torch.cat(part) for part in zip(*seen, strict=True))
    chosen = labels != -100
    assert (input_ids[chosen] == tokenizer.mask_token_id).all()
    assert not torch.isin(labels[chosen], torch.tensor(tokenizer.all_special_ids)).any()
    assert (input_ids[~chosen] != tokenizer.mask_token_id).all()
    words = ~torch.isin(torch.where(chosen, labels, input_ids), torch.tensor(tokenizer.all_special_ids))
    assert float(chosen.sum() / words.sum()) == pytest.approx(0.5, abs=0.1)


def test_masks_are_drawn_from_the_generator_alone(training: JointTraining) -> None:
    first = training.masked(WORDS, step_generator(0, 1, 0))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert torch.equal(training.masked(WORDS, step_generator(0, 1, 0)), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_where_nothing_is_masked_there_is_no_loss(training: JointTraining) -> None:
    training.mask_share = 0.0
    assert float(training.masked(WORDS, step_generator(0, 0, 0))) == 0
