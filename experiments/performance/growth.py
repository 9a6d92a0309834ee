"""Do time and memory of a stress set stay flat as it grows? With a network that takes no time, so that the rest shows.

python experiments/performance/growth.py                     100 and 1,000 records, T = 25 … 200, 128 … 512 px
python experiments/performance/growth.py records=100,1000,10000

Each point is a process of its own, for its memory. Writes growth.csv and growth.png into out=outputs/performance.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from tables import write_rows
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from radedit.editing import radedit
from radedit.editing.editor import Editor
from radedit.harness.stress.block_editor import EditPlan
from radedit.harness.stress.generate import generate
from radedit.harness.stress.scenario import Removal, StressData
from radedit.models.bundle.bundle import Bundle
from radedit.schedule import Schedule
from radedit.types import Record, Sample

FACTOR, CHANNELS = 4, 4  # of the shipped generator's latents
RECORDS, STEPS, SIZE = 48, 25, 128  # of what is not varied


class Instant(Bundle):
    """A generator without networks: pooling for an autoencoder, a shrinkage for a noise predictor."""

    factor, device = FACTOR, torch.device("cpu")

    def require(self, *parts: str) -> None:
        """It has all it needs."""

    def schedule(self, T: int) -> Schedule:  # noqa: N803 — the paper's symbol
        return Schedule.linear(T)

    def predictor(self, schedule: Schedule) -> Any:
        return lambda x_t, t, c: 0.5 * x_t

    def encode(self, images: Tensor, randn: Any = None) -> Tensor:
        return avg_pool2d(2 * images - 1, FACTOR).repeat(1, CHANNELS, 1, 1)

    def decode(self, latents: Tensor) -> Tensor:
        return (interpolate(latents.mean(1, keepdim=True), scale_factor=FACTOR) / 2 + 0.5).clamp(0, 1)

    def embed_prompts(self, prompts: Any) -> Tensor:
        return torch.zeros(len(prompts), 1, 1)

    def embed_text(self, texts: Any) -> Tensor:
        return torch.eye(2)[: len(texts)]

    def embed_image(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :2]


class Noise:
    """`n` images of noise, each drawn from its number."""

    def __init__(self, n: int, size: int) -> None:
        self.records = [Record(f"image-{i:06}", f"patient-{i:06}") for i in range(n)]
        self.size = size

    def load(self, record: Record) -> Sample:
        generator = torch.Generator().manual_seed(int(record.id.removeprefix("image-")))
        return Sample(record, torch.rand(1, self.size, self.size, generator=generator))


def halves(sample: Sample) -> tuple[Tensor, Tensor]:
    """Edit the left half and keep the right quarter."""
    edit, keep = (torch.zeros_like(sample.image, dtype=torch.bool) for _ in range(2))
    edit[..., : edit.shape[-1] // 2], keep[..., -(edit.shape[-1] // 4) :] = True, True
    return edit, keep


def point(records: int, steps: int, size: int) -> dict[str, float]:
    """Make one set here, and say how long it took for each record, and the most memory of this process in MiB."""
    scenario = Removal(
        name="growth", title="", section="", finding="pneumothorax", shortcut="drain", prompt="edit",
        keep_sham_prompt="sham", score_real="sham", score_edit="edit",
    )  # fmt: skip
    images: Any = Noise(records, size)
    data = StressData(source=images, reference=None, counterfactual=None, shifted=None, cells={})
    plan = EditPlan(Editor.of(partial(radedit.edit, w=5.0)), halves, steps)
    with tempfile.TemporaryDirectory() as folder:
        started, busy = time.perf_counter(), time.process_time()
        generate(scenario, data, Instant(size=size), plan, Path(folder) / "set", {})
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "records": records, "steps": steps, "size": size, "ms_per_record": round(1000 * seconds / records, 1),
        "cpu_ms_per_record": round(1000 * busy / records, 1), "peak_mib": round(peak),
    }  # fmt: skip


def main(
    records: str = "100,1000",
    steps: str = "25,50,100,200",
    sizes: str = "128,256,512",
    out: str = "outputs/performance",
) -> None:
    """Vary one after the other."""
    varied: dict[str, list[dict[str, int]]] = {
        "records": [{"records": int(n)} for n in records.split(",")],
        "steps": [{"steps": int(n)} for n in steps.split(",")],
        "size": [{"size": int(n)} for n in sizes.split(",")],
    }
    rows = []
    for what, points in varied.items():
        for given in points:
            asked = {"records": RECORDS, "steps": STEPS, "size": SIZE} | given
            command = [sys.executable, __file__, "point", json.dumps(asked)]
            prediction = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            rows.append({"varied": what, **json.loads(prediction.splitlines()[-1])})
            print(rows[-1], flush=True)
    write(rows, Path(out))


def write(rows: list[dict[str, Any]], folder: Path) -> None:
    """The table and its figure."""
    write_rows(rows, folder / "growth.csv")
    figure, axes = plt.subplots(2, 3, figsize=(9, 4.5), sharex="col", layout="constrained")
    for column, what in enumerate(dict.fromkeys(row["varied"] for row in rows)):
        these = [row for row in rows if row["varied"] == what]
        for panel, measure in zip(axes[:, column], ("cpu_ms_per_record", "peak_mib"), strict=True):
            panel.plot([row[what] for row in these], [row[measure] for row in these], "o-")
            panel.set_ylim(0, 1.2 * max(row[measure] for row in these))
            panel.set_xscale("log" if what == "records" else "linear")
        axes[1, column].set_xlabel({"records": "records", "steps": "T", "size": "side of an image, px"}[what])
    axes[0, 0].set_ylabel("CPU time a record, ms")
    axes[1, 0].set_ylabel("peak memory, MiB")
    figure.savefig(folder / "growth.png", dpi=150)


if __name__ == "__main__":
    if sys.argv[1:2] == ["point"]:
        print(json.dumps(point(**json.loads(sys.argv[2]))))
    else:
        main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
