"""How many records are edited together is found once, and is then what everybody goes on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch

from radedit.editing import radedit
from radedit.editing.editor import Editor
from radedit.harness.stress.block_size import Found, editing_trial, find_block, kept_block
from radedit.models.bundle.bundle import Bundle


def costing(call: float, record: float, most: int = 10**9) -> Callable[[int], float]:
    """A trial with a fixed cost and one for each record, and memory for `most`."""

    def trial(n: int) -> float:
        if n > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return call + record * n

    return trial


@pytest.mark.parametrize(
    ("call", "record", "most", "block"),
    [
        (0, 1, 10**9, 4),  # nothing to gain
        (2, 1, 10**9, 32),  # 1.0625 at 32, 1.03125 at 64: 3 % less is not worth it
        (1000, 1, 10**9, 256),
        (1000, 1, 40, 32),  # memory ends
    ],
)
def test_number_grows_for_as_long_as_it_pays_and_memory_holds(
    call: float, record: float, most: int, block: int
) -> None:
    found = find_block(costing(call, record, most))
    assert found.block == block
    assert all(each == pytest.approx((call + record * n) / n, abs=1e-6) for n, each in found.seconds.items())


def test_memory_that_holds_not_even_the_least_number_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        find_block(costing(1, 1, most=3))


def test_first_time_is_not_counted_as_it_loads_and_compiles() -> None:
    seen: set[int] = set()

    def trial(n: int) -> float:
        first = n not in seen
        seen.add(n)
        return 100.0 if first else {4: 4.0, 8: 6.0}.get(n, float(n))

    assert find_block(trial).block == 8


def test_number_is_found_once_by_however_many_ask_at_once(tmp_path: Path) -> None:
    found = iter([Found(32, {32: 1.0}), Found(8, {8: 1.0})])

    def ask(_: int) -> int:
        return kept_block(tmp_path / "blocks", {"generator": "a"}, lambda: next(found))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [32] * 4
    (file,) = (tmp_path / "blocks").glob("*.json")
    assert json.loads(file.read_text())["seconds_a_record"] == {"32": 1.0}
    assert kept_block(tmp_path / "blocks", {"generator": "b"}, lambda: next(found)) == 8


@pytest.mark.parametrize("start", [None, 7])
def test_trial_edits_as_a_run_does(start: int | None, bundle: Bundle) -> None:
    trial = editing_trial(bundle, Editor.of(partial(radedit.edit, w=2.0, start=start)), steps=10)
    assert 0 < trial(2) < 60
