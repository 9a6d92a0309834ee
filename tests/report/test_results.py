"""Results on disk: read whole, or refused with the place that is wrong; and as a table."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radedit.report.numbers import adding_up, percent, points
from radedit.report.results import load
from radedit.report.table import print_table, write_csv

Run = dict[str, Any]
Write = Callable[[Run], Path]


def test_results_come_back(run: Run, write: Write) -> None:
    found = load(write(run))
    assert (found.name, found.seed, found.counts) == (run["name"], 7, run["counts"])
    assert [p.key for p in found.predictors] == ["bad", "good"]
    kept = found.row("bad", "synthetic (kept)")
    assert kept is not None and kept.accuracy.value == 0.18 and kept.paper == 17.9
    assert found.attribution[0].terms[3].value.value == 0.795


def test_newer_run_can_be_read(run: Run, write: Write) -> None:
    run["verdict_of_next_year"] = {"a": 1}
    run["table"][0]["more"] = [1, 2]
    assert load(write(run)).title == run["title"]


def test_missing_results_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"results\.json does not exist"):
        load(tmp_path)


def put(run: Run, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    node: Any = run
    for key in parents:
        node = node[int(key)] if key.isdigit() else node[key]
    node[int(last) if last.isdigit() else last] = value


WRONG = {
    "text for a number": ("table.0.n", "many", "table[0].n is 'many'; expected a whole number"),
    "fraction for a count": ("counts.kept", 1.5, "counts.kept is 1.5; expected a whole number"),
    "truth for a number": ("table.1.n", True, "table[1].n is True"),
    "per cent for a fraction": ("table.2.accuracy.value", 93.3, "table[2].accuracy is 93.3; expected a fraction"),
    "number for text": ("title", 3, "title is 3; expected text"),
    "null for a list": ("predictors", None, "predictors is null; expected a list"),
    "no predictor": ("predictors", [], "predictors is empty"),
    "same key twice": ("predictors.1.key", "bad", "each must be unique"),
    "stranger in the table": ("table.0.predictor", "ugly", "table[0].predictor is 'ugly'; predictors are bad, good"),
    "stranger in the attribution": ("attribution.1.predictor", "ugly", "attribution[1].predictor is 'ugly'"),
    "stranger in the agreement": ("agreement.0.predictor", "ugly", "agreement[0].predictor is 'ugly'"),
    "terms that miss the edit": ("attribution.0.edit.value", 0.9, "attribution[0]: reference and terms miss the edit"),
    "one score too few": ("score.kept", [True], "61 cosines and 1 kept"),
    "row that is no object": ("table.3", 7, "table[3] is 7; expected an object with predictor"),
    "cell without accuracy": (
        "predictors.0.cells.2", {"finding": 1, "shortcut": 0, "n": 4}, "predictors[0].cells[2]: accuracy missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_results_are_refused_with_their_place(mistake: str, run: Run, write: Write) -> None:
    path, value, message = WRONG[mistake]
    folder = write(run)
    put(run, path, value)
    (folder / "results.json").write_text(json.dumps(run))
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load(folder)
    assert "results.json: " in str(caught.value) and "\n" not in str(caught.value)


def test_truncated_file_is_refused_with_its_path(run: Run, write: Write) -> None:
    folder = write(run)
    text = (folder / "results.json").read_text()
    (folder / "results.json").write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"results\.json: "):
        load(folder)


def test_csv_has_one_line_a_row_and_fractions(run: Run, tmp_path: Path) -> None:
    run["table"][0]["label"] = 'one, "two"\nthree'
    write_csv(run, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["predictor"], r["data"]) for r in rows] == [(r["predictor"], r["data"]) for r in run["table"]]
    assert rows[0]["label"] == 'one, "two"\nthree'
    for found, given_ in zip(rows, run["table"], strict=True):
        assert float(found["accuracy"]) == given_["accuracy"]["value"] and int(found["n"]) == given_["n"]
        assert (float(found["paper"]) if found["paper"] else None) == (
            None if given_["paper"] is None else pytest.approx(given_["paper"] / 100)
        )


def test_table_is_printed_also_without_intervals(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run["table"][2]["accuracy"] = {"value": 0.5, "low": None, "high": None}
    print_table(run | {"interval": "95 %"})
    printed = capsys.readouterr().out
    assert "93.3" in printed and "18.0" in printed and len(printed.splitlines()) == 1 + len(run["table"])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6), st.floats(0, 1))
def test_printed_parts_lead_from_start_to_end(parts: list[float], start: float) -> None:
    end = start + sum(parts)
    shown = adding_up(parts, start, end)

    def tenths(fraction: float) -> int:
        return round(10 * float(f"{100 * fraction:.1f}"))

    assert tenths(start) + sum(round(1000 * value) for value in shown) == tenths(end)
    assert all(abs(value - part) < 0.001 + 1e-9 for value, part in zip(shown, parts, strict=True))


@given(st.floats(-1, 1))
def test_signs_are_printed_where_there_is_something_to_sign(value: float) -> None:
    text = points(value)
    number = float(text.replace("−", "-"))
    assert number == pytest.approx(100 * value, abs=0.0501)
    assert (text[0] in "+−") is (number != 0)


def test_unknown_is_a_dash() -> None:
    assert percent(None) == points(None) == "–"
