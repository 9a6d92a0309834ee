"""The result in a sentence, made from the numbers alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from radedit.report.numbers import SPACE, about, in_points
from radedit.report.results import KEPT, OWN, Estimate, Predictor, Results
from radedit.report.wording import wording

FEW = 30  # films below which nothing is concluded
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
    lede = first[0].upper() + first[1:]
    second = _behaviour(results, other, "") if other else None
    lede += f"; {second}." if second else "."
    if results.weaknesses:
        lede = f"Nothing should be concluded from this run: the generator is weak. What it shows: {_lower(lede)}"
    return Headline(lede, _support(results, lead), _cautions(results, [lead, other] if other else [lead]))


def pair(results: Results) -> tuple[Predictor, Predictor | None]:
    """The predictor that should fail and the one that should not, first those that the paper has numbers for."""

    def in_paper(predictor: Predictor) -> bool:
        return any(row.paper is not None for row in results.rows(predictor.key))

    ranked = sorted(results.predictors, key=lambda predictor: not in_paper(predictor))
    lead = next((p for p in ranked if p.role in ("confounded", "biased", "weak")), ranked[0])
    other = next((p for p in ranked if p.role in ("unconfounded", "unbiased", "strong")), None)
    return lead, other if other is not lead else None


def when(results: Results) -> str:
    """The shift in words."""
    if results.added:
        return f"when there is {results.added}"
    if not results.finding or not results.shortcut:
        return "on the synthetic test set"
    finding = results.finding if results.finding[0].isupper() else f"the {results.finding}"  # a disease's proper name
    return f"when the {results.shortcut} stays and {finding} goes"


def calls(predictor: Predictor) -> str:
    """A predictor's name inside a sentence: ours are common nouns, others' are proper ones."""
    first, _, rest = predictor.name.partition(" ")
    ours = first in ("Confounded", "Unconfounded", "Biased", "Unbiased", "Weak", "Strong", "Open") and rest
    return f"the {first.lower()} {rest}" if ours else predictor.name


def _lower(sentence: str) -> str:
    """With a small letter, where its first word is an article."""
    return f"t{sentence[1:]}" if sentence.startswith("The ") else sentence


def apart(one: Estimate, two: Estimate) -> bool | None:
    """Whether two intervals do not meet; None where one is not known."""
    if one.low is None or one.high is None or two.low is None or two.high is None:
        return None
    return one.high < two.low or two.high < one.low


def _behaviour(results: Results, predictor: Predictor | None, shift: str) -> str | None:
    if predictor is None:
        return None
    own, edited = results.row(predictor.key, OWN), results.row(predictor.key, KEPT)
    if own is None or edited is None or own.main.value is None or edited.main.value is None:
        return None
    before, after = own.main.value, edited.main.value
    measure = f" {wording(results).measure}" if shift else ""  # the second time it goes without saying
    whose = f"{calls(predictor)}’s{measure}"
    end = f" {shift}" if shift else ""
    if abs(after - before) < NOTABLE:
        return f"{whose} holds at {about(after)} ({about(before)} on the ordinary test set){end}"
    if apart(own.main, edited.main):
        return f"{whose} {'falls' if after < before else 'rises'} from {about(before)} to {about(after)}{end}"
    return f"{whose} is {about(after)} after {about(before)} on the ordinary test set{end}, which may be chance"


def _support(results: Results, lead: Predictor) -> list[str]:
    support = []
    true_films = (
        f"On the same films with {results.added} for certain" if results.added else "On true films of the same patients"
    )
    truth = next((entry for entry in results.agreements() if entry.predictor == lead.key), None)
    if truth and truth.truth.value is not None and truth.difference.value is not None:
        support.append(
            f"{true_films} {calls(lead)} scores {about(truth.truth.value)}: "
            f"the edits miss {'that' if results.added else 'the real shift'} by {in_points(truth.difference.value)}."
        )
    entry = next((entry for entry in results.attribution if entry.predictor == lead.key), None)
    path = [term.value.value for term in entry.terms if term.name in PATH] if entry else []
    shift = next((term.value.value for term in entry.terms if term.name == "shift"), None) if entry else None
    known = [value for value in path if value is not None]
    if path and len(known) == len(path) and shift is not None:
        verb = "adds" if sum(known) >= 0 else "removes"
        support.append(
            f"Editing by itself {verb} {in_points(sum(known))} of {wording(results).effect}; "
            f"the shift {'adds' if shift >= 0 else 'removes'} {in_points(shift)}."
        )
    return support


def _cautions(results: Results, shown: list[Predictor]) -> list[str]:
    words = wording(results)
    cautions = [*(f"The generator is weak: {weakness}." for weakness in results.weaknesses), *results.remarks]
    for predictor in shown:
        if predictor.qualified is False:
            reason = f": {predictor.why}" if predictor.why else ""
            cautions.append(f"{predictor.name} did not qualify for its role{reason}".rstrip(".") + ".")
    few = min((row.n for row in results.table if row.data == KEPT), default=None)
    if few is not None and few < FEW:
        cautions.append(f"Only {few} kept edits: below {FEW} nothing should be concluded.")
    keys = [predictor.key for predictor in shown]
    for comparison in results.agreements():
        gap = comparison.difference
        excludes_zero = gap.low is not None and gap.high is not None and not gap.low <= 0 <= gap.high
        if comparison.predictor in keys and gap.value is not None and abs(gap.value) > NOTABLE and excludes_zero:
            name = results.predictor(comparison.predictor).name
            cautions.append(
                f"{name}: {words.measure} on the edits is {in_points(gap.value)} off {words.measure} "
                f"{f'with {results.added} for certain' if results.added else 'after the real shift'}."
            )
    for entry in results.attribution:
        path = sum(term.value.value or 0.0 for term in entry.terms if term.name in PATH)
        if entry.predictor in keys and abs(path) > words.path_limit:
            name = results.predictor(entry.predictor).name
            limit = in_points(words.path_limit).replace(SPACE, " ")
            cautions.append(f"{name}: editing by itself moves {words.effect} by {in_points(path)}, more than {limit}.")
    return cautions
