"""Which of a model's numbers are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor


def tensor_of(prediction: Any, item: int | str | None) -> Tensor:
    """The tensor that is meant among those that a model returns.

    Args:
        prediction: A tensor, or several in a sequence or mapping.
        item: Position or name of the one that is meant; None where there is one only.

    Raises:
        ValueError: If there are several and none is named, there is no such one, or it is no tensor.
    """
    if isinstance(prediction, Mapping | list | tuple):
        several = dict(prediction) if isinstance(prediction, Mapping) else dict(enumerate(prediction))
        names = list(several)
        if item is None and len(names) > 1:
            raise ValueError(
                f"The model returns {len(names)} tensors: {', '.join(map(str, names))}. Say which is meant: "
                "predictor.output.item=…"
            )
        chosen = names[0] if item is None else item
        if chosen not in several:
            raise ValueError(f"predictor.output.item is {item!r}; the model has {', '.join(map(str, names))}.")
        prediction = several[chosen]
    if not isinstance(prediction, Tensor):
        raise ValueError(f"The model returns a {type(prediction).__name__}; expected a tensor.")
    return prediction


def place_of(index: int | str | None, label: str | None, classes: Sequence[str]) -> int | None:
    """Position of the finding among a model's outputs.

    Args:
        index: As declared.
        label: The finding.
        classes: Names of the outputs, where the model's file has them.

    Returns:
        The declared position, or that of the name; None where the outputs have no names and none is declared.

    Raises:
        ValueError: If no output has that name.
    """
    if isinstance(index, int) or (index is None and not classes):
        return index
    wanted = index or label or ""
    places = [i for i, name in enumerate(classes) if _plain(name) == _plain(wanted)]
    if len(places) != 1:
        has = ", ".join(f"{i} {name}" for i, name in enumerate(classes) if name) or "no names for its outputs"
        raise ValueError(f"The model has no output {wanted!r}; it has {has}. Say which: predictor.output.index=…")
    return places[0]


def numbers_of(found: Tensor, n: int) -> Tensor:
    """A classifier's numbers on `n` images, shape (n, K).

    Raises:
        ValueError: If they have another form.
    """
    if n == 1 and found.ndim in (0, 1):  # of a network that ends in squeeze(), and of one image
        found = found.reshape(1, -1)
    if found.ndim not in (1, 2) or len(found) != n or not found.numel():
        raise ValueError(
            f"The model returns shape {tuple(found.shape)} for {n} images; expected ({n},) or ({n}, K). If it draws "
            "masks, say predictor.label=null predictor.masks=[…]."
        )
    return found.reshape(n, -1)


def maps_of(found: Tensor, n: int, masks: Sequence[str], layout: str) -> Tensor:
    """A segmenter's numbers on `n` images, shape (n, K, H, W), one of K for each of `masks`.

    Raises:
        ValueError: If they have another form.
    """
    # A network that ends in squeeze() drops what there is one of: the image, the mask, or both.
    if found.ndim == 2 and n == 1:
        found = found[None]
    if found.ndim == 3 and len(masks) == 1 and len(found) == n:
        found = found.unsqueeze(1 if layout == "nchw" else -1)
    elif found.ndim == 3 and n == 1:
        found = found[None]
    found = found.permute(0, 3, 1, 2) if found.ndim == 4 and layout == "nhwc" else found
    if found.ndim != 4 or found.shape[:2] != (n, len(masks)):
        raise ValueError(
            f"The model returns shape {tuple(found.shape)} for {n} images; expected ({n}, {len(masks)}, H, W), an "
            f"output for each of predictor.masks: {', '.join(masks)}."
        )
    return found


def _plain(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")
