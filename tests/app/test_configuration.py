"""What every command does with what its user types."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from radedit import train
from radedit.app.arguments import as_typed
from radedit.app.command import entry_point

TEXTS = [
    "No acute cardiopulmonary process.",
    "Effusion, left.",
    "Patient's œdème (mild)",
    "scan (1).png",
    "a=b.png",
    "C:\\images\\",
    "it\\'s",
    "100 % [sic",
    "'",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_may_be_typed_as_it_is(text: str) -> None:
    (argument,) = as_typed([f"prompt={text}"])
    assert OverridesParser.create().parse_override(argument).value() == text


@pytest.mark.parametrize("argument", ["seed=0,1", "editor=radedit,lance", "x=[a,b]", "prompt='a, b'", "-m", "+a.b=1"])
def test_what_hydra_can_read_is_left_alone(argument: str) -> None:
    assert as_typed([argument]) == [argument]


def test_sentences_can_be_swept() -> None:
    assert as_typed(["-m", "prompt=No effusion, Effusion"]) == ["-m", "prompt=No effusion, Effusion"]


def test_every_command_explains_a_misspelt_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["radedit.train", "+experiment=autoencoder", "sede=1"])
    with pytest.raises(SystemExit) as end:
        train.main()
    assert end.value.code == 2
    assert "There is no 'sede' in conf/train.yaml. Did you mean seed?" in capsys.readouterr().err


@pytest.mark.parametrize("error", [TypeError, RuntimeError, AssertionError])
def test_our_own_mistakes_keep_their_traceback(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(error, match="ours"):
        fail(monkeypatch, error("ours"))


def test_users_mistake_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        fail(monkeypatch, ValueError("Two\nlines."))
    assert (end.value.code, capsys.readouterr().err) == (2, "error: Two lines.\n")


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RADEDIT_DEBUG", "1")
    with pytest.raises(ValueError, match="theirs"):
        fail(monkeypatch, ValueError("theirs"))


def test_exit_code_of_a_command_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as end:
        fail(monkeypatch, SystemExit(3))
    assert end.value.code == 3


def test_file_that_the_system_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        fail(monkeypatch, FileNotFoundError(2, "No such file or directory", str(Path("x.pt"))))
    assert capsys.readouterr().err == "error: x.pt: No such file or directory.\n"


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Run a command that ends with `error`."""

    @entry_point("edit")
    def main(config: DictConfig) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["radedit.edit"])
    main()
