"""Training of a classifier under test (App. B)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC

from radedit.data.batches.module import ImageData
from radedit.data.io.atomic import write_atomically
from radedit.data.io.fingerprint import plain
from radedit.metrics import dice
from radedit.models.predictors import Network, load_predictor
from radedit.training.augmentation import Augmentation, augment
from radedit.training.autoencoder import warmup_cosine


class ClassifierTraining(L.LightningModule):
    """Binary cross-entropy with AdamW.

    Validation logs `val/auroc`, the metric at whose best step the paper evaluates (App. B and C).

    Args:
        network: To be trained; its label must be one of the data set's.
        lr: Learning rate.
        warmup: Share of the steps in which the rate rises, before it falls to 0 as a cosine; None leaves it fixed.
        weight_decay: Of AdamW; the paper gives none.
        augmentation: Transforms an image with its masks, see `radedit.training.augmentation`; None changes nothing.
        seed: Names the augmentations.
    """

    steps: Tensor

    def __init__(
        self,
        network: Network,
        *,
        lr: float = 1e-5,
        warmup: float | None = None,
        weight_decay: float = 1e-2,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network, self.augmentation = network, augmentation
        self.lr, self.warmup, self.weight_decay, self.seed = lr, warmup, weight_decay, seed
        self.auroc, self.accuracy = BinaryAUROC(), BinaryAccuracy()
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))  # so that the best weights know their step

    def losses(self, batch: dict[str, Any], logits: Tensor | None, mask_logits: Tensor | None) -> dict[str, Tensor]:
        """Terms of the loss by name, of the network's predictions for a batch."""
        if logits is None:
            return {}
        return {"bce": binary_cross_entropy_with_logits(logits.float(), self.target(batch).float())}

    def target(self, batch: dict[str, Any]) -> Tensor:
        """Whether the label is present, shape (B,)."""
        return batch["labels"][str(self.network.label)]

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        key = (self.seed, self.global_step, self.global_rank)
        images, masks = augment(batch["image"], batch["masks"], self.augmentation, *key)
        batch = batch | {"image": images, "masks": masks}
        self.steps.fill_(self.global_step + 1)
        return self.logged("train", batch, *self.network.logits(images))

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        logits, mask_logits = self.network.logits(batch["image"])
        self.logged("val", batch, logits, mask_logits)
        if logits is not None:
            self.auroc.update(logits.float().sigmoid(), self.target(batch))
            self.accuracy.update(logits.float().sigmoid(), self.target(batch))
            self.log_dict({"val/auroc": self.auroc, "val/accuracy": self.accuracy}, prog_bar=True)

    def logged(self, part: str, batch: dict[str, Any], logits: Tensor | None, mask_logits: Tensor | None) -> Tensor:
        """The loss, after logging its terms."""
        terms = self.losses(batch, logits, mask_logits)
        loss = torch.stack(list(terms.values())).sum()
        self.log_dict(
            {f"{part}/{name}": term for name, term in {"loss": loss, **terms}.items()}, batch_size=len(batch["image"])
        )
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        if self.warmup is None:
            return optimizer
        steps = int(self.trainer.max_steps)
        scheduler = warmup_cosine(optimizer, round(self.warmup * steps), steps, floor=0.0)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def export(self, data: ImageData, folder: Path) -> None:
        """Write the predictor into `folder`, and a card of what it learned from and how well."""
        (folder / "card.json").unlink(missing_ok=True)  # of an earlier training, and so of other weights
        self.network.float().save_pretrained(folder)
        shipped = load_predictor(folder)
        card = {
            "hash": shipped.hash,
            "seed": self.seed,
            "steps": int(self.steps),
            "data": {part: plain(getattr(dataset, "fingerprint", None)) for part, dataset in data.datasets.items()},
            "val": validate(shipped, data),
        }
        write_atomically(folder / "card.json", (json.dumps(card, indent=2) + "\n").encode())


@torch.no_grad()
def validate(predictor: Network, data: ImageData) -> dict[str, float]:
    """Figures on the validation images: AUROC, accuracy and the threshold at which it would be highest; mean Dice."""
    auroc, accuracy, overlap = BinaryAUROC(), BinaryAccuracy(), MeanMetric()
    probabilities, labels = [], []
    for batch in data.val_dataloader():
        probability, masks = predictor.predict(batch["image"])
        if probability is not None:
            auroc.update(probability, batch["labels"][predictor.label])
            accuracy.update(probability, batch["labels"][predictor.label])
            probabilities.append(probability.cpu())
            labels.append(batch["labels"][predictor.label].cpu())
        if masks is not None:
            there = batch["masks"].flatten(2).any(-1)
            overlap.update(dice(masks.cpu() >= 0.5, batch["masks"])[there])
    figures = {"dice": round(float(overlap.compute()), 4)} if overlap.update_called else {}
    if probabilities:
        figures |= {"auroc": round(float(auroc.compute()), 4), "accuracy": round(float(accuracy.compute()), 4)}
        figures["threshold"] = best_threshold(torch.cat(probabilities), torch.cat(labels))
    return figures


def best_threshold(probabilities: Tensor, labels: Tensor) -> float:
    """Middle of the probabilities between which a threshold gets most of the labels right; 0.5 if it is one of them."""
    edges = torch.cat([torch.tensor([0.0]), probabilities.float().sort().values, torch.tensor([1.0])])
    middles = (edges[:-1] + edges[1:]) / 2
    right = ((probabilities[None] >= middles[:, None]) == labels[None].bool()).float().mean(1)
    if ((probabilities >= 0.5) == labels.bool()).float().mean() >= right.max():
        return 0.5
    return round(float(middles[right.argmax()]), 4)
