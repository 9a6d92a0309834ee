"""What a run will take, before it starts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from radedit.harness.stress.block_editor import EditPlan
from radedit.harness.stress.scenario import StressData
from radedit.models.bundle.bundle import Bundle

BYTES_PER_PIXEL = 0.8  # of a PNG of a radiograph, measured on phantoms


@dataclass(frozen=True)
class Cost:
    """Expected cost of generating what is missing of a stress set.

    Attributes:
        records: Source images, and how many of them are edited already.
        calls: Network calls, in images.
        seconds_per_call: Measured just now.
        megabytes: Disk.
    """

    records: int
    done: int
    calls: int
    seconds_per_call: float
    megabytes: float

    def __str__(self) -> str:
        if self.done >= self.records:
            return f"All {self.records} records are edited already, {self.megabytes:.0f} MB."
        left = f"{self.records - self.done} of {self.records}" if self.done else str(self.records)
        return (
            f"Editing {left} records: about {self.calls:,} network calls, "
            f"{self.calls * self.seconds_per_call / 60:.1f} min "
            f"at {1000 * self.seconds_per_call:.0f} ms a call, {self.megabytes:.0f} MB."
        )


def expected_cost(bundle: Bundle, plan: EditPlan, data: StressData, stress_set: Path) -> Cost:
    """Count the calls, time one, and estimate the disk."""
    n = len(data.source.records)
    done = min(n, plan.block * len(list((stress_set / "rows").glob("block-*.jsonl"))))
    left = n - done
    seconds = _time_call(bundle, plan) if left else 0.0
    kinds = 5 + 4 * (data.reference is not None) + (data.counterfactual is not None)
    megabytes = n * kinds * bundle.size**2 * BYTES_PER_PIXEL / 1e6
    calls = plan.calls(left, has_reference=data.reference is not None, done=done) if left else 0
    return Cost(n, done, calls, seconds, megabytes)


def _time_call(bundle: Bundle, plan: EditPlan) -> float:
    """Seconds a network call takes for each image of a batch of a block's conditional and unconditional halves."""
    schedule = bundle.schedule(plan.steps, plan.spacing)
    f_theta = bundle.predictor(schedule)
    assert bundle.unet is not None
    side = bundle.size // bundle.factor
    x_t = torch.zeros(plan.block, bundle.unet.config["in_channels"], side, side, device=bundle.device)
    f_theta.pair(x_t, 1, f_theta.empty)  # warm up
    started = now()
    f_theta.pair(x_t, 1, f_theta.empty)
    return (now() - started) / (2 * plan.block)


def now() -> float:
    """Seconds, after a GPU has done what it was asked for."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()
