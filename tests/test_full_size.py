"""One edit at full size: random weights as large as the published ones, at 512 px.

Four minutes on a busy CPU core, 3 GB of disk, 6 GB of memory.
"""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radedit import edit
from tests.commands import run
from tests.published import overrides, save_image, save_text, save_unet, save_vae

PUBLISHED = {"radedit/unet": 1757849552, "sdxl-vae": 334643268, "biovil-t": 440909232}  # bytes of the weights


def save_full_size(folder: Path) -> None:
    """Repositories of the published sizes. The U-Net's layout is not public: this one is near in parameters."""
    attention = (False, True, True, True, False)
    channels = (128, 256, 512, 768, 1024)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_unet(
            folder / "radedit", sample_size=64, layers_per_block=2, block_out_channels=channels, norm_num_groups=32,
            cross_attention_dim=768, attention_head_dim=tuple(c // 32 for c in channels),
            down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention),
            up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)),
        )  # fmt: skip
        save_vae(
            folder / "sdxl-vae", block_out_channels=(128, 256, 512, 512), layers_per_block=2, norm_num_groups=32
        )  # fmt: skip
    save_text(folder / "biovil-t", d=768, inner=3072, layers=12, heads=12, positions=512, vocabulary=30522)
    save_image(folder / "biovil-t")


@pytest.mark.slow
def test_a_bundle_of_the_published_size_edits_an_image_of_512_px(tmp_path: Path) -> None:
    save_full_size(tmp_path)
    for part, published in PUBLISHED.items():
        (weights,) = (tmp_path / part).glob("*.safetensors")
        assert weights.stat().st_size == pytest.approx(published, rel=0.01)
    rows, columns = np.mgrid[:512, :512]
    Image.fromarray((60 + rows / 8 + 60 * np.sin(columns / 60) ** 2).astype(np.uint8)).save("image.png")
    mask = np.zeros((512, 512), dtype=np.uint8)
    mask[120:320, 60:220] = 255
    Image.fromarray(mask).save("edit.png")
    Image.fromarray(mask[:, ::-1]).save("keep.png")
    arguments = ["image=image.png", "edit_mask=edit.png", "keep_mask=keep.png", "prompt=No acute process.", "out=out"]
    started = time.monotonic()
    sizes = ["generator.size=512", "generator.dtype=float32", "generator.device=cpu", "sampling=card", "steps=2"]
    assert run(edit.main, [*arguments, *overrides(tmp_path), *sizes]) == 0
    seconds, peak = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{seconds:.0f} s with loading, peak {peak:.1f} GB in this process, {torch.get_num_threads()} threads")
    with Image.open("out/image-edited.png") as image:
        assert image.size == (512, 512)
    assert json.loads(Path("out/image.json").read_text())["size"]["generator"] == 512
