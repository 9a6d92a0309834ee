"""Noise belongs to a record, not to its place in a batch."""

from __future__ import annotations

import pytest
import torch

from radedit.editing.noise import record_randn


def test_row_depends_on_its_own_record_only() -> None:
    alone = record_randn(0, ["b"])((4, 1, 2, 3, 5))
    together = record_randn(0, ["a", "b", "c"])((4, 3, 2, 3, 5))
    assert torch.equal(together[:, 1:2], alone)


def test_order_of_records_is_order_of_rows() -> None:
    forward = record_randn(0, ["a", "b", "c"])((3, 2, 4, 4))
    backward = record_randn(0, ["c", "b", "a"])((3, 2, 4, 4))
    assert torch.equal(forward.flip(0), backward)


def test_asking_again_gives_the_same() -> None:
    randn = record_randn(0, ["a", "b"])
    assert torch.equal(randn((3, 2, 1, 4, 4)), randn((3, 2, 1, 4, 4)))


@pytest.mark.parametrize(
    ("seed", "record", "stream"), [(1, "a", "edit"), (0, "b", "edit"), (0, "a", "sham"), (0, "a:edit", "")]
)
def test_seed_record_and_stream_each_change_it(seed: int, record: str, stream: str) -> None:
    noise = record_randn(0, ["a"])((1, 1, 8, 8))
    assert not torch.isclose(record_randn(seed, [record], stream=stream)((1, 1, 8, 8)), noise).any()


def test_seed_and_record_do_not_run_together() -> None:
    assert not torch.equal(record_randn(1, ["11"])((1, 1, 8, 8)), record_randn(11, ["1"])((1, 1, 8, 8)))


def test_steps_and_records_are_independent_and_standard_normal() -> None:
    noise = record_randn(3, [f"record {i}" for i in range(6)])((5, 6, 4, 16, 16)).flatten(2).flatten(0, 1)
    n = noise.shape[1]
    assert noise.mean(1).abs().max() < 5 / n**0.5
    assert (noise.var(1) - 1).abs().max() < 5 * (2 / n) ** 0.5
    correlation = torch.corrcoef(noise) - torch.eye(len(noise))
    assert correlation.abs().max() < 5 / n**0.5


def test_global_generator_is_neither_used_nor_moved() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = record_randn(0, ["a"])((1, 1, 4, 4))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(record_randn(0, ["a"])((1, 1, 4, 4)), first)


@pytest.mark.parametrize("shape", [(3, 1, 4, 4), (2, 3, 1, 4, 4), (2, 4, 4)])
def test_a_batch_of_other_size_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="bound to 2 records"):
        record_randn(0, ["a", "b"])(shape)
