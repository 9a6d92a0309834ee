"""A model of the user's own as a predictor under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radedit.harness.predictors.classify import TestedModel
from radedit.models.adapters.loaded import LoadedNetwork
from radedit.models.adapters.own_model import OwnModel
from radedit.types import Dataset

KEY = "own"


def own_tested_model(
    *,
    name: str,
    trained_on: str,
    network: LoadedNetwork,
    label: str | None,
    masks: Sequence[str],
    input: Mapping[str, Any],
    output: Mapping[str, Any],
    device: str,
    own_test: Dataset,
) -> TestedModel:
    """A model with what is declared of it, see `radedit.models.adapters.own_model.OwnModel`.

    Args:
        name: As in tables.
        trained_on: In words.
        network: From an adapter.
        label: The finding that it detects, or None.
        masks: What it draws, or none.
        input: Images that it takes.
        output: What its numbers mean.
        device: Where it runs.
        own_test: Its in-distribution test set.

    Raises:
        ValueError: If the declaration is not complete, or the file of the network says otherwise.
    """
    model = OwnModel(network, label=label, masks=masks, input=input, output=output, device=device)
    kind = "segmenter" if model.masks else "classifier"
    return TestedModel(KEY, name, "", model, own_test, trained_on, model.hash, parameters=network.parameters, kind=kind)
