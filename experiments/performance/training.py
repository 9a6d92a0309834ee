"""How fast is the diffusion training, beside a plain loop that encodes images and reports at every step?

OMP_NUM_THREADS=1 python experiments/performance/training.py                  the shipped size, on a CPU: minutes
python experiments/performance/training.py generator=paper_size device=cuda loaders=4     the paper's: three minutes

The plain loop does what `train_text_to_image.py` of diffusers' examples does with `--mixed_precision=bf16 --use_ema`:
autoencoder and text encoder frozen, in bfloat16, at every step; AdamW, clipping and EMA as they come. Ours is the
training of `radedit.train`, Lightning and all, from cached latents. Both see the same images and texts at the same
batch size. Writes training.csv and training.png to out=outputs/performance. seconds=… are measured of each, after a
warm-up. methods=plain,ours leaves out the compiled network, which takes a minute or two to begin. On a busy machine,
clock=cpu_seconds leaves out what is the neighbours' doing.

outside_network is what does not go to the U-Net forward and backward, clipping and AdamW: encoding, draws, the average
of weights, Lightning. host_waits are how often in a step the processor waits for the GPU. shares of the peak are of a
matrix product of bfloat16 in the same run; those of the network leave out what is outside.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import EMAModel
from paper_size import SIZE, WORDS, paper_size
from processor import flops, matrix_peak
from tables import arguments, draw_bars, forget_peak, peak_mib, write_rows
from torch import Tensor, nn

from radedit.data.batches.latents import LatentData, Latents
from radedit.data.io.provenance import machine
from radedit.models.bundle.bundle import Bundle
from radedit.models.encoders.text_encoder import tokenize
from radedit.training.averaging import WarmEMA
from radedit.training.diffusion import DiffusionTraining
from radedit.training.precision import mixed_precision

N = 256  # images
WARM = 5  # steps before the clock starts; a compiled network has compiled by then
CLOCKS: dict[str, Callable[[], float]] = {"seconds": time.perf_counter, "cpu_seconds": time.process_time}


class Meter:
    """Times the steps after the first few, until `seconds` are over. A GPU does not wait for it.

    Attributes:
        steps: That were measured.
        spent, in_network: Seconds of these.
        waits: How often the processor waited for a GPU in the step before.
    """

    def __init__(self, seconds: float, device: str, clock: str) -> None:
        self.seconds, self.on_gpu, self.clock = seconds, device != "cpu", CLOCKS[clock]
        self.done = self.steps = 0
        self.spent = self.in_network = self.started = 0.0
        self.waits: int | None = None
        self.marks: list[Any] = []
        self.heard = contextlib.ExitStack()

    def mark(self) -> None:
        """To be called before the network begins and after it ends."""
        if not self.on_gpu:
            self.marks.append(self.clock())
            return
        self.marks.append(torch.cuda.Event(enable_timing=True))
        self.marks[-1].record()

    def tick(self) -> bool:
        """A step has been done; whether that was the last one."""
        self.done += 1
        if self.done == WARM - 1 and self.on_gpu:
            self.warned = self.heard.enter_context(warnings.catch_warnings(record=True, action="always"))
            torch.cuda.set_sync_debug_mode("warn")
        if self.done == WARM:
            if self.on_gpu:
                torch.cuda.set_sync_debug_mode("default")
                self.waits = sum("synchroniz" in str(warning.message) for warning in self.warned or ())
                self.heard.close()
            self.started = self.now()
            self.marks.clear()
        if self.done <= WARM or self.clock() - self.started < self.seconds:
            return False
        self.steps, self.spent = self.done - WARM, self.now() - self.started
        between = [
            before.elapsed_time(after) / 1000 if self.on_gpu else after - before
            for before, after in zip(self.marks[::2], self.marks[1::2], strict=True)
        ]
        self.in_network = sum(between)
        return True

    def now(self) -> float:
        """Seconds, after the GPU has done what it was asked for."""
        if self.on_gpu:
            torch.cuda.synchronize()
        return self.clock()


def plain_loop(
    bundle: Bundle, unet: Any, images: Tensor, texts: list[str], batch: int, device: str, meter: Meter
) -> None:
    """As diffusers' example; images are in memory already, which its data loader would have read."""
    assert bundle.vae is not None and bundle.text_encoder is not None
    kind = torch.bfloat16 if "bf16" in mixed_precision() else torch.float32
    vae, text_encoder = (copy.deepcopy(part).to(kind) for part in (bundle.vae, bundle.text_encoder))
    vae.disable_slicing()
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
        meter.mark()
        with torch.autocast(device, kind, enabled=kind is torch.bfloat16):
            eps = unet(x_t, t, c, return_dict=False)[0]
        loss = nn.functional.mse_loss(eps.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        meter.mark()
        averaged.step(unet.parameters())
        loss.item()  # which its progress bar shows
        step += 1
        if meter.tick():
            return


class Metered(DiffusionTraining):
    """Our training, which says when its network begins."""

    meter: Meter

    def loss(self, drawn: dict[str, Any], unet: Callable[..., Any] | None = None) -> Tensor:
        def marked(*given: Any) -> Any:
            self.meter.mark()
            return self.unet(*given)

        return super().loss(drawn, marked)


class NetworkEnds(L.Callback):
    """Comes before the average of weights."""

    def on_train_batch_end(self, trainer: L.Trainer, module: Metered, *_: Any) -> None:  # type: ignore[override]
        module.meter.mark()


class StepEnds(L.Callback):
    """Comes last, and ends a training by the clock."""

    def on_train_batch_end(self, trainer: L.Trainer, module: Metered, *_: Any) -> None:  # type: ignore[override]
        trainer.should_stop = module.meter.tick()


def ours(
    bundle: Bundle, unet: Any, images: Tensor, texts: list[str], batch: int, device: str, meter: Meter, *,
    loaders: int, compile: bool = False,
) -> None:  # fmt: skip
    """The training of `radedit.train`; the images are encoded before."""
    assert bundle.scheduler is not None
    with tempfile.TemporaryDirectory() as folder:
        bundle.save(folder, dtype=torch.float32, parts=["vae", "text_encoder", "tokenizer"])
        module = Metered(folder, unet, bundle.scheduler, compile=compile)
    module.meter, started = meter, time.perf_counter()
    latents = torch.cat([bundle.encode(images[i : i + 4].to(device)).half().cpu() for i in range(0, len(images), 4)])
    print(f"{len(images)} images were encoded once, in {time.perf_counter() - started:.1f} s", flush=True)
    nothing: Any = SimpleNamespace(setup=lambda stage: None, images={})
    data = LatentData(nothing, batch_size=batch, loaders=loaders)
    module.prepare(data)
    data.latents["train"] = Latents(latents.numpy(), texts)
    trainer = L.Trainer(
        accelerator="gpu" if device != "cpu" else "cpu", devices=1, max_epochs=-1, precision=mixed_precision(),  # type: ignore[arg-type]
        gradient_clip_val=1.0, callbacks=[NetworkEnds(), WarmEMA(), StepEnds()], logger=False,
        enable_checkpointing=False, enable_model_summary=False, enable_progress_bar=False,
        use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, train_dataloaders=with_trainer(data, trainer))


def with_trainer(data: LatentData, trainer: L.Trainer) -> Any:
    """Its loader of training batches, which wants to know where the training is."""
    data.trainer = trainer
    return data.train_dataloader()


def main(
    generator: str = "radedit/weights/phantom", device: str = "cpu", batch: int = 16, seconds: int = 20,
    methods: str = "plain,ours,compiled", loaders: int = 0, size: int = SIZE, images: int = N, clock: str = "seconds",
    out: str = "outputs/performance",
) -> None:  # fmt: skip
    """Measure them one after the other."""
    bundle = paper_size(device, size=size) if generator == "paper_size" else Bundle.load(generator, device=device)
    assert bundle.unet is not None
    kind, config, bundle.unet = type(bundle.unet), bundle.unet.config, None  # each method makes its own
    with torch.device("meta"):
        work = flops(kind.from_config(config), training=True)
    radiographs = torch.rand((images, 1, bundle.size, bundle.size), generator=torch.Generator().manual_seed(0))
    texts = [f"{WORDS[i % 3]} {WORDS[(i // 3) % 3]}" for i in range(len(radiographs))]
    best = matrix_peak(device) if device != "cpu" else None
    print(f"{machine()}, {mixed_precision()}; forward and backward take {work / 1e12:.3f} TFLOP an image", flush=True)
    if best:
        print(f"{best / 1e12:.0f} TFLOP/s in a bfloat16 matrix product", flush=True)
    runs: dict[str, tuple[str, Callable[..., None]]] = {
        "plain": ("plain loop", plain_loop),
        "ours": ("ours", partial(ours, loaders=loaders)),
        "compiled": ("ours, compiled", partial(ours, loaders=loaders, compile=True)),
    }
    rows: list[dict[str, Any]] = []
    for name, run in (runs[method] for method in methods.split(",")):
        meter, started = Meter(seconds, device, clock), time.perf_counter()
        torch.manual_seed(0)
        with torch.device(device):
            unet = kind.from_config(config).train()
        gc.collect()
        if best:
            torch.cuda.empty_cache()
        forget_peak()
        run(bundle, unet, radiographs, texts, batch, device, meter)
        rate = meter.steps * batch / meter.spent
        row = {
            "method": name, "batch": batch, "steps": meter.steps, "images_a_second": round(rate, 2),
            "seconds_a_step": round(batch / rate, 4),
            "outside_network": round(1 - meter.in_network / meter.spent, 4), "peak_mib": round(peak_mib()),
        }  # fmt: skip
        if best:
            of_peak, in_network = rate * work / best, meter.spent / meter.in_network
            row |= {
                "host_waits": meter.waits, "tflops": round(rate * work / 1e12, 1),
                "share_of_peak": round(of_peak, 4), "network_share_of_peak": round(of_peak * in_network, 4),
            }  # fmt: skip
        rows.append(row | {"times_faster": round(rate / (rows[0]["images_a_second"] if rows else rate), 2)})
        print(rows[-1], f"{time.perf_counter() - started:.0f} s in all", flush=True)
        write_rows(rows, Path(out) / "training.csv")
        del unet
    draw_bars(
        [row["method"] for row in rows], [row["images_a_second"] for row in rows],
        [f"{row['images_a_second']:.1f}, {row['times_faster']:.1f}×" for row in rows],
        "images a second; × the plain loop", f"batch {batch}, {bundle.size} px, {machine()}, {clock}",
        Path(out) / "training.png",
    )  # fmt: skip


if __name__ == "__main__":
    main(**arguments())
