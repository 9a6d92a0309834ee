"""Commands and overrides that a page shows are accepted: Hydra composes them, make has the target, the script is there.

Short commands are run, too. The how-tos' and the tutorial's own commands are run in tests/test_how_to.py.
"""

from __future__ import annotations

import functools
import itertools
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra.errors import HydraException

from radedit.__main__ import COMMANDS, main
from radedit.app.arguments import as_typed
from radedit.app.configuration import composed
from radedit.compare_models import named
from radedit.train import in_setting
from tests.commands import run

ROOT = Path(__file__).resolve().parents[1]
FIRST = [ROOT / "README.md", *sorted((ROOT / "docs/tutorial").glob("*.md"))]
PAGES = sorted({
    *FIRST, ROOT / "radedit/weights/README.md", ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").rglob("*.md"),
} - {ROOT / "docs/reference/configuration.md"})  # fmt: skip  # made from conf/, whose own tests compose all of it
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"(?:-m radedit\.|^radedit )(\w+)(?=\s|$)(.*)")
SPAN = re.compile(r"`([^`\n]+)`")
OVERRIDE = re.compile(r"'?[+~]?[a-z_][\w./@]*=\S+")
SAMPLES = {"generator": "phantom", "dataset": "mimic_cxr", "scenario": "manifestation", "predictor": "torchscript"}
WITHOUT = {"--cfg", "--info", "--config-dir"}  # flags that are followed by a word
# An override without a command is meant for one of these.
MEANT_FOR = [
    ("stress", ""),
    ("stress", "+scenario=manifestation"),
    ("stress", "+scenario=manifestation setting=manifest manifest=my.csv generator=phantom predictor=built"),
    ("stress", "+scenario=manifestation setting=manifest manifest=my.csv generator=phantom predictor=timm"),
    ("stress", "+scenario=manifestation setting=manifest manifest=my.csv predictor=torchxrayvision"),
    ("stress", "+scenario=acquisition setting=open preset=open"),
    ("stress", "+scenario=manifestation generator=radedit_hub"),
    ("stress", "+scenario=population"),
    ("edit", ""),
    ("tune", "+scenario=manifestation"),
    ("train", "+experiment=diffusion"),
    ("compare", ""),
    ("benchmark", ""),
    ("dossier", "run=some"),
    ("bundle", "out=some"),
    ("export", "+scenario=manifestation"),
    ("stress", "+scenario=manifestation logger=mlflow"),
    ("stress", "+scenario=manifestation predictor=answers predictor.path=answers.csv key=key.json"),
]


def lines(text: str) -> list[str]:
    """Command lines of a page's shell blocks and code spans, without comments, continued lines put together."""
    blocks = [block for language, block in FENCE.findall(text) if language in ("shell", "bash")]
    shown = [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    shown += [span for span in SPAN.findall(FENCE.sub("", text)) if "radedit" in span]
    variables = dict(re.findall(r"^for (\w+) in (\S+)", "\n".join(shown), re.MULTILINE))
    return [
        re.sub(
            r"\$(\w+)", lambda found: variables.get(found[1], found[0]), line.split(" # ")[0].split("  #")[0].strip()
        )
        for line in shown
    ]


def calls(text: str) -> list[tuple[str, str]]:
    """Command and arguments of every call of radedit that a page shows; what the tab key would complete is none."""
    found = [call for line in lines(text) if "-sc " not in line and (call := CALL.search(line))]
    return [(one[1], one[2].strip()) for one in found if not re.search(r"(=|\.|\.\/)$", one[2]) and one[1] != "st"]


def overrides(text: str) -> list[str]:
    """Code spans that are overrides and nothing else, such as `edit.block=auto`; those of one span belong together."""
    spans = [span for span in SPAN.findall(FENCE.sub("", text)) if all(OVERRIDE.fullmatch(w) for w in span.split())]
    return [span for span in spans if not span.startswith("OMP_")]


def filled(arguments: str) -> list[str]:
    """Arguments with something in place of `…`, and without flags."""
    words = shlex.split(arguments)
    flags = {i for i, word in enumerate(words) if word.startswith("-")}
    flags |= {i + 1 for i in flags if words[i] in WITHOUT}
    taken = []
    for word in (word for i, word in enumerate(words) if i not in flags):
        key, is_given, value = word.partition("=")
        if not is_given:  # as `radedit compare_models v1 v2` has it
            taken.append(word)
            continue
        value = SAMPLES.get(key.lstrip("+"), "some") if value in ("…", "<name>") else value.replace("…", "some")
        taken.append(f"{key}={value.split(',')[0] if key.endswith('.seed') else value}")
    return taken


@functools.cache
def refused(command: str, arguments: str) -> str:
    """Why Hydra does not compose a command line; empty if it does."""
    if command not in COMMANDS:
        return f"there is no command {command}"
    typed = filled(arguments)
    if command in ("stress", "plan", "tune", "validity", "score") and not any(
        a.startswith("+scenario=") for a in typed
    ):
        typed = ["+scenario=manifestation", *typed]
    if command == "compare_models":
        typed = named(typed)
    if command == "train" and not any(a.startswith("+experiment=") for a in typed):
        typed = ["+experiment=diffusion", *typed]
    try:
        composed(command, as_typed(in_setting(typed) if command == "train" else typed))
    except (HydraException, SystemExit) as error:
        return f"{command} {arguments}: {error}"
    return ""


def told_apart(page: Path, first: Sequence[Path]) -> object:
    name = page.relative_to(ROOT).as_posix()
    return pytest.param(page, id=name, marks=() if page in first else pytest.mark.slow)


@pytest.mark.parametrize("page", [told_apart(page, FIRST) for page in PAGES])
def test_every_command_that_a_page_shows_is_composed(page: Path) -> None:
    if page.stem == "tab-completion":
        pytest.skip("it shows words that are not typed to their end")
    text = page.read_text(encoding="utf-8")
    own = "--config-dir my_conf" in text  # files that the page itself writes: tests/test_how_to.py runs these
    wrong = [
        why for command, rest in calls(text) if not (own and "my_conf" in rest) and (why := refused(command, rest))
    ]
    assert not wrong


@pytest.mark.parametrize("page", [told_apart(page, FIRST[1:]) for page in PAGES])
def test_every_override_that_a_page_shows_is_composed(page: Path) -> None:
    if page.parent.name == "performance":
        pytest.skip("its overrides are those of its own scripts")
    for span in overrides(page.read_text(encoding="utf-8")):
        tried = (refused(command, f"{first} {span}") for command, first in MEANT_FOR)
        assert any(not why for why in tried), f"no command takes {span}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_target_script_and_extra_that_a_page_shows_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = "\n".join([*lines(text), *SPAN.findall(FENCE.sub("", text))])
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    made = [words.split() for words in re.findall(r"^make ([a-z -]+)", shown, re.MULTILINE)]
    assert set(itertools.chain(*made)) <= targets
    scripts = re.findall(r"python ((?:docs|experiments)/\S+\.py)", shown)
    assert not [script for script in scripts if not (ROOT / script).is_file()]
    extras = re.findall(r"\[([a-z]+)\]'? ?\"?$", "\n".join(re.findall(r"pip install \S+", shown)), re.MULTILINE)
    known = re.search(r"optional-dependencies\](.*?)\n\[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.S)
    assert known and set(extras) <= set(re.findall(r"^(\w+) = \[", known[1], re.MULTILINE))


@pytest.mark.parametrize("line", ["radedit", "radedit stress --help", "radedit runs", "radedit phantoms n=1 size=32"])
def test_short_commands_of_the_tutorial_run(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("outputs").mkdir()  # which the tutorial's stress test has written to
    assert run(main, shlex.split(line)[1:]) == 0 and capsys.readouterr().out


def test_a_command_or_override_that_is_wrong_is_found() -> None:
    page = (
        "```shell\nradedit stress +scenario=manifestation preset=none  # so\npython -m radedit.edit imag=x.png\n```\n"
    )
    assert all(refused(command, rest) for command, rest in calls(page)) and len(calls(page)) == 2
    assert overrides("`edit.blok=3`, `n=…`, `make demo`, `x`") == ["edit.blok=3", "n=…"]
    assert refused("stress", "edit.blok=3") and not refused("stress", "n=…")
