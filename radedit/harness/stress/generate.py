"""Making a stress set, block by block, with any number of processes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radedit.data.image.transforms import preprocess
from radedit.data.io.interruption import Interruption
from radedit.data.io.progress import Progress
from radedit.data.stress_set import StressSetWriter
from radedit.harness.stress.block_editor import BlockEditor, EditPlan, LoadedBlock, structure
from radedit.harness.stress.scenario import Shift, StressData
from radedit.models.bundle.bundle import Bundle

logger = logging.getLogger(__name__)


def require_masks(scenario: Shift, data: StressData, plan: EditPlan, size: int, first: int = 8) -> None:
    """See before any long work that the images have the masks that a scenario needs.

    Raises:
        ValueError: If none of the first images has them, or if there are no images.
    """
    reason = "there are none"
    for record in list(data.source.records)[:first]:
        try:
            sample = preprocess(data.source.load(record), size)
            plan.masks(sample)
            for name in scenario.structures:
                structure(sample, name)
            return
        except (ValueError, OSError) as error:
            reason = str(error).rstrip(".")
    raise ValueError(
        f"None of the first {first} source images can be edited: {reason}. Choose a mask_strategy for which these "
        "images have masks, or a setting whose images have them."
    )


def generate(
    scenario: Shift,
    data: StressData,
    bundle: Bundle,
    plan: EditPlan,
    folder: Path,
    fingerprint: Mapping[str, Any],
    *,
    rank: int = 0,
    world_size: int = 1,
) -> Path:
    """Write the stress set, or what is missing of it; processes that do so at once share its blocks.

    Kinds of images, one row each: `source`, its autoencoder round trip `vae`, its `replay`, the `edit` and what else
    the scenario makes of it (`keep_sham` of a removal, `sham` of an addition); where there is a reference, `reference`,
    `reference_vae`, `reference_replay` and its `sham`; where there is one, the true `counterfactual`; and for the first
    records one kind for each further editor, by its name.

    Args:
        scenario: Prompts and labels.
        data: Datasets.
        bundle: Generator and score encoders.
        plan: Editor, masks, steps, seed.
        folder: Of the stress set.
        fingerprint: Everything that determines the set; a folder with another one is refused.
        rank: Number of this process among those that were started together. The first, 0, waits for the others'
            blocks, makes those that a dead process left, and compiles the manifest; the others return when no block is
            free.
        world_size: How many were; they begin with blocks that are far from each other's.

    Returns:
        The folder.

    Raises:
        KeyboardInterrupt: If Ctrl-C was pressed; the block at work is finished first.
    """
    bundle.require("vae", "unet", "text_encoder", "tokenizer", "image_encoder")
    artist = BlockEditor(scenario, data, bundle, plan)
    records = list(data.source.records)
    n_blocks = -(-len(records) // plan.block)
    order = sorted(range(n_blocks), key=lambda number: ((number - rank) % world_size, number))
    # While a block is edited, the one before is written and the next one's images are loaded. The pools wait for both,
    # even when something else goes wrong.
    with (
        StressSetWriter(folder, fingerprint) as writer,
        Interruption("block") as interruption,
        ThreadPoolExecutor(1) as loading,
        ThreadPoolExecutor(1) as writing,
        _counted_calls(data, bundle, plan, folder),
    ):

        def load(number: int) -> Future[LoadedBlock]:
            return loading.submit(artist.load_block, records[number * plan.block : (number + 1) * plan.block])

        def edited(blocks: Iterable[tuple[int, Future[LoadedBlock]]]) -> None:
            written: Future[None] | None = None
            for number, radiographs in blocks:
                started = time.monotonic()
                rows, images, skipped = artist.block(radiographs.result(), number * plan.block)
                if written is not None:
                    written.result()
                written = writing.submit(writer.write_block, number, rows, images, skipped)
                seconds = time.monotonic() - started
                logger.info(
                    "Block %d of %d edited in %.0f s, %d records skipped", number + 1, n_blocks, seconds, len(skipped)
                )
                interruption.check()
            if written is not None:
                written.result()

        edited(_one_ahead(filter(writer.claim, order), load))
        if rank == 0:
            for number in order:
                if writer.done(number):
                    continue
                if not (claimed := writer.claim(number)):
                    logger.info("Waiting for block %d of %d, at which another process is", number + 1, n_blocks)
                    interruption.release()  # nothing is to be finished: Ctrl-C ends the waiting at once
                    interruption.check()
                    claimed = writer.claim(number, wait=True)
                    interruption.hold()
                if claimed:
                    edited([(number, load(number))])
            writer.finish()
    return folder


@contextmanager
def _counted_calls(data: StressData, bundle: Bundle, plan: EditPlan, folder: Path) -> Iterator[None]:
    """Tell while blocks are edited how many of the network calls are done, and how long the others take."""
    assert bundle.unet is not None
    n, has_reference = len(data.source.records), data.reference is not None
    done = min(n, plan.block * len(list((folder / "rows").glob("block-*.jsonl"))))
    calls = plan.calls(n - done, has_reference=has_reference, done=done) if done < n else 0
    with Progress(calls, "Editing", "network calls") as progress:
        hook = bundle.unet.register_forward_hook(lambda _, inputs, __: progress.add(len(inputs[0])))
        try:
            yield
        finally:
            hook.remove()


def _one_ahead(
    numbers: Iterable[int], load: Callable[[int], Future[LoadedBlock]]
) -> Iterator[tuple[int, Future[LoadedBlock]]]:
    """Each number with its block, of which the loading began when the number before was handed out."""
    ahead: tuple[int, Future[LoadedBlock]] | None = None
    for number in numbers:
        now, ahead = ahead, (number, load(number))
        if now is not None:
            yield now
    if ahead is not None:
        yield ahead
