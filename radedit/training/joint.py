"""Contrastive training of the joint image–text space (what BioViL-T is to the paper)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from radedit.data.batches.module import ImageData, step_generator
from radedit.models.bundle.bundle import Bundle
from radedit.models.encoders.biovil_image import BioVilImage
from radedit.models.encoders.image_encoder import ImageEncoder
from radedit.models.encoders.text_encoder import CXRBert, tokenize
from radedit.training.autoencoder import warmup_cosine


class JointTraining(L.LightningModule):
    """Symmetric InfoNCE over image–report pairs, and masked language modelling, as BioViL-T does.

    Images whose reports read alike are positives of one another, else every normal image would repel its like.

    Args:
        text_encoder, image_encoder: To be trained.
        tokenizer: Of the text encoder.
        lr: Learning rate of AdamW.
        mask_share: Share of the tokens that is masked.
        mlm_weight: Weight of the masked-language loss.
        seed: Names the masking.
    """

    def __init__(
        self,
        text_encoder: CXRBert,
        image_encoder: ImageEncoder | BioVilImage,
        tokenizer: Any,
        *,
        lr: float = 1e-3,
        warmup: int = 50,
        mask_share: float = 0.15,
        mlm_weight: float = 0.3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.text_encoder, self.image_encoder, self.tokenizer = text_encoder, image_encoder, tokenizer
        self.log_temperature = nn.Parameter(torch.tensor(2.5))
        self.lr, self.warmup, self.mask_share, self.mlm_weight, self.seed = lr, warmup, mask_share, mlm_weight, seed

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        loss, _ = self.contrast(batch)
        generator = step_generator(self.seed, self.global_step, self.global_rank)
        mlm = self.masked(batch["report"], generator)
        self.log_dict({"train/contrast": loss, "train/mlm": mlm}, prog_bar=True)
        return loss + self.mlm_weight * mlm

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        loss, hit = self.contrast(batch)
        self.log_dict({"val/loss": loss, "val/retrieval": hit}, prog_bar=True, batch_size=len(batch["report"]))

    def contrast(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Contrastive loss, and how often an image's nearest report of the batch is one of its own."""
        reports = batch["report"]
        text = self.text_encoder.project(*tokenize(self.tokenizer, reports, self.device))
        image = self.image_encoder(batch["image"])
        logits = self.log_temperature.clamp(max=4.6).exp() * image.float() @ text.float().T
        alike = torch.tensor([[a == b for b in reports] for a in reports], device=self.device)
        target = alike / alike.sum(dim=1, keepdim=True)
        loss = 0.5 * (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target))
        return loss, alike.gather(1, logits.argmax(dim=1, keepdim=True)).float().mean()

    def masked(self, reports: list[str], generator: torch.Generator) -> Tensor:
        """Masked-language loss."""
        input_ids, attention = tokenize(self.tokenizer, reports, self.device)
        special = torch.isin(input_ids, torch.tensor(self.tokenizer.all_special_ids, device=self.device))
        drawn = torch.rand(input_ids.shape, generator=generator).to(self.device) < self.mask_share
        chosen = drawn & ~special
        labels = input_ids.masked_fill(~chosen, -100)
        if not chosen.any():
            return labels.new_zeros((), dtype=torch.float32)
        return self.text_encoder.masked_loss(
            input_ids.masked_fill(chosen, self.tokenizer.mask_token_id), attention, labels
        )

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=1e-2)
        scheduler = warmup_cosine(optimizer, self.warmup, self.trainer.max_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def export(self, data: ImageData, folder: Path) -> None:
        """Write `text_encoder/`, `tokenizer/` and `image_encoder/`."""
        Bundle(
            text_encoder=self.text_encoder.float().eval(),
            image_encoder=self.image_encoder.float().eval(),
            tokenizer=self.tokenizer,
        ).save(folder)
