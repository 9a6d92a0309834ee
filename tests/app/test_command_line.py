"""The command line helps: every command explains itself at once, and takes text as it was typed."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from radedit.__main__ import COMMANDS, main, overview
from radedit.app.arguments import as_typed
from radedit.app.command import entry_point, typed_command
from radedit.app.configuration import CONF
from radedit.app.help import command_and_line, help_text, line_for_hydra
from radedit.app.keys import choices, extends, header, keys
from tests.commands import run

ROOT = CONF.parent
SCENARIO = "+scenario=manifestation"
SLOW_TO_IMPORT = {"torch", "lightning", "monai", "timm", "transformers", "diffusers", "pandas", "matplotlib"}


def main_of(command: str) -> Any:
    return importlib.import_module(f"radedit.{command}").main


def overrides_of(command: str) -> list[str]:
    """What the help of a command calls the most used overrides."""
    lines = header(CONF / f"{command}.yaml")
    start = lines.index("Most used:") + 1
    return [line.split()[0].partition("=")[0] for line in lines[start : lines.index("", start)]]


# Help


def test_every_configuration_is_a_command_and_the_list_names_it() -> None:
    assert {path.stem for path in CONF.glob("*.yaml")} == set(COMMANDS)
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w.*\.$", overview(), re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_scenario_and_explains_every_key(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main_of(command), ["--help"]) == 0
    printed = capsys.readouterr().out
    file = CONF / f"{command}.yaml"
    for name in [key.name for key in keys(file) if key.depth == 1] + [choice.group for choice in choices(file)]:
        assert f"  {name}" in printed, name
    if base := extends(file):
        assert f"radedit {base} --help" in printed
    assert f"python -m radedit.{command}" in printed and "--cfg job" in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_at_most_six_overrides_which_exist_and_where_to_read_on(command: str) -> None:
    named = overrides_of(command)
    assert 2 <= len(named) <= 6
    files = [CONF / f"{name}.yaml" for name in (command, extends(CONF / f"{command}.yaml")) if name]
    there = {key.name for file in files for key in keys(file)}
    for name in named:
        parts = name.lstrip("+").partition(".")
        # The folder of a generator, or of a model, is of the choice that was made.
        assert parts[0] in there or (CONF / parts[0]).is_dir(), name
    (more,) = [line for line in header(CONF / f"{command}.yaml") if line.startswith("More: ")]
    for document in more.removeprefix("More: ").split(", "):
        assert (ROOT / document).is_file(), document


def test_configuration_is_shown_without_a_scenario_and_waits_for_nothing_that_is_slow_to_import() -> None:
    """Nor do help and mistakes wait."""
    shown = [(command, arguments) for command in COMMANDS for arguments in (["--help"], ["--cfg", "job"])]
    wrong = [(command, ["no-such=1", SCENARIO]) for command in ("stress", "edit")]
    script = (
        "import sys, importlib\n"
        f"for command, arguments in {[*shown, *wrong]!r}:\n"
        "    sys.argv = ['radedit', *arguments]\n"
        "    print('\\0', command, *arguments)\n"
        "    try:\n"
        "        importlib.import_module(f'radedit.{command}').main()\n"
        "    except SystemExit as end:\n"
        "        print('exit', end.code)\n"
        f"print('\\0loaded:', sorted({SLOW_TO_IMPORT!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    *printed, loaded = done.stdout.split("\0")[1:]
    assert loaded == "loaded: []\n"
    for line, _, text in (part.partition("\n") for part in printed):
        if "no-such" in line:
            assert text == "exit 2\n", line
        else:
            assert text.strip() and "exit" not in text.splitlines()[-1], line
            assert "--help" in line or yaml.safe_load(text), line


def test_comments_beside_and_above_a_key_are_its_explanation(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "# What it does.\n#   example\na: 1   # beside\n# above\nb:\n  c: 'x # y'  # in a table\n  d: [1, 2]\ne: null\n"
        "f: 0  # one\n      # two\n# above\ng: 2\n"
    )
    assert header(file) == ["What it does.", "  example"]
    assert [(key.name, key.default, key.comment) for key in keys(file)] == [
        ("a", "1", "beside"), ("b", "", "above"), ("b.c", "'x # y'", "in a table"), ("b.d", "[1, 2]", ""),
        ("e", "null", ""), ("f", "0", "one two"), ("g", "2", "above"),
    ]  # fmt: skip


def test_help_says_which_options_a_choice_has() -> None:
    text = " ".join(help_text(CONF, "stress").partition("  preset=full")[2].split())
    assert "one of: " + ", ".join(sorted(path.stem for path in (CONF / "preset").glob("*.yaml"))) in text[:200]


def test_one_program_runs_every_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, []) == 0
    assert "The first one to try" in capsys.readouterr().out
    assert run(main, ["reader-study", "--help"]) == 0
    assert "radedit.reader_study" in capsys.readouterr().out
    assert run(main, ["stres"]) == 2
    assert "There is no command 'stres'. Commands are: stress" in capsys.readouterr().err


# Mistakes


@pytest.mark.parametrize(
    ("command", "arguments", "says"),
    [
        ("stress", ["scenario=manifestation"], "say +scenario=manifestation. Allowed are: acquisition,"),
        ("plan", [], "No scenario was given. Say +scenario=… with one of: acquisition, manifestation, population."),
        ("train", [], "No experiment was given. Say +experiment=… with one of: "),
        ("stress", [SCENARIO, "edit.sed=1"], "no 'edit.sed' in conf/stress.yaml. Did you mean edit.seed?"),
        (
            "stress",
            [SCENARIO, "+edit.seed=1"],
            "edit.seed is there already: say it without the plus sign, edit.seed=…",
        ),
        ("stress", [SCENARIO, "preset=dmo"], "no preset 'dmo'. Did you mean demo? Allowed are: demo, full"),
        ("explain", ["run=x", "folders.abc=1"], "To add a key that is not there, say +folders.abc=1."),
        ("stress", [SCENARIO, "checks.kep=1"], "Did you mean checks.kept"),
        (
            "stress",
            [SCENARIO, "dataset=bimcv"],
            "by setting=…, or by shift=<setting>/<scenario> with one of: manifest/…",
        ),
        ("stress", [SCENARIO, "addition=oedema"], "no group 'addition'. It comes with +scenario=population."),
        ("edit", ["image=a", "prompt=b", "logger=csv"], "Its groups are: editor, generator, sampling."),
        ("edit", ["image=a", "prompt=b", "out='${b}'"], r"To mean these signs as text, type \${b}."),
    ],
)
def test_mistake_comes_with_the_remedy(
    command: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(main_of(command), arguments) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "chosen", "new"),
    [
        ("explain", "run=x", "folders.abc=1"),
        ("train", "+experiment=autoencoder", "trainer.max_time=1"),  # near max_steps, but a key of its own
    ],
)
def test_remedy_for_a_new_key_works(command: str, chosen: str, new: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main_of(command), [chosen, new, "--cfg", "job"]) == 2
    remedy = re.search(r"say (\S+)\.$", capsys.readouterr().err)
    assert remedy and run(main_of(command), [chosen, remedy[1], "--cfg", "job"]) == 0


def test_a_key_that_was_added_where_there_is_none_is_the_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    @entry_point("edit")
    def strict(config: DictConfig) -> None:
        (lambda *, seed: None)(seed=0, **{"sed": 1})

    assert run(strict, ["image=a", "prompt=b", "+editor.sed=1"]) == 2
    assert "There is no key 'sed'" in capsys.readouterr().err
    with pytest.raises(TypeError):
        run(strict, ["image=a", "prompt=b"])


# Text as typed


def values_of(command: str, *arguments: str) -> list[Any]:
    """What keys hold after `arguments` were typed."""
    found: list[DictConfig] = []

    @entry_point(command)
    def noting(config: DictConfig) -> None:
        found.append(config)

    chosen = [SCENARIO] if command == "stress" else []
    assert run(noting, [*chosen, *arguments, "hydra.mode=RUN"]) == 0
    return [OmegaConf.select(found[0], argument.partition("=")[0].lstrip("+")) for argument in arguments]


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("edit", {"out": "2024_01", "image": "1.10", "edit_mask": "1e3", "keep_mask": "0x1f", "prompt": "007"}),
        ("edit", {"out": "a,b", "image": "a,b", "edit_mask": "true", "keep_mask": "œdème (1)", "prompt": "[x"}),
        ("edit", {"out": "12", "image": "12", "prompt": "a${b"}),
        ("stress", {"out": "a,b", "realcxr": "2024_01", "anatomy": "1e3", "roots.data": "œdème (1)"}),
        ("stress", {"out": "2024_01", "realcxr": "[x", "anatomy": "true", "roots.data": "a${b"}),
        ("stress", {"seeds": "0,1,2", "additions": "oedema,pacemaker"}),  # of which the scenario makes the sweep
    ],
)
def test_text_and_names_of_folders_stay_as_they_were_typed(command: str, typed: dict[str, str]) -> None:
    found = values_of(command, *(f"{key}={text}" for key, text in typed.items()))
    assert list(map(str, found)) == list(typed.values())


def test_a_list_of_folders_keeps_their_names() -> None:
    assert list(values_of("sweep", "runs=[2024_01,1.10,b]")[0]) == ["2024_01", "1.10", "b"]


def test_text_in_a_table_without_keys_stays_text() -> None:
    assert values_of("explain", "+folders.lungs=2024_01") == ["2024_01"]


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("stress", {"edit.threshold=0.20": 0.2, "rules.limit=.1": 0.1, "threads=2": 2}),
        ("edit", {"editor.w=1e1": 10.0, "start=3": 3, "overwrite=true": True, "edit_mask=null": None}),
    ],
)
def test_numbers_stay_numbers(command: str, typed: dict[str, object]) -> None:
    found = values_of(command, *typed)
    assert found == list(typed.values()) and list(map(type, found)) == list(map(type, typed.values()))


def test_tilde_is_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert values_of("edit", "out=~/x") == [str(tmp_path / "x")]


def test_what_hydra_would_read_alike_is_handed_on_as_it_is() -> None:
    typed = ["seed=0,1", "editor=radedit,lance", "x=[a,b]", "n=12", "prompt='a, b'"]
    assert (
        as_typed(typed, lambda: OmegaConf.create({"seed": 0, "n": None, "x": [], "prompt": "", "editor": {}})) == typed
    )


@pytest.mark.parametrize("text", ["No acute process.", "2024_01", "it's", "a,b"])
def test_text_that_is_quoted_is_read_back_by_hydra(text: str) -> None:
    (argument,) = as_typed([f"out={text}"], lambda: OmegaConf.create({"out": "outputs"}))
    assert OverridesParser.create().parse_override(argument).value() == text


def test_command_is_noted_as_a_shell_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []

    @entry_point("edit")
    def noting(config: DictConfig) -> None:
        noted.append(typed_command("edit"))

    run(noting, ["image=a b.png", "prompt=No effusion, left."])
    assert noted == ["python -m radedit.edit 'image=a b.png' 'prompt=No effusion, left.'"]


# Completion


def test_line_is_completed_by_the_command_that_it_names() -> None:
    assert command_and_line("radedit str") == (None, "str")
    assert command_and_line("radedit stress +sc") == ("stress", "radedit +sc")
    assert line_for_hydra("radedit edit.", "scenario", "acquisition") == "radedit +scenario=acquisition edit."
    typed = "radedit +scenario=population edit."
    assert line_for_hydra(typed, "scenario", "acquisition") == typed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("radedit stres", "stress"),
        ("radedit stress +scenario=ma", "+scenario=manifestation"),
        ("radedit stress edit.see", "edit.seed="),
        ("radedit edit edit", "edit_mask= editor. editor="),
    ],
)
def test_tab_completes(
    line: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert run(main, ["-sc", "query=bash"]) == 0
    assert capsys.readouterr().out.split() == expected.split()
