"""What a sweep found, as `sweep.json` holds it: variants of one question, each of one predictor seed or more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from radedit.data.io.checksums import require_whole
from radedit.data.io.names import capitalized
from radedit.data.io.typed_json import read_typed
from radedit.harness.evidence.results import FILE as RESULTS
from radedit.harness.evidence.results import SCHEMA_VERSION, Part, Results, check_version, load
from radedit.harness.evidence.verdict import Outcome, Rules, Verdict, exit_code, outcome_of
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.stress.scenario import Addition, Removal
from radedit.harness.sweep.pooled import only

FILE = "sweep.json"


class Member(Part):
    """A run that went in.

    Attributes:
        folder: Its name, below `outputs/stress`.
        run: Its hash.
        variant: Key of the one that it belongs to.
        stress_set: Hash of the edits.
        predictor_seed: Of its predictors' training.
        created, commit, command: Its provenance.
    """

    folder: str
    run: str
    variant: str
    stress_set: str
    predictor_seed: int | None = None
    created: str = ""
    commit: str = ""
    command: str = ""

    @classmethod
    def of(cls, results: Results, folder: str, variant: str) -> Member:
        """A run by its results."""
        return cls(
            folder=folder, run=only(results.hashes.runs), variant=variant, stress_set=results.hashes.stress_set,
            predictor_seed=results.predictor_seed, created=results.created, commit=results.commit,
            command=results.command,
        )  # fmt: skip


class Variant(Part):
    """One stress set of the sweep, or several whose images were put together.

    Attributes:
        key: Also the folder of its page, where it has one.
        name: In words.
        group: Of Figure 5, or the key itself.
        results: Of all seeds.
        members: Keys of the variants that were put together; empty for a single one.
    """

    key: str
    name: str
    group: str
    results: Results
    members: list[str] = []


class EditorContrast(Part):
    """What one predictor makes of the same images edited by two editors, over the records that both have.

    Attributes:
        predictor: Its key.
        group: Of the variants.
        one, other: Names of the editors.
        n: Records.
        of_one, of_other: Accuracy, or Dice, on their edits, a fraction.
        difference: `of_one` less `of_other`, paired by record.
    """

    predictor: str
    group: str
    one: str
    other: str
    n: int
    of_one: Estimate
    of_other: Estimate
    difference: Estimate


class Sweep(Part):
    """A finished sweep; a single run is one of one variant and one seed.

    Attributes:
        schema_version: Of this form.
        title: The question.
        hash: Of the runs' hashes, whatever their order.
        created: When the last of its runs ended.
        command: That made the runs and this report, or that makes it again from the runs.
        rules: That were fixed beforehand.
        outcome: Of all verdicts: `fail`, `pass` or `undecided`.
        exit_code: By the rules.
        runs: That went in.
        variants: Each with a page of its own, where there are several.
        groups: As Figure 5 has them; the variants themselves, where there is nothing to put together.
        verdicts: Of every variant; where there are several, predictors are named `<variant>/<key>`.
        editors: Each pair of editors of the same images, and predictor.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    title: str
    hash: str
    created: str
    command: str
    rules: Rules
    outcome: Outcome
    exit_code: int
    runs: list[Member]
    variants: list[Variant]
    groups: list[Variant]
    verdicts: list[Verdict]
    editors: list[EditorContrast] = []

    @classmethod
    def of(cls, results: Results, folder: str) -> Sweep:
        """A run, which is a sweep of one seed; `folder` is its name."""
        key, group, name = names_of(results.scenario, {})
        variant = Variant(key=key, name=name, group=group, results=results)
        return cls(
            title=results.title, hash=only(results.hashes.runs), created=results.created, command=results.command,
            rules=results.rules, outcome=outcome_of(results.verdicts),
            exit_code=exit_code(results.verdicts, results.rules), runs=[Member.of(results, folder, variant.key)],
            variants=[variant], groups=[variant], verdicts=results.verdicts,
        )  # fmt: skip

    @property
    def several(self) -> bool:
        """Whether there is more than one variant, so that each has a page of its own."""
        return len(self.variants) > 1

    def only(self, variant: Variant) -> Sweep:
        """The same of one variant alone, for its own page."""
        return self.model_copy(
            update={
                "title": variant.results.title,
                "runs": [member for member in self.runs if member.variant == variant.key],
                "variants": [variant],
                "groups": [variant],
                "verdicts": variant.results.verdicts,
                "outcome": outcome_of(variant.results.verdicts),
                "exit_code": exit_code(variant.results.verdicts, self.rules),
                "editors": [],
            }
        )

    @property
    def first(self) -> Results:
        """Of the first variant, which has all that variants have alike."""
        return self.variants[0].results

    @property
    def name(self) -> str:
        """Of the scenario."""
        return self.first.name

    @property
    def setting(self) -> str:
        """As in a run."""
        return self.first.setting

    @property
    def section(self) -> str:
        """Of the paper."""
        return self.first.section

    @property
    def measure(self) -> str:
        """`accuracy` or `dice`."""
        return self.first.measure


def names_of(scenario: Removal | Addition, additions: Mapping[str, tuple[str, str]]) -> tuple[str, str, str]:
    """Key, group and name in words of a variant.

    Args:
        scenario: What was asked.
        additions: Editing prompt → key of an addition, and its group in Figure 5; others go by what is added.
    """
    if isinstance(scenario, Removal):
        return scenario.name, scenario.name, scenario.title
    bare = scenario.added.removeprefix("a ").removeprefix("an ")
    slug = "_".join("".join(c if c.isalnum() else " " for c in bare.lower()).split())
    return *additions.get(scenario.prompt, (slug, slug)), capitalized(bare)


def places(sweep: Sweep, folder: Path) -> dict[str, Path]:
    """Variant → folder of its results and pictures.

    That is the sweep's own where there is one variant, unless an earlier version wrote it.
    """
    own = {variant.key: folder / variant.key for variant in sweep.variants}
    return {key: place if (place / RESULTS).is_file() else folder for key, place in own.items()}


def load_sweep(folder: Path) -> Sweep:
    """Read a finished sweep, or a finished run as a sweep of one seed.

    Raises:
        FileNotFoundError: If the folder has neither.
        ValueError: If it is of another version, not what `Sweep` or `Results` say, or a file was changed since it was
            written; the message names the place.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        if (path.parent / RESULTS).is_file():
            return Sweep.of(load(path.parent), path.parent.name)
        raise FileNotFoundError(
            f"{path.parent} has neither {FILE} nor {RESULTS}; a stress test writes them when it has finished."
        )
    require_whole(path.parent, "The sweep", "Run its command again: finished runs are not made twice.")
    check_version(path)
    return read_typed(Sweep, path)
