"""A user's own model as a predictor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from radedit.models.adapters.answer import maps_of, numbers_of, place_of, tensor_of
from radedit.models.adapters.declared import Input, Output
from radedit.models.adapters.loaded import LoadedNetwork, hash_files
from radedit.models.predictors import Prediction


class OwnModel:
    """A network from an adapter, with what its user declares of it.

    Films of any side are resized to the declared one, and masks back to the films'. Probabilities are the network's
    own, but for a threshold other than 0.5, see `Output.centred`.

    Args:
        network: From an adapter's `load`.
        label: The finding that it detects; None if it draws masks.
        masks: What it draws, a name for each of its outputs in their order; empty if it detects a finding.
        input: Films that it takes, as `Input` or a mapping of its attributes.
        output: What its numbers mean, as `Output` or a mapping of its attributes.
        device: Where it runs.

    Raises:
        ValueError: If the declaration is not complete, or the file of the network says otherwise.
    """

    def __init__(
        self,
        network: LoadedNetwork,
        *,
        label: str | None,
        masks: Sequence[str] = (),
        input: Input | Mapping[str, Any],
        output: Output | Mapping[str, Any],
        device: str = "cpu",
    ) -> None:
        self.network, self.label, self.masks, self.device = network, label, tuple(masks), device
        self.input, self.output = Input.of(input), Output.of(output)
        if (label is None) == (not self.masks):
            raise ValueError(
                f"The model detects {label or 'nothing'} and draws {', '.join(self.masks) or 'nothing'}. Declare one "
                "of the two: predictor.label=pneumothorax, or predictor.masks=[right_lung,left_lung]."
            )
        self._place = None if self.masks else place_of(self.output.index, label, network.classes)
        self._check_facts()
        self._check_shape()

    @property
    def size(self) -> int:
        """Side of the films that it takes, px."""
        return self.input.size

    @property
    def hash(self) -> str:
        """Names its files and its declaration."""
        declared = [asdict(self.input), asdict(self.output), self.label, self.masks]
        return hash_files(also=self.network.hash + json.dumps(declared, sort_keys=True))

    def with_input(self, **changed: Any) -> OwnModel:
        """The same network, given other films than were declared: to see which it was made for."""
        return OwnModel(
            replace(self.network, facts={}), label=self.label, masks=self.masks,
            input=replace(self.input, **changed), output=self.output, device=self.device,
        )  # fmt: skip

    @torch.no_grad()
    def numbers(self, films: Tensor) -> Tensor:
        """The network's own numbers on films (B, 1, H, W) in [0, 1]: (B, K), or (B, K, h, w) of one that draws.

        Raises:
            ValueError: If it can't take them, or answers in another form than was declared.
        """
        batch = self.input.prepare(films.to(self.device, torch.float32))
        n = len(batch)
        at_a_time = (self.network.shape or (None,))[0] or n
        filled = torch.cat([batch, batch[-1:].repeat(-n % at_a_time, 1, 1, 1)])  # for a network whose batch is fixed
        try:
            answers = [self.network.answer(part) for part in filled.split(at_a_time)]
        except Exception as error:  # every library raises its own
            said = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()  # tracebacks come first
            raise ValueError(f"The model can't take {self._said_of_input()}, {tuple(batch.shape)}: {said}") from error
        found = torch.cat([tensor_of(answer, self.output.item) for answer in answers]).float().cpu()
        found = found[:n] if len(found) == len(filled) else found
        return maps_of(found, n, self.masks, self.input.layout) if self.masks else numbers_of(found, n)

    def predict(self, films: Tensor) -> Prediction:
        """Probabilities, on the CPU; the declared threshold lies at 0.5.

        Args:
            films: Grey levels in [0, 1], shape (B, 1, H, W).

        Raises:
            ValueError: If the network answers in another form than was declared.
        """
        numbers = self.numbers(films)
        if self.masks:
            drawn = self.output.probabilities(numbers)
            if drawn.shape[-2:] != films.shape[-2:]:
                drawn = interpolate(drawn, films.shape[-2:], mode="bilinear", align_corners=False)
            return Prediction(None, self.output.centred(drawn))
        k = numbers.shape[1]
        if self._place is None and k > 1:
            raise ValueError(
                f"The model answers each film with {k} numbers. Say which is {self.label}: predictor.output.index=…, "
                "counted from 0."
            )
        if self.output.kind == "softmax" and k == 1:
            raise ValueError("The model answers each film with one number, of which a softmax is always 1.")
        place = self._place or 0
        if not 0 <= place < k:
            raise ValueError(f"predictor.output.index is {place}, but the model has {k} outputs, counted from 0.")
        return Prediction(self.output.centred(self.output.probabilities(numbers)[:, place]), None)

    def _check_facts(self) -> None:
        """That the declaration is what the network's own files say."""
        for name, said in self.network.facts.items():
            declared = getattr(self.input, name)
            if declared is None or [round(x, 4) for x in declared] != [round(float(x), 4) for x in said]:
                listed = None if declared is None else list(declared)
                raise ValueError(
                    f"predictor.input.{name} is {listed}, but the model's own files say {list(said)}. Say "
                    f"predictor.input.{name}={str(list(said)).replace(' ', '')}."
                )

    def _check_shape(self) -> None:
        """That the network takes films of the declared shape."""
        taken, shape = self.network.shape, self.input.shape()
        if taken is None or (
            len(taken) == 4 and all(side in (None, ours) for side, ours in zip(taken[1:], shape, strict=True))
        ):
            return
        said = ", ".join("free" if side is None else str(side) for side in taken)
        raise ValueError(
            f"The model takes batches of shape ({said}), but {self._said_of_input()} were declared, (free, "
            f"{', '.join(map(str, shape))}). Say predictor.input.size, .channels or .layout, or export it again."
        )

    def _said_of_input(self) -> str:
        size, channels = self.input.size, self.input.channels
        return f"films of {size}×{size} px with {channels} channel{'s' * (channels > 1)}, {self.input.layout}"
