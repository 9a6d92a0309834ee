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

from radedit.harness.evidence.results import load, schema
from radedit.harness.sweep.results import Sweep
from radedit.report.sweep.table import CSV, csv_table, tables, write_tables
from radedit.report.words.numbers import adding_up, percent, points

Run = dict[str, Any]
Write = Callable[[Run], Path]
SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "reference" / "results.schema.json"


def test_results_come_back(run: Run, write: Write) -> None:
    found = load(write(run))
    assert (found.name, found.seed, found.counts) == (run["scenario"]["name"], 7, run["counts"])
    assert [p.key for p in found.predictors] == ["bad", "good"]
    kept = found.row("bad", "synthetic (kept)")
    assert kept is not None and kept.main.value == 0.18 and kept.paper == 17.9
    assert found.attribution[0].terms[3].value.value == 0.795


@pytest.mark.parametrize("version", [None, 0, 99])
def test_run_of_another_version_is_refused_with_one_sentence_that_says_what_to_do(
    version: int | None, run: Run, write: Write
) -> None:
    run["schema_version"] = version
    with pytest.raises(
        ValueError, match=r"results\.json was written by .* Run its command again \(python -m"
    ) as caught:
        load(write(run))
    assert "\n" not in str(caught.value) and run["command"] in str(caught.value)


def test_schema_is_the_published_one() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == schema(), "make schema writes it"


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
    "per cent for a fraction": ("table.2.accuracy.value", 93.3, "table[2]: accuracy is 93.3; expected a fraction"),
    "number for text": ("scenario.title", 3, "scenario.removal.title is 3; expected text"),
    "null for a list": ("predictors", None, "predictors is null; expected a list"),
    "no predictor": ("predictors", [], "predictors is empty"),
    "same key twice": ("predictors.1.key", "bad", "each must be unique"),
    "key that nobody knows": ("table.0.acuracy", 0.5, "table[0].acuracy is not known"),
    "verdict without an outcome": ("verdicts", [{"predictor": "bad"}], "verdicts[0]: outcome is missing"),
    "limit that is text": ("rules.limit", "ten", "rules.limit is 'ten'; expected a number"),
    "stranger in the table": ("table.0.predictor", "ugly", "table[0].predictor is 'ugly'; predictors are bad, good"),
    "stranger in the attribution": ("attribution.1.predictor", "ugly", "attribution[1].predictor is 'ugly'"),
    "stranger in the agreement": ("agreement.0.predictor", "ugly", "agreement[0].predictor is 'ugly'"),
    "terms that miss the edit": ("attribution.0.edit.value", 0.9, "attribution[0]: reference and terms miss the edit"),
    "a cosine beyond 1": ("score.cosine", [*[0.5] * 60, 200.0], "score: cosine has 200; allowed is −1…1"),
    "one score too few": ("score.kept", [True], "score: 61 records, 61 cosines and 1 kept"),
    "row that is no object": ("table.3", 7, "table[3] is 7; expected an object"),
    "cell without accuracy": (
        "predictors.0.cells.2", {"finding": 1, "shortcut": 0, "n": 4}, "predictors[0].cells[2]: accuracy is missing",
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


def test_csv_has_one_line_a_row_and_fractions(run: Run, write: Write) -> None:
    run["table"][0]["label"] = 'one, "two"\nthree'
    folder = write(run)
    write_tables(folder, Sweep.of(load(folder), folder.name))
    with (folder / CSV).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["predictor"], r["data"]) for r in rows] == [(r["predictor"], r["data"]) for r in run["table"]]
    assert rows[0]["label"] == 'one, "two"\nthree' and {row["measure"] for row in rows} == {"accuracy"}
    for found, given_ in zip(rows, run["table"], strict=True):
        assert float(found["value"]) == given_["accuracy"]["value"] and int(found["n"]) == given_["n"]
        assert (float(found["paper"]) if found["paper"] else None) == (
            None if given_["paper"] is None else pytest.approx(given_["paper"] / 100)
        )


def test_table_in_markdown_has_the_lines_of_the_csv_also_without_intervals(run: Run, write: Write) -> None:
    run["table"][2]["accuracy"] = {"value": 0.5, "low": None, "high": None, "n": 60}
    sweep = Sweep.of(load(write(run)), "run")
    shown, lines = tables(sweep), csv_table(sweep).splitlines()[1:]
    for row in run["table"]:
        assert any(re.match(rf"\| \S.*\| {re.escape(row['data'])} *\| {row['n']} ", line) for line in shown.split("\n"))
    assert len(lines) == len(run["table"]) == shown.count("| 60 ") - len(run["attribution"]) - len(run["agreement"])
    assert "93.3" in shown and "18.0" in shown


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
