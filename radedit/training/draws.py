"""What chance adds to a batch of the diffusion training: timesteps, noise, dropped reports, the order of sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from radedit.data.batches.module import randn_at, step_generator
from radedit.models.encoders.text_encoder import tokenize


@dataclass(frozen=True)
class Draws:
    """A function of (seed, step, rank), on the CPU: so that a loader's workers can draw while the network is at work.

    Attributes:
        tokenizer: Of the text encoder.
        levels: Timesteps of the noise schedule.
        dropout: Probability that a report is replaced by the empty string.
        seed: Of all draws.
    """

    tokenizer: Any
    levels: int
    dropout: float
    seed: int

    def __call__(self, batch: dict[str, Any], step: int, rank: int, *, dropout: float | None = None) -> dict[str, Any]:
        """A batch as the network is shown it.

        Args:
            batch: `latent`, shape (B, C, h, w), and `report`, B texts.
            step: Of the training; a validation has −1.
            rank: This process among all; of a validation the number of the batch.
            dropout: Instead of `self.dropout`.

        Returns:
            `latent`, `t` (B,), `noise` as `latent`, `tokens` (U, L) of the U different texts, and `text` (B,), which of
            these each latent has: many a report is dropped, or says the same.
        """
        x_0: Tensor = batch["latent"]
        generator = step_generator(self.seed, step + 1, rank)
        t = torch.randint(0, self.levels, (len(x_0),), generator=generator)
        drop = torch.rand(len(x_0), generator=generator) < (self.dropout if dropout is None else dropout)
        texts = self.texts(batch["report"], drop, generator)
        noise = randn_at(x_0.shape, self.seed, step + 1, rank, 1, like=x_0)
        rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        text = torch.tensor([rows[text] for text in texts])
        return {"latent": x_0, "t": t, "noise": noise, "tokens": tokenize(self.tokenizer, list(rows))[0], "text": text}

    def texts(self, reports: Sequence[str], drop: Tensor, generator: torch.Generator) -> list[str]:
        """Reports with their sentences in random order, or empty where they are dropped."""
        return [
            "" if dropped else shuffle_sentences(report, generator)
            for report, dropped in zip(reports, drop.tolist(), strict=True)
        ]


def shuffle_sentences(report: str, generator: torch.Generator) -> str:
    """The report's sentences in random order (App. A; the tokenizer then clips). `2. Effusion.` is one sentence."""
    sentences = re.split(r"(?<=[.!?])(?<!\s\d\.)\s+", f"\n{report.strip()}")
    sentences[0] = sentences[0].removeprefix("\n")
    order = torch.randperm(len(sentences), generator=generator).tolist()
    return " ".join(sentences[i] for i in order)
