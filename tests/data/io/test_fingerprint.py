"""One name for everything that determines a result."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from radedit.data.io.fingerprint import content_hash


@dataclass(frozen=True)
class World:
    seed: int


def test_order_of_keys_and_kind_of_sequence_do_not_matter() -> None:
    assert content_hash({"a": 1, "b": [1, 2]}) == content_hash({"b": (1, 2), "a": 1})


def test_15_and_15_point_0_are_one_number() -> None:
    assert content_hash({"w": 15}) == content_hash({"w": 15.0})


@pytest.mark.parametrize(
    ("a", "b"),
    [({"w": 15}, {"w": 15.5}), ({"w": 1}, {"w": True}), ({"w": 1}, {"w": "1"}), ([1, 2], [2, 1]), ({}, {"w": None})],
)
def test_whatever_differs_has_another_hash(a: Any, b: Any) -> None:
    assert content_hash(a) != content_hash(b)


def test_paths_and_dataclasses_count_by_content() -> None:
    assert content_hash(Path("a/b")) == content_hash("a/b")
    assert content_hash(World(1)) == content_hash(World(1)) != content_hash(World(2))


def test_hash_is_the_same_in_another_process() -> None:
    value = {"prompt": "Žádný nález", "w": 15.0, "nested": {"b": [0.1, None], "a": True}}
    code = f"from radedit.data.io.fingerprint import content_hash; print(content_hash({value!r}))"
    root = Path(__file__).resolve().parents[3]
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert other.stdout.strip() == content_hash(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.zeros(2), {1: 2}, {1, 2}, b"x"])
def test_what_has_no_canonical_form_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^editor\.options\[1\] is "):
        content_hash({"editor": {"options": [0, value]}})
