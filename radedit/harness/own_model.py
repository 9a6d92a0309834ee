"""A model of the user's own as a predictor under test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radedit.harness.evaluate import Subject
from radedit.models.adapters.loaded import LoadedNetwork
from radedit.models.adapters.own_model import OwnModel
from radedit.types import Reader

KEY = "own"


def own_subject(
    *,
    name: str,
    trained_on: str,
    network: LoadedNetwork,
    label: str | None,
    masks: Sequence[str],
    input: Mapping[str, Any],
    output: Mapping[str, Any],
    device: str,
    own_test: Reader,
) -> Subject:
    """A model with what is declared of it, see `radedit.models.adapters.own_model.OwnModel`.

    Args:
        name: As in tables.
        trained_on: In words.
        network: From an adapter.
        label: The finding that it detects, or None.
        masks: What it draws, or none.
        input: Films that it takes.
        output: What its numbers mean.
        device: Where it runs.
        own_test: Its ordinary test set.

    Raises:
        ValueError: If the declaration is not complete, or the file of the network says otherwise.
    """
    model = OwnModel(network, label=label, masks=masks, input=input, output=output, device=device)
    kind = "segmenter" if model.masks else "classifier"
    return Subject(KEY, name, "", model, own_test, trained_on, model.hash, parameters=network.parameters, kind=kind)
