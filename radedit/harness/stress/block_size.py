"""How many records an edit takes together: found by trying, and then kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from radedit.data.io.atomic import write_atomically
from radedit.data.io.file_lock import FileLock
from radedit.data.io.fingerprint import content_hash
from radedit.data.io.json_lines import parse_json
from radedit.data.io.provenance import machine
from radedit.editing.editor import Editor
from radedit.editing.noise import record_randn
from radedit.harness.stress.cost import now
from radedit.harness.stress.memory import is_out_of_memory
from radedit.models.bundle.bundle import Bundle
from radedit.types import EditMasks

logger = logging.getLogger(__name__)

SIZES = (4, 8, 16, 32, 64, 128, 256)
GAIN = 0.05  # share of the time that twice as many must save, to be worth a coarser unit of resuming
TRIAL_STEPS = 2


@dataclass(frozen=True)
class Found:
    """The number of records that take least time together.

    Attributes:
        block: So many.
        seconds: Number of records → seconds that each of them took in the trial.
    """

    block: int
    seconds: dict[int, float]


def find_block(trial: Callable[[int], float]) -> Found:
    """Double the number of records for as long as it pays and memory holds them.

    Args:
        trial: Edits so many records, and returns the seconds that it took.

    Raises:
        RuntimeError: As torch raises it, if memory does not hold the least number.
    """
    seconds: dict[int, float] = {}
    block = SIZES[0]
    for n in SIZES:
        try:
            seconds[n] = round(min(trial(n) for _ in range(2)) / n, 6)  # the first time also loads and compiles
        except RuntimeError as error:
            if n == SIZES[0] or not is_out_of_memory(error):
                raise
            break
        if n > block and seconds[n] > (1 - GAIN) * seconds[block]:
            break
        block = n
    return Found(block, seconds)


def editing_trial(bundle: Bundle, editor: Editor, steps: int) -> Callable[[int], float]:
    """An edit and its sham of noise in two steps, with the memory that `steps` of them would hold."""
    bundle.require("vae", "unet", "scheduler", "text_encoder", "tokenizer")
    schedule = bundle.schedule(TRIAL_STEPS)
    f_theta, c = bundle.predictor(schedule), bundle.embed_prompts([""])
    if editor.start is not None:
        editor = Editor.of(partial(editor.edit, start=None))

    def trial(n: int) -> float:
        randn = record_randn(0, [str(i) for i in range(n)], device=bundle.device)
        x_0 = bundle.encode(torch.rand(n, 1, bundle.size, bundle.size, device=bundle.device)).float()
        mask = torch.ones_like(x_0[:, :1])
        # x̂ and z of all steps, and of two copies for the two prompts.
        held = x_0.new_empty((2 * 3 * (steps + 1), *x_0.shape))
        began = now()
        made = editor.edits(f_theta, x_0, {"edit": c, "sham": c}, EditMasks(mask, 0 * mask), schedule, randn)
        seconds = now() - began
        for x in made.values():
            bundle.decode(x)
        del held
        return seconds

    return trial


def kept_block(folder: Path, determines: dict[str, Any], find: Callable[[], Found]) -> int:
    """The number that was found earlier for the same, or is found now; processes that ask at once get the same.

    Args:
        folder: Where numbers are kept, one file each.
        determines: All that it depends on but the machine: another machine that shares the folder goes on with the
            same number, so that it goes on with the same stress set.
        find: Finds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{content_hash(determines)[:12]}.json"
    with FileLock(folder / ".lock", wait=True):
        if not file.exists():
            logger.info("Trying how many records are edited together in the least time.")
            found = find()
            note = {"block": found.block, "seconds_a_record": found.seconds, "machine": machine(), "for": determines}
            write_atomically(file, (json.dumps(note, indent=2) + "\n").encode())
        block = int(parse_json(file.read_text(encoding="utf-8"), file)["block"])
    logger.info("edit.block=auto: %d records together, see %s.", block, file)
    return block
