"""Imports point down only; see "Layout" in README.md."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "radedit"
ENTRY = "an entry point"
LAYERS = (  # top to bottom; those on one line do not see each other
    {ENTRY},
    {"api"},
    {"app"},
    {"studies"},
    {"report"},
    {"harness"},
    {"training"},
    {"data", "models", "editing"},
    {"phantom", "masks", "metrics"},
    {"types", "schedule"},
)
ROOMS = {  # top to bottom inside a floor; rooms on one line do not see each other
    "harness": (
        {"versions"},
        {"explain", "reader_study", "single", "sweep"},
        {"evidence"},
        {"subgroups", "performance"},
        {"predictors"},
        {"stress"},
        {"statistics"},
    ),
    "studies": ({"validity", "detection", "editors", "score", "figures", "generator"}, {"shared"}),
    "report": (
        {"dossier"},
        {"wandb", "versions"},
        {"sweep", "case"},
        {"verdict", "reader_study"},
        {"plots", "images"},
        {"words"},
        {"shared"},
    ),
}
MOST_FILES = 18  # modules of one folder that a person still overlooks
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


def room(module: str) -> tuple[str, str]:
    """Floor and room of a module; the room is empty for what lies on the floor itself."""
    words = module.split(".")
    return (words[1], words[2]) if len(words) > 2 and (PACKAGE / words[1] / words[2]).is_dir() else (part(module), "")


@functools.cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """Line and absolute name of everything that a file imports, also inside functions and for types only."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
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


def listing(path: Path, wrong: Iterable[tuple[int, str]], rule: str) -> list[str]:
    return [f"{name(path)} (line {line}) imports {module}: {rule}" for line, module in wrong]


def report(offenders: list[str]) -> str:
    return f"{len(offenders)} offences:\n" + "\n".join(offenders)


def test_modules_belong_to_a_layer() -> None:
    homeless = [name(path) for path in MODULES if (where := part(name(path))) and where not in LEVEL]
    assert not homeless, report([f"{module} is in no layer; name its layer in {__file__}" for module in homeless])


def test_modules_import_only_from_the_layers_below() -> None:
    wrong: list[str] = []
    for path in MODULES:
        here = part(name(path))
        # The package itself hands names on, and imports them when they are asked for; anyone may read its version.
        level = LEVEL.get(here, -1)
        ours = [(line, module) for line, module in imports(path) if package_of(module) == "radedit"]
        elsewhere = [(line, module) for line, module in ours if part(module) not in {"", here}]
        above = [(line, module) for line, module in elsewhere if LEVEL.get(part(module), 0) <= level]
        wrong += listing(path, above, f"{here or 'radedit'} sees only the layers below")
    assert not wrong, report(wrong)


def test_nothing_of_the_package_takes_the_names_that_it_hands_on() -> None:
    handed_on = [
        f"{name(path)} (line {node.lineno}) takes {alias.name} from radedit: import it from its own module"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "radedit"
        for alias in node.names
        if alias.name != "__version__"
    ]
    assert not handed_on, report(handed_on)


def test_rooms_import_only_from_the_rooms_below() -> None:
    wrong: list[str] = []
    for path in MODULES:
        floor, here = room(name(path))
        if floor not in ROOMS or not here:
            continue
        level = {room: level for level, rooms in enumerate(ROOMS[floor]) for room in rooms}
        if here not in level:
            wrong.append(f"{name(path)}: room {here!r} of {floor} has no place; name it in {__file__}")
            continue
        inside = [(line, module) for line, module in imports(path) if module.startswith(f"radedit.{floor}.")]
        elsewhere = [(line, module) for line, module in inside if room(module)[1] not in {"", here}]
        above = [(line, module) for line, module in elsewhere if level.get(room(module)[1], 0) <= level[here]]
        wrong += listing(path, above, f"{here} sees only the rooms of {floor} below it")
    assert not wrong, report(wrong)


def test_no_folder_holds_more_modules_than_a_person_overlooks() -> None:
    folders = sorted({path.parent for path in MODULES} - {PACKAGE})
    sizes = {folder: len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) for folder in folders}
    full = [f"{folder.relative_to(PACKAGE)} holds {n} modules" for folder, n in sizes.items() if n > MOST_FILES]
    assert not full, report(full) + "\nCut them into rooms."


def test_no_folder_has_a_name_that_git_ignores_wherever_it_is() -> None:
    ignored = {line.rstrip("/") for line in (PACKAGE.parent / ".gitignore").read_text().split() if line[0] != "/"}
    folders = {
        path.parent for part in ("radedit", "tests", "conf", "docs") for path in (PACKAGE.parent / part).rglob("*")
    }
    wrong = sorted(str(folder) for folder in folders if folder.name in ignored - {"__pycache__"})
    assert not wrong, (
        report(wrong) + "\nSay in .gitignore, with a slash before the name, that only the top one is meant."
    )


def test_only_entry_points_know_the_configuration() -> None:
    wrong: list[str] = []
    for path in MODULES:
        if part(name(path)) not in {ENTRY, "api", "app"}:
            known = [(line, module) for line, module in imports(path) if package_of(module) in CONFIGURATION]
            wrong += listing(path, known, "objects are handed in; only what is called or typed sees a DictConfig")
    assert not wrong, report(wrong)


def test_editing_knows_tensors_masks_and_a_schedule_only() -> None:
    wrong: list[str] = []
    for path in MODULES:
        if part(name(path)) == "editing":
            strange = [
                (line, module)
                for line, module in imports(path)
                if package_of(module) not in EDITING_MAY_IMPORT
                or (package_of(module) == "radedit" and part(module) not in EDITING_MAY_SEE)
            ]
            wrong += listing(path, strange, "editing needs torch, numpy, radedit.types and radedit.schedule, no more")
    assert not wrong, report(wrong)
