"""Tables with which other datasets lost or mixed up rows; each is read in full, or refused with the line."""

from __future__ import annotations

import csv
import gzip
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radedit.data.io import table as table_module
from radedit.data.io.accents import find_file
from radedit.data.io.table import escaped, read_table, unescaped, write_table


def rows(path: Path) -> list[dict[str, str]]:
    return [row.cells for row in read_table(path).rows]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("tail", ["c,3,plain\n" * 9, 'c,3,"quoted, too"\n' * 9])
def test_quote_that_is_never_closed_is_an_error_naming_its_line(tmp_path: Path, tail: str) -> None:
    path = write(tmp_path / "a.csv", 'id,n,report\na,1,"fine,\nover two lines"\nb,2,"never closed\n' + tail)
    with pytest.raises(ValueError, match=r"a\.csv, line 4: a quote is (opened and never closed|closed before)"):
        read_table(path)


def test_quote_that_is_closed_before_its_cell_ends_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2: a quote is closed before its cell ends"):
        read_table(write(tmp_path / "a.csv", 'id,n\n"a"b,1\n'))


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_delimiter_that_is_no_comma_is_named(tmp_path: Path, sign: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"is parted by {name}. Allowed are commas"):
        read_table(write(tmp_path / "a.csv", sign.join(["id", "n"]) + "\n" + sign.join(["a", "1,5"]) + "\n"))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_that_differ_by_a_blank_are_one_twice(tmp_path: Path, suffix: str) -> None:
    frame, path = pd.DataFrame([["a", "b"]], columns=["id", "id "]), tmp_path / f"a{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    with pytest.raises(ValueError, match="column 'id' is there twice, once as 'id' and once as 'id '"):
        read_table(path)


def test_index_of_parquet_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["007", "x"], "n": [1, 2]}).set_index("id")
    frame.to_parquet(tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == [{"id": "007", "n": "1"}, {"id": "x", "n": "2"}]


def test_index_without_a_name_is_none(tmp_path: Path) -> None:
    pd.DataFrame({"id": ["a", "b", "c"]})[1:].to_parquet(tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == [{"id": "b"}, {"id": "c"}]


@pytest.mark.parametrize("name", ["a.PARQUET", "a.Parquet", "a.pq", "a"])
def test_parquet_is_told_by_its_content(tmp_path: Path, name: str) -> None:
    pd.DataFrame({"id": ["a"]}).to_parquet(tmp_path / name)
    assert rows(tmp_path / name) == [{"id": "a"}]
    found = read_table(tmp_path / name)
    assert found.place(found.rows[0]).endswith(", row 1")


@pytest.mark.parametrize("name", ["a.CSV.GZ", "a.csv"])
def test_gzip_is_told_by_its_content(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(b"id\na\n"))
    assert rows(tmp_path / name) == [{"id": "a"}]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet"])
@pytest.mark.parametrize("place", [0, 3, 12, 40, -9, None])
def test_damaged_table_is_refused_by_name(tmp_path: Path, name: str, place: int | None) -> None:
    path = tmp_path / name
    frame = pd.DataFrame({"id": [f"image-{n}" for n in range(200)], "n": range(200)})
    frame.to_parquet(path) if name.endswith("t") else frame.to_csv(path, index=False)
    content = bytearray(path.read_bytes())
    if place is None:
        content = content[: len(content) // 2]
    else:
        content[place] ^= 0xA5
    path.write_bytes(bytes(content))
    try:
        assert rows(path) == rows_of(frame)  # where it hit what nobody needs
    except ValueError as error:
        assert str(path) in str(error)


def rows_of(frame: pd.DataFrame) -> list[dict[str, str]]:
    return [{"id": str(id_), "n": str(n)} for id_, n in zip(frame.id, frame.n, strict=True)]


def test_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "LINE_MAX", 1000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id\n" + b"\0" * 5000))
    with pytest.raises(ValueError, match="line 2 is longer than 1000 characters"):
        read_table(tmp_path / "a.csv.gz")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_table_of_more_rows_than_memory_has_room_for_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "ROWS_MAX", 10)
    frame, path = pd.DataFrame({"id": map(str, range(11))}), tmp_path / f"a{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    with pytest.raises(ValueError, match="rows"):
        read_table(path)


# Names and formulas


def test_cells_are_composed(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Žižková")
    assert rows(write(tmp_path / "a.csv", f"id,{name}\n{name},1\n")) == [{"id": "Žižková", "Žižková": "1"}]


@pytest.mark.parametrize(("on_disk", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_file_is_found_however_its_accents_are_written(tmp_path: Path, on_disk: str, asked: str) -> None:
    there, wanted = (unicodedata.normalize(form, "Žofín/é.csv") for form in (on_disk, asked))  # type: ignore[arg-type]
    (tmp_path / there).parent.mkdir()
    (tmp_path / there).write_text("id\na\n")
    assert find_file(tmp_path / wanted) == tmp_path / there
    assert rows(tmp_path / wanted) == [{"id": "a"}]
    assert find_file(tmp_path / "ü/ö") == tmp_path / "ü/ö"


FORMULAS = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "'=1", "''@x"]


def test_formulas_are_written_as_text_and_come_back(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", ["id"], [{"id": formula} for formula in FORMULAS])
    with (tmp_path / "a.csv").open(newline="") as file:
        written = [row["id"] for row in csv.DictReader(file)]
    assert written == [f"'{formula}" for formula in FORMULAS]
    assert [row["id"] for row in rows(tmp_path / "a.csv")] == FORMULAS


@given(st.text(alphabet="'=@+-.1eE x"))
def test_what_was_escaped_comes_back(cell: str) -> None:
    assert unescaped(escaped(cell)) == cell
    assert escaped(cell)[:1] not in {"=", "@"}


@pytest.mark.parametrize("cell", ["-1", "+0.5", "-1.5e-3", "-", "it's", "'a'", "a=b", ""])
def test_numbers_and_other_text_are_written_as_they_are(cell: str) -> None:
    assert escaped(cell) == cell == unescaped(cell)
