"""In which precision to train."""

from __future__ import annotations

import torch


def mixed_precision() -> str:
    """Lightning's name of the precision that trains fastest here: AMP only where the device computes in bfloat16.

    A CPU without such instructions emulates them, which takes ten times as long as float32.
    """
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    capable = torch.cpu.get_capabilities()
    return "bf16-mixed" if capable.get("avx512_bf16") or capable.get("amx_bf16") else "32-true"
