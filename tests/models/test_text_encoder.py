"""Reports become token embeddings and points of the joint space, with the published weights' layout and behaviour."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import BertTokenizer

from radedit.models.bundle.bundle import Bundle
from radedit.models.encoders.text_encoder import SPECIAL_TOKENS, CXRBert, published_tokenizer, tokenize, train_tokenizer
from radedit.phantom.reports import phrases
from tests.published import TOKENIZER_CONFIG, VOCABULARY, text_weights
from tests.tiny_bundle import WORDS

# config.json of CXR-BERT, as microsoft/hi-ml's modelling code writes it, but small
PUBLISHED_CONFIG = {
    "architectures": ["CXRBertModel"], "attention_probs_dropout_prob": 0.25, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.25, "hidden_size": 12, "initializer_range": 0.02, "intermediate_size": 20,
    "layer_norm_eps": 1e-12, "max_position_embeddings": 24, "model_type": "cxr-bert", "num_attention_heads": 2,
    "num_hidden_layers": 2, "pad_token_id": 0, "position_embedding_type": "absolute", "projection_size": 6,
    "torch_dtype": "float32", "transformers_version": "4.17.0", "type_vocab_size": 2, "use_cache": True,
    "vocab_size": 30,
    "auto_map": {
        "AutoConfig": "configuration_cxrbert.CXRBertConfig", "AutoModel": "modeling_cxrbert.CXRBertModel",
    },
}  # fmt: skip


TOKENIZER = train_tokenizer(WORDS, max_length=12, vocabulary=160)


def published_weights() -> dict[str, Tensor]:
    return text_weights(d=12, inner=20, projection=6, vocabulary=30, positions=24)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle's folder with a text encoder as it was published."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "text_encoder").mkdir()
    (folder / "text_encoder" / "config.json").write_text(json.dumps(PUBLISHED_CONFIG))
    save_file(published_weights(), folder / "text_encoder" / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def encoder(bundle: Bundle) -> CXRBert:
    assert bundle.text_encoder is not None
    return bundle.text_encoder


def test_published_weights_load_without_their_code(published: Path) -> None:
    encoder = Bundle.load(published).text_encoder
    assert encoder is not None
    loaded, weights = encoder.state_dict(), published_weights()
    unused = {"bert.embeddings.position_ids", "bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    shared = {
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }
    assert set(weights) - set(loaded) == unused
    assert set(loaded) - set(weights) <= set(shared)
    assert all(torch.equal(loaded[name], weights[source]) for name, source in shared.items() if name in loaded)
    assert all(torch.equal(loaded[name], weights[name]) for name in loaded if name in weights)


def test_a_configuration_without_a_model_type_is_read(published: Path, tmp_path: Path) -> None:
    """As on the release's branch main."""
    config = {key: value for key, value in PUBLISHED_CONFIG.items() if key != "model_type"}
    save_file(published_weights(), tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(config))
    encoder, other = CXRBert.from_pretrained(tmp_path).eval(), Bundle.load(published).text_encoder
    assert encoder.config.projection_size == 6 and other is not None
    input_ids = torch.tensor([[2, 7, 9, 3]])
    assert torch.equal(encoder.hidden(input_ids), other.hidden(input_ids))


@pytest.mark.parametrize("lower", [True, False])
def test_published_tokenizer_is_berts(tmp_path: Path, lower: bool) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG | {"do_lower_case": lower}))
    ours = published_tokenizer(tmp_path, max_length=20)
    berts = BertTokenizer(
        vocab={word: number for number, word in enumerate(VOCABULARY)}, do_lower_case=lower, model_max_length=20
    )
    texts = ["No acute process.", "Left PNEUMOTHORAX, œdème 3 cm", "", "a [MASK] b-c", "left " * 30]
    expected = berts(texts, padding="max_length", truncation=True, max_length=20)
    found = ours(texts, padding="max_length", truncation=True, max_length=20)
    assert found["input_ids"] == expected["input_ids"]
    assert found["attention_mask"] == expected["attention_mask"]


def test_published_tokenizer_by_hand(tmp_path: Path) -> None:
    """[CLS] no acute pneumo ##thorax . [SEP] [PAD] … are lines of vocab.txt, counted from 0."""
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG))
    input_ids, attention = tokenize(published_tokenizer(tmp_path, max_length=9), ["No acute pneumothorax."])
    assert input_ids.tolist() == [[2, 5, 6, 8, 9, 37, 3, 0, 0]]
    assert attention.tolist() == [[1, 1, 1, 1, 1, 1, 1, 0, 0]]


def test_a_vocabulary_without_berts_tokens_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("no\nacute\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG))
    with pytest.raises(ValueError, match=r"vocab.txt lacks \[PAD\], \[UNK\]"):
        published_tokenizer(tmp_path, max_length=9)


def test_published_weights_project_as_their_code_does(published: Path) -> None:
    encoder = Bundle.load(published).text_encoder
    assert encoder is not None
    input_ids, attention = torch.tensor([[2, 7, 9, 3]]), torch.ones(1, 4, dtype=torch.long)
    w = {name.removeprefix("cls_projection_head."): tensor for name, tensor in published_weights().items()}
    hidden = encoder.hidden(input_ids, attention)[:, 0] @ w["dense_to_hidden.weight"].T + w["dense_to_hidden.bias"]
    hidden = torch.nn.functional.gelu(hidden)
    hidden = (hidden - hidden.mean()) / hidden.std(unbiased=False) * w["LayerNorm.weight"] + w["LayerNorm.bias"]
    expected = hidden @ w["dense_to_output.weight"].T + w["dense_to_output.bias"]
    torch.testing.assert_close(encoder.project(input_ids, attention), expected / expected.norm())


def test_the_unet_attends_to_padding_too(bundle: Bundle, encoder: CXRBert) -> None:
    """As in the released pipeline, which passes no attention mask."""
    input_ids, attention = tokenize(bundle.tokenizer, WORDS[:1])
    assert attention.sum() < attention.numel()
    torch.testing.assert_close(encoder.hidden(input_ids), encoder.hidden(input_ids, torch.ones_like(attention)))
    assert not torch.allclose(encoder.hidden(input_ids), encoder.hidden(input_ids, attention))


@pytest.mark.parametrize("words", WORDS)
def test_the_joint_space_does_not_see_padding(bundle: Bundle, encoder: CXRBert, words: str) -> None:
    input_ids, attention = tokenize(bundle.tokenizer, [words])
    n = int(attention.sum())
    trimmed = encoder.project(input_ids[:, :n], attention[:, :n])
    torch.testing.assert_close(encoder.project(input_ids, attention), trimmed)


def test_the_masked_loss_is_of_the_masked_tokens_only(bundle: Bundle, encoder: CXRBert) -> None:
    input_ids, attention = tokenize(bundle.tokenizer, WORDS)
    labels = torch.full_like(input_ids, -100)
    labels[:, 1:3] = input_ids[:, 1:3]
    masked = input_ids.clone()
    masked[:, 1:3] = bundle.tokenizer.mask_token_id
    logits = encoder(input_ids=masked, attention_mask=attention).logits
    expected = cross_entropy(logits[:, 1:3].flatten(0, 1), input_ids[:, 1:3].flatten())
    torch.testing.assert_close(encoder.masked_loss(masked, attention, labels), expected)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789 .,-/()", max_size=80))
def test_every_text_of_letters_and_digits_is_known_and_fits(text: str) -> None:
    input_ids, attention = tokenize(TOKENIZER, [text])
    assert input_ids.shape == attention.shape == (1, 12)
    n = int(attention.sum())
    assert TOKENIZER.unk_token_id not in input_ids
    assert input_ids[0, 0] == TOKENIZER.cls_token_id
    assert input_ids[0, n - 1] == TOKENIZER.sep_token_id
    assert attention[0].tolist() == [1] * n + [0] * (12 - n)
    assert (input_ids[0, n:] == TOKENIZER.pad_token_id).all()


def test_case_does_not_matter() -> None:
    upper, lower = (tokenize(TOKENIZER, [f(words) for words in WORDS])[0] for f in (str.upper, str.lower))
    assert torch.equal(upper, lower)


def test_the_vocabulary_holds_special_tokens_and_no_more_than_asked() -> None:
    assert len(TOKENIZER) <= 160
    assert set(SPECIAL_TOKENS.values()) <= set(TOKENIZER.get_vocab())
    assert sorted(TOKENIZER.get_vocab().values()) == list(range(len(TOKENIZER)))


def test_training_a_tokenizer_again_gives_the_same_one() -> None:
    """Else a resumed training would go on with other words for the same ids."""
    texts = phrases()
    first, again = (train_tokenizer(texts, max_length=12, vocabulary=600).get_vocab() for _ in range(2))
    assert first == again


def test_words_of_the_texts_become_one_piece_while_there_is_room() -> None:
    tokenizer = train_tokenizer(["Pneumothorax. Café, 5 µm."], max_length=12, vocabulary=200)
    assert tokenizer.tokenize("PNEUMOTHORAX cafe") == ["pneumothorax", "cafe"]
