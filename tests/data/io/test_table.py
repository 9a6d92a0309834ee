"""CSV tables as published sets have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from radedit.data.io.table import read_table


@pytest.mark.parametrize("header, row", [("name,x,", "a,1,"), ("name,x,,,", "a,1,,,")])
def test_columns_without_a_name_are_left_out(tmp_path: Path, header: str, row: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{header}\n{row}\n")
    table = read_table(path)
    assert table.columns == ("name", "x")
    assert [cells for _, cells in table.rows] == [{"name": "a", "x": "1"}]


def test_only_the_columns_asked_for_are_kept_and_all_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("name,x,y\na,1,2\n")
    assert [cells for _, cells in read_table(path, ["y", "name"]).rows] == [{"name": "a", "y": "2"}]
    with pytest.raises(ValueError, match="no column 'z', named by the labels. It has: name, x, y"):
        read_table(path, ["z"], "the labels")
