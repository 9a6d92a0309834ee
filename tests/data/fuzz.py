"""Damaged DICOM files, pictures, tables and runs by the thousand: `python -m tests.data.fuzz dicom 10000 [seed]`.

Whole files are cut, overwritten, joined and repeated at random, by a seed; of results, values inside the JSON are
exchanged, too. Each must be read or refused with one of the errors that commands print as a line, within ten seconds
of processor time. One line of JSON a kind: how many were read and refused, the longest that one took (s), the memory
that they took (GB), and the most that the process took with all libraries.
"""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import random
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.image.files import picture_size, read_image, read_mask
from radedit.data.io.table import read_table
from radedit.harness.evidence.results import FILE as RESULTS
from radedit.harness.predictors.predictions import FILE as PREDICTIONS
from radedit.harness.sweep.finished_run import read_run
from radedit.report.sweep.folder import write_sweep
from tests.data.image.dicom_writer import SYNTAXES, Bits, lut, write
from tests.made_up_runs import addition_run, removal_run

LONGEST_S, MOST_GB = 10, 2
Read = Callable[[Path], object]


def dicom_files(folder: Path) -> Iterator[bytes]:
    """One of each syntax and sign, with a window, a table or padding."""
    rows, columns = np.mgrid[0:1:32j, 0:1:34j]
    stored = np.rint(4095 * (0.7 * rows + 0.3 * columns)).astype(np.int64)
    steps = (
        {"WindowCenter": "2000", "WindowWidth": "900", "RescaleSlope": "2", "RescaleIntercept": "-7"},
        {"VOILUTSequence": [lut(0, (np.arange(4096) // 16).tolist(), 8)], "PhotometricInterpretation": "MONOCHROME1"},
    )
    for syntax in SYNTAXES:
        for elements in steps:
            path = write(folder / "image.dcm", stored, Bits(16, 12, 11), syntax=syntax, **elements)
            yield path.read_bytes()


def picture_files(folder: Path) -> Iterator[bytes]:
    """PNG and JPEG of every kind that Pillow writes."""
    grey = np.arange(2304, dtype=np.uint16).reshape(48, 48)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        picture = Image.fromarray(grey if mode == "I;16" else grey.astype(np.uint8))
        picture = picture if mode == "I;16" else picture.convert(mode)
        exif = picture.getexif()
        exif[0x0112] = 6
        for kind in ("PNG", "JPEG") if mode in {"L", "RGB"} else ("PNG",):
            buffer = io.BytesIO()
            picture.save(buffer, kind, exif=exif)
            yield buffer.getvalue()


def table_files(folder: Path) -> Iterator[bytes]:
    """CSV, plain and gzipped, and Parquet, of images that are there."""
    rows = [
        {"id": f"p{n}", "patient_id": f"s{n}", "image": f"{n}.png", "report": f'Some, "text"\n{n}', "label_x": n % 2}
        for n in range(20)
    ]
    for n in range(20):
        Image.fromarray(np.eye(16, dtype=np.uint8)).save(folder / f"{n}.png")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    yield text.getvalue().encode()
    yield gzip.compress(text.getvalue().encode(), mtime=0)
    for frame in (pd.DataFrame(rows), pd.DataFrame(rows).set_index("id")):
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
        yield buffer.getvalue()


def run_files(folder: Path, file: str, run: Callable[..., Path]) -> Iterator[bytes]:
    """One file of a finished run, whose others stay beside it."""
    made = run(folder / "made", n=6)
    yield (made / file).read_bytes()
    for other in {RESULTS, PREDICTIONS, "pictures"} - {file}:
        (made / other).rename(folder / other)


def read_folder(path: Path) -> None:
    """As `radedit.sweep` does, up to the page."""
    write_sweep([read_run(path.parent)], path.parent / "out", {})


def read_picture(path: Path) -> None:
    """In all ways."""
    _each(path, picture_size, read_image, read_mask)


def read_set(path: Path) -> None:
    """As a table, and as a manifest."""
    _each(path, read_table, lambda name: ManifestDataset(name, check_sizes=True))


KINDS: dict[str, tuple[Callable[[Path], Iterator[bytes]], Read, str]] = {
    "dicom": (dicom_files, lambda path: _each(path, picture_size, read_image), "image.dcm"),
    "pictures": (picture_files, read_picture, "image.png"),
    "tables": (table_files, read_set, "table.csv"),
    "removals": (partial(run_files, file=RESULTS, run=removal_run), read_folder, RESULTS),
    "additions": (partial(run_files, file=RESULTS, run=addition_run), read_folder, RESULTS),
    "predictions": (partial(run_files, file=PREDICTIONS, run=removal_run), read_folder, PREDICTIONS),
}


def _each(path: Path, *reads: Read) -> None:
    """Read in several ways, and raise the last one's error, if there was one."""
    failure: Exception | None = None
    for read in reads:
        try:
            read(path)
        except (ValueError, OSError) as error:
            failure = error
    if failure:
        raise failure


def damaged(content: bytes, other: bytes, draw: random.Random) -> bytes:
    """A file after one to four accidents."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        place, length = draw.randrange(len(data) + 1), draw.choice((1, 1, 2, 4, 16, 200))
        head = draw.randrange(min(len(data), 1500) + 1)  # most of what is decided stands at the beginning
        accident = draw.randrange(8)
        if accident == 0:
            del data[place:]
        elif accident == 1:
            del data[head : head + length]
        elif accident == 2:
            data[head:head] = data[place : place + length]
        elif accident == 3:
            data[head : head + length] = other[head : head + length]
        elif accident == 4:
            data[head : head + length] = bytes([draw.choice((0, 255, 127, 128))]) * min(length, 4)
        else:
            at = head if accident < 7 else place
            data[at : at + 1] = bytes([draw.randrange(256)])
    return bytes(data)


def with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold, so that a decoder goes on to read it."""
    data, at = bytearray(content), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(data)


def exchanged(content: bytes, draw: random.Random) -> bytes:
    """JSON in which one to four values are others: out of range, from elsewhere, missing, doubled, of another type."""
    tree = json.loads(content)
    for _ in range(draw.randint(1, 4)):
        places = list(_places(tree))
        node, key = draw.choice(places)
        alike = [(n, k) for n, k in places if type(n[k]) is type(node[key])]
        other, place = draw.choice(alike)
        accident = draw.choice((0, 1, 1, 1, 2, 3, 3, 3, 4, 4, 4, 5))
        if accident == 0 or (accident == 2 and not isinstance(node, list)):
            del node[key]
        elif accident == 1:
            node[key] = copy.deepcopy(other[place])
        elif accident == 2:
            node.append(copy.deepcopy(node[key]))
        elif accident == 5:
            node[key] = draw.choice((None, True, -1, 1e308, float("nan"), "", "x", [], {}, [[]], {"x": {}}))
        elif isinstance(node[key], int | float) and not isinstance(node[key], bool):
            node[key] = node[key] * draw.choice((-1, 2, 1000)) + draw.choice((-1, 0, 1))
        elif isinstance(node[key], str):
            node[key] = draw.choice(("", "../" + node[key], node[key] + "\n", "<b>" + node[key], node[key] * 200))
    return json.dumps(tree).encode()


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a tree of JSON, as the container and the key that it has there."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


def peak_gb() -> float:
    """Most memory that this process has taken."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**20


def main(kinds: str, n: str, seed: str = "0") -> None:
    """Try `n` files of each kind, such as `dicom,tables`."""
    failures = [failure for kind in kinds.split(",") for failure in tried(kind, int(n), seed)]
    if failures:
        raise SystemExit("\n".join([f"{len(failures)} of seed {seed} were not refused as they should be:", *failures]))


def tried(kind: str, n: int, seed: str) -> list[str]:
    """What was wrong with `n` files of a kind; its figures are printed."""
    files, read, name = KINDS[kind]
    draw, before, took = random.Random(f"{kind}-{seed}"), peak_gb(), 0.0
    counts, failures = {"read": 0, "refused": 0}, list[str]()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as at:
        path = Path(at) / name
        whole = list(files(Path(at)))
        for number in range(n):
            content = damaged(draw.choice(whole), draw.choice(whole), draw)
            if name == RESULTS and draw.random() < 0.8:
                content = exchanged(draw.choice(whole), draw)
            if kind == "pictures" and draw.random() < 0.5:
                content = with_checksums(content)
            path.write_bytes(content)
            start = time.process_time()
            try:
                read(path)
                counts["read"] += 1
            except (ValueError, OSError) as error:
                counts["refused"] += 1
                if str(path.parent) not in str(error):
                    failures.append(f"{kind} {number} names no file:\n{traceback.format_exc()}")
            except Exception:
                failures.append(f"{kind} {number}: {traceback.format_exc()}")
            took = max(took, time.process_time() - start)
            if took >= LONGEST_S or peak_gb() >= before + MOST_GB:
                raise SystemExit(f"{kind} {number} of seed {seed} took {took:.1f} s, {peak_gb() - before:.1f} GB")
    most = {"most_gb": round(peak_gb() - before, 2), "process_gb": round(peak_gb(), 2)}
    print(json.dumps({"kind": kind} | counts | {"longest_s": round(took, 2)} | most))
    return failures


if __name__ == "__main__":
    main(*sys.argv[1:])
