"""Text encoder with a projection into the joint image–text space, in the shape of CXR-BERT (BioViL-T).

A BERT and a two-layer projection of its [CLS] token: our own small module, so that the published weights load from
safetensors with no remote code, and a small one of ours loads the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast
from transformers.modeling_outputs import MaskedLMOutput

SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,-/()"


class CXRBertConfig(BertConfig):
    """BERT's configuration and the width of the joint space."""

    model_type = "cxr-bert"

    def __init__(self, projection_size: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projection_size = projection_size


class ProjectionHead(nn.Module):
    """From a hidden state to the joint space; names as in the published checkpoint."""

    def __init__(self, config: CXRBertConfig) -> None:
        super().__init__()
        self.dense_to_hidden = nn.Linear(config.hidden_size, config.projection_size)
        self.transform_act_fn = nn.functional.gelu
        self.LayerNorm = nn.LayerNorm(config.projection_size, eps=1e-12)
        self.dense_to_output = nn.Linear(config.projection_size, config.projection_size)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.dense_to_output(self.LayerNorm(self.transform_act_fn(self.dense_to_hidden(hidden))))


class CXRBert(BertForMaskedLM):
    """BERT with a masked-language head and a projection of [CLS] into the joint space."""

    config_class = CXRBertConfig

    def __init__(self, config: CXRBertConfig) -> None:
        super().__init__(config)
        self.cls_projection_head = ProjectionHead(config)
        self.post_init()

    def hidden(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Last hidden states, shape (B, L, D): what the U-Net attends to.

        The released pipeline passes no attention mask, so the default is none.
        """
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    def project(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Embeddings in the joint space, L2-normalised, shape (B, P)."""
        hidden = self.hidden(input_ids, attention_mask)
        return nn.functional.normalize(self.cls_projection_head(hidden[:, 0]), dim=-1)

    def masked_loss(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
        """Masked-language loss; labels are −100 where nothing was masked."""
        output: MaskedLMOutput = self(input_ids=input_ids, attention_mask=attention_mask, labels=labels)
        assert output.loss is not None
        return output.loss


def train_tokenizer(texts: Iterable[str], *, max_length: int, vocabulary: int = 1500) -> PreTrainedTokenizerFast:
    """A lower-case WordPiece tokenizer for `texts`, the same one every time: a resumed training makes it anew.

    Args:
        texts: What it should cover; letters and digits are always covered.
        max_length: Tokens an encoding is padded and cut to.
        vocabulary: Number of word pieces at most.
    """
    special, normalizer = list(SPECIAL_TOKENS.values()), normalizers.BertNormalizer(lowercase=True)
    texts = [normalizer.normalize_str(text) for text in texts]
    characters = sorted({*CHARACTERS, *"".join("".join(texts).split())})
    # Given beforehand, characters within words are all known, and their order is not that of a hash table.
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=[*special, *(f"##{c}" for c in characters)], initial_alphabet=characters
    )
    learned = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learned.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    learned.train_from_iterator(texts, trainer)

    return _word_piece(learned.get_vocab(), normalizer, max_length)


def published_tokenizer(folder: Path, *, max_length: int) -> PreTrainedTokenizerFast:
    """The tokenizer of published CXR-BERT weights, from `vocab.txt` and `tokenizer_config.json`.

    Its class, `CXRBertTokenizer`, is BERT's own under another name, which libraries find only by running the
    publishers' code.

    Args:
        folder: Of the published files.
        max_length: Tokens an encoding is padded and cut to; the released pipeline has 128.

    Raises:
        ValueError: If the vocabulary lacks BERT's special tokens.
    """
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {word: number for number, word in enumerate(words) if word}
    if absent := [token for token in SPECIAL_TOKENS.values() if token not in vocabulary]:
        raise ValueError(f"vocab.txt lacks {', '.join(absent)}: it is not the vocabulary of a BERT")
    normalizer = normalizers.BertNormalizer(
        lowercase=config.get("do_lower_case", True),
        strip_accents=config.get("strip_accents"),
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
    )
    return _word_piece(vocabulary, normalizer, max_length)


def _word_piece(
    vocabulary: dict[str, int], normalizer: normalizers.Normalizer, max_length: int
) -> PreTrainedTokenizerFast:
    """BERT's tokenizer for a vocabulary."""
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    assert cls is not None and sep is not None
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length, **SPECIAL_TOKENS)


def tokenize(tokenizer: Any, texts: Sequence[str], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, each (B, L), padded and cut to the tokenizer's `model_max_length`."""
    tokens = tokenizer(
        list(texts), padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
    )
    return tokens["input_ids"].to(device), tokens["attention_mask"].to(device)
