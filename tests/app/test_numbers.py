"""Numbers of a configuration are checked before anything is loaded."""

from __future__ import annotations

import pytest
from hydra.errors import InstantiationException

from radedit.app.configuration import composed
from radedit.app.numbers import PREPARED, check_numbers

WORDS = ["+scenario=manifestation"]


@pytest.mark.parametrize(
    "words", [WORDS, ["+scenario=acquisition", "setting=paper"], ["+scenario=population", "preset=smoke"]]
)
def test_what_is_shipped_is_allowed(words: list[str]) -> None:
    check_numbers(composed("stress", words))


@pytest.mark.parametrize(
    "word",
    ["n=-1", "n=2.5", "n=abc", "n=0", "n_own=0", "n_cells=-1", "n_also=-1", "n_gallery=-1", "limit=0", "edit.steps=0",
     "edit.seed=-1", "edit.threshold=abc", "edit.threshold=null", "edit.threshold=1.5", "edit.threshold=nan",
     "edit.max_lost=-0.1", "editor.w=abc", "editor.w=inf", "predictor.seed=-1"],
)  # fmt: skip
def test_a_number_that_is_none_is_named_with_what_is_allowed(word: str) -> None:
    key, _, value = word.partition("=")
    with pytest.raises(ValueError, match=rf"{key} is .*{value if value != 'null' else 'None'}.*expected "):
        check_numbers(composed("stress", [*WORDS, word]))


@pytest.mark.parametrize("word", ["checks.kept=50", "checks.keep=-1", "checks.psnr_loss=abc"])
def test_limits_of_the_checks_are_seen_too(word: str) -> None:
    with pytest.raises(InstantiationException, match=rf"{word.replace('=', ' is ')}; expected "):
        check_numbers(composed("stress", [*WORDS, word]))


def test_all_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"n is -1.*edit\.steps is 0"):
        check_numbers(composed("stress", [*WORDS, "n=-1", "edit.steps=0"]))


@pytest.mark.parametrize("word", ["size=0", "block=0", "workers=-1", "n_sheet=1.5"])
def test_numbers_of_a_preparation_are_checked_too(word: str) -> None:
    with pytest.raises(ValueError, match=f"{word.replace('=', ' is ')}; expected"):
        check_numbers(composed("prepare", ["dataset=mimic_cxr", "dataset.root=x", word]), PREPARED)
