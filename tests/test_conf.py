"""Every file of conf/ is tested by being there: it composes, it resolves, and its targets take what it gives them."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf, open_dict

CONF = Path(__file__).resolve().parents[1] / "conf"
PRIMARY_OF = {"experiment": "train", "scenario": "stress"}  # groups that stay out of the defaults lists
ALSO = {"validity": "scenario", "readers": "scenario"}  # primaries that such a group serves, too
FILES = sorted(CONF.rglob("*.yaml"))
PRIMARIES = [path.stem for path in FILES if path.parent == CONF]
RECIPES = [path for path in FILES if path.parent != CONF and path.relative_to(CONF).parts[0] in PRIMARY_OF]
OPTIONS = [path for path in FILES if path.parent != CONF and path not in RECIPES]
SCENARIOS = {path.stem for path in RECIPES if path.parent == CONF / "scenario"}
SHIFTED = [  # dataset/<setting>/<scenario>.yaml
    path for path in OPTIONS if path.parent.parent == CONF / "dataset" and path.stem in SCENARIOS
]
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
    cfg = cfg.copy()
    with open_dict(cfg):
        for key in gaps(cfg):
            OmegaConf.update(cfg, key, "given by the user")
        assert cfg.hydra.run.dir and cfg.hydra.sweep.dir and cfg.hydra.sweep.subdir  # reading them follows them
        del cfg["hydra"]
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


def check_binds(where: str, node: dict[str, Any]) -> None:
    """Fail unless the target exists and takes the keys that are given to it."""
    target = get_object(node["_target_"])
    given = {key: value for key, value in node.items() if not (key.startswith("_") and key.endswith("_"))}
    try:
        inspect.signature(target).bind_partial(*node.get("_args_", []), **given)
    except TypeError as error:
        raise AssertionError(f"{where}: {node['_target_']}{inspect.signature(target)} {error}") from error


def check(cfg: DictConfig) -> None:
    """Nothing is missing but what the user must give, interpolations lead somewhere, targets take their keys."""
    undocumented = [key for key in gaps(cfg) if key.split(".")[-1] not in documented_gaps()]
    assert not undocumented, f"Missing: {undocumented}. Give a value, or say beside ??? what the user gives."
    for where, node in targets(resolved(cfg)):
        check_binds(where, node)


@pytest.mark.parametrize("group", PRIMARY_OF)
def test_primary_config_has_recipes(group: str) -> None:
    has_primary = (CONF / f"{PRIMARY_OF[group]}.yaml").exists()
    has_recipes = any(path.relative_to(CONF).parts[0] == group for path in RECIPES)
    assert has_recipes == has_primary, f"conf/{group}/ and conf/{PRIMARY_OF[group]}.yaml need each other"


@pytest.mark.parametrize("primary", PRIMARIES)
def test_primary_config_composes(primary: str) -> None:
    recipe = first_recipe(primary)
    check(composed(primary, [recipe] if recipe else []))


@pytest.mark.parametrize("recipe", RECIPES, ids=name)
def test_experiment_or_scenario_composes(recipe: Path) -> None:
    check(composed(PRIMARY_OF[recipe.relative_to(CONF).parts[0]], [as_override(recipe)]))


@pytest.mark.parametrize("recipe", [path for path in RECIPES if path.is_relative_to(CONF / "scenario")], ids=name)
def test_scenario_asks_a_newcomer_for_nothing(recipe: Path) -> None:
    missing = gaps(composed("stress", [as_override(recipe)]))
    assert not missing, f"python -m radedit.stress {as_override(recipe)} must run as it is; it lacks {missing}"


@pytest.mark.parametrize("recipe", RECIPES, ids=name)
def test_sweep_composes_at_its_first_point(recipe: Path) -> None:
    primary = PRIMARY_OF[recipe.relative_to(CONF).parts[0]]
    params = composed(primary, [as_override(recipe)]).hydra.sweeper.get("params") or {}
    sweep = OverridesParser.create().parse_overrides([f"{key}={value}" for key, value in params.items()])
    first = [
        f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"
        if override.is_sweep_override()
        else str(override.input_line)
        for override in sweep
    ]
    if first:  # else it is what the recipe alone composes
        check(composed(primary, [as_override(recipe), *first]))


@pytest.mark.parametrize("dataset", SHIFTED, ids=name)
def test_setting_has_images_for_its_scenarios(dataset: Path) -> None:
    setting, scenario = dataset.parent.name, dataset.stem
    check(composed("stress", [f"+scenario={scenario}", f"setting={setting}"]))


@pytest.mark.parametrize("setting", SETTINGS, ids=name)
def test_setting_has_a_scenario(setting: Path) -> None:
    assert [path for path in SHIFTED if path.parent.name == setting.stem], f"conf/dataset/{setting.stem}/ is empty"


@pytest.mark.parametrize("option", [path for path in OPTIONS if path not in [*SHIFTED, *SETTINGS]], ids=name)
def test_option_composes_into_a_primary_config(option: Path) -> None:
    words = name(option).split("/")
    for primary in PRIMARIES:
        for recipe in recipes(primary):
            for cut in range(len(words) - 1, 0, -1):
                group, choice = "/".join(words[:cut]), "/".join(words[cut:])
                if group in groups(primary, recipe):
                    check(composed(primary, ([recipe] if recipe else []) + [f"{group}={choice}"]))
                    return
    assert not PRIMARIES, f"conf/{name(option)}.yaml belongs to no group of {PRIMARIES}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_targets_take_the_keys_they_are_given(path: Path) -> None:
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert isinstance(content, dict)
    content.pop("defaults", None)
    for where, node in targets(content):
        if "${" not in node["_target_"]:  # composed configs are checked with their interpolations followed
            check_binds(f"conf/{name(path)}.yaml {where}".rstrip(), node)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_gap_says_what_the_user_gives(path: Path) -> None:
    bare = [key for key, documented in gaps_in(path).items() if not documented]
    assert not bare, f"conf/{name(path)}.yaml leaves {bare} to the user: write `key: ???  # what the user gives`"
