"""Bundles of MONAI: the network that the configuration names, with the bundle's weights."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.networks import nets
from torch import nn

from radedit.models.adapters.loaded import LoadedNetwork, existing, first_line, hash_files, of_module
from radedit.models.adapters.plain import DEEPEST, check_local, read_plain
from radedit.models.adapters.weights import fill

CONFIGS = ("inference.json", "inference.yaml", "train.json", "train.yaml")
LARGE_FILES = ("large_files.yml", "large_files.yaml", "large_files.json")  # URLs that MONAI would fetch
MOST = 10_000  # values of a network's arguments, references followed
BUILDERS = ("resnet", "mednext", "vista3d")  # functions of monai.networks.nets that build a network, as they begin


def load(
    path: str | Path, *, weights: str = "models/model.pt", network: str = "network_def", device: str = "cpu"
) -> LoadedNetwork:
    """A bundle's network. Only `monai.networks.nets` are built, from plain values: no code of the bundle is run.

    References (`@name`, `@name::inner::0`) and macros (`%name`, `%other.json::name`) are followed, the latter inside
    the bundle's `configs/`; expressions (`$…`) are not run.

    Args:
        path: Folder of the bundle, with `configs/` and `models/`.
        weights: File of the weights, relative to it.
        network: Key of the network in the configuration.
        device: Where it runs.

    Raises:
        FileNotFoundError: If configuration or weights are missing.
        ValueError: If the network is not one of MONAI's, its arguments are expressions or refer to themselves, or
            something would be fetched.
    """
    folder = Path(path).expanduser()
    config = next((folder / "configs" / name for name in CONFIGS if (folder / "configs" / name).is_file()), None)
    if config is None:
        raise FileNotFoundError(f"There is none of {', '.join(CONFIGS)} in {folder.resolve() / 'configs'}.")
    config = config.resolve()
    values = _Values(config)
    if network not in values.of(config):
        raise ValueError(
            f"{config} has no {network!r}; it has {', '.join(values.of(config))}. Say predictor.network.network=…"
        )
    arguments = values.plain(values.of(config)[network], config)
    if not isinstance(arguments, dict):
        raise ValueError(f"{config}: {network} is {arguments!r:.80}; expected a mapping with _target_ and arguments.")
    check_local(arguments, config)
    if inner := [key for key, value in arguments.items() if isinstance(value, Mapping) and "_target_" in value]:
        raise ValueError(f"{config}: the argument {inner[0]} of {network} is to be built itself, which is not done.")
    name = str(arguments.pop("_target_", "")).rpartition(".")[2]
    build = getattr(nets, name, None)
    is_class = inspect.isclass(build) and issubclass(build, nn.Module)
    if build is None or not (is_class or (inspect.isfunction(build) and name.lower().startswith(BUILDERS))):
        raise ValueError(f"{config}: {network} is {name or 'nothing'}, which is no network of monai.networks.nets.")
    if not (folder / weights).is_file() and (large := [one for one in LARGE_FILES if (folder / one).is_file()]):
        raise FileNotFoundError(
            f"There is no {weights} in {folder}. Its {large[0]} names URLs, which are not fetched: download what they "
            "name yourself."
        )
    file = existing(folder / weights, "file of weights")
    try:
        built = build(**{key: value for key, value in arguments.items() if not key.startswith("_")})
    except Exception as error:  # whatever odd arguments make of it
        raise ValueError(f"{config}: {name} can't be built from {network}: {first_line(error)}.") from error
    if not isinstance(built, nn.Module):
        raise ValueError(f"{config}: {name} builds a {type(built).__name__}, which is no network.")
    fill(built, file, f"{name} as {config} has it")
    return of_module(built, hash_files(*values.files, file), device=device)


class _Values:
    """Plain values of a bundle's configuration files."""

    def __init__(self, config: Path) -> None:
        self._read: dict[Path, dict[str, Any]] = {}
        self._root = config.parent
        self._left = MOST

    @property
    def files(self) -> list[Path]:
        """Those that were read, which together determine the network."""
        return sorted(self._read)

    def of(self, file: Path) -> dict[str, Any]:
        if file not in self._read:
            self._read[file] = read_plain(file)
        return self._read[file]

    def plain(self, value: Any, file: Path, following: tuple[tuple[Path, str], ...] = ()) -> Any:
        """A value with its references and macros followed.

        Args:
            value: As it was read.
            file: The configuration that it stands in.
            following: References that led here.
        """
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"{file}: its references unfold into more than {MOST} values. Write them in their place.")
        if isinstance(value, str) and value.startswith("$"):
            raise ValueError(f"{file} has the expression {value!r}, which is not run. Write its value in its place.")
        if isinstance(value, str) and value.startswith(("@", "%")) and len(value) > 1:
            return self._follow(value, file, following)
        if isinstance(value, Mapping):
            return {key: self.plain(inner, file, following) for key, inner in value.items()}
        return [self.plain(inner, file, following) for inner in value] if isinstance(value, list) else value

    def _follow(self, value: str, file: Path, following: tuple[tuple[Path, str], ...]) -> Any:
        if (file, value) in following or len(following) > DEEPEST:
            raise ValueError(f"{file}: {value} refers to itself. Write its value in its place.")
        named, name = file, value[1:].replace("#", "::")
        first, _, rest = name.partition("::")
        if value.startswith("%") and first.endswith((".json", ".yaml", ".yml")):
            named, name = (file.parent / first).resolve(), rest
            if not named.is_relative_to(self._root):
                raise ValueError(
                    f"{file} refers to {value}, outside of {self._root}. Only the bundle's own configs are read."
                )
            existing(named, "configuration")
        if not name or name.startswith("::"):
            raise ValueError(
                f"{file} has the relative reference {value!r}, which is not followed. Write the value there."
            )
        found: Any = self.of(named)
        for part in name.split("::"):
            inner = found.get(part) if isinstance(found, Mapping) else None
            if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                inner = found[int(part)]
            if inner is None:
                raise ValueError(
                    f"{file} refers to {value}, but {named.name} has no {name!r}. Write the value in its place."
                )
            found = inner
            if isinstance(found, str) and found.startswith(("@", "%")):
                found = self.plain(found, named, (*following, (file, value)))
        return self.plain(found, named, (*following, (file, value)))
