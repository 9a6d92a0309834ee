"""How fast is the diffusion training, beside a plain loop that encodes images and reports at every step?

python experiments/performance/training.py                                    the shipped size, on a CPU: minutes
python experiments/performance/training.py generator=paper_size device=cuda   the paper's, on a GPU: three minutes

The plain loop does what `train_text_to_image.py` of diffusers' examples does with `--mixed_precision=bf16 --use_ema`:
autoencoder and text encoder frozen, in bfloat16, at every step; AdamW, clipping and EMA as they come. Ours is the
training of `radedit.train`, Lightning and all, from cached latents. Both see the same images and texts at the same
batch size. Writes training.csv and training.png to out=outputs/performance. seconds=… are measured of each, after a
warm-up.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import matplotlib.pyplot as plt
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import EMAModel
from gpu import matrix_peak, training_flops
from paper_size import WORDS, paper_size
from torch import Tensor, nn

from radedit.data.latents import LatentData, Latents
from radedit.harness.provenance import machine
from radedit.models.bundle import Bundle
from radedit.models.text_encoder import tokenize
from radedit.training.averaging import WarmEMA
from radedit.training.diffusion import DiffusionTraining
from radedit.training.precision import mixed_precision

N = 256  # images
WARM = 5  # steps before the clock starts, at least; a compiled network has compiled by then


def now(device: str) -> float:
    """Seconds, after the GPU has done what it was asked for."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


class Clock:
    """Times the steps after the first few, until `seconds` are over.

    Attributes:
        steps: That were measured.
        spent: Seconds, of these.
    """

    def __init__(self, seconds: float, device: str) -> None:
        self.seconds, self.device = seconds, device
        self.done = self.steps = 0
        self.spent = self.started = 0.0

    def tick(self) -> bool:
        """A step has been done; whether that was the last one."""
        self.done += 1
        if self.done == WARM:
            self.started = now(self.device)
        if self.done <= WARM or (self.done % 5 and self.device != "cpu"):
            return False  # a GPU is not made to wait for the clock at every step
        self.steps, self.spent = self.done - WARM, now(self.device) - self.started
        return self.spent > self.seconds


def plain_loop(bundle: Bundle, images: Tensor, texts: list[str], batch: int, device: str, clock: Clock) -> None:
    """As diffusers' example; images are in memory already, which its data loader would have read."""
    assert bundle.vae is not None and bundle.unet is not None and bundle.text_encoder is not None
    kind = torch.bfloat16 if "bf16" in mixed_precision() else torch.float32
    unet = type(bundle.unet).from_config(bundle.unet.config).to(device).train()
    bundle.vae.disable_slicing()
    parts: tuple[nn.Module, ...] = (bundle.vae, bundle.text_encoder)
    vae, text_encoder = (part.to(device, kind) for part in parts)
    noising = DDPMScheduler.from_config(bundle.scheduler.config)  # type: ignore[union-attr]
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-4)
    averaged = EMAModel(unet.parameters(), model_cls=type(unet), model_config=unet.config)
    averaged.to(device)
    step = 0
    while True:
        which = [(step * batch + i) % len(images) for i in range(batch)]
        pixels = (2 * images[which] - 1).to(device, kind).repeat(1, bundle.vae.config["in_channels"], 1, 1)
        tokens = tokenize(bundle.tokenizer, [texts[i] for i in which], device)[0]
        with torch.no_grad():
            latents = vae.encode(pixels).latent_dist.sample() * bundle.vae.config["scaling_factor"]
            c = text_encoder.hidden(tokens)
        noise = torch.randn_like(latents)
        t = torch.randint(0, 1000, (batch,), device=device)
        x_t = noising.add_noise(latents, noise, t)
        with torch.autocast(device, kind, enabled=kind is torch.bfloat16):
            eps = unet(x_t, t, c, return_dict=False)[0]
        loss = nn.functional.mse_loss(eps.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        averaged.step(unet.parameters())
        loss.item()  # which its progress bar shows
        step += 1
        if clock.tick():
            return


class Until(L.Callback):
    """Ends a training by the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        trainer.should_stop = self.clock.tick()


def ours(
    bundle: Bundle, images: Tensor, texts: list[str], batch: int, device: str, clock: Clock, *, compile: bool = False
) -> None:
    """The training of `radedit.train`; the images are encoded before."""
    assert bundle.unet is not None and bundle.scheduler is not None
    with tempfile.TemporaryDirectory() as folder:
        bundle.save(folder, dtype=torch.float32, parts=["vae", "text_encoder", "tokenizer"])
        unet = type(bundle.unet).from_config(bundle.unet.config)
        module = DiffusionTraining(folder, unet, bundle.scheduler, compile=compile)
    latents = torch.cat([bundle.encode(images[i : i + 4].to(device)) for i in range(0, len(images), 4)])
    nothing: Any = SimpleNamespace(setup=lambda stage: None, films={})
    data = LatentData(nothing, batch_size=batch, loaders=0 if device == "cpu" else 4)
    module.prepare(data)
    data.latents["train"] = Latents(latents.half().cpu().numpy(), texts)
    trainer = L.Trainer(
        accelerator="gpu" if device != "cpu" else "cpu", devices=1, max_epochs=-1, precision=mixed_precision(),  # type: ignore[arg-type]
        gradient_clip_val=1.0, callbacks=[WarmEMA(), Until(clock)], logger=False, enable_checkpointing=False,
        enable_model_summary=False, enable_progress_bar=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, train_dataloaders=with_trainer(data, trainer))


def with_trainer(data: LatentData, trainer: L.Trainer) -> Any:
    """Its loader of training batches, which wants to know where the training is."""
    data.trainer = trainer
    return data.train_dataloader()


@contextmanager
def peak(device: str) -> Iterator[Callable[[], float]]:
    """Most memory meanwhile, MiB: of a GPU, else of the process since it began."""
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        yield lambda: torch.cuda.max_memory_allocated() / 2**20
    else:
        status = Path("/proc/self/status")
        Path("/proc/self/clear_refs").write_text("5")
        yield lambda: int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024


def main(
    generator: str = "radedit/weights/phantom", device: str = "cpu", batch: int = 16, seconds: int = 20,
    methods: str = "", out: str = "outputs/performance",
) -> None:  # fmt: skip
    """Measure them one after the other."""

    def load() -> Bundle:
        return paper_size(device) if generator == "paper_size" else Bundle.load(generator, device=device)

    bundle = load()
    assert bundle.unet is not None
    generated = torch.Generator().manual_seed(0)
    images = torch.rand((N if device != "cpu" else 4 * batch, 1, bundle.size, bundle.size), generator=generated)
    texts = [f"{WORDS[i % 3]} {WORDS[(i // 3) % 3]}" for i in range(len(images))]
    best = matrix_peak() if device != "cpu" else None
    flops = training_flops(bundle.unet)
    print(f"{machine()}, {mixed_precision()}; forward and backward take {flops / 1e12:.3f} TFLOP an image", flush=True)
    runs: dict[str, Callable[..., None]] = {
        "plain loop": plain_loop, "ours": ours, "ours, compiled": lambda *given: ours(*given, compile=True)
    }  # fmt: skip
    chosen = methods.split(",") if methods else ["plain loop", "ours", *(["ours, compiled"] if best else [])]
    rows: list[dict[str, Any]] = []
    for name in chosen:
        clock, started = Clock(seconds, device), time.perf_counter()
        with peak(device) as used:
            runs[name](load(), images, texts, batch, device, clock)
            rate = clock.steps * batch / clock.spent
            row = {"method": name, "batch": batch, "steps": clock.steps, "images_a_second": round(rate, 2),
                   "seconds_a_step": round(batch / rate, 4), "peak_mib": round(used())}  # fmt: skip
        if best:
            row |= {"tflops": round(rate * flops / 1e12, 1), "share_of_peak": round(rate * flops / best, 4)}
        rows.append(row | {"times_faster": round(rate / (rows[0]["images_a_second"] if rows else rate), 2)})
        print(rows[-1], f"{time.perf_counter() - started:.0f} s in all", flush=True)
    write(rows, f"batch {batch}, {bundle.size} px, {machine()}", Path(out))


def write(rows: list[dict[str, Any]], about: str, out: Path) -> None:
    """The table and its figure."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "training.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(rows) + 1.2), layout="constrained")
    colours = ["#4477aa" if row["method"].startswith("ours") else "#bbbbbb" for row in rows]
    bars = axes.barh([row["method"] for row in rows], [row["images_a_second"] for row in rows], color=colours)
    axes.bar_label(bars, [f"{row['images_a_second']:.1f}, {row['times_faster']:.1f}×" for row in rows], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_xlabel("images a second; × the plain loop")
    axes.set_title(about, fontsize=8)
    figure.savefig(out / "training.png", dpi=150)


if __name__ == "__main__":
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    main(**{key: int(value) if value.isdigit() else value for key, value in given.items()})  # type: ignore[arg-type]
