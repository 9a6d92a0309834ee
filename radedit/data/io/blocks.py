"""Work on many records in blocks, each done once, however often the run is stopped."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch

from radedit.data.io.atomic import write_atomically
from radedit.data.io.json_lines import json_line, read_json_lines
from radedit.data.io.progress import Progress

Work = Callable[[range], Sequence[Mapping[str, Any]]]  # numbers of records → a row of each


def work_in_blocks(work: Work, n: int, folder: Path, *, block: int, workers: int, what: str) -> None:
    """Do the blocks that are not done yet, several at a time, and keep the rows of each in a file.

    A block is done once its file is there, which comes last: whatever else `work` writes must come out the same when a
    block is begun again. Nothing but the rows of the blocks at work is held in memory.

    Args:
        work: Called in other processes with the numbers of one block's records. It is handed over by forking, so that
            it may hold what can't be pickled, such as a dataset's functions.
        n: Number of records.
        folder: Of the blocks' files; made by this. It is for this work, these records and this `block` only.
        block: Records in a block.
        workers: Processes.
        what: For the progress bar, which is shown on a terminal only.

    Raises:
        ChildProcessError: If a worker was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    blocks = {_file(folder, numbers): numbers for numbers in _blocks(n, block)}
    open_blocks = {file: numbers for file, numbers in blocks.items() if not file.exists()}
    if not open_blocks:
        return
    done = n - sum(map(len, open_blocks.values()))
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, context, initializer=_take, initargs=(work, os.getpid()))
    try:
        with Progress(n, what, "images", done=done) as progress:
            futures = {pool.submit(_do, file, numbers): numbers for file, numbers in open_blocks.items()}
            for future in as_completed(futures):
                future.result()
                progress.add(len(futures[future]))
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "A worker was killed, perhaps for want of memory. Finished blocks are kept: run the same again, with fewer "
            "workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def rows_of(folder: Path, n: int, block: int) -> Iterator[dict[str, Any]]:
    """The rows of all records, in order, block by block.

    Raises:
        FileNotFoundError: If a block is not done.
    """
    for numbers in _blocks(n, block):
        yield from read_json_lines(_file(folder, numbers))


def _blocks(n: int, block: int) -> Iterator[range]:
    return (range(start, min(start + block, n)) for start in range(0, n, block))


def _file(folder: Path, numbers: range) -> Path:
    return folder / f"{numbers.start:08d}-{numbers.stop:08d}.jsonl"


_work: Work | None = None  # of this worker


def _take(work: Work, parent: int) -> None:
    global _work
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)  # a process for each core is enough
    logging.getLogger("radedit.data").setLevel(logging.WARNING)  # not a note on each of hundreds of thousands
    _work = work


def _end_with(parent: int) -> None:
    """End when the run was killed: a worker left behind would wait for ever, and hold the run's locks."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _do(file: Path, numbers: range) -> None:
    assert _work is not None
    lines = [json_line(row, f"Row of {file.name}") for row in _work(numbers)]
    write_atomically(file, "".join(lines).encode())
