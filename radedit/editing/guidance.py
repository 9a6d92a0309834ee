"""Classifier-free guidance: both predictions, in one network call where the network can."""

from __future__ import annotations

from torch import Tensor

from radedit.types import NoisePredictor


def predict_pair(f_theta: NoisePredictor, x_t: Tensor, t: int, c: Tensor | None) -> tuple[Tensor, Tensor]:
    """Predict noise with and without prompt `c`.

    Args:
        f_theta: Noise predictor. Its `pair(x_t, t, c)`, if it has one, is called once; else itself twice.
        x_t: Latents at step `t`, shape (B, C, h, w).
        t: Inference step, 1…T.
        c: Prompt embedding, shape (B, L, D). With None (∅) both are the same, and one call is enough.

    Returns:
        ε_cond and ε_uncond, each of shape (B, C, h, w).
    """
    if c is None:
        eps_uncond = f_theta(x_t, t, None)
        return eps_uncond, eps_uncond
    pair = getattr(f_theta, "pair", None)
    if pair is not None:
        eps_cond, eps_uncond = pair(x_t, t, c)
        return eps_cond, eps_uncond
    return f_theta(x_t, t, c), f_theta(x_t, t, None)
