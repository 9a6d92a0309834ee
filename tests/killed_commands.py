"""Commands that are killed at random moments, or run by three processes at once: the files are those of one run.

    python -m tests.killed_commands kill compare 10 [seed]
    python -m tests.killed_commands together 10

`kill` begins one of `COMMANDS` again and again until it was killed so often; where it comes to its end, the next one
begins in a new folder. `together` has three processes make one stress test of two seeds, in as many rounds. What is
compared are all files, byte by byte, without what says when, where and how fast they were made (`undated`); `LOGS` are
of an attempt, and every attempt leaves its own. The last line is JSON.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from radedit import compare, prepare, stress, sweep
from radedit.data.io.atomic import is_temporary
from tests.commands import run, save_tiny_predictors
from tests.data.fixtures.siim_fisabio_rsna import write_siim_fisabio_rsna
from tests.harness.stress.test_kills import in_a_child
from tests.tiny_bundle import SIZE, save_tiny_bundle

Main = Callable[[], None]
PLACES = {"stress": ["out"], "prepare": ["out", ".cache"], "compare": ["out"], "sweep": ["swept"]}
COMMANDS = tuple(PLACES)
DATED = {"created", "minutes"}
WHEN = re.compile(
    rb"20\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[+]00:00|Z)?)?"
    rb"|\d+(?:\.\d+)? (?:s|min)\b|(?:generate|evaluate) [\d.]+"
)
# Versions of a log, the note of the command with the folder it ran in, and notes of the jobs of a sweep that was killed
LOGS = re.compile(r"/csv/version_\d+/|multirun\.yaml$|/\.jobs-[0-9a-f]+/|(?:^|[/.])lock$")


def words(name: str, given: Path) -> tuple[Main, list[str]]:
    """A command and its arguments, as small as they can be; its inputs are in `given`."""
    tiny = f"generator.folder={given / 'bundle'}"
    few = ["logger=csv", "threads=1", tiny, f"size={SIZE}"]
    if name == "prepare":
        return prepare.main, [
            "dataset=siim_fisabio_rsna", f"dataset.root={given / 'siim'}", "out=out", "workers=1", "latents=true",
            f"size={SIZE}", tiny, "generator.device=cpu",
        ]  # fmt: skip
    if name == "compare":
        return compare.main, ["out=out", "n=1", "n_pictures=1", "setup.steps=1", "setup.block=1", few[2], few[3]]
    if name == "sweep":
        return sweep.main, [
            f"runs=[{','.join(map(str, sorted((given / 'out/stress').glob('manifestation-*'))))}]",
            "out=swept",
        ]
    kept = [f"predictors.{path.name}.folder={given}/seed-${{predictor.seed}}/{path.name}" for path in
            sorted((given / "seed-0").iterdir())]  # fmt: skip
    return stress.main, [
        "+scenario=manifestation", "preset=smoke", "n=3", "n_also=1", "n_cells=1", "n_own=4", "anatomy=null",
        "edit.steps=2", "edit.max_lost=1", "edit.threshold=-1", "edit.block=1", "seeds='0,1'", "out=out", *few, *kept,
    ]  # fmt: skip


def at_work(name: str, given: Path, folder: Path) -> None:
    """What a child does in its folder; raises where the command ends with another code than 0."""
    os.chdir(folder)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(*words(name, given))
    if code or "Traceback" in said.getvalue():
        print(f"{name} ended with {code}:\n{said.getvalue()[-3000:]}", file=sys.stderr)
        raise SystemExit(1)


def undated(folder: Path, name: str) -> dict[str, str]:
    """File → digest of its content without dates, durations and the checksums of files that have such."""
    found = {}
    for path in sorted(p for place in PLACES[name] for p in (folder / place).rglob("*") if p.is_file()):
        content = path.read_bytes()
        if LOGS.search(path.relative_to(folder).as_posix()) or is_temporary(path):
            continue
        if path.suffix == ".pdf":  # has the date in a compressed stream
            content = content[:5]
        if path.suffix in {".json", ".html", ".md", ".xml", ".csv", ".js"}:
            content = WHEN.sub(b"", content)
        if path.name in {"results.json", "sweep.json"}:
            content = json.dumps(without_dates(json.loads(content))).encode()
        if path.name == "SHA256SUMS":
            content = re.sub(rb"[0-9a-f]{64}(?=  .*(?:results|sweep)\.json)", b"", content)
        found[path.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found


def without_dates(node: object) -> object:
    """JSON without when and how fast."""
    if isinstance(node, dict):
        return {key: without_dates(value) for key, value in node.items() if key not in DATED}
    return [without_dates(value) for value in node] if isinstance(node, list) else node


def half_written(folder: Path) -> list[Path]:
    """What a killed process was writing."""
    return [path for path in folder.rglob("*") if is_temporary(path)]


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Files that only one has, or of other content."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def prepared(at: Path) -> Path:
    """Folder with a generator, predictors of two seeds and a data set."""
    given = at / "given"
    save_tiny_bundle(given / "bundle")
    for seed in (0, 1):
        save_tiny_predictors(given / f"seed-{seed}", seed)
    write_siim_fisabio_rsna(given / "siim")
    return given


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def whole(name: str, given: Path, folder: Path) -> float:
    """Run a command to its end in a child; returns the seconds it took."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            at_work(name, given, folder)
            os._exit(0)
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise SystemExit(f"{name} in {folder} ended with {code}.")
    return time.monotonic() - start


def kill(at: Path, name: str, kills: int, seed: int) -> dict[str, object]:
    """Kill a command so often, and compare what it ends with; returns what was counted."""
    draw, given = random.Random(f"{name}-{seed}"), prepared(at)
    if name == "sweep":
        whole("stress", given, given)
    whole(name, given, new(at / "undisturbed"))  # also fills the cache that all share, as file systems do
    expected = undated(at / "undisturbed", name)
    seconds = whole(name, given, new(at / "timed"))
    done, folders, wrong = 0, 0, differing(undated(at / "timed", name), expected)
    while done < kills:
        folder, killed = new(at / f"killed-{folders}"), True
        while killed and done < kills:
            killed = in_a_child(lambda: at_work(name, given, folder), draw.uniform(0, seconds / 2))  # noqa: B023
            done += killed
        whole(name, given, folder)
        wrong += differing(undated(folder, name), expected)
        if leftovers := half_written(folder):  # of today they might be another process's
            for path in leftovers:
                os.utime(path, (0, 0))
            whole(name, given, folder)
            wrong += [path.name for path in half_written(folder)]
        shutil.rmtree(folder)
        folders += 1
    return {"command": name, "kills": done, "to_the_end": folders, "seconds": round(seconds, 1), "files": len(expected),
            "differing": sorted(set(wrong))}  # fmt: skip


def together(at: Path, rounds: int) -> dict[str, object]:
    """Have three processes make one stress test, and compare with that of one."""
    given, failed, wrong, reports = prepared(at), 0, set[str](), set[int]()
    whole("stress", given, new(at / "undisturbed"))
    expected = undated(at / "undisturbed", "stress")
    for number in range(rounds):
        folder, children = new(at / f"round-{number}"), []
        for _ in range(3):
            if (child := os.fork()) == 0:
                try:
                    at_work("stress", given, folder)
                    os._exit(0)
                except BaseException:
                    traceback.print_exc()
                os._exit(1)
            children.append(child)
        failed += sum(os.waitpid(child, 0)[1] != 0 for child in children)
        wrong |= {*differing(undated(folder, "stress"), expected)}
        reports.add(len([*folder.glob("out/sweeps/*/report.html")]))
        shutil.rmtree(folder)
        print(f"round {number + 1}: {failed} failed, {sorted(wrong)}", file=sys.stderr, flush=True)
    return {"rounds": rounds, "failed": failed, "reports": sorted(reports), "files": len(expected),
            "differing": sorted(wrong)}  # fmt: skip


def main(what: str, *arguments: str) -> None:
    """Kill, or run together."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["RADEDIT_CACHE"] = str(Path(temporary) / "cache")
        if what == "kill":
            name, kills, *seed = arguments
            found = kill(Path(temporary), name, int(kills), int(*seed or (0,)))
        else:
            found = together(Path(temporary), int(*arguments))
    print(json.dumps(found))
    if found["differing"] or found.get("failed"):
        raise SystemExit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
