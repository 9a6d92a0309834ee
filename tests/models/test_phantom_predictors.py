"""The phantoms' predictors are small enough to be trained in minutes and shipped."""

from __future__ import annotations

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch.utils.flop_counter import FlopCounterMode

from radedit.app.configuration import CONF
from radedit.models.predictors import Network

PRESETS = [f"ptx_{bias}_{kind}" for bias in ("confounded", "unconfounded") for kind in ("classifier", "segmenter")]


def build(experiment: str) -> Network:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=[f"+experiment={experiment}"])
    assert config.size == 128
    network: Network = instantiate(config.module.network, _convert_="all")
    return network


@pytest.mark.parametrize("experiment", PRESETS)
def test_an_image_takes_a_twentieth_of_a_billion_multiplications(experiment: str) -> None:
    network = build(experiment)
    with FlopCounterMode(display=False) as counter:
        network.predict(torch.zeros(1, 1, 128, 128))
    assert 0 < counter.get_total_flops() / 2 <= 0.05e9


def test_all_together_have_three_and_a_half_million_weights() -> None:
    assert sum(weight.numel() for name in PRESETS for weight in build(name).parameters()) <= 3.5e6
