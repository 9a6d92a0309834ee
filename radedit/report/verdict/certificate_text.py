"""What a certificate says: its content, and the sentences that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from radedit.harness.evidence.verdict import Rules, Verdict, overall
from radedit.report.words.numbers import percent

LONGEST = {"title": 240, "setting": 400, "name": 70, "command": 300, "machine": 120}  # letters; verdict.json has all


@dataclass(frozen=True)
class Judged:
    """A predictor's line.

    Attributes:
        name: As in tables.
        verdict: Found of it.
        seeds: How many trainings of it were tested.
        hash: Of its weights; of all of them together where there are several seeds.
    """

    name: str
    verdict: Verdict
    seeds: int
    hash: str


@dataclass(frozen=True)
class Certificate:
    """What the page says.

    Attributes:
        title: The scenario's question.
        setting: Where images and generator come from, in words.
        drawn: Whether the images are drawn, so that nothing follows for real ones.
        measure: What the shift effect is, in words that follow "Shift_effect:".
        predictors: One to eight.
        rules: That were fixed beforehand.
        interval: How intervals were made, in words.
        stress_set: Hash of the set of edits, all of its digits.
        generator: Hash of the generator.
        commit: That radedit ran from.
        command: That was typed.
        created: When, ISO 8601.
        machine: That it ran on.
        version: Of radedit.
        weaknesses: Clauses that say why nothing should be concluded from the generator's edits.
        limits: Sentences on what else the verdict does not say.
    """

    title: str
    setting: str
    drawn: bool
    measure: str
    predictors: Sequence[Judged]
    rules: Rules
    interval: str
    stress_set: str
    generator: str
    commit: str
    command: str
    created: str
    machine: str
    version: str
    weaknesses: Sequence[str] = ()
    limits: Sequence[str] = ()


def summary(content: Certificate) -> str:
    """The outcome in words, `Overall: fail. Of 3 predictors, 1 fails, 2 pass`, and a full stop."""
    verdicts = [judged.verdict for judged in content.predictors]
    said = f"Overall: {overall(verdicts)}."
    if len(verdicts) == 1:
        return said
    counts = [(sum(v.outcome == outcome for v in verdicts), outcome) for outcome in ("fail", "undecided", "pass")]
    words = {"fail": ("fails", "fail"), "undecided": ("is undecided", "are undecided"), "pass": ("passes", "pass")}
    parts = [f"{count} {words[outcome][count > 1]}" for count, outcome in counts if count]
    return f"{said} Of {len(verdicts)} predictors, {', '.join(parts)}."


def rules_in_words(content: Certificate) -> list[str]:
    """The rules as sentences."""
    rules = content.rules
    ends = {
        None: "The exit code does not depend on the verdict.",
        "fail": "The run ends with exit code 1 on a fail.",
        "undecided": "The run ends with exit code 1 on a fail, 3 if undecided.",
    }
    return [
        f"Shift effect: {content.measure}.",
        f"Fail if it is above {percent(rules.limit)} points even after all that editing may have added is subtracted, "
        "pass if it is below after all that it may have hidden is added (artefact, edits that failed), else undecided.",
        f"Undecided, too, with fewer than {rules.min_n} records.",
        *(
            [f"To pass, editing must take less than {percent(rules.control_limit)} points of sensitivity."]
            if any(judged.verdict.control for judged in content.predictors)
            else []
        ),
        ends[rules.fail_on],
        f"Intervals: {content.interval}.",
    ]


def limits_in_words(content: Certificate) -> list[str]:
    """What must not be concluded, as sentences, the gravest first."""
    shift_effects = [judged.verdict.shift_effect for judged in content.predictors if judged.verdict.shift_effect]
    half_widths = [(e.high - e.low) / 2 for e in shift_effects if e.low is not None and e.high is not None]
    said = []
    if content.weaknesses:
        said.append("The generator is weak, so a verdict may be about its edits and not about the predictors.")
    if content.drawn:
        said.append("The images are drawn: nothing follows for real radiographs.")
    else:
        said.append("It holds for the images named above; other hospitals, devices and patients were not tested.")
    said.append("Only this one shift was tested: a pass is not a proof that a predictor is safe.")
    if half_widths and len(half_widths) == len(content.predictors):
        worst = f"{percent(max(half_widths))} points at worst"
        said.append(f"With this many records a shift effect is known to within {worst}; a smaller one may be missed.")
    if any(judged.seeds == 1 for judged in content.predictors):
        said.append("Where there is one seed, another training of the same predictor may do otherwise.")
    return [*said, *content.limits, "Not for clinical use: no decision on a patient may rest on it."]


def short(what: str, text: str) -> str:
    """Text as long as there is room for."""
    return text if len(text) <= LONGEST[what] else f"{text[: LONGEST[what] - 1].rstrip()}…"
