"""A gallery of thousands of records: the page stays small, and shows the others from files beside it."""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from radedit.harness.sweep.results import load_sweep
from radedit.report.images.gallery import gallery
from radedit.report.sweep.page import EMBEDDED, FURTHER, TOGETHER, write_report
from tests.report.conftest import example, made_up, written

ODD = """r-<b>"'&\u2028</script>"""


def run_of(n: int, folder: Path) -> Path:
    """A finished run whose gallery has n records, each with pictures of its own."""
    run: dict[str, Any] = made_up()
    run["gallery"] = []
    for number in range(n):
        one = example(f"record-{number:05d}", number % 3 > 0, number / n)
        one["images"] = {kind: f"pictures/{kind}/{number} ä#%.png" for kind in one["images"]}
        run["gallery"].append(one)
    return written(run, folder)


def further(folder: Path) -> list[list[str]]:
    """The cards of every file, in the order of the files."""
    files = sorted((folder / FURTHER).glob("*.js"), key=lambda file: int(file.stem))
    called = [re.fullmatch(r"radeditRecords\((\d+), (.*)\);\n", file.read_text(), re.S) for file in files]
    assert [found and int(found[1]) for found in called] == list(range(len(files)))
    return [json.loads(found[2]) for found in called if found]


def test_every_record_is_on_the_page_or_in_one_file(tmp_path: Path) -> None:
    n = EMBEDDED + TOGETHER + 3
    folder = run_of(n, tmp_path / "run")
    page = write_report(folder).read_text(encoding="utf-8")
    cards = further(folder)
    assert page.count('<article class="card record') == EMBEDDED and [len(part) for part in cards] == [TOGETHER, 3]
    shown = re.findall(r"<h3>(record-\d+)</h3>", page + "".join(card for part in cards for card in part))
    assert shown == [card.example.record for card in gallery(load_sweep(folder).first)] and len(set(shown)) == n


def test_pictures_of_further_records_load_lazily_from_beside_the_page(tmp_path: Path) -> None:
    folder = run_of(EMBEDDED + 2, tmp_path / "run")
    page = write_report(folder).read_text(encoding="utf-8")
    assert all(source.startswith("data:image/") for source in re.findall(r'<img [^>]*src="([^"]*)"', page))
    pictures = re.findall(r'<img loading="lazy" src="([^"]*)"', "".join(further(folder)[0]))
    assert len(pictures) == 2 * 4 and all(re.fullmatch(r"pictures/\w+/\d+%20%C3%A4%23%25.png", p) for p in pictures)


def test_a_page_that_holds_all_its_records_needs_no_other_file(tmp_path: Path) -> None:
    folder = run_of(EMBEDDED + 1, tmp_path / "run")
    write_report(folder)
    assert len(further(folder)) == 1
    folder = run_of(EMBEDDED, tmp_path / "run")
    page = write_report(folder).read_text(encoding="utf-8")
    assert further(folder) == [] and "Pictures are missing" not in page, "a file of an older report is left"


def test_index_says_of_every_record_what_the_filters_ask(tmp_path: Path) -> None:
    folder = run_of(EMBEDDED + 2, tmp_path / "run")
    page = write_report(folder).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" class="index">(.*?)</script>', page)
    assert found
    index = json.loads(found[1])
    assert index["together"] == TOGETHER
    cards = gallery(load_sweep(folder).first)
    assert index["records"] == [[int(card.example.kept), card.flipped] for card in cards]


def test_no_name_leaves_the_string_that_it_stands_in(tmp_path: Path) -> None:
    folder = run_of(EMBEDDED + 1, tmp_path / "run")
    content = json.loads((folder / "results.json").read_text())
    content["gallery"][-1] |= {"record": ODD, "cosine": 2.0}
    (folder / "results.json").write_text(json.dumps(content))
    write_report(folder)
    text = (folder / FURTHER / "0.js").read_text()
    assert text.count("\n") == 1 and text.isascii()
    assert "&lt;b&gt;" in further(folder)[0][0] and "<b>" not in further(folder)[0][0]


@pytest.mark.parametrize(("path", "error"), [("pictures/none.png", FileNotFoundError), ("../secret.png", ValueError)])
def test_picture_of_a_further_record_that_is_missing_or_outside_is_named(
    path: str, error: type[Exception], tmp_path: Path
) -> None:
    folder = run_of(EMBEDDED + 1, tmp_path / "run")
    content = json.loads((folder / "results.json").read_text())
    content["gallery"][-1]["images"]["source"] = path
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(error, match=f"Picture 'source' of record 'record-{EMBEDDED:05d}'"):
        write_report(folder)


def test_what_a_killed_process_left_goes_and_what_another_writes_stays(tmp_path: Path) -> None:
    folder = run_of(1, tmp_path / "run")
    old, new = folder / "pictures" / ".a.png.7-0123abcd.tmp", folder / ".report.html.8-0123abcd.tmp"
    for file in (old, new):
        file.touch()
    os.utime(old, (0, 0))
    write_report(folder)
    assert not old.exists() and new.exists()


@pytest.mark.slow
def test_page_and_memory_do_not_grow_with_the_records(tmp_path: Path) -> None:
    sizes, peaks = {}, {}
    for n in (200, 2000):
        folder = run_of(n, tmp_path / f"run-{n}")
        sweep = load_sweep(folder)
        tracemalloc.start()
        sizes[n] = write_report(folder, sweep).stat().st_size
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(len(part) for part in further(folder)) == n - EMBEDDED
    assert sizes[2000] < 10_000_000 and sizes[2000] < sizes[200] + 100_000
    assert peaks[2000] < peaks[200] + 40_000_000
