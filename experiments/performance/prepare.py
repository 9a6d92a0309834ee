"""How fast is `radedit.prepare`, and does its memory stay flat? On synthetic files in the layout of MIMIC-CXR-JPG.

python experiments/performance/prepare.py [folder]
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 64, 80
COMMAND = "from radedit import prepare; prepare.main(); print(open('/proc/self/status').read())"  # as -m would
METADATA = (
    "dicom_id", "patient_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip
FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture", "Lung Lesion",
    "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax", "Support Devices",
)  # fmt: skip


def write_mimic(root: Path, n: int) -> None:
    """Write `n` frontal images of noise, two of each patient, with their tables."""
    metadata, split, labels = [], [], []
    for number in range(n):
        patient, study = f"{10000000 + number // 2}", f"{50000000 + number}"
        dicom = "-".join(f"{number * 7919 + part:08x}" for part in range(5))
        folder = root / "files" / f"p{patient[:2]}" / f"p{patient}" / f"s{study}"
        folder.mkdir(parents=True)
        image = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
        Image.fromarray(image).save(folder / f"{dicom}.jpg", quality=95)
        about = ["CHEST", "AP" if number % 3 else "PA", HEIGHT, WIDTH, "21800506", "213014.531", "", "", "Erect"]
        metadata.append([dicom, patient, study, *about])
        split.append([dicom, study, patient, "train" if number // 2 % 20 else "test"])
        labels.append([patient, study, *("1.0" if number % 14 == i else "" for i in range(14))])
    tables: dict[str, list[Sequence[object]]] = {
        "metadata": [METADATA, *metadata],
        "split": [("dicom_id", "study_id", "patient_id", "split"), *split],
        "chexpert": [("patient_id", "study_id", *FINDINGS), *labels],
    }
    for name, rows in tables.items():
        with gzip.open(root / f"mimic-cxr-2.0.0-{name}.csv.gz", "wt", newline="") as file:
            csv.writer(file).writerows(rows)


def prepare(root: Path, out: Path, kill_at: int | None = None) -> tuple[float, float, float]:
    """Run the command; seconds, and the peak memory of its first process and of its largest worker, MiB.

    Most of a worker's memory is shared with the first process. With `kill_at` the command is killed once so many
    blocks are done.
    """
    command = [
        sys.executable, "-c", COMMAND, "dataset=mimic_cxr", f"dataset.root={root}", f"out={out}",
        "dataset.require_impression=false",
    ]  # fmt: skip
    start, worker = time.monotonic(), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        while run.poll() is None:
            worker = max([worker, *(_peak(_status(pid)) for pid in _workers(run.pid))])
            if kill_at is not None and len(list(out.glob("blocks/*/*.jsonl"))) >= kill_at:
                run.send_signal(signal.SIGKILL)
                break
            time.sleep(0.1)
        seconds, told = time.monotonic() - start, run.communicate()[0]
    if kill_at is None and run.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {run.returncode}")
    return seconds, _peak(told), worker


def _workers(pid: int) -> list[int]:
    """Processes that another one started; on Linux."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        if parent == pid:
            found.append(int(path.parent.name))
    return found


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""


def _peak(status: str) -> float:
    """The largest resident set so far, MiB, of what Linux says of a process."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def main(folder: Path) -> None:
    """Measure at 2,000 and 20,000 images, then kill a run of the latter half-way and let it go on."""
    cores = len(os.sched_getaffinity(0))
    print("| images | seconds | images a second | first process, MiB | a worker, MiB |\n|---|---|---|---|---|")
    for n in (2000, 20000):
        root = folder / f"mimic-{n}"
        if not root.exists():
            write_mimic(root, n)
        shutil.rmtree(folder / f"out-{n}", ignore_errors=True)
        seconds, first, worker = prepare(root, folder / f"out-{n}")
        print(f"| {n:,} | {seconds:.0f} | {n / seconds:.0f} | {first:.0f} | {worker:.0f} |", flush=True)
    out = folder / "out-killed"
    shutil.rmtree(out, ignore_errors=True)
    prepare(folder / "mimic-20000", out, kill_at=40)
    time.sleep(1)  # its workers notice
    finished = {path: path.stat().st_mtime_ns for path in out.glob("blocks/*/*.jsonl")}
    seconds, *_ = prepare(folder / "mimic-20000", out)
    redone = sum(path.stat().st_mtime_ns != at for path, at in finished.items())
    same = (out / "index.parquet").read_bytes() == (folder / "out-20000/index.parquet").read_bytes()
    print(
        f"\nKilled after {len(finished)} of 79 blocks; went on for {seconds:.0f} s, redid {redone} of them; the index "
        f"is {'the same' if same else 'another one'}. {cores} cores."
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/performance"))
