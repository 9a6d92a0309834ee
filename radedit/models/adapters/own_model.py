"""A user's own model as a predictor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from radedit.models.adapters.declared import Input, Output
from radedit.models.adapters.loaded import LoadedNetwork, hash_files
from radedit.models.adapters.output import maps_of, numbers_of, place_of, tensor_of
from radedit.models.predictors import Prediction


class OwnModel:
    """A network from an adapter, with what its user declares of it.

    Images of any side are resized to the declared one, and masks back to the images'. Probabilities are the network's
    own, but for a threshold other than 0.5, see `Output.centred`.

    Args:
        network: From an adapter's `load`.
        label: The finding that it detects; None if it draws masks.
        masks: What it draws, a name for each of its outputs in their order; empty if it detects a finding.
        input: Images that it takes, as `Input` or a mapping of its attributes.
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
        """Side of the images that it takes, px."""
        return self.input.size

    @property
    def hash(self) -> str:
        """Names its files and its declaration."""
        declared = [asdict(self.input), asdict(self.output), self.label, self.masks]
        return hash_files(also=self.network.hash + json.dumps(declared, sort_keys=True))

    def with_input(self, **changed: Any) -> OwnModel:
        """The same network, given other images than were declared: to see which it was made for."""
        return OwnModel(
            replace(self.network, facts={}), label=self.label, masks=self.masks,
            input=replace(self.input, **changed), output=self.output, device=self.device,
        )  # fmt: skip

    @torch.no_grad()
    def numbers(self, images: Tensor) -> Tensor:
        """The network's own numbers on images (B, 1, H, W) in [0, 1]: (B, K), or (B, K, h, w) of one that draws.

        Raises:
            ValueError: If it can't take them, or returns another form than was declared.
        """
        batch = self.input.prepare(images.to(self.device, torch.float32))
        n = len(batch)
        at_a_time = (self.network.shape or (None,))[0] or n
        filled = torch.cat([batch, batch[-1:].repeat(-n % at_a_time, 1, 1, 1)])  # for a network whose batch is fixed
        try:
            predictions = [self.network.prediction(part) for part in filled.split(at_a_time)]
        except Exception as error:  # every library raises its own
            said = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()  # tracebacks come first
            raise ValueError(f"The model can't take {self._said_of_input()}, {tuple(batch.shape)}: {said}") from error
        parts = [
            self._of(tensor_of(prediction, self.output.item).float().cpu(), at_a_time) for prediction in predictions
        ]
        return torch.cat(parts)[:n]

    def _of(self, found: Tensor, n: int) -> Tensor:
        """The numbers on `n` images in the form that they are declared to have."""
        return maps_of(found, n, self.masks, self.input.layout) if self.masks else numbers_of(found, n)

    def predict(self, images: Tensor) -> Prediction:
        """Probabilities, on the CPU; the declared threshold lies at 0.5.

        Args:
            images: Grey levels in [0, 1], shape (B, 1, H, W).

        Raises:
            ValueError: If the network returns another form than was declared.
        """
        numbers = self.numbers(images)
        if self.masks:
            drawn = self.output.probabilities(numbers)
            if drawn.shape[-2:] != images.shape[-2:]:
                drawn = interpolate(drawn, images.shape[-2:], mode="bilinear", align_corners=False)
            return Prediction(None, self.output.centred(drawn))
        k = numbers.shape[1]
        if self._place is None and k > 1:
            raise ValueError(
                f"The model returns {k} numbers for each image. Say which is {self.label}: predictor.output.index=…, "
                "counted from 0."
            )
        if self.output.kind == "softmax" and k == 1:
            raise ValueError("The model returns one number for each image, of which a softmax is always 1.")
        place = self._place or 0
        if not 0 <= place < k:
            raise ValueError(f"predictor.output.index is {place}, but the model has {k} outputs, counted from 0.")
        return Prediction(self.output.centred(self.output.probabilities(numbers)[:, place]), None)

    def _check_facts(self) -> None:
        """That the declaration is what the network's own files say."""
        facts = dict(self.network.facts)
        kind = facts.pop("kind", None)
        if kind is not None and kind != self.output.kind:
            raise ValueError(
                f"predictor.output.kind is {self.output.kind}, but by the model's own files its numbers are of kind "
                f"{kind}. Say predictor.output.kind={kind}."
            )
        channels = facts.pop("channels", self.input.channels)
        if channels != self.input.channels:
            raise ValueError(
                f"predictor.input.channels is {self.input.channels}, but the model's own files say {channels}. Say "
                f"predictor.input.channels={channels}."
            )
        if not facts:
            return
        said = replace(self.input, **{"range": (0, 1), "mean": None, "std": None, **facts})
        ours, theirs = self.input.extremes(), said.extremes()
        if all(abs(a - b) <= 1e-3 * max(1.0, abs(b)) for a, b in zip(ours, theirs, strict=True)):
            return
        differing = [name for name in ("range", "mean", "std") if getattr(self.input, name) != getattr(said, name)]
        listed = ", ".join(f"{name} {_listed(getattr(self.input, name))}" for name in differing)
        right = " and ".join(f"{name} {_listed(getattr(said, name))}" for name in differing)
        typed = " ".join(
            f"predictor.input.{name}={_listed(getattr(said, name)).replace(' ', '')}" for name in differing
        )
        raise ValueError(f"predictor.input has {listed}, but the model's own files say {right}. Say {typed}.")

    def _check_shape(self) -> None:
        """That the network takes images of the declared shape."""
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
        return f"images of {size}×{size} px with {channels} channel{'s' * (channels > 1)}, {self.input.layout}"


def _listed(value: Sequence[float] | None) -> str:
    """As it is typed: whole numbers without a point."""
    if value is None:
        return "null"
    return str([int(one) if float(one).is_integer() else round(float(one), 6) for one in value])
