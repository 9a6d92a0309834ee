"""Every file of conf/ is tested by being there: it composes, it resolves, and its targets take what it gives them."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf, open_dict

from radedit.app.keys import choices, extends

CONF = Path(__file__).resolve().parents[1] / "conf"
PRIMARY_OF = {"experiment": "train", "scenario": "stress"}  # groups that stay out of the defaults lists
FILES = sorted(CONF.rglob("*.yaml"))
PRIMARIES = [path.stem for path in FILES if path.parent == CONF]
ALSO = {  # primaries that such a group serves, too
    path.stem: "scenario"
    for path in FILES
    if path.parent == CONF and extends(path) == "stress" and "scenario" not in {c.group for c in choices(path)}
}
RECIPES = [path for path in FILES if path.parent != CONF and path.relative_to(CONF).parts[0] in PRIMARY_OF]
OPTIONS = [path for path in FILES if path.parent != CONF and path not in RECIPES]
SCENARIOS = {path.stem for path in RECIPES if path.parent == CONF / "scenario"}
SHIFTED = [path for path in OPTIONS if path.parent.parent == CONF / "shift"]  # shift/<setting>/<scenario>.yaml
SETTINGS = [path for path in OPTIONS if path.parent == CONF / "setting"]  # each composes with its own scenarios


def name(path: Path) -> str:
    return path.relative_to(CONF).with_suffix("").as_posix()


def gaps_in(path: Path) -> dict[str, bool]:
    """Each key that a file leaves to the user, as `key: ???`, and whether a comment says what it is.

    The comment stands beside it, or anywhere in the file if it names the key.
    """
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^[ -]*([\w-]+):\s*[\"']?\?\?\?[\"']?[ ]*(#.*)?$", text, re.MULTILINE)
    return {key: bool(beside) or re.search(rf"#.*\b{key}\b", text) is not None for key, beside in found}


@functools.cache
def documented_gaps() -> set[str]:
    """The allow-list of keys that a composed config may lack."""
    return {key for path in FILES for key, documented in gaps_in(path).items() if documented}


def composed(primary: str, overrides: list[str]) -> DictConfig:
    """What an entry point sees, with Hydra's own part set up as in a first job. Not to be changed."""
    cfg = composed_once(primary, *overrides)
    HydraConfig.instance().set_config(cfg)
    return cfg


@functools.cache
def composed_once(primary: str, *overrides: str) -> DictConfig:
    importlib.import_module(f"radedit.{primary}")  # an entry point may register resolvers
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(primary, overrides=list(overrides), return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.job.update(id="0", num=0)
        cfg.hydra.runtime.output_dir = "output"
    return cfg


@functools.cache
def groups(primary: str, recipe: str | None) -> dict[str, str]:
    """Config groups of a primary config and the option chosen for each."""
    choices = composed(primary, [recipe] if recipe else []).hydra.runtime.choices
    return {group: option for group, option in choices.items() if not str(group).startswith("hydra/")}


def recipes(primary: str) -> list[str | None]:
    """Overrides without one of which the primary config means nothing, such as `+scenario=manifestation`."""
    chosen = [
        as_override(path)
        for path in RECIPES
        if PRIMARY_OF[group := path.relative_to(CONF).parts[0]] == primary or ALSO.get(primary) == group
    ]
    return [*chosen] or [None]


def first_recipe(primary: str) -> str | None:
    return recipes(primary)[0]


def as_override(recipe: Path) -> str:
    group, _, option = name(recipe).partition("/")
    return f"+{group}={option}"


def gaps(cfg: DictConfig) -> list[str]:
    """Dotted keys whose value is still `???`."""

    def walk(node: Any, path: str) -> Iterator[str]:
        if node == "???":
            yield path
        elif isinstance(node, dict):
            for key, value in node.items():
                yield from walk(value, f"{path}.{key}")
        elif isinstance(node, list):
            for i, value in enumerate(node):
                yield from walk(value, f"{path}.{i}")

    raw = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(raw, dict)
    return [key for part, value in raw.items() if part != "hydra" for key in walk(value, str(part))]


def resolved(cfg: DictConfig) -> Any:
    """The configuration with every interpolation followed and every gap filled as a user would."""
    assert cfg.hydra.run.dir and cfg.hydra.sweep.dir and cfg.hydra.sweep.subdir  # reading them follows them
    cfg = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    with open_dict(cfg):
        for key in gaps(cfg):
            OmegaConf.update(cfg, key, "given by the user")
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


def targets(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and content of every mapping that names a `_target_`."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from targets(value, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from targets(value, f"{path}[{i}]")


@functools.cache
def signature(target: str) -> inspect.Signature:
    return inspect.signature(get_object(target))


def misfits(node: Any) -> Iterator[str]:
    """Targets in a configuration that do not exist, or do not take the keys that are given to them."""
    for where, given in targets(node):
        target = given["_target_"]
        if "${" in target:  # composed configs are checked with their interpolations followed
            continue
        keys = {key: value for key, value in given.items() if not (key.startswith("_") and key.endswith("_"))}
        try:
            signature(target).bind_partial(*given.get("_args_", []), **keys)
        except Exception as error:
            yield f"{where}: {target} {error}"


@functools.cache
def faults(primary: str, *overrides: str | None) -> list[str]:
    """What is wrong with a composed config: a gap that no comment explains, an interpolation to nowhere, a misfit."""
    given = [override for override in overrides if override]
    try:
        cfg = composed(primary, given)
        lacking = [key for key in gaps(cfg) if key.split(".")[-1] not in documented_gaps()]
        found = [f"{key} is ???: give a value, or say beside it what the user gives" for key in lacking]
        found += misfits(resolved(cfg))
    except Exception as error:
        found = [f"{type(error).__name__}: {error}"]
    return [f"{primary} {' '.join(given)}: {fault}" for fault in found]


def check(*of: tuple[str, Sequence[str | None]]) -> None:
    """Fail with all faults of several composed configs."""
    found = [fault for primary, overrides in of for fault in faults(primary, *overrides)]
    assert not found, "\n".join(found)


@functools.cache
def places() -> dict[str, tuple[str, str | None, str]]:
    """Group, and group without its package → primary config and recipe that have it, and its name there."""
    found: dict[str, tuple[str, str | None, str]] = {}
    packaged: dict[str, tuple[str, str | None, str]] = {}
    for primary in PRIMARIES:
        for recipe in recipes(primary):
            for group in groups(primary, recipe):
                found.setdefault(group, (primary, recipe, group))
                packaged.setdefault(group.partition("@")[0], (primary, recipe, group))
    return packaged | found


def home(option: Path) -> tuple[str, str | None, str, str] | None:
    """Primary config, recipe and group where an option can be chosen, and what it is called there."""
    words = name(option).split("/")
    for cut in range(len(words) - 1, 0, -1):
        if place := places().get("/".join(words[:cut])):
            return *place, "/".join(words[cut:])
    return None


def rounds() -> list[tuple[str, list[str | None]]]:
    """Configs that together take every option once, one of each group at a time."""
    choices: dict[tuple[str, str | None], dict[str, list[str]]] = {}
    for option in OPTIONS:
        if option not in [*SHIFTED, *SETTINGS] and (found := home(option)):
            primary, recipe, group, choice = found
            choices.setdefault((primary, recipe), {}).setdefault(group, []).append(f"{group}={choice}")
    return [
        (primary, [recipe, *overrides])
        for (primary, recipe), of_group in choices.items()
        for overrides in zip_longest(*of_group.values())
    ]


def first_point(recipe: Path) -> tuple[str, list[str | None]]:
    """The first job of a recipe's sweep."""
    primary = PRIMARY_OF[recipe.relative_to(CONF).parts[0]]
    params = composed(primary, [as_override(recipe)]).hydra.sweeper.get("params") or {}
    sweep = OverridesParser.create().parse_overrides([f"{key}={value}" for key, value in params.items()])
    return primary, [
        as_override(recipe),
        *(
            f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"
            if override.is_sweep_override()
            else str(override.input_line)
            for override in sweep
        ),
    ]


def test_groups_and_their_primary_configs_need_each_other() -> None:
    for group, primary in PRIMARY_OF.items():
        has_recipes = any(path.relative_to(CONF).parts[0] == group for path in RECIPES)
        assert has_recipes == (CONF / f"{primary}.yaml").exists(), f"conf/{group}/ and conf/{primary}.yaml"


def test_primary_configs_compose() -> None:
    check(*((primary, [first_recipe(primary)]) for primary in PRIMARIES))


@pytest.mark.slow
def test_experiments_and_scenarios_compose() -> None:
    check(*((PRIMARY_OF[recipe.relative_to(CONF).parts[0]], [as_override(recipe)]) for recipe in RECIPES))


def test_scenarios_ask_a_newcomer_for_nothing() -> None:
    missing = {name: gaps(composed("stress", [f"+scenario={name}"])) for name in sorted(SCENARIOS)}
    assert not any(missing.values()), f"python -m radedit.stress +scenario=… must run as it is; it lacks {missing}"


@pytest.mark.slow
def test_sweeps_compose_at_their_first_point() -> None:
    check(*(first_point(recipe) for recipe in RECIPES))


@pytest.mark.slow
def test_settings_have_images_for_their_scenarios() -> None:
    check(*(("stress", [f"+scenario={path.stem}", f"setting={path.parent.name}"]) for path in SHIFTED))


def test_settings_have_scenarios() -> None:
    without = {setting.stem for setting in SETTINGS} - {path.parent.name for path in SHIFTED}
    assert not without, f"conf/shift/ has nothing for {sorted(without)}"


@pytest.mark.slow
def test_options_compose_into_a_primary_config() -> None:
    homeless = [name(option) for option in OPTIONS if option not in [*SHIFTED, *SETTINGS] and not home(option)]
    assert not homeless, f"{homeless} belong to no group of {PRIMARIES}"
    check(*rounds())


def test_targets_take_the_keys_they_are_given() -> None:
    wrong = []
    for path in FILES:
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        assert isinstance(content, dict)
        content.pop("defaults", None)
        wrong += [f"conf/{name(path)}.yaml {fault}" for fault in misfits(content)]
    assert not wrong, "\n".join(wrong)


def test_every_gap_says_what_the_user_gives() -> None:
    bare = {name(path): [key for key, documented in gaps_in(path).items() if not documented] for path in FILES}
    bare = {file: keys for file, keys in bare.items() if keys}
    assert not bare, f"{bare} are left to the user: write `key: ???  # what the user gives`"
