"""How a stress set is edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from radedit.harness.edit_score import EditScore, directional
from radedit.harness.editors import Editor
from radedit.types import Sample

Strategy = Callable[[Sample], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class EditPlan:
    """How a scenario's images are edited; everything here determines the result.

    Attributes:
        editor: The editor under whose edits predictors are tested.
        masks: Mask strategy.
        steps: T.
        seed: Of the edits' noise.
        block: Records that go through the network together, and the unit of resuming.
        threshold: Editing scores at or above it are kept (Section 4.4: 0.2).
        max_lost: Largest share of m_edit that may be lost to m_keep; records above it are skipped.
        also: Further editors, shown beside it for the first `n_also` records.
        n_also: How many.
        score: What edits are kept by.
    """

    editor: Editor
    masks: Strategy
    steps: int
    seed: int = 0
    block: int = 16
    threshold: float = 0.2
    max_lost: float = 0.4
    also: Mapping[str, Editor] = field(default_factory=dict)
    n_also: int = 0
    score: EditScore = directional

    @property
    def inverted_by(self) -> dict[str, str | None]:
        """Name of each further editor → whose inversion it begins from: its own, another's, or `editor`'s (None)."""
        own: dict[str | None, Editor] = {None: self.editor}
        found: dict[str, str | None] = {}
        for name, editor in self.also.items():
            found[name] = next((other for other, one in own.items() if editor.shares(one)), name)
            if found[name] == name:
                own[name] = editor
        return found

    def calls(self, n: int, *, has_reference: bool, done: int = 0) -> int:
        """Network calls, in images, that `n` records take after the first `done`, which are whole blocks."""
        each = self.editor.calls(self.steps, prompts=2)
        if has_reference:
            each += self.editor.calls(self.steps, prompts=1)
        inverted_by = self.inverted_by
        also = sum(
            editor.calls(self.steps, prompts=1, replay=False, inverted=inverted_by[name] != name)
            for name, editor in self.also.items()
        )
        blocks, n_also = -(-n // self.block), max(0, min(n + done, self.n_also) - done)
        return blocks * self.block * each + n_also * also
