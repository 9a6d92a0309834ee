"""What a processor could do, what a U-Net asks of it, and where a GPU's time goes."""

from __future__ import annotations

import csv
import statistics
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from radedit.harness.stress.cost import now
from radedit.models.bundle.bundle import Bundle

SIDE = {"cuda": 8192, "cpu": 2048}  # of the matrices
REST = "norms, activations and the like"
KINDS = {  # part of a kernel's name → what it does; the first that fits
    "sdpa": "attention", "flash": "attention", "fmha": "attention",
    "implicit_gemm": "convolutions", "fprop": "convolutions", "conv2d": "convolutions",
    "nvjet": "matrix products", "gemm": "matrix products",
    "triton": REST, "elementwise": REST, "norm": REST,
}  # fmt: skip


@cache
def matrix_peak(device: str, dtype: torch.dtype = torch.bfloat16, repeats: int = 20) -> float:
    """FLOP/s of a matrix product of random numbers, the median of some."""
    side = SIDE[torch.device(device).type]
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(repeats + 3):
        started = now()
        a @ b
        seconds.append(now() - started)
    return float(2 * side**3 / statistics.median(seconds[3:]))


@cache  # it takes seconds
def flops(unet: Any, *, tokens: int = 128, training: bool = False) -> float:
    """Of a U-Net for one image, forward or forward and backward: products of matrices, convolutions and attention."""
    with torch.device("meta"):
        meta = type(unet).from_config(unet.config)
    side, width = unet.config["sample_size"], unet.config["cross_attention_dim"]
    with FlopCounterMode(display=False) as counter, torch.device("meta"), torch.set_grad_enabled(training):
        eps = meta(
            torch.zeros(1, unet.config["in_channels"], side, side), torch.zeros(1), torch.zeros(1, tokens, width)
        )
        if training:
            eps.sample.sum().backward()
    return float(counter.get_total_flops())


@torch.no_grad()
def by_operator(bundle: Bundle, rows: int, path: Path) -> None:
    """Write how long the GPU is at each kind of work in one guided step of `rows` images, both predictions counted."""
    assert bundle.unet is not None
    f_theta = bundle.predictor(bundle.schedule(10))
    side = int(bundle.unet.config["sample_size"])
    x_t = torch.randn(rows // 2, bundle.unet.config["in_channels"], side, side, device=bundle.device)
    c = bundle.embed_prompts(["Pneumothorax."])
    for _ in range(2):
        f_theta.pair(x_t, 5, c)
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        f_theta.pair(x_t, 5, c)
        torch.cuda.synchronize()
    spent: Counter[str] = Counter()
    for event in profiled.key_averages():
        kind = next((kind for part, kind in KINDS.items() if part in event.key.lower()), "copies and the rest")
        spent[kind] += event.device_time_total / 1000
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "milliseconds", "share"])
        for kind, milliseconds in spent.most_common():
            writer.writerow([kind, round(milliseconds, 3), round(milliseconds / spent.total(), 4)])
            print(f"{kind}: {milliseconds:.2f} ms", flush=True)
