"""How a kind of scenario measures: along which chain of images, and on which lines of a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One term of an attribution: the measure after it less that before it."""

    name: str
    before: str
    after: str
    meaning: str


@dataclass(frozen=True)
class Line:
    """One line of a table: which images, and what the right prediction is on them.

    Attributes:
        data: What the images are called.
        label: The right prediction, in words.
        set: Name of the predictions.
        images: `own` for all images of the set, `kept` for those whose edit was kept, `every` for all that were edited.
        paper: Column of the paper's table, if it has one.
    """

    data: str
    label: str
    set: str
    images: str = "kept"
    paper: str = ""


@dataclass(frozen=True)
class Yardstick:
    """How a kind of scenario measures.

    Attributes:
        measure: What tables turn on: 1 is good.
        chained: What is attributed.
        worse: 1 if more of it is worse, −1 if less is.
        terms: From the first image of the chain to the edit.
        split: The same difference by means of the true counterfactual, where there is one.
        tabled: Measures that tables show beside `measure`.
        control: Where the chain does not begin with the originals: from these to what the path alone makes of them.
        measures: Without which nothing can be said of a model.
    """

    measure: str
    chained: str
    worse: int
    terms: tuple[Step, ...]
    split: tuple[Step, ...] = ()
    tabled: tuple[str, ...] = ()
    control: Step | None = None
    measures: tuple[str, ...] = ()

    @property
    def first(self) -> str:
        """Image that the chain begins with."""
        return self.terms[0].before
