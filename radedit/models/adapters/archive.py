"""Archives of torch, `.pt`, `.pth` and `.pt2`: whole, and with nothing in them that would run or write when loaded.

A zip archive has a checksum of every entry, so that a flipped byte is seen here and not in an accuracy.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

# What a script may call: `ops.<these>`. Neither these nor torch's functions reach files, but for the two below.
NAMESPACES = ("prim", "aten", "quantized", "torchvision")
TO_FILES = re.compile(r"\b(save|from_file)\s*\(")
OTHER_OPERATORS = re.compile(rf"\bops\s*\.\s*(?!(?:{'|'.join(NAMESPACES)})\b)(\w+)")
CLASSES = re.compile(r"__torch__\s*\.\s*torch\s*\.\s*classes\s*\.\s*(?!quantized\b)(\w+)")

# What a program of torch.export may call, and be made of.
CALLS = re.compile(
    r"torch\.ops\.(aten|prims|torchvision|quantized_decomposed)\.\w+(\.\w+)?"
    r"|torch\.ops\.higher_order\.(wrap_with_set_grad_enabled|wrap_with_autocast|cond|map_impl|scan|while_loop)"
    r"|torch\.sym_\w+|math\.\w+|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|getitem|eq|ne|lt|le|gt|ge|and_|or_|not_)"
)
NAME = re.compile(r"[\w.]*")
NAMES = ("name", "fqn", "as_name", "forward_arg_names", "path_name")
SYMBOL = re.compile(r"Symbol\('\w+'(?:, \w+=(?:True|False))*\)")
WORDS = re.compile(
    r"\d+|[suz]f?\d+|Add|Mul|Pow|Integer|Rational|Float|precision|Max|Min|Eq|Ne|Ge|Gt|Le|Lt|And|Or|Not|Mod|PythonMod"
    r"|(Floor|Clean|Ceil|IntTrue|FloatTrue)Div|ModularIndexing|Where|(Ceil|Floor|Trunc)ToInt|PowByNatural|FloatPow|ToFloat"
    r"|Identity|floor|ceiling|True|False|evaluate|oo|int_oo|inf"
)
SIZE_OF_INPUT = re.compile(r"L(?:\['\w+'\]|\[\d+\])+\.(?:size|stride)\(\)\[\d+\]")
TREES = ("builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict", None)
PROGRAM = re.compile(
    r"(\.data/\w+|byteorder|archive_format|archive_version|version|models/\w+\.json|extra/.*|data/sample_inputs/\w+\.pt"
    r"|data/(weights|constants)/(\w+_config\.json|(weight|tensor)_\d+))"
)  # fmt: skip


def read_archive(path: Path) -> dict[str, bytes]:
    """The entries of a zip archive without its root folder, each with the checksum that it should have.

    Raises:
        ValueError: If it is no zip archive, damaged, or has two entries of one name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
            twice = [name for name, times in Counter(archive.namelist()).items() if times > 1]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path} is no whole archive of torch ({error}). Copy or export it again.") from error
    if twice:
        raise ValueError(f"{path} has two entries {twice[0]!r}, of which one could hide the other. Export it again.")
    return {name.partition("/")[2]: content for name, content in entries.items()}


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, as all that torch has written since 1.6."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def check_script(path: Path) -> None:
    """Refuse a TorchScript file that is damaged, or whose code would reach other files.

    Raises:
        ValueError: If it is one.
    """
    for name, content in read_archive(path).items():
        if not (name.startswith("code/") and name.endswith(".py")):
            continue
        code = content.decode("utf-8", errors="replace")
        found = TO_FILES.search(code) or OTHER_OPERATORS.search(code) or CLASSES.search(code)
        if found:
            line = code[: found.start()].count("\n") + 1
            raise ValueError(
                f"{path} is refused: its code calls {found[0].strip('( ')!r} ({name}, line {line}), which could read "
                "or write files. A model under test computes, and nothing else."
            )


def plain_program(path: Path) -> io.BytesIO:
    """A `.pt2` archive, written anew from the entries that were looked at: a graph of torch's operators and tensors.

    `torch.export.load` unpickles, imports and executes in a dozen places what an archive tells it to. An archive that
    `torch.export.save` writes of a network needs none of them.

    Raises:
        ValueError: If it is damaged, or has more in it than a graph of operators and tensors.
    """
    entries = read_archive(path)
    if "archive_version" not in entries:
        raise ValueError(f"{path} is no exported program: it has no archive_version.")
    if odd := [name for name in entries if not PROGRAM.fullmatch(name)]:
        raise _refused(path, f"it has {odd[0]!r}, which may be compiled or pickled code")
    for name, content in entries.items():
        if name.startswith("data/sample_inputs/") and content:
            _check_sample(path, name, content)
        elif name.endswith(".json"):
            try:
                read = json.loads(content)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path} is no exported program: {name} is no JSON.") from error
            reason = next(_odd_in_program(read) if name.startswith("models/") else _odd_in_payload(read), None)
            if reason is not None:
                raise _refused(path, f"{name} {reason}")
    rewritten = io.BytesIO()
    with zipfile.ZipFile(rewritten, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(f"program/{name}", content)
    rewritten.seek(0)
    return rewritten


def _refused(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} is refused: {reason}. Only a graph of torch's operators and plain tensors is read; write one with "
        "torch.export.save(torch.export.export(model, (images,)), 'my.pt2')."
    )


def _check_sample(path: Path, name: str, content: bytes) -> None:
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # of the unpickler, or of what it was given
        raise _refused(path, f"{name} is a pickle of more than tensors") from error


def _odd_in_payload(config: Any) -> Iterator[str]:
    """Why a table of weights or constants is refused."""
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        yield "is no table of tensors"
        return
    for key, entry in config["config"].items():
        if not isinstance(entry, dict):
            yield f"has no entry for {key!r}"
        elif entry.get("use_pickle") is not False:
            yield f"has use_pickle for {key!r}, and unpickling could run code"
        elif not re.fullmatch(r"(weight|tensor)_\d+", str(entry.get("path_name"))):
            yield f"has a pickled object, {key!r}"


def _odd_in_program(node: Any, key: str = "") -> Iterator[str]:
    """Why a graph is refused: what in it would be imported, evaluated or executed."""
    if isinstance(node, dict):
        for inner, value in node.items():
            if inner == "metadata":  # where its lines come from: split, never executed
                continue
            if not NAME.fullmatch(inner) and key != "range_constraints":
                yield f"has a key that is no name, {inner[:60]!r}"
            if key == "range_constraints" and not _is_expression(inner):
                yield f"has an expression that is not computed, {inner[:60]!r}"
            yield from _odd_in_program(value, inner)
    elif isinstance(node, list):
        for value in node:
            yield from _odd_in_program(value, key)
    elif isinstance(node, str):
        if key in ("target", "as_operator") and (not CALLS.fullmatch(node) or "from_file" in node):
            yield f"calls {node[:60]!r}, which is no operator on tensors"
        elif key in ("in_spec", "out_spec") and not _is_spec(node):
            yield "has inputs or outputs that are no tuples, lists or dictionaries"
        elif key == "expr_str" and not _is_expression(node):
            yield f"has an expression that is not computed, {node[:60]!r}"
        elif key == "guards_code" and not _is_expression(SIZE_OF_INPUT.sub("0", node)):
            yield f"has code that would be executed, {node[:60]!r}"
        elif key in NAMES and not NAME.fullmatch(node):
            yield f"has a name that is none, {node[:60]!r}"


def _is_expression(text: str) -> bool:
    """Whether a size is arithmetic, which sympy may evaluate: no attribute, no text, no call of anything else."""
    rest = SYMBOL.sub("0", text)
    if not re.fullmatch(r"[\w+\-*/%<>=!&|~(), ]*", re.sub(r"\d\.\d", "0", rest)) or len(text) > 2000 or "**" in rest:
        return False
    return all(WORDS.fullmatch(word) for word in re.findall(r"\w+", rest))


def _is_spec(text: str) -> bool:
    """Whether a tree of arguments is made of what Python has itself; other kinds are imported by their name."""

    def plain(node: Any) -> bool:
        if not isinstance(node, dict) or node.get("type") not in TREES or not isinstance(node["children_spec"], list):
            return False
        context = json.loads(node["context"] or "null")
        keys = context if isinstance(context, list) else [context]
        return all(isinstance(key, str | int | None) for key in keys) and all(map(plain, node["children_spec"]))

    try:
        version, tree = json.loads(text)
        return isinstance(version, int) and plain(tree)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
