"""Folders in the formats of the published weights, random and small: what `generator=radedit_hub` is pointed at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor

SIZE = 64  # px; 8 px a latent cell, as published
GOLDEN = Path(__file__).parent / "models" / "golden"
IMAGE_FILE = "biovil_t_image_model_proj_size_128.pt"

# config.json of BioViL-T's text encoder on the branch main, which names no model_type; but small
TEXT_CONFIG = {
    "architectures": ["CXRBertModel"], "attention_probs_dropout_prob": 0.25, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.25, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
    "position_embedding_type": "absolute", "torch_dtype": "float32", "transformers_version": "4.17.0",
    "type_vocab_size": 2, "use_cache": True,
    "auto_map": {
        "AutoConfig": "configuration_cxrbert.CXRBertConfig", "AutoModel": "modeling_cxrbert.CXRBertModel",
    },
}  # fmt: skip
TOKENIZER_CONFIG = {
    "do_lower_case": True, "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
    "mask_token": "[MASK]", "tokenize_chinese_chars": True, "strip_accents": None, "do_basic_tokenize": True,
    "tokenizer_class": "CXRBertTokenizer", "auto_map": {
        "AutoTokenizer": ["configuration_cxrbert.CXRBertTokenizer", None],
    },
}  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz.,-"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "acute", "process", "pneumo", "##thorax", "left"]
VOCABULARY += [*LETTERS, *(f"##{letter}" for letter in LETTERS)]


def text_weights(
    *, d: int, inner: int, projection: int, vocabulary: int, positions: int, layers: int = 2
) -> dict[str, Tensor]:
    """Random weights with the names and shapes that transformers 4 gave BERT, and CXR-BERT's projection.

    At the published sizes these are 440.9 MB, as in the release, which tells that its file has BERT's pooler, and
    the word embeddings only once: the decoder of masked words shares them.
    """
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (vocabulary, d),
        "bert.embeddings.position_embeddings.weight": (positions, d),
        "bert.embeddings.token_type_embeddings.weight": (2, d),
        "cls.predictions.bias": (vocabulary,),
    }

    def linear(name: str, n_out: int, n_in: int) -> None:
        shapes.update({f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)})

    def norm(name: str, n: int) -> None:
        shapes.update({f"{name}.weight": (n,), f"{name}.bias": (n,)})

    norm("bert.embeddings.LayerNorm", d)
    for i in range(layers):
        layer = f"bert.encoder.layer.{i}"
        for name in ("query", "key", "value"):
            linear(f"{layer}.attention.self.{name}", d, d)
        linear(f"{layer}.attention.output.dense", d, d)
        norm(f"{layer}.attention.output.LayerNorm", d)
        linear(f"{layer}.intermediate.dense", inner, d)
        linear(f"{layer}.output.dense", d, inner)
        norm(f"{layer}.output.LayerNorm", d)
    linear("bert.pooler.dense", d, d)
    linear("cls.predictions.transform.dense", d, d)
    norm("cls.predictions.transform.LayerNorm", d)
    linear("cls_projection_head.dense_to_hidden", projection, d)
    norm("cls_projection_head.LayerNorm", projection)
    linear("cls_projection_head.dense_to_output", projection, projection)
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return weights | {"bert.embeddings.position_ids": torch.arange(positions)[None]}


def image_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published image encoder's 372 tensors, as hi-ml-multimodal 0.2.2 lists them."""
    lines = (GOLDEN / "biovil_t_image_tensors.txt").read_text().splitlines()
    named = (line.split() for line in lines)
    return {name: () if shape == "scalar" else tuple(map(int, shape.split("x"))) for name, shape in named}


def image_weights() -> dict[str, Tensor]:
    """Random weights of them, of a scale at which images differ."""
    generator = torch.Generator().manual_seed(0)

    def draw(name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("num_batches_tracked"):
            return torch.zeros(shape, dtype=torch.long)
        if name.endswith("running_var"):
            return torch.ones(shape)
        if len(shape) == 1:
            return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        fan_in = torch.Size(shape[1:]).numel()
        return torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5

    return {name: draw(name, shape) for name, shape in image_shapes().items()}


def save_unet(folder: Path, **changes: Any) -> None:
    """`microsoft/radedit`, but for what is not read of it."""
    config: dict[str, Any] = {
        "sample_size": SIZE // 8, "block_out_channels": (8, 8), "layers_per_block": 1, "cross_attention_dim": 12,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": 2, "norm_num_groups": 4,
    }  # fmt: skip
    UNet2DConditionModel(**(config | changes)).save_pretrained(folder / "unet")


def save_vae(folder: Path, **changes: Any) -> None:
    """`stabilityai/sdxl-vae`: three channels, eight pixels a cell, trained at 1024 px."""
    config: dict[str, Any] = {
        "block_out_channels": (8, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4,
        "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
        "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True,
    }  # fmt: skip
    AutoencoderKL(**(config | changes)).save_pretrained(folder)


def save_text(
    folder: Path, *, d: int = 12, inner: int = 20, layers: int = 2, heads: int = 2, positions: int = 128,
    vocabulary: int = len(VOCABULARY),
) -> None:  # fmt: skip
    """`microsoft/BiomedVLP-BioViL-T`: text encoder and tokenizer, of d = 768, inner = 3072, … where published."""
    folder.mkdir(parents=True, exist_ok=True)
    config = TEXT_CONFIG | {
        "hidden_size": d, "intermediate_size": inner, "projection_size": 128, "vocab_size": vocabulary,
        "max_position_embeddings": positions, "num_attention_heads": heads, "num_hidden_layers": layers,
    }  # fmt: skip
    weights = text_weights(d=d, inner=inner, projection=128, vocabulary=vocabulary, positions=positions, layers=layers)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def save_image(folder: Path) -> None:
    """`microsoft/BiomedVLP-BioViL-T`: the checkpoint of the image encoder, in full size."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(image_weights(), folder / IMAGE_FILE)


def save_published(folder: Path) -> Path:
    """Copies of the three repositories, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_unet(folder / "radedit")
        save_vae(folder / "sdxl-vae")
    save_text(folder / "biovil-t")
    save_image(folder / "biovil-t")
    return folder


def overrides(folder: Path) -> list[str]:
    """What points `generator=radedit_hub` at them; random weights have neither the size nor the checksum."""
    places = {"unet": "radedit", "vae": "sdxl-vae", "text_encoder": "biovil-t", "image_encoder": "biovil-t"}
    return [
        "generator=radedit_hub",
        f"generator.size={SIZE}",
        *(f"generator.{part}.folder={folder / place}" for part, place in places.items()),
        *(f"generator.{part}.size=null" for part in places),
        "generator.image_encoder.md5=null",
    ]
