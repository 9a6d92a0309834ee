"""Training of a segmenter under test, with its classification layer (App. C) or without (App. D)."""

from __future__ import annotations

from typing import Any

from monai.losses.dice import DiceLoss
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torchmetrics import MeanMetric

from radedit.models.predictors import SegmenterWithHead
from radedit.training.classifier import ClassifierTraining


class SegmenterTraining(ClassifierTraining):
    """Binary cross-entropy of the label, and Dice and binary cross-entropy of the masks, with AdamW.

    Validation logs `val/dice`, too.

    Args:
        network: To be trained; its masks must be the data module's, in the same order.
        mask_weight: Weight of the masks' losses; the paper gives none.
        training: See `ClassifierTraining`. App. C: `lr` 5e-4 and `warmup` 0.06.
    """

    def __init__(
        self,
        network: SegmenterWithHead,
        *,
        mask_weight: float = 1.0,
        lr: float = 5e-4,
        warmup: float | None = 0.06,
        **training: Any,
    ) -> None:
        super().__init__(network, lr=lr, warmup=warmup, **training)
        self.mask_weight = mask_weight
        self.overlap = DiceLoss(sigmoid=True, batch=True)  # over the batch: most images have no pneumothorax
        self.dice = MeanMetric()

    def losses(self, batch: dict[str, Any], logits: Tensor | None, mask_logits: Tensor | None) -> dict[str, Tensor]:
        assert mask_logits is not None
        masks, mask_logits = batch["masks"].float(), mask_logits.float()
        if masks.shape[1] != mask_logits.shape[1]:
            raise ValueError(f"The data module serves {masks.shape[1]} masks; the network has {self.network.masks}.")
        overlap = self.mask_weight * self.overlap(mask_logits, masks)
        pixels = self.mask_weight * binary_cross_entropy_with_logits(mask_logits, masks)
        return super().losses(batch, logits, mask_logits) | {"overlap": overlap, "pixels": pixels}

    def logged(self, part: str, batch: dict[str, Any], logits: Tensor | None, mask_logits: Tensor | None) -> Tensor:
        if part == "val" and mask_logits is not None:
            predicted, masks = mask_logits > 0, batch["masks"]
            both, either = ((f.sum(dim=(2, 3))) for f in (predicted & masks, predicted.int() + masks.int()))
            self.dice.update((2 * both / either)[masks.any(dim=(2, 3))])  # of masks that are there
            self.log("val/dice", self.dice, prog_bar=True)
        return super().logged(part, batch, logits, mask_logits)
