"""CSV tables as published sets have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from radedit.data.table import read_table


@pytest.mark.parametrize("header, row", [("name,x,", "a,1,"), ("name,x,,,", "a,1,,,")])
def test_columns_without_a_name_are_left_out(tmp_path: Path, header: str, row: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{header}\n{row}\n")
    table = read_table(path)
    assert table.columns == ("name", "x")
    assert [cells for _, cells in table.rows] == [{"name": "a", "x": "1"}]
