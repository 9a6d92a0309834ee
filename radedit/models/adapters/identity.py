"""What an object of the user's own code is: a hash of its code and of all that it holds, or the reason for none."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

MOST_FILES = 1000  # of a folder that a model names
INSTALLED = tuple(Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "purelib", "platlib"))
PLAIN = (type(None), bool, int, float, complex, str, bytes)
# Of a module of torch: hooks are code and are hashed, these are how it was made to run.
UNTOLD = {"training", "_is_full_backward_hook", "_non_persistent_buffers_set", "_version"}


class NoIdentity(ValueError):
    """Something that can't be hashed; says what and where."""


def identity(network: Any) -> str:
    """SHA-256 over an object's class, its source, its attributes, weights and closures, and the files that it names.

    Of a function: its code, defaults, closure and the globals that it uses. Text that names a file stands for the
    file's content. Modules outside of the standard library and of installed packages are hashed as their source files,
    with those that they import.

    Raises:
        NoIdentity: If something in it can't be hashed, such as an open file or an object of compiled code.
    """
    digest = _Digest()
    try:
        digest.add(network, "it")
    except RecursionError as error:
        raise NoIdentity("it is nested too deeply") from error
    return digest.hash.hexdigest()


class _Digest:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self._seen: dict[int, int] = {}  # objects, in the order in which they were met
        self._kept: list[Any] = []  # so that no other takes the place of one in memory
        self._modules: set[str] = set()

    def add(self, value: Any, where: str) -> None:
        if isinstance(value, PLAIN):
            self._note("value", type(value).__name__, repr(value))
            if isinstance(value, str):
                self._file(value, folders=True)
            return
        if id(value) in self._seen:
            self._note("again", str(self._seen[id(value)]))
            return
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        self._note("object", f"{type(value).__module__}.{type(value).__qualname__}")
        if isinstance(value, Tensor):
            self._tensor(value, where)
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            self._note(str(value.dtype), str(value.shape))
            self.hash.update(np.ascontiguousarray(value).tobytes())
        elif isinstance(value, PurePath):
            self.add(str(value), where)
        elif isinstance(value, torch.dtype | torch.device | torch.Size | np.generic | range | slice | Enum):
            self._note(repr(value))
        elif isinstance(value, Mapping):
            for key in value:
                self.add(key, f"a key of {where}")
                self.add(value[key], f"{where}[{key!r:.40}]")
            self.add(dict(getattr(value, "__dict__", {})), where) if not _is_installed(type(value).__module__) else None
        elif isinstance(value, list | tuple):
            for i, inner in enumerate(value):
                self.add(inner, f"{where}[{i}]")
        elif isinstance(value, set | frozenset):
            if not all(isinstance(inner, PLAIN) for inner in value):
                raise NoIdentity(f"{where} is a set of objects, which have no order")
            self.add(sorted(map(repr, value)), where)
        elif isinstance(value, functools.partial):
            self.add([value.func, value.args, value.keywords], where)
        elif isinstance(value, types.ModuleType):
            self._module(value.__name__)
        elif isinstance(value, types.MethodType):
            self.add([value.__self__, value.__func__], where)
        elif isinstance(value, types.FunctionType):
            self._function(value, where)
        elif isinstance(value, types.BuiltinFunctionType | types.BuiltinMethodType):
            if not (value.__self__ is None or isinstance(value.__self__, types.ModuleType | type)):
                raise NoIdentity(f"{where} is {value!r:.80}, of an object of compiled code")
            self._note(str(value.__module__), value.__qualname__)
        elif isinstance(value, type):
            self._class(value, where)
        elif isinstance(value, torch.jit.ScriptModule):
            raise NoIdentity(f"{where} is a TorchScript module; give its file with predictor=torchscript")
        else:
            self._instance(value, where)

    def _note(self, *words: str) -> None:
        for word in words:
            content = word.encode("utf-8", errors="surrogatepass")
            self.hash.update(len(content).to_bytes(8, "big") + content)

    def _file(self, text: str, *, folders: bool = False) -> None:
        """A file that text names stands for its content, and a folder for those of the files in it."""
        try:
            path = Path(text).expanduser()
            files = [path] if path.is_file() else []
            if folders and "/" in text and path.is_dir():
                files = sorted(islice((file for file in path.rglob("*") if file.is_file()), MOST_FILES + 1))
        except (OSError, ValueError, RuntimeError):  # text that is no path
            return
        if len(files) > MOST_FILES:
            raise NoIdentity(f"it names the folder {text}, which has more than {MOST_FILES} files")
        for file in files:
            self._note("file", str(file.relative_to(path)))
            self._content(file)

    def _content(self, path: Path) -> None:
        with path.open("rb") as file:
            self.hash.update(hashlib.file_digest(file, "sha256").digest())

    def _tensor(self, value: Tensor, where: str) -> None:
        if value.layout != torch.strided or value.is_quantized or value.device.type == "meta":
            raise NoIdentity(f"{where} is a tensor that is sparse, quantised or without values")
        self._note(str(value.dtype), str(tuple(value.shape)))
        plain = value.detach().cpu().contiguous().flatten()
        self.hash.update(plain.view(torch.uint8).numpy().data if plain.numel() else b"")

    def _function(self, value: types.FunctionType, where: str) -> None:
        self._note(value.__module__ or "", value.__qualname__)
        if _is_installed(value.__module__):
            self._version(value.__module__)
        else:
            self._module(value.__module__)
            self._code(value.__code__)
            self.add([value.__defaults__, value.__kwdefaults__], f"the defaults of {where}")
            for name, inner in _used(value):
                self.add(inner, f"{name!r}, which {where} uses,")

    def _code(self, code: types.CodeType) -> None:
        self._note(code.co_code.hex(), " ".join(code.co_names))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            elif isinstance(constant, frozenset):
                self._note(*sorted(map(repr, constant)))
            else:
                self._note(repr(constant))
                self._file(constant) if isinstance(constant, str) else None

    def _class(self, value: type, where: str) -> None:
        self._note(value.__module__, value.__qualname__)
        if _is_installed(value.__module__):
            self._version(value.__module__)
            return
        self._module(value.__module__)
        for base in value.__bases__:
            self.add(base, where)
        for name, inner in sorted(vars(value).items()):
            if isinstance(inner, staticmethod | classmethod):
                inner = inner.__func__
            elif isinstance(inner, property | functools.cached_property):
                inner = inner.fget if isinstance(inner, property) else inner.func
            told = isinstance(inner, types.FunctionType) or not (name.startswith("__") or name == "_abc_impl")
            if told and not inspect.isdatadescriptor(inner):
                self.add(inner, f"{where}.{name}")

    def _instance(self, value: Any, where: str) -> None:
        """Its class and its attributes, which must be all that it has."""
        self.add(type(value), f"the class of {where}")
        slots = [name for kind in type(value).__mro__ for name in _slots(kind)]
        state = {name: getattr(value, name) for name in slots if hasattr(value, name)} | dict(
            getattr(value, "__dict__", {})
        )
        if not isinstance(value, nn.Module):
            try:
                reduced: Any = value.__reduce_ex__(4)  # also what compiled code keeps of it
            except Exception as error:  # of open files, locks, sessions
                kind = f"{type(value).__module__}.{type(value).__qualname__}"
                raise NoIdentity(f"{where} is a {kind}, whose state can't be read") from error
            self.add([*reduced[1:3], *map(list, filter(None, reduced[3:5]))], where) if type(reduced) is tuple else None
        untold = UNTOLD if isinstance(value, nn.Module) else set()
        for name in sorted(state):
            if name not in untold:
                hooks = isinstance(value, nn.Module) and name.endswith("_hooks")  # by a number that counts all hooks
                self.add(list(state[name].values()) if hooks else state[name], f"{where}.{name}")

    def _version(self, module: str | None) -> None:
        top = (module or "").partition(".")[0]
        self._note("package", top, str(getattr(sys.modules.get(top), "__version__", "")))

    def _module(self, name: str | None) -> None:
        """The source of a module of the user's own, and of those that it imports."""
        if name is None or name in self._modules:
            return
        self._modules.add(name)
        module = sys.modules.get(name)
        if module is None or _is_installed(name):
            self._version(name)
            return
        file = getattr(module, "__file__", None)
        self._note("module", name)
        if file is not None and Path(file).is_file():
            self._content(Path(file))
        imported = set()
        for value in vars(module).values():
            of = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
            if isinstance(of, str):
                imported.add(of)
        for other in sorted(imported):
            self._module(other)


def _is_installed(module: str | None) -> bool:
    """Whether a module is of Python, of an installed package, or of this one: its version stands for its source."""
    top = (module or "").partition(".")[0]
    if top == "radedit":
        return True
    if top in sys.stdlib_module_names and top != "__main__":
        return True
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return file is not None and any(Path(file).resolve().is_relative_to(folder) for folder in INSTALLED)


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _used(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function takes from its closure and from the globals of its module, by name."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    names, codes = set(), [function.__code__]
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    for name in sorted(names):
        if name in function.__globals__ and not inspect.isbuiltin(function.__globals__[name]):
            yield name, function.__globals__[name]
