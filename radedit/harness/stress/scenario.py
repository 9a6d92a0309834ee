"""A stress test's question: which shift, on which images, with which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from radedit.data.batches.cache import fingerprint
from radedit.data.datasets.phantom import PhantomDataset
from radedit.data.views.first_records import FirstRecords
from radedit.phantom.world import World
from radedit.types import Dataset

TRUTH = "truly shifted, same patients"
SPLITS = {"test": "sources", "train": "predictor-train"}  # whose images are edited → namespace of the world


class Shift(Protocol):
    """What the making of a stress set needs from a scenario, whether it removes something or adds it."""

    @property
    def prompt(self) -> str:
        """Editing prompt."""
        ...

    @property
    def score_real(self) -> str:
        """Text of the image as it is (Eq. 5)."""
        ...

    @property
    def score_edit(self) -> str:
        """Text of the image as it should become."""
        ...

    @property
    def prompts(self) -> Mapping[str, str]:
        """Kind of image → prompt that makes it from the source."""
        ...

    @property
    def reference_prompts(self) -> Mapping[str, str]:
        """Kind of image → prompt that makes it from the reference, where there is one."""
        ...

    @property
    def structures(self) -> Sequence[str]:
        """Masks that stay true after the edit and go with every image."""
        ...

    @property
    def determines(self) -> dict[str, object]:
        """What of the scenario determines the edits, for content hashes: not its title, nor the paper's numbers."""
        ...

    def labels(self, kind: str) -> Mapping[str, int]:
        """Labels of an image of some kind."""
        ...


@dataclass(frozen=True)
class Removal:
    """A shift that removes a finding, in the paper's words (Sections 5.2 and 5.3).

    Attributes:
        name: File of `conf/scenario`.
        title: The question, for a report's head.
        section: Of the paper that asks it.
        finding: Label that the predictor is to detect.
        shortcut: Label that goes with it in training data.
        prompt: Editing prompt.
        keep_sham_prompt: Prompt that describes the source as it is: the same path should then leave the label alone.
        score_real, score_edit: Texts between which the editing score takes its direction (Eq. 5).
        called: What a report calls `finding` and `shortcut`, where that is not their label.
        paper: Role of a predictor, and where the paper tested one kind of it only also the kind, as in `confounded
            classifier` → the paper's accuracy on {in_distribution, synthetic} data, [mean, standard deviation] in per
            cent.
        qualifies: Role → cell, `"<finding>-<shortcut>"` → lowest and highest accuracy that makes one expect of it,
            fractions, None where there is no bound.
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
    called: Mapping[str, str] = field(default_factory=dict)
    paper: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    qualifies: Mapping[str, Mapping[str, Sequence[float | None]]] = field(default_factory=dict)

    @property
    def prompts(self) -> dict[str, str]:
        return {"edit": self.prompt, "keep_sham": self.keep_sham_prompt}

    @property
    def reference_prompts(self) -> dict[str, str]:
        return {"sham": self.prompt}

    @property
    def structures(self) -> tuple[str, ...]:
        return ()

    @property
    def determines(self) -> dict[str, object]:
        return {"removes": self.finding, **_asked(self)}

    @property
    def words(self) -> dict[str, str]:
        """What a report calls things."""
        return {"finding": self.finding, "shortcut": self.shortcut, **self.called}

    def labels(self, kind: str) -> dict[str, int]:
        """The finding is gone in all but what was made to keep it."""
        return {self.finding: int(kind in ("source", "vae", "replay", "keep_sham"))}


@dataclass(frozen=True)
class Addition:
    """A shift that adds an abnormality, while what the predictor segments stays where it is (Section 5.4).

    Attributes:
        name: File of `conf/scenario`.
        title: The question, for a report's head.
        section: Of the paper that asks it.
        added: What is added, in words.
        structures: Masks that the predictor draws.
        edited: Those of them inside which the edit takes place; they are measured as one.
        prompt: Editing prompt.
        sham_prompt: Prompt that adds nothing: the same path, masks, weight and noise.
        score_real, score_edit: Texts between which the editing score takes its direction (Eq. 5).
        paper: Role of a predictor → the paper's Dice on {in_distribution, synthetic} data, [mean, standard deviation]
            in per cent.
    """

    name: str
    title: str
    section: str
    added: str
    structures: Sequence[str]
    edited: Sequence[str]
    prompt: str
    sham_prompt: str
    score_real: str
    score_edit: str
    paper: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.edited or set(self.edited) - set(self.structures):
            raise ValueError(
                f"edited is {list(self.edited)}; expected one or more of the structures {list(self.structures)}."
            )

    @property
    def prompts(self) -> dict[str, str]:
        return {"edit": self.prompt, "sham": self.sham_prompt}

    @property
    def reference_prompts(self) -> dict[str, str]:
        return {}

    @property
    def words(self) -> dict[str, str]:
        """What a report calls things."""
        structure = "lungs" if len(self.edited) > 1 else self.edited[0].replace("_", " ")
        return {"measure": "dice", "added": self.added, "structure": structure}

    @property
    def determines(self) -> dict[str, object]:
        return {"structures": list(self.structures), **_asked(self)}

    def labels(self, kind: str) -> dict[str, int]:
        """None: a segmenter is tested."""
        return {}


@dataclass(frozen=True)
class StressData:
    """Images of a scenario.

    Attributes:
        source: Images that are edited: with the finding and the shortcut, or without what is to be added.
        reference: For every source, by the same id, an image that is negative already and lacks the shortcut; the sham
            edit is made on it, with the source's masks.
        counterfactual: For every source, by the same id, the true counterfactual (phantoms, or drawn onto images).
        counterfactual_is: What a table calls the counterfactuals.
        shifted: Other patients on whom the shift has really happened (phantoms; or a data set of such cases).
        cells: `(finding, shortcut)` as `"1-0"` → images; predictors qualify on them before they are tested.
        notes: What a report's reader must know of the choice of images, as sentences.
        limit: Images of each role at most, the first ones, for a dry run; all where None.
    """

    source: Dataset
    reference: Dataset | None = None
    counterfactual: Dataset | None = None
    counterfactual_is: str = TRUTH
    shifted: Dataset | None = None
    cells: Mapping[str, Dataset] = field(default_factory=dict)
    notes: Sequence[str] = ()
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is None:
            return
        for role in ("source", "reference", "counterfactual", "shifted"):
            dataset = getattr(self, role)
            object.__setattr__(self, role, None if dataset is None else FirstRecords(dataset, self.limit))
        object.__setattr__(
            self, "cells", {cell: FirstRecords(dataset, self.limit) for cell, dataset in self.cells.items()}
        )

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the images that are edited."""
        datasets = {"source": self.source, "reference": self.reference, "counterfactual": self.counterfactual}
        return {name: fingerprint(dataset) for name, dataset in datasets.items() if dataset is not None}


def question(scenarios: Sequence[Removal | Addition]) -> str:
    """What several variants of a scenario ask together; where additions differ, without naming them."""
    first = scenarios[0]
    if len({scenario.title for scenario in scenarios}) == 1 or not isinstance(first, Addition):
        return first.title
    return first.title.replace(first.added, "something in them that it has not learned from")


def removal_images(
    world: World,
    *,
    n: int,
    n_cells: int,
    size: int,
    source: Mapping[str, int],
    reference: Mapping[str, int | str],
    counterfactual: Mapping[str, int | str],
    shifted: Mapping[str, int | str],
    cells: Mapping[str, Mapping[str, int | str]],
    source_split: str = "test",
    notes: Sequence[str] = (),
) -> StressData:
    """Phantoms of a scenario that removes a finding.

    Args:
        world: The causal model.
        n: Source images, and shifted ones.
        n_cells: Images in each cell; the cells are interventions on the same patients.
        size: Side of the images, px.
        source: Findings that source images have (1) or lack (0).
        reference: Interventions that make a source image negative and free of the shortcut.
        counterfactual: Interventions that remove the finding only.
        shifted: Interventions on other patients, after which the shift has happened.
        cells: `"<finding>-<shortcut>"` → interventions that put an image there.
        source_split: `test` edits images of patients whom no network knows; `train` edits the tested predictors' own
            training images, as the paper does. The difference between the two is memorisation.
        notes: What a report's reader must know, as sentences.

    Raises:
        ValueError: If there is no such split.
    """
    images = PhantomDataset(world, _namespace(source_split), n, size, where=source)
    patients = PhantomDataset(world, "cells", n_cells, size)
    return StressData(
        source=images,
        reference=images.intervene(**reference),
        counterfactual=images.intervene(**counterfactual),
        shifted=PhantomDataset(world, "shifted", n, size, do=shifted),
        cells={cell: patients.intervene(**do) for cell, do in cells.items()},
        notes=tuple(notes),
    )


def addition_images(
    world: World,
    *,
    n: int,
    size: int,
    source: Mapping[str, int],
    added: str,
    would: Mapping[str, str],
    source_split: str = "test",
) -> StressData:
    """Phantoms of a scenario that adds a finding.

    Args:
        world: The causal model.
        n: Source images.
        size: Side of the images, px.
        source: Findings that source images have (1) or lack (0).
        added: Finding that the edit adds, and that the counterfactuals have.
        would: How it looks there: attribute → value, as in the editing prompt. Only patients on whom it would look so.
        source_split: As for `removal_images`.

    Raises:
        ValueError: If there is no such split.
    """
    images = PhantomDataset(world, _namespace(source_split), n, size, where=source, would={added: would})
    return StressData(source=images, counterfactual=images.intervene(**{added: 1}))


def _namespace(split: str) -> str:
    if split not in SPLITS:
        raise ValueError(f"source_split is {split!r}; allowed are {', '.join(SPLITS)}.")
    return SPLITS[split]


def _asked(scenario: Shift) -> dict[str, object]:
    return {
        "prompts": dict(scenario.prompts),
        "reference_prompts": dict(scenario.reference_prompts),
        "score": [scenario.score_real, scenario.score_edit],
    }
