"""What a stress test asks: which shift, on which images, with which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from radedit.data.cache import fingerprint
from radedit.data.readers.phantom import PhantomReader
from radedit.phantom.world import World
from radedit.types import Reader


@dataclass(frozen=True)
class Scenario:
    """A shift, in the paper's words.

    Attributes:
        name: File of `conf/scenario`.
        title: The question, for a report's head.
        section: Where the paper asks it.
        finding: Label that the predictor is to detect.
        shortcut: Label that goes with it in training data.
        prompt: Editing prompt.
        keep_sham_prompt: Prompt that describes the source as it is: the same path should then leave the label alone.
        score_real, score_edit: Texts between which the editing score takes its direction (Eq. 5).
        paper: Role of a predictor → the paper's accuracy in per cent on {own, synthetic} data.
    """

    name: str
    title: str
    section: str
    finding: str
    shortcut: str
    prompt: str
    keep_sham_prompt: str
    score_real: str
    score_edit: str
    paper: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class StressData:
    """Images of a scenario that removes a finding.

    Attributes:
        source: Images with the finding and the shortcut; they are edited.
        reference: For every source, by the same id, an image that is negative already and lacks the shortcut; the sham
            edit is made on it, with the source's masks.
        twin: For every source, by the same id, the true counterfactual (phantoms only).
        shifted: Other patients on whom the shift has really happened (phantoms; or a data set of such cases).
        cells: `(finding, shortcut)` as `"1-0"` → images; predictors qualify on them before they are tested.
    """

    source: Reader
    reference: Reader | None = None
    twin: Reader | None = None
    shifted: Reader | None = None
    cells: Mapping[str, Reader] = field(default_factory=dict)

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the films that are edited."""
        readers = {"source": self.source, "reference": self.reference, "twin": self.twin}
        return {name: fingerprint(reader) for name, reader in readers.items() if reader is not None}


def phantom_data(
    world: World,
    *,
    n: int,
    n_cells: int,
    size: int,
    source: Mapping[str, int],
    reference: Mapping[str, int],
    twin: Mapping[str, int],
    shifted: Mapping[str, int],
) -> StressData:
    """Drawn films of a scenario that removes a finding.

    Args:
        world: The causal model.
        n: Source films, and shifted ones.
        n_cells: Films in each cell; the four cells are four interventions on the same patients.
        size: Side of the films, px.
        source: Findings that source films have (1) or lack (0).
        reference: Interventions that make a source film negative and free of the shortcut.
        twin: Interventions that remove the finding only.
        shifted: Findings that the shifted films have or lack.
    """
    films = PhantomReader(world, "sources", n, size, where=source)
    finding, shortcut = source
    cells = PhantomReader(world, "cells", n_cells, size)
    return StressData(
        source=films,
        reference=films.twin(**reference),
        twin=films.twin(**twin),
        shifted=PhantomReader(world, "shifted", n, size, do=shifted),
        cells={f"{f}-{s}": cells.twin(**{finding: f, shortcut: s}) for f in (0, 1) for s in (0, 1)},
    )
