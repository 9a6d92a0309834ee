"""The editing score (Section 4.4, Eq. 5): did the image change in the direction in which its text changed?"""

from __future__ import annotations

import torch
from torch import Tensor

EPS = 1e-6  # below this, a difference of float32 embeddings of norm 1 is rounding


def directional_similarity(
    embed_image_real: Tensor, embed_image_edit: Tensor, embed_text_real: Tensor, embed_text_edit: Tensor
) -> Tensor:
    """cos(ΔI, ΔT) of the changes from real to edited; high is good.

    Args:
        embed_image_real: E_I of the original images, shape (N, D), L2-normalised by the caller.
        embed_image_edit: E_I of the edited images, shape (N, D), L2-normalised.
        embed_text_real: E_T of the texts that describe the originals, shape (N, D) or (D,), L2-normalised.
        embed_text_edit: E_T of the texts that describe the edits, shape (N, D) or (D,), L2-normalised.

    Returns:
        Cosines in [−1, 1], shape (N,); NaN where image or text did not change, as there is no direction then.

    Note:
        The paper subtracts the edit from the original, we the original from the edit, in both ΔI and ΔT: the cosine is
        the same.
    """
    delta_image = embed_image_edit - embed_image_real
    delta_text = embed_text_edit - embed_text_real
    norms = torch.stack(torch.broadcast_tensors(delta_image.norm(dim=-1), delta_text.norm(dim=-1)))
    cosine = (delta_image * delta_text).sum(-1) / norms.prod(0)
    return torch.where(norms.amin(0) < EPS, torch.nan, cosine.clamp(-1, 1))


def eq5_as_printed(cosine: Tensor) -> Tensor:
    """S of Eq. 5, 1 − cos(ΔI, ΔT), in [0, 2]; low is good. For the record only.

    Note:
        Section 4.4 discards edits with S < 0.2, which by Eq. 5 are the best ones; LANCE, which it follows, discards
        those with a *cosine* below 0.2. See `keep`.
    """
    return 1 - cosine


def keep(cosine: Tensor, threshold: float = 0.2) -> Tensor:
    """Which edits are good enough: bool, shape (N,). An undefined cosine (NaN) is rejected.

    Args:
        cosine: From `directional_similarity`, shape (N,).
        threshold: Least cosine that is kept (Section 4.4, after LANCE).
    """
    return cosine >= threshold
