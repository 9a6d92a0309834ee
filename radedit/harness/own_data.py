"""A user's own films in the roles of a scenario, chosen by their labels and by what is drawn on them.

No film has its counterfactual, so there are no twins. A removal's sham is made on another patient's film that lacks
finding and shortcut, of the same view and sex where the manifest has these, with the source's masks borrowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radedit.data.chosen import Chosen, role
from radedit.data.matched import Matched
from radedit.data.readers.manifest import ManifestReader
from radedit.harness.scenario import StressData
from radedit.types import Record


def removal_films(
    films: ManifestReader,
    *,
    n: int | None,
    n_cells: int | None,
    source: Mapping[str, int],
    masks: Sequence[str],
    boxes: Sequence[str],
    reference: Mapping[str, int] | None,
    shifted: Mapping[str, int],
    cells: Mapping[str, Mapping[str, int]],
) -> StressData:
    """A user's films for a scenario that removes a finding.

    Args:
        films: All of them.
        n: Source films at most, and shifted ones.
        n_cells: Films in each cell at most.
        source: Labels of films that are edited.
        masks: What must be drawn on these.
        boxes: Likewise.
        reference: Labels of films that lack finding and shortcut. None leaves the sham out: without it the drop can't
            be divided, and there is no verdict.
        shifted: Labels of films on whom the shift has really happened, if there are any.
        cells: `"<finding>-<shortcut>"` → labels; a cell without films is left out.

    Raises:
        ValueError: If there are no films to edit, or none for a reference; what is missing is named.
    """
    sources = _some(films, "to edit", source, masks=masks, boxes=boxes, n=n)
    left_out = f"; left out: {_reasons(sources)}" if sources.excluded else ""
    notes = [f"Of {len(films.records)} films of the manifest {len(sources.records)} are sources{left_out}."]
    matched = None
    if reference is not None:
        matched = Matched(sources, _some(films, "that could be references (dataset.reference)", reference))
        notes.append(
            "The sham is made on films of other patients without finding and shortcut, with the source’s masks; "
            f"{matched.alike} of {len(sources.records)} are of the same view and sex, as far as these are known."
        )
    after = Chosen(films, role(films, shifted), n)
    grid = {cell: Chosen(films, role(films, labels), n_cells) for cell, labels in cells.items()}
    return StressData(
        source=sources,
        reference=matched,
        shifted=after if after.records else None,
        cells={cell: reader for cell, reader in grid.items() if reader.records},
        notes=notes,
    )


def addition_films(films: ManifestReader, *, n: int | None, masks: Sequence[str], without: Sequence[str]) -> StressData:
    """A user's films for a scenario that adds a finding.

    Args:
        films: All of them.
        n: Source films at most.
        masks: What must be drawn on them.
        without: Findings that they may not have: what is added.

    Raises:
        ValueError: If there are no such films; what is missing is named.
    """
    return StressData(source=_some(films, "to edit", {}, masks=masks, without=without, n=n))


def ordinary_films(
    films: ManifestReader, *, n: int | None, finding: str | None, masks: Sequence[str], split: str | None
) -> Chosen:
    """The ordinary test set of a user's model: films on which its answer can be judged.

    Args:
        films: All of them.
        n: How many at most.
        finding: Label that they must have, either way; None for a segmenter.
        masks: What must be drawn on them, for a segmenter.
        split: Only films whose attribute `split` is this; None takes all.

    Raises:
        ValueError: If there are none.
    """
    is_drawn = role(films, {}, masks=masks)

    def against(record: Record) -> str | None:
        if split is not None and record.attributes.get("split") != split:
            return f"attr_split is not {split}"
        return f"no label_{finding}" if finding and finding not in record.labels else is_drawn(record)

    found = Chosen(films, against, n)
    if not found.records:
        raise ValueError(f"The manifest has no films for the ordinary test set: {_reasons(found)}. {_has(films)}")
    return found


def _some(
    films: ManifestReader,
    what: str,
    labels: Mapping[str, int],
    *,
    masks: Sequence[str] = (),
    boxes: Sequence[str] = (),
    without: Sequence[str] = (),
    n: int | None = None,
) -> Chosen:
    """Films of a role, or an error that says which columns they need."""
    found = Chosen(films, role(films, labels, masks=masks, boxes=boxes, without=without), n)
    if found.records:
        return found
    columns = {f"label_{name}": f" {value}" for name, value in labels.items()}
    columns |= {f"mask_{name}": "" for name in masks} | {f"box_{name}": "" for name in boxes}
    needed = [*(column + value for column, value in columns.items()), *(f"label_{name} not 1" for name in without)]
    lacking = [column for column in columns if column not in _columns(films)]
    why = f"None has {' or '.join(lacking)}" if lacking else _reasons(found)
    raise ValueError(f"The manifest has no films {what}. They need {', '.join(needed)}. {why}. {_has(films)}")


def _reasons(found: Chosen) -> str:
    return "; ".join(f"{count} films: {reason}" for reason, count in found.excluded.items())


def _columns(films: ManifestReader) -> list[str]:
    """What is known of any film, by its column in our own format."""
    found: set[str] = set()
    for record in films.records:
        masks, boxes = films.drawn(record)
        found |= {*(f"label_{name}" for name in record.labels), *(f"mask_{name}" for name in masks)}
        found |= {f"box_{name}" for name in boxes}
    return sorted(found)


def _has(films: ManifestReader) -> str:
    return f"Its {len(films.records)} films have {', '.join(_columns(films)) or 'no labels, masks or boxes'}."
