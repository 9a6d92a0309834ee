"""What the U-Net is shown in training, and where the draws come from."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from radedit.models.bundle.bundle import Bundle
from radedit.training.diffusion import DiffusionTraining
from radedit.training.draws import Draws

Make = Callable[..., DiffusionTraining]


class Seen:
    """What a network is shown: x_t, t and c of every call."""

    def __init__(self, module: DiffusionTraining) -> None:
        self.calls: list[tuple[Tensor, ...]] = []
        self.handle = module.unet.register_forward_pre_hook(self._note)

    def _note(self, _: Any, inputs: tuple[Tensor, ...]) -> None:
        self.calls.append(tuple(tensor.detach().clone() for tensor in inputs))


@pytest.fixture
def seen(module: DiffusionTraining) -> Iterator[Seen]:
    seen = Seen(module)
    yield seen
    seen.handle.remove()


def noise_in(x_t: Tensor, t: Tensor, x_0: Tensor) -> Tensor:
    """Eq. 2, solved for the noise."""
    alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)[t].view(-1, 1, 1, 1)
    return (x_t - alpha_bar.sqrt() * x_0) / (1 - alpha_bar).sqrt()


def test_a_network_that_knows_the_noise_has_no_loss(module: DiffusionTraining, batch: dict[str, Any]) -> None:
    def knows(_: Any, inputs: tuple[Tensor, ...], __: Any) -> SimpleNamespace:
        return SimpleNamespace(sample=noise_in(inputs[0], inputs[1], batch["latent"]))

    handle = module.unet.register_forward_hook(knows)
    losses = [float(module.loss(module.draw(batch, step, 0, dropout=0.1))) for step in range(3)]
    handle.remove()
    assert max(losses) < 1e-4


def test_reports_are_replaced_by_exactly_the_encoded_empty_string(
    module: DiffusionTraining, batch: dict[str, Any], seen: Seen, tiny_bundle: Path
) -> None:
    module.loss(module.draw(batch, 0, 0, dropout=1.0))
    c = seen.calls[0][2]
    empty = Bundle.load(tiny_bundle).embed_prompts([""])
    assert torch.equal(c, empty.expand(4, -1, -1))
    assert empty.abs().max() > 0.1


def test_without_dropout_every_report_is_seen(
    module: DiffusionTraining, batch: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = drawn_texts(monkeypatch)
    module.draw(batch, 0, 0, dropout=0.0)
    assert [Counter(text.split()) for text in texts] == [Counter(report.split()) for report in batch["report"]]


def test_dropout_has_its_rate_and_drops_reports_one_by_one(
    module: DiffusionTraining, batch: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = drawn_texts(monkeypatch)
    for step in range(40):
        module.draw(batch, step, 0, dropout=0.3)
    assert np.mean([text == "" for text in texts]) == pytest.approx(0.3, abs=0.08)
    assert any(len({text == "" for text in texts[i : i + 4]}) == 2 for i in range(0, len(texts), 4))


def drawn_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are drawn from now on."""
    texts: list[str] = []
    draw = Draws.texts

    def noted(*arguments: Any) -> list[str]:
        texts.extend(drawn := draw(*arguments))
        return drawn

    monkeypatch.setattr(Draws, "texts", noted)
    return texts


def draws(module: DiffusionTraining, batch: dict[str, Any], *key: int) -> tuple[Tensor, ...]:
    """Noise, timesteps and embedded reports of one step."""
    seen = Seen(module)
    module.loss(module.draw(batch, *key, dropout=0.5))
    seen.handle.remove()
    x_t, t, c = seen.calls[0]
    return noise_in(x_t, t, batch["latent"]), t, c


def equal(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> list[bool]:
    return [torch.allclose(x, y, atol=1e-2) for x, y in zip(a, b, strict=True)]


def test_draws_do_not_depend_on_global_state_and_leave_it_alone(
    module: DiffusionTraining, batch: dict[str, Any]
) -> None:
    first = draws(module, batch, 3, 0)
    torch.manual_seed(1234)
    np.random.seed(1234)
    random.seed(1234)
    before = torch.get_rng_state(), str(np.random.get_state()), random.getstate()
    assert all(equal(draws(module, batch, 3, 0), first))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (str(np.random.get_state()), random.getstate()) == before[1:]


@pytest.mark.parametrize("key", [(4, 0), (3, 1), (-1, 0)])
def test_every_step_and_rank_has_draws_of_its_own(
    module: DiffusionTraining, batch: dict[str, Any], key: tuple[int, int]
) -> None:
    assert not any(equal(draws(module, batch, *key), draws(module, batch, 3, 0))[:2])


def test_every_seed_has_draws_of_its_own(module: DiffusionTraining, batch: dict[str, Any], make: Make) -> None:
    assert not any(equal(draws(make(seed=1), batch, 3, 0), draws(module, batch, 3, 0))[:2])


def test_timesteps_cover_the_whole_schedule(module: DiffusionTraining, batch: dict[str, Any]) -> None:
    t = torch.cat([draws(module, batch, step, 0)[1] for step in range(40)])
    assert t.min() < 50
    assert t.max() > 949
    assert t.max() <= 999
