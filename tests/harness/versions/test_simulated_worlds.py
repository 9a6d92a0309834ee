"""In worlds of known truth the group that fails is named, a worse version is refused, and nobody else is.

`experiments/subgroups` asks the same of more worlds.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

WORLDS = range(9100, 9104)  # other than the experiment's


@pytest.fixture(scope="module")
def worlds(repository: Path) -> ModuleType:
    import importlib.util
    import sys

    spec = importlib.util.spec_from_file_location("simulate", repository / "experiments/subgroups/simulate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_planted_failure_is_named_first_and_none_is_named_where_none_was_planted(worlds: ModuleType) -> None:
    for i, seed in enumerate(WORLDS):
        trial, planted = worlds.Trial(seed, 200), worlds.PLANTED[i % 3]
        found = worlds.groups_found(trial, planted, 0.5)
        assert found.worst is not None and planted.items() <= found.worst.where.items()
        assert worlds.groups_found(trial).worst is None


@pytest.mark.slow
def test_a_worse_version_is_refused_and_an_equal_one_is_not(worlds: ModuleType) -> None:
    for seed in WORLDS:
        trial = worlds.Trial(seed, 400)
        assert worlds.new_version(trial, {}) == "pass"
        assert worlds.new_version(trial, {"edit": 0.2}) == "fail"
        assert worlds.new_version(trial, {"source": -0.2}) == "fail"
