"""How long do edits take, beside the paper's loops at batch 1 and diffusers' LEDITS++? Same network, T and images.

python experiments/performance/editing.py                        8 images, T = 10: minutes on a CPU
python experiments/performance/editing.py images=64 steps=50 batch=16
python experiments/performance/editing.py generator=paper_size device=cuda images=32 few=2 steps=100 batch=16 \
    methods=sequential,ledits,ours,compiled                      the paper's size on a GPU: five minutes

Every method edits each image twice, towards the edit's prompt and towards the sham's; those that take images one by one
edit only the first few=… of them. Writes editing.csv, editing.png and, of a GPU, operators.csv to
out=outputs/performance. methods=sequential,ours runs only these; the first is what the others are compared with. A
generator of paper_size has random weights, U-Net and text encoder in bfloat16. On a busy machine, OMP_NUM_THREADS=1
and clock=cpu_seconds leave out what is the neighbours' doing.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, LEditsPPPipelineStableDiffusion
from paper_loops import algorithm_3
from paper_size import paper_size
from processor import by_operator, flops, matrix_peak
from tables import arguments, draw_bars, forget_peak, peak_mib, write_rows
from torch import Tensor, nn

from radedit.data.image.transforms import preprocess
from radedit.data.io.provenance import machine
from radedit.editing import radedit
from radedit.editing.editor import Editor
from radedit.editing.noise import record_randn
from radedit.harness.stress.block_editor import EditPlan
from radedit.harness.stress.cost import now
from radedit.harness.stress.generate import generate
from radedit.harness.stress.scenario import Removal, StressData, removal_images
from radedit.masks import lesion_and_device, to_latent
from radedit.models.bundle.bundle import Bundle
from radedit.phantom.world import World
from radedit.types import EditMasks

PROMPTS = {"edit": "No acute cardiopulmonary process.", "keep_sham": "Pneumothorax."}  # Section 5.3
W = 5.0
TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}  # largest difference of latents, in deviations of theirs


@dataclass(frozen=True)
class Case:
    """Images to be edited, n of them: ids, grey levels (n, 1, H, W) and latent masks (n, 1, h, w)."""

    ids: list[str]
    images: Tensor
    masks: EditMasks

    def rows(self, which: slice) -> Case:
        """Some of them."""
        return Case(self.ids[which], self.images[which], EditMasks(self.masks.edit[which], self.masks.keep[which]))


def draw(n: int, size: int) -> StressData:
    """Phantoms of patients with pneumothorax and drain."""
    world = World(seed=1, prevalence={"pneumothorax": 0.5}, drain_given=(0.01, 0.95))
    images = removal_images(
        world, n=n, n_cells=1, size=size, source={"pneumothorax": 1, "drain": 1}, reference={"pneumothorax": 0},
        counterfactual={"pneumothorax": 0}, shifted={"pneumothorax": 0}, cells={},
    )  # fmt: skip
    return replace(images, reference=None, counterfactual=None)


def load(data: StressData, bundle: Bundle) -> Case:
    """All images of a set in memory, on the generator's device."""
    samples = [preprocess(data.source.load(record), bundle.size) for record in data.source.records]
    masks = [to_latent(*lesion_and_device(sample), bundle.factor).masks for sample in samples]
    edit, keep = (torch.stack(part).to(bundle.device) for part in zip(*masks, strict=True))
    images = torch.stack([sample.image for sample in samples]).to(bundle.device)
    return Case([sample.record.id for sample in samples], images, EditMasks(edit, keep))


def ours(case: Case, bundle: Bundle, steps: int, batch: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Latents of both edits by this project, also decoded, `batch` images at once."""
    schedule = bundle.schedule(steps)
    f_theta, editor = bundle.predictor(schedule), Editor.of(partial(radedit.edit, w=W))
    c = dict(zip(PROMPTS, bundle.embed_prompts(list(PROMPTS.values()))[:, None], strict=True))
    made: dict[str, list[Tensor]] = {kind: [] for kind in PROMPTS}
    for first in range(0, len(case.ids), batch):
        part = case.rows(slice(first, first + batch))
        x_0 = bundle.encode(part.images).to(dtype)
        randn = record_randn(0, part.ids, device=bundle.device)
        for kind, x in editor.edits(f_theta, x_0, c, part.masks, schedule, randn, replay=False).items():
            made[kind].append(x)
            bundle.decode(x)
    return {kind: torch.cat(parts) for kind, parts in made.items()}


def sequential(
    case: Case, bundle: Bundle, steps: int, batch: int = 1, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """The same by the paper's loops, one image at a time."""
    schedule = bundle.schedule(steps)
    f_theta = bundle.predictor(schedule)
    made: dict[str, list[Tensor]] = {kind: [] for kind in PROMPTS}
    for i, name in enumerate(case.ids):
        part = case.rows(slice(i, i + 1))
        for kind, prompt in PROMPTS.items():
            x_0, c = bundle.encode(part.images).to(dtype), bundle.embed_prompts([prompt])
            randn = record_randn(0, [name], device=bundle.device)
            made[kind].append(algorithm_3(f_theta, x_0, c, part.masks, schedule, randn, W))
            bundle.decode(made[kind][-1])
    return {kind: torch.cat(parts) for kind, parts in made.items()}


def ledits(case: Case, bundle: Bundle, steps: int, batch: int) -> None:
    """LEDITS++ of diffusers, inverting each image once, within the user's m_edit alone: its fastest setting.

    It takes its own sampler, so its edits are others; an image's masks in a batch are its own, as in ours.
    """
    assert bundle.vae and bundle.text_encoder and bundle.unet and bundle.scheduler
    pipeline = LEditsPPPipelineStableDiffusion(
        vae=bundle.vae, text_encoder=bundle.text_encoder.bert, tokenizer=bundle.tokenizer, unet=bundle.unet,
        scheduler=DPMSolverMultistepScheduler.from_config(
            bundle.scheduler.config, algorithm_type="sde-dpmsolver++", solver_order=2, timestep_spacing="leading"
        ),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    channels = bundle.vae.config["in_channels"]
    for first in range(0, len(case.ids), batch):
        part = case.rows(slice(first, first + batch))
        pipeline.invert(part.images.repeat(1, channels, 1, 1), num_inversion_steps=steps, skip=0.0)
        for prompt in PROMPTS.values():
            pipeline(
                editing_prompt=[prompt], edit_guidance_scale=W, user_mask=part.masks.edit, use_intersect_mask=False,
                edit_threshold=0.0, output_type="np",
            )  # fmt: skip


def stress_set(data: StressData, bundle: Bundle, steps: int, batch: int) -> None:
    """The same and all the rest that a stress set takes: images drawn, replay, editing score, PNGs on a disk."""
    scenario = Removal(
        name="performance", title="", section="", finding="pneumothorax", shortcut="drain", prompt=PROMPTS["edit"],
        keep_sham_prompt=PROMPTS["keep_sham"], score_real=PROMPTS["keep_sham"], score_edit=PROMPTS["edit"],
    )  # fmt: skip
    plan = EditPlan(Editor.of(partial(radedit.edit, w=W)), lesion_and_device, steps, block=batch, max_lost=1)
    with tempfile.TemporaryDirectory() as folder:
        generate(scenario, data, bundle, plan, Path(folder) / "set", {})


@dataclass
class Meter:
    """What a network did.

    Attributes:
        calls, images: How often it was called, and for how many images in all.
        seconds: In the network.
    """

    calls: int = 0
    images: int = 0
    seconds: float = 0.0
    started: float = 0.0

    def before(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.calls, self.images = self.calls + 1, self.images + len(inputs[0])
        self.started = now()

    def after(self, *_: Any) -> None:
        self.seconds += now() - self.started


@dataclass(frozen=True)
class Run:
    """One method: its name, what runs it, the bundle that it uses, and how many images it takes at once."""

    name: str
    run: Callable[[], Any]
    bundle: Bundle
    batch: int


@contextmanager
def metered(*networks: Any) -> Iterator[Meter]:
    """Count what networks do meanwhile."""
    meter = Meter()
    hooks = [network.register_forward_pre_hook(meter.before) for network in networks]
    hooks += [network.register_forward_hook(meter.after) for network in networks]
    yield meter
    for hook in hooks:
        hook.remove()


def measure(run: Run, images: int) -> dict[str, Any]:
    """One row of the table."""
    assert run.bundle.vae is not None and run.bundle.unet is not None
    forget_peak()
    with metered(run.bundle.unet) as unet, metered(run.bundle.vae.encoder, run.bundle.vae.decoder) as vae:
        started, busy = now(), time.process_time()
        run.run()
        seconds, busy = now() - started, time.process_time() - busy
    row = {
        "method": run.name, "batch": run.batch, "images": images, "calls": unet.calls,
        "images_in_calls": unet.images, "seconds": round(seconds, 2), "cpu_seconds": round(busy, 2),
        "outside_network": round(1 - unet.seconds / seconds, 4),
        "in_autoencoder": round(vae.seconds / seconds, 4), "peak_mib": round(peak_mib()),
    }  # fmt: skip
    tokens = run.bundle.embed_prompts([""]).shape[1]
    rate = unet.images * flops(run.bundle.unet, tokens=tokens) / unet.seconds
    peak = matrix_peak(run.bundle.device.type, run.bundle.autocast or run.bundle.unet.dtype)
    row |= {"tflops": round(rate / 1e12, 4), "share_of_peak": round(rate / peak, 4)}
    print(row, flush=True)
    return row


def check_equal(case: Case, bundle: Bundle, steps: int, batch: int, dtype: torch.dtype) -> float:
    """Largest difference of our latents from the sequential ones, in deviations of theirs, without TF32.

    Raises:
        SystemExit: If it is above what rounding explains.
    """
    torch.backends.cudnn.allow_tf32 = False
    one, other = (how(case, bundle, steps, batch, dtype) for how in (ours, sequential))
    largest = max(float((one[kind] - other[kind]).abs().max() / other[kind].std()) for kind in PROMPTS)
    if largest > TOLERANCE[dtype]:
        raise SystemExit(f"Our latents differ from the sequential ones by {largest:.2g}, above {TOLERANCE[dtype]:g}.")
    return largest


def load_bundle(generator: str, device: str, dtype: torch.dtype | None = None, **how: Any) -> Bundle:
    """A bundle from a folder, float32 unless it is to be something else; or one of the paper's size, then bfloat16."""
    if generator == "paper_size":
        return paper_size(device, dtype=dtype or torch.bfloat16, compile=how.get("compile", False))
    return Bundle.load(generator, device=device, dtype=dtype or torch.float32, **how)


def main(
    images: int = 8, steps: int = 10, batch: int = 8, few: int = 0, generator: str = "radedit/weights/phantom",
    device: str = "cpu", methods: str = "sequential,ledits,ours,autocast,set", clock: str = "seconds",
    out: str = "outputs/performance",
) -> None:  # fmt: skip
    """Measure them one after the other."""
    bundle = load_bundle(generator, device)
    others = {
        name: load_bundle(generator, device, **how)
        for name, how in {"autocast": {"autocast": "bfloat16"}, "compiled": {"compile": True}}.items()
        if name in methods.split(",")
    }
    data = draw(images, bundle.size)
    case = load(data, bundle)
    some = case.rows(slice(0, few or images))
    about = f"T = {steps}, {images} images of {bundle.size} px, {machine()}"
    assert bundle.unet is not None
    peak, dtype = matrix_peak(bundle.device.type, bundle.unet.dtype), str(bundle.unet.dtype).removeprefix("torch.")
    print(f"{about}; {peak / 1e12:.3g} TFLOP/s in a {dtype} matrix product")
    theirs = replace(bundle, unet=copy.deepcopy(bundle.unet))  # LEDITS++ puts its own attention into the network
    if bundle.vae is not None and bundle.vae.dtype != bundle.unet.dtype:
        theirs = replace(theirs, vae=copy.deepcopy(bundle.vae).to(bundle.unet.dtype))  # and wants one type

    def of(n: int) -> Case:
        return some if n == 1 else case

    def each(name: str, which: Bundle, *sizes: int) -> list[Run]:
        return [Run(name, partial(ours, of(n), which, steps, n), which, n) for n in sizes]

    sizes = sorted({1, batch})
    runs = {
        "sequential": [Run("sequential", partial(sequential, some, bundle, steps), bundle, 1)],
        "ledits": [Run("LEDITS++", partial(ledits, of(n), theirs, steps, n), theirs, n) for n in sizes],
        "ours": each("ours", bundle, *sizes),
        "autocast": each("ours, bfloat16", others.get("autocast", bundle), batch),
        "compiled": each("ours, compiled", others.get("compiled", bundle), *sizes),
        "set": [Run("ours, stress set", partial(stress_set, data, bundle, steps, batch), bundle, batch)],
    }
    # A GPU compiles and chooses kernels for every number of rows; a CPU only has to load its libraries.
    for warm in (bundle, *others.values()):
        for n, T in ((batch, 1), *((n, steps) for n in sizes if device != "cpu" and warm.compiled)):
            started = now()
            ours(case.rows(slice(0, n)), warm, T, n)
            print(f"Warming up with {n} images took {now() - started:.0f} s", flush=True)
    rows = [measure(run, len(of(run.batch).ids)) for method in methods.split(",") for run in runs[method]]
    per_edit = [row[clock] / (len(PROMPTS) * row["images"]) for row in rows]
    rows = [
        {**row, "seconds_an_edit": round(s, 4), "times_faster": round(per_edit[0] / s, 2)}
        for row, s in zip(rows, per_edit, strict=True)
    ]
    write_rows(rows, Path(out) / "editing.csv")
    names = [f"{row['method']}, {row['batch']} at once" for row in rows]
    said = [f"{s:.2f} s, {row['times_faster']:.1f}×" for s, row in zip(per_edit, rows, strict=True)]
    axis = "seconds an edit; × faster than the first"
    draw_bars(names, per_edit, said, axis, f"{about}, {clock}", Path(out) / "editing.png")
    if device != "cpu":
        by_operator(others.get("compiled", bundle), 2 * batch, Path(out) / "operators.csv")
    few_images, precise = case.rows(slice(0, min(3, images))), load_bundle(generator, device, torch.float64)
    single = load_bundle(generator, device, torch.float32) if generator == "paper_size" else bundle
    for which, dtype in ((single, torch.float32), (precise, torch.float64)):
        print(
            f"Largest difference from the paper's loops, {dtype}: {check_equal(few_images, which, 3, batch, dtype):.1e}"
        )


if __name__ == "__main__":
    main(**arguments())
