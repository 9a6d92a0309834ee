"""Both halves of classifier-free guidance, in as few network calls as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from radedit.editing.guidance import predict_pair

if TYPE_CHECKING:
    from tests.editing.conftest import Counted, Toy


def test_plain_function_is_called_with_and_without_the_prompt(toy: Toy, counted: type[Counted]) -> None:
    f_theta = counted(toy.f_theta)
    eps_cond, eps_uncond = predict_pair(f_theta, toy.x_0, 2, toy.c)
    assert f_theta.calls == [(3, 2, True), (3, 2, False)]
    assert torch.equal(eps_cond, toy.f_theta(toy.x_0, 2, toy.c))
    assert torch.equal(eps_uncond, toy.f_theta(toy.x_0, 2, None))


def test_network_that_predictions_both_is_asked_once(toy: Toy) -> None:
    class Network:
        def __call__(self, x_t: Tensor, t: int | Tensor, c: Tensor | None) -> Tensor:
            raise AssertionError("asked for one half")

        def pair(self, x_t: Tensor, t: int, c: Tensor) -> tuple[Tensor, Tensor]:
            return x_t + 1, x_t - 1

    eps_cond, eps_uncond = predict_pair(Network(), toy.x_0, 2, toy.c)
    assert torch.equal(eps_cond, toy.x_0 + 1) and torch.equal(eps_uncond, toy.x_0 - 1)


def test_no_prompt_needs_one_call(toy: Toy, counted: type[Counted]) -> None:
    f_theta = counted(toy.f_theta)
    eps_cond, eps_uncond = predict_pair(f_theta, toy.x_0, 2, None)
    assert len(f_theta.calls) == 1
    assert torch.equal(eps_cond, eps_uncond)
