"""The odd files of the BIMCV release: tables whose lists are cut by the table's own separator, and DICOM-JSON."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

LISTS = re.compile(r"[\t,]")
WINDOW = {"WindowCenter": "00281050", "WindowWidth": "00281051"}
RESCALE = {"RescaleIntercept": "00281052", "RescaleSlope": "00281053"}


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Rows of a table whose cells are parted by tabs, column → text.

    A list such as `['normal'⇥ 'COVID 19']` may itself be parted by tabs; its pieces are put together again.

    Raises:
        ValueError: If a row has another number of cells than the header.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, delimiter="\t")
        columns = [name.strip() for name in next(lines, [])]
        rows = []
        for cells in lines:
            if not cells:
                continue
            joined = cells if len(cells) == len(columns) else _join_lists(cells)
            if len(joined) != len(columns):
                raise ValueError(
                    f"{path}, line {lines.line_num}: {len(joined)} cells under {len(columns)} columns. Cells are "
                    "parted by tabs; fetch the file again."
                )
            rows.append({name: cell.strip() for name, cell in zip(columns, joined, strict=True)})
    return rows


def list_cell(cell: str) -> list[str]:
    """The words of a list such as `['CR', 'DX']`, whatever parts them and however they are quoted."""
    words = (word.strip().strip("'\"").strip() for word in LISTS.split(cell.strip().strip("[]")))
    return [word for word in words if word]


def _join_lists(cells: list[str]) -> list[str]:
    joined: list[str] = []
    depth = 0
    for cell in cells:
        if depth > 0:
            joined[-1] += f"\t{cell}"
        else:
            joined.append(cell)
        if depth > 0 or cell.lstrip().startswith("["):
            depth += cell.count("[") - cell.count("]")
    return joined


@dataclass(frozen=True)
class Sidecar:
    """What stands beside an image: its DICOM header as JSON.

    Attributes:
        elements: Tag, eight hexadecimal digits → element.
    """

    elements: Mapping[str, Any]

    @classmethod
    def beside(cls, image: Path) -> Sidecar | None:
        """The sidecar of an image; None where there is none or it can't be read."""
        try:
            elements = json.loads(image.with_suffix(".json").read_bytes())
        except (OSError, ValueError):
            return None
        return cls({str(tag).upper(): element for tag, element in elements.items()}) if _is_header(elements) else None

    def text(self, tag: str) -> str:
        """An element's first value as text, empty if there is none."""
        values = self.values(tag)
        return str(values[0]).strip() if values else ""

    def values(self, tag: str) -> list[Any]:
        """All values of an element."""
        values = self.elements.get(tag, {}).get("Value", [])
        return values if isinstance(values, list) else [values]

    def dataset(self) -> pydicom.Dataset:
        """What says how stored values are meant: polarity, rescale, and a VOI LUT or a window.

        Raises:
            ValueError: If one of them is not of its kind.
        """
        dataset = pydicom.Dataset()
        dataset.PhotometricInterpretation = self.text("00280004") or "MONOCHROME2"
        dataset.PixelRepresentation = 0
        dataset.BitsStored = int(self.text("00280101") or 16)
        for group in (WINDOW, RESCALE):
            if all(self.values(tag) for tag in group.values()):
                for keyword, tag in group.items():
                    setattr(dataset, keyword, [float(value) for value in self.values(tag)])
        if tables := self.values("00283010"):
            table = Sidecar(tables[0])
            item = pydicom.Dataset()
            item.add_new("LUTDescriptor", "US", [int(value) for value in table.values("00283002")])
            item.add_new("LUTData", "US", table.numbers("00283006"))
            dataset.VOILUTSequence = [item]
        return dataset

    def numbers(self, tag: str) -> list[int]:
        """An element's 16-bit numbers, listed or as base64 of their bytes."""
        inline = self.elements.get(tag, {}).get("InlineBinary")
        if inline is not None:
            return [int(value) for value in np.frombuffer(base64.b64decode(inline), "<u2")]
        return [int(value) for value in self.values(tag)]


def _is_header(elements: object) -> bool:
    return isinstance(elements, dict) and all(isinstance(element, dict) for element in elements.values())
