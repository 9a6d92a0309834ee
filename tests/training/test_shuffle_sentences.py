"""A report is shown with its sentences in random order (App. A)."""

from __future__ import annotations

from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from radedit.models.encoders.text_encoder import tokenize, train_tokenizer
from radedit.training.draws import shuffle_sentences

SENTENCE = st.builds(
    lambda words, end: " ".join(words) + end,
    st.lists(st.sampled_from(["no", "large", "left", "effusion", "1.5", "cm", "(unchanged)"]), min_size=1, max_size=4),
    st.sampled_from(".!?"),
)


@given(st.lists(SENTENCE, min_size=1, max_size=6), st.integers(0, 2**31))
def test_shuffling_keeps_every_sentence(sentences: list[str], seed: int) -> None:
    shuffled, again = (
        shuffle_sentences(" ".join(sentences), torch.Generator().manual_seed(seed)) for _ in range(2)
    )  # fmt: skip
    assert shuffled == again
    assert len(shuffled) == len(" ".join(sentences))
    for sentence, n in Counter(sentences).items():
        assert f" {shuffled} ".count(f" {sentence} ") >= min(n, 1)


def test_every_order_of_the_sentences_occurs() -> None:
    generator = torch.Generator().manual_seed(0)
    assert len({shuffle_sentences("One. Two. Three.", generator) for _ in range(100)}) == 6


def test_a_numbered_sentence_keeps_its_number() -> None:
    generator = torch.Generator().manual_seed(0)
    orders = {shuffle_sentences("1. Effusion. 2. Measures 1.5 cm.", generator) for _ in range(20)}
    assert orders == {"1. Effusion. 2. Measures 1.5 cm.", "2. Measures 1.5 cm. 1. Effusion."}


def test_a_long_report_is_clipped_to_the_encoders_length_in_whatever_order() -> None:
    """The published encoder takes 128 tokens (App. A); the tokenizer carries that number."""
    tokenizer = train_tokenizer(["one two three."], max_length=128, vocabulary=200)
    report = " ".join(["one."] * 100 + ["two."] * 100)
    ids, attended = tokenize(tokenizer, [shuffle_sentences(report, torch.Generator().manual_seed(0)), "one."])
    assert ids.shape == (2, 128)
    assert attended.sum(1).tolist() == [128, 4]
    assert set(ids[0].tolist()) > {tokenizer.convert_tokens_to_ids("one"), tokenizer.convert_tokens_to_ids("two")}
