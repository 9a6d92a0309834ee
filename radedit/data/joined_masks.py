"""Masks that were published without their images, joined to the films of another reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from radedit.data.film_files import Film, FilmFiles, Masking


def join_masks(
    reader: FilmFiles, source: str, masks_of: Callable[[Film], Mapping[str, Masking] | str]
) -> tuple[list[Film], Counter[str]]:
    """The films of a reader that have masks, with these.

    Args:
        reader: The films. Masks that they have already are kept, unless one of the same name is joined.
        source: Of the masks; it becomes the records' attribute `mask_source`.
        masks_of: A film's masks, or the reason why it is left out.

    Returns:
        Films in the reader's order, and reason → number of films that were left out, by the reader or here.

    Raises:
        ValueError: If the reader is none of published files.
    """
    if not isinstance(reader, FilmFiles):
        raise ValueError(
            f"reader is a {type(reader).__name__}, which does not say where its films lie. Allowed are readers of "
            "published sets, such as dataset=mimic_cxr; split afterwards, not before."
        )
    films, excluded = [], Counter(reader.excluded)
    for record in reader.records:
        film = reader.film(record)
        masks = masks_of(film)
        if isinstance(masks, str):
            excluded[masks] += 1
            continue
        record = replace(record, attributes={**record.attributes, "mask_source": source})
        films.append(replace(film, record=record, masks={**film.masks, **masks}))
    return films, excluded
