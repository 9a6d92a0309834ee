"""What a configuration brings along that no hash of ours covers: the user's own code, and files that it names."""

from __future__ import annotations

import hashlib
import importlib
import logging
import secrets
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from radedit.data.io.file_hash import file_hash

logger = logging.getLogger(__name__)

INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib"))
OURS = Path(__file__).resolve().parents[1]


def own_code(config: object) -> dict[str, str]:
    """Digests of the source of everything of the user's that a configuration names, with the modules that it imports.

    Args:
        config: As a plain mapping; every `_target_` in it counts that is none of radedit's.

    Returns:
        Target, or path of a file that a value names → digest. Code without a source, as of a compiled extension, has
        another one every time, so that nothing made by it is found again; a warning says so.
    """
    found: dict[str, str] = {}
    for key, value in _texts(config):
        if key == "_target_":
            found |= {value: _digest(value)} if value.partition(".")[0] != "radedit" else {}
        elif (path := Path(value).expanduser()).is_file():
            found[path.name] = file_hash(path, "whole")
    return found


def _texts(config: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(config, str) and 0 < len(config) < 1000 and "\n" not in config and "\0" not in config:
        yield key, config
    elif isinstance(config, Mapping):
        for name, value in config.items():
            yield from _texts(value, str(name))
    elif isinstance(config, Sequence) and not isinstance(config, str | bytes):
        for value in config:
            yield from _texts(value, key)


def _digest(target: str) -> str:
    module = _module(target)
    sources = {name: Path(str(found.__file__)) for name, found in _with_imports(module).items()} if module else {}
    if not sources or not all(path.suffix == ".py" and path.is_file() for path in sources.values()):
        logger.warning(
            "%s has no source that could be hashed, so nothing that it makes is kept for another run.", target
        )
        return secrets.token_hex(16)
    digest = hashlib.sha256()
    for name, path in sorted(sources.items()):
        digest.update(f"{name} {file_hash(path, 'whole')}\n".encode())
    return digest.hexdigest()


def _module(target: str) -> ModuleType | None:
    words = target.split(".")
    for length in range(len(words), 0, -1):
        try:
            return importlib.import_module(".".join(words[:length]))
        except ImportError:
            continue
    return None


def _with_imports(module: ModuleType) -> dict[str, ModuleType]:
    """A module and those that it has names of, as far as they are the user's or of the same package."""
    found, waiting, package = {module.__name__: module}, [module], module.__name__.partition(".")[0]
    while waiting:
        for value in list(vars(waiting.pop()).values()):
            name = value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))
            other = sys.modules.get(name)
            if other is None or name in found or not getattr(other, "__file__", None):
                continue
            if name.partition(".")[0] == package or _is_own(Path(str(other.__file__)).resolve()):
                found[name] = other
                waiting.append(other)
    return {name: one for name, one in found.items() if getattr(one, "__file__", None)}


def _is_own(file: Path) -> bool:
    return not any(file.is_relative_to(place) for place in (*INSTALLED, OURS))
