"""Records in groups by what is known of patient and image: sex, age band, view, device, site, or anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from radedit.types import Record

Groups = Mapping[str, Mapping[str, str]]  # record → attribute → group; what is not known of a record is left out

USUAL = ("sex", "age", "view", "device", "site", "hospital", "body_size")  # where nothing is said, those that there are
MOST_VALUES = 10  # different numbers beyond which an attribute is cut at its terciles; our choice
NUMBER = re.compile(r"0*(\d+(?:\.\d+)?)\s*(y|yrs?|years?|m|w|d)?", re.IGNORECASE)
YEARS = {"m": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}  # of DICOM's age strings, 063Y, 011M


def groups_of(
    records: Sequence[Record], attributes: Sequence[str] | None, bands: Mapping[str, Sequence[float]]
) -> dict[str, dict[str, str]]:
    """The groups of every record.

    Args:
        records: Of the images that are edited.
        attributes: That make groups; None takes those of `USUAL` that differ between records.
        bands: Attribute → where its numbers are cut, rising: `{age: [40, 60, 80]}` makes under 40, 40–59, 60–79, 80 and
            over. Other attributes with more than `MOST_VALUES` different numbers are cut into three equal parts.

    Raises:
        ValueError: If no record has an attribute, or bands do not rise.
    """
    for name, edges in bands.items():
        if not edges or any(b <= a for a, b in zip(edges, edges[1:], strict=False)):
            raise ValueError(f"subgroup_bands.{name} is {list(edges)}; expected rising numbers, such as [40, 60, 80].")
    if attributes is None:
        names = [name for name in USUAL if len({_value(record, name) for record in records} - {""}) > 1]
    else:
        names = list(dict.fromkeys(attributes))
        known = sorted({name for record in records for name, value in record.attributes.items() if value})
        if missing := [name for name in names if name not in known]:
            raise ValueError(
                f"subgroups has {missing[0]!r}, but no image that is edited has the attribute; they have "
                f"{', '.join(known) or 'none'}. A manifest's column for it is attr_{missing[0]}."
            )
    found: dict[str, dict[str, str]] = {record.id: {} for record in records}
    for name in names:
        values = {record.id: value for record in records if (value := _value(record, name))}
        for id_, group in _banded(values, bands.get(name)).items():
            found[id_][name] = group
    return found


def _value(record: Record, name: str) -> str:
    return str(record.attributes.get(name) or "").strip()


def _banded(values: Mapping[str, str], edges: Sequence[float] | None) -> dict[str, str]:
    numbers = {id_: number for id_, value in values.items() if (number := _number(value)) is not None}
    if edges is None:
        if len(numbers) < len(values) or len(set(numbers.values())) <= MOST_VALUES:
            return dict(values)
        terciles = np.quantile(list(numbers.values()), [1 / 3, 2 / 3], method="higher")
        edges = sorted({float(edge) for edge in terciles})
    names = _names(edges)
    return {
        id_: names[int(np.searchsorted(edges, numbers[id_], side="right"))] if id_ in numbers else value
        for id_, value in values.items()
    }


def _number(value: str) -> float | None:
    match = NUMBER.fullmatch(value)
    return None if match is None else float(match[1]) * YEARS.get((match[2] or "").lower(), 1.0)


def _names(edges: Sequence[float]) -> list[str]:
    """What the parts between edges are called."""
    whole = all(float(edge).is_integer() for edge in edges)
    between = [f"{a:g}–{b - 1:g}" if whole else f"{a:g} to below {b:g}" for a, b in zip(edges, edges[1:], strict=False)]
    return [f"under {edges[0]:g}", *between, f"{edges[-1]:g} and over"]
