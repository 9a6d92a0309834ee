"""Imports point down only; see "Layout" in README.md."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "radedit"
ENTRY = "an entry point"
LAYERS = (  # top to bottom; those on one line do not see each other
    {ENTRY},
    {"report"},
    {"harness"},
    {"training"},
    {"data", "models", "editing"},
    {"phantom", "masks", "metrics"},
    {"types", "schedule"},
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
CONFIGURATION = {"hydra", "omegaconf"}
EDITING_MAY_IMPORT = {"torch", "numpy", "radedit", *sys.stdlib_module_names}
EDITING_MAY_SEE = {"editing", "types", "schedule"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def part(module: str) -> str:
    """The piece of a layer that a module of radedit belongs to; empty for the package itself."""
    if module == "radedit":
        return ""
    words = module.split(".")
    is_top_level_script = len(words) == 2 and words[1] not in LEVEL and (PACKAGE / f"{words[1]}.py").exists()
    return ENTRY if is_top_level_script or words[-1] == "__main__" else words[1]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything that a file imports, also inside functions and for types only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} has a relative import; imports are absolute"
            module = node.module or ""
            if module == "radedit":
                yield from ((node.lineno, f"radedit.{a.name}" if is_module(a.name) else module) for a in node.names)
            else:
                yield node.lineno, module


def is_module(word: str) -> bool:
    return (PACKAGE / word).is_dir() or (PACKAGE / f"{word}.py").exists()


def package_of(module: str) -> str:
    return module.split(".")[0]


def listing(path: Path, wrong: list[tuple[int, str]], rule: str) -> str:
    return "\n".join(f"{name(path)} (line {line}) imports {module}: {rule}" for line, module in wrong)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_belongs_to_a_layer(path: Path) -> None:
    where = part(name(path))
    assert where == "" or where in LEVEL, f"{name(path)}: {where!r} is in no layer; name its layer in {__file__}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_imports_only_from_the_layers_below(path: Path) -> None:
    here = part(name(path))
    # The package itself is below everything: it may import nothing, and anyone may read its version.
    level = LEVEL.get(here, len(LAYERS))
    ours = [(line, module) for line, module in imports(path) if package_of(module) == "radedit"]
    elsewhere = [(line, module) for line, module in ours if part(module) not in {"", here}]
    wrong = [(line, module) for line, module in elsewhere if LEVEL.get(part(module), 0) <= level]
    assert not wrong, listing(path, wrong, f"{here or 'radedit'} sees only the layers below")


@pytest.mark.parametrize("path", [p for p in MODULES if part(name(p)) != ENTRY], ids=name)
def test_only_entry_points_know_the_configuration(path: Path) -> None:
    wrong = [(line, module) for line, module in imports(path) if package_of(module) in CONFIGURATION]
    assert not wrong, listing(path, wrong, "objects are handed in; only entry points see a DictConfig")


@pytest.mark.parametrize("path", [p for p in MODULES if part(name(p)) == "editing"], ids=name)
def test_editing_knows_tensors_masks_and_a_schedule_only(path: Path) -> None:
    wrong = [
        (line, module)
        for line, module in imports(path)
        if package_of(module) not in EDITING_MAY_IMPORT
        or (package_of(module) == "radedit" and part(module) not in EDITING_MAY_SEE)
    ]
    assert not wrong, listing(path, wrong, "editing needs torch, numpy, radedit.types and radedit.schedule, no more")
