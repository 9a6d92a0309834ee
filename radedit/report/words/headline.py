"""The result in a sentence, made from the numbers alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from radedit.data.io.names import capitalized
from radedit.harness.evidence.results import KEPT, OWN, PredictorEntry, Results
from radedit.harness.statistics.estimate import Estimate
from radedit.report.words.numbers import SPACE, about, in_points
from radedit.report.words.wording import wording

NOTABLE = 0.05  # a change of accuracy that is worth a verb
PATH = ("VAE", "inversion", "artefact")


@dataclass(frozen=True)
class Headline:
    """What a reader should know first.

    Attributes:
        lede: One sentence or two.
        support: Why it can, or can't, be believed: agreement with the truth, the path's own effect.
        cautions: What stands in the way of reading the numbers at face value.
    """

    lede: str
    support: list[str] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)


def headline(results: Results) -> Headline:
    """Compare each side of the paper's pair of predictors on its own test set and on the edits."""
    lead, other = pair(results)
    shift = when(results)
    first = _behaviour(results, lead, shift)
    if first is None:
        none_kept = results.counts.get("edited") and results.counts.get("kept") == 0
        reason = "No edit was kept by the editing score" if none_kept else "This run has no accuracies on kept edits"
        return Headline(f"{reason}, so there is nothing to conclude.", [], _cautions(results, [lead]))
    lede = capitalized(first)
    second = _behaviour(results, other, "") if other else None
    lede += f"; {second}." if second else "."
    if results.weaknesses:
        lede = f"Nothing should be concluded from this run: the generator is weak. What it shows: {_lower(lede)}"
    return Headline(lede, _support(results, lead), _cautions(results, [lead, other] if other else [lead]))


def pair(results: Results) -> tuple[PredictorEntry, PredictorEntry | None]:
    """The predictor that should fail and the one that should not, first those that the paper has numbers for."""

    def in_paper(predictor: PredictorEntry) -> bool:
        return any(row.paper is not None for row in results.rows(predictor.key))

    ranked = sorted(results.predictors, key=lambda predictor: not in_paper(predictor))
    lead = next((p for p in ranked if p.should_degrade), ranked[0])
    other = next((p for p in ranked if p.should_degrade is False), None)
    return lead, other if other is not lead else None


def when(results: Results) -> str:
    """The shift in words."""
    if results.added:
        return f"when there is {results.added}"
    if not results.finding or not results.shortcut:
        return "on the synthetic test set"
    finding = results.finding if results.finding[:1].isupper() else f"the {results.finding}"  # a disease's proper name
    return f"when the {results.shortcut} stays and {finding} goes"


def calls(predictor: PredictorEntry) -> str:
    """A predictor's name inside a sentence: ours are common nouns, others' are proper ones."""
    first, _, rest = predictor.name.partition(" ")
    ours = first in ("Confounded", "Unconfounded", "Biased", "Unbiased", "Weak", "Strong", "Open") and rest
    return f"the {first.lower()} {rest}" if ours else predictor.name


def _lower(sentence: str) -> str:
    """With a small letter, where its first word is an article."""
    return f"t{sentence[1:]}" if sentence.startswith("The ") else sentence


def excludes_zero(estimate: Estimate | None) -> bool | None:
    """Whether the interval of a difference lies on one side of 0; None where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return estimate.low > 0 or estimate.high < 0


def change_of(results: Results, predictor: PredictorEntry) -> Estimate | None:
    """The paper's drop: the kept edits less the in-distribution test set, with its interval."""
    found = (entry for entry in results.changes if (entry.predictor, entry.kind) == (predictor.key, "synthetic"))
    return next((entry.value for entry in found), None)


def _behaviour(results: Results, predictor: PredictorEntry | None, shift: str) -> str | None:
    if predictor is None:
        return None
    own, edited = results.row(predictor.key, OWN), results.row(predictor.key, KEPT)
    if own is None or edited is None:
        return None
    before, after = own.main.value, edited.main.value
    measure = f" {wording(results).measure}" if shift else ""  # the second time it goes without saying
    whose = f"{calls(predictor)}’s{measure}"
    end = f" {shift}" if shift else ""
    if abs(after - before) < NOTABLE:
        return f"{whose} holds at {about(after)} ({about(before)} on the in-distribution test set){end}"
    certain = excludes_zero(change_of(results, predictor))
    if certain:
        return f"{whose} {'falls' if after < before else 'rises'} from {about(before)} to {about(after)}{end}"
    chance = ", which may be chance" if certain is False else ""
    return f"{whose} is {about(after)} after {about(before)} on the in-distribution test set{end}{chance}"


def _support(results: Results, lead: PredictorEntry) -> list[str]:
    support = []
    true_images = (
        f"On the same images with {results.added} for certain"
        if results.added
        else "On true images of the same patients"
    )
    truth = next((entry for entry in results.agreements() if entry.predictor == lead.key), None)
    if truth:
        support.append(
            f"{true_images} {calls(lead)} scores {about(truth.truth.value)}: "
            f"the edits miss {'that' if results.added else 'the real shift'} by {in_points(truth.difference.value)}."
        )
    entry = next((entry for entry in results.attribution if entry.predictor == lead.key), None)
    path = [term.value.value for term in entry.terms if term.name in PATH] if entry else []
    shift = next((term.value.value for term in entry.terms if term.name == "shift"), None) if entry else None
    if path and shift is not None:
        verb = "adds" if sum(path) >= 0 else "removes"
        support.append(
            f"Editing by itself {verb} {in_points(sum(path))} of {wording(results).effect}; "
            f"the shift {'adds' if shift >= 0 else 'removes'} {in_points(shift)}."
        )
    return support


def _cautions(results: Results, shown: list[PredictorEntry]) -> list[str]:
    words = wording(results)
    failed = sum(check.holds is False for check in results.checks)
    of = f"{failed} of {len(results.checks)} checks of the edits"
    unchecked = [f"{of} {'does' if failed == 1 else 'do'} not hold, so no model is judged."] if failed else []
    cautions = [
        *unchecked,
        *(f"The generator is weak: {weakness}." for weakness in results.weaknesses),
        *results.remarks,
    ]
    for predictor in shown:
        if predictor.qualified is False:
            reason = f": {predictor.why}" if predictor.why else ""
            cautions.append(f"{predictor.name} did not qualify for its role{reason}".rstrip(".") + ".")
    few = min((row.n for row in results.table if row.data == KEPT), default=None)
    if few is not None and few < results.rules.min_n:
        cautions.append(f"Only {few} kept edits: below {results.rules.min_n} nothing should be concluded.")
    keys = [predictor.key for predictor in shown]
    for comparison in results.agreements():
        gap = comparison.difference
        if comparison.predictor in keys and abs(gap.value) > NOTABLE and excludes_zero(gap):
            name = results.predictor(comparison.predictor).name
            cautions.append(
                f"{name}: {words.measure} on the edits is {in_points(gap.value)} off {words.measure} "
                f"{f'with {results.added} for certain' if results.added else 'after the real shift'}."
            )
    for entry in results.attribution:
        path = sum(term.value.value for term in entry.terms if term.name in PATH)
        if entry.predictor in keys and abs(path) > results.rules.limit:
            name = results.predictor(entry.predictor).name
            limit = in_points(results.rules.limit).replace(SPACE, " ")
            cautions.append(f"{name}: editing by itself moves {words.effect} by {in_points(path)}, more than {limit}.")
    return cautions
