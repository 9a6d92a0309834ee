"""Noise bound to records, so that batch size, order and resuming change nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from radedit.types import Randn


def record_randn(
    seed: int, record_ids: Sequence[str], device: torch.device | str = "cpu", stream: str = "edit"
) -> Randn:
    """Standard normal noise of which row i depends on (seed, record_ids[i], stream) and the shape only.

    Args:
        seed: Seed of the whole run.
        record_ids: Record of each row of the batch; a record that stands twice gets the same noise twice.
        device: Where the noise is returned. It is drawn on the CPU, so that the device does not change it.
        stream: Purpose of the noise; two streams of one record are independent.

    Returns:
        A function of a shape, (T, B, C, h, w) or (B, C, h, w) with B = len(record_ids), that returns float32 noise.
        It has no state: the same shape gives the same noise again. It draws one (T, C, h, w) block for each record.
    """
    record_ids = tuple(record_ids)

    def randn(shape: Sequence[int]) -> Tensor:
        if len(shape) not in (4, 5) or shape[-4] != len(record_ids):
            raise ValueError(
                f"Noise of shape {tuple(shape)} was asked for, but this source is bound to {len(record_ids)} records: "
                f"use (T, {len(record_ids)}, C, h, w) or ({len(record_ids)}, C, h, w)."
            )
        block = (*shape[:-4], *shape[-3:])
        rows = [torch.randn(block, generator=_generator(seed, record_id, stream)) for record_id in record_ids]
        return torch.stack(rows, dim=-4).to(device)

    return randn


def _generator(seed: int, record_id: str, stream: str) -> torch.Generator:
    # JSON keeps ("1", "2x") and ("12", "x") apart.
    key = json.dumps([seed, record_id, stream]).encode()
    # torch's CPU generator uses 32 bits of its seed. Two of 10,000 records share noise with probability 0.01: no harm.
    digest = blake2b(key, digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))
