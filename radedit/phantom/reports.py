"""Impressions for synthetic phantoms, in the idiom of the reports that train the paper's diffusion model (§5.1).

The sentences are data: `templates.yaml`, next to this file. What a report may say follows from the findings, so text
and image agree in everything but what a report leaves out. *Left* is the patient's left: the image's right.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import product
from string import Formatter
from typing import Any

import numpy as np
import yaml

Findings = Mapping[str, Mapping[str, str]]

SIDES = ("left", "right")
LOBES = ("upper", "middle", "lower")
DEGREES = ("mild", "moderate", "severe")

#: Finding → attribute → allowed values, in order of grade.
FINDINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pneumothorax": {"side": SIDES, "size": ("small", "moderate", "large")},
    "drain": {"side": SIDES},
    "consolidation": {"side": SIDES, "lobe": LOBES},
    "oedema": {"severity": DEGREES},
    "pacemaker": {"side": SIDES},
    "cardiomegaly": {"severity": DEGREES},
    "covid": {"extent": DEGREES},
}
GRADES = ("size", "severity", "extent")
NORMAL = "No acute cardiopulmonary process."
COMPATIBLE_WITH_NORMAL = ("pacemaker", "cardiomegaly")  # neither is acute: alone, they may be reported with NORMAL

# Shares of report styles: our choice. NORMAL leads by far, as it does in MIMIC-CXR.
P_LABELS = 0.10
P_NORMAL, P_OTHER_NORMAL, P_NEUTRAL = 0.55, 0.27, 0.06  # of normal reports that are not labels; the rest are negatives
P_NORMAL_BESIDE_FINDING = 0.25
P_NEUTRAL_BESIDE_FINDING = 0.04
N_NEGATIVES = (0.60, 0.28, 0.12)  # shares of reports with 0, 1 and 2 pertinent negatives
ERRORS = {"omission": 0.5, "grade": 0.3, "side": 0.2}  # shares of a report's errors, among those its findings allow


@dataclass(frozen=True)
class Template:
    """One or more sentences with slots, and the findings that would make them untrue (`any`: any other finding)."""

    text: str
    unless: frozenset[str] = frozenset()

    @cached_property
    def slots(self) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(self.text) if name}

    def fill(self, words: Mapping[str, str]) -> str:
        """Fill the slots and capitalise each sentence."""
        return re.sub(r"(^|\. )([a-z])", lambda m: m[1] + m[2].upper(), self.text.format_map(words))


@dataclass(frozen=True)
class Group:
    """Templates that say one thing, from common to rare."""

    trainable: tuple[Template, ...]
    held_out: tuple[Template, ...]
    labels: tuple[str, ...] = ()
    about: tuple[str, ...] = ()

    def templates(self, held_out: bool) -> tuple[Template, ...]:
        return self.held_out if held_out else self.trainable

    def is_touched_by(self, text: str) -> bool:
        """Whether `text` speaks of this group's topic already."""
        return any(re.search(rf"\b{word}", text, re.IGNORECASE) for word in self.about)


@dataclass(frozen=True)
class Phrasebook:
    """The contents of `templates.yaml`."""

    words: Mapping[str, Mapping[str, Mapping[str, str]]]
    findings: Mapping[str, Group]
    normal: Group
    neutral: Group
    negatives: Mapping[str, Group]

    def slots(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Words for the slots that a finding's attributes allow: its own, and those derived from them."""
        derived = {
            slot: forms[attributes[attribute]]
            for slot, of in self.words.items()
            for attribute, forms in of.items()
            if attribute in attributes
        }
        return {**attributes, **derived}


@cache
def phrasebook() -> Phrasebook:
    """Read `templates.yaml`, once."""
    text = resources.files("radedit.phantom").joinpath("templates.yaml").read_text(encoding="utf-8")
    raw = yaml.safe_load(text)

    def group(entry: Mapping[str, Any]) -> Group:
        def read(items: Sequence[str | Mapping[str, Any]]) -> tuple[Template, ...]:
            shared = frozenset(entry.get("unless", ()))
            return tuple(
                Template(item, shared) if isinstance(item, str) else Template(item["say"], shared | set(item["unless"]))
                for item in items
            )

        labels, about = tuple(entry.get("labels", ())), tuple(entry.get("about", ()))
        return Group(read(entry["trainable"]), read(entry["held_out"]), labels, about)

    return Phrasebook(
        words=raw["words"],
        findings={name: group(raw["findings"][name]) for name in FINDINGS},
        normal=group(raw["normal"]),
        neutral=group(raw["neutral"]),
        negatives={topic: group(entry) for topic, entry in raw["negatives"].items()},
    )


def impression(
    findings: Findings,
    rng: np.random.Generator,
    *,
    omit_drain: float = 0.5,
    held_out: bool = False,
    noise: float = 0.0,
    negatives: bool = True,
) -> str:
    """Write the impression of a synthetic phantom.

    Args:
        findings: Finding → attributes, as in `FINDINGS`; empty for a normal image. Attributes may be missing.
        rng: Source of every choice; the order of `findings` does not matter.
        omit_drain: Probability that a report says nothing of the drain that is there, 0…1.
        held_out: Use only paraphrases that are in no trainable report.
        noise: Probability, 0…1, that a report with findings has one error, in one finding drawn uniformly: it is not
            mentioned, its grade (size, severity, extent) is the neighbouring one, or its side is the wrong one; see
            `ERRORS` for the shares. A wrong side is at most 2/7 of the errors, where a finding has a side and no grade.
            Reports of normal images have no errors, and no finding is ever invented or denied.
        negatives: Whether the report may deny what is not in `findings`. Not where an image has more than was drawn.

    Returns:
        One or more sentences. *No acute cardiopulmonary process.* is half of the normal reports, may stand beside a
        lone pacemaker or cardiomegaly, and occurs with no other finding, mentioned or not.

    Raises:
        ValueError: If a finding, an attribute or a value is unknown.
    """
    check_findings(findings)
    book = phrasebook()
    said = {name: dict(findings[name]) for name in FINDINGS if name in findings}
    if "drain" in said and rng.random() < omit_drain:
        del said["drain"]
    if said and rng.random() < noise:
        said = _misreport(said, rng)

    if not held_out and rng.random() < P_LABELS and (said or not findings):
        return _labels(said, rng)
    if not findings:
        sentences = _normal(book, rng, held_out)
        if sentences == [NORMAL]:
            return NORMAL
    else:
        sentences = [
            _draw(book.findings[name].templates(held_out), book.slots(attributes), set(findings) - {name}, rng)
            for name, attributes in said.items()
        ]
        beside = rng.random() < P_NEUTRAL_BESIDE_FINDING and not book.neutral.is_touched_by(" ".join(sentences))
        if not said or beside:
            sentences.append(_draw(book.neutral.templates(held_out), {}, set(findings), rng))
        lone = len(findings) == 1 and set(findings) <= set(COMPATIBLE_WITH_NORMAL)
        if lone and not held_out and rng.random() < P_NORMAL_BESIDE_FINDING:
            sentences.append(NORMAL)
    n_negatives = int(rng.choice(len(N_NEGATIVES), p=N_NEGATIVES))
    if negatives:
        sentences += _negatives(book, n_negatives, " ".join(sentences), set(findings), rng, held_out)
    return " ".join(sentences[i] for i in rng.permutation(len(sentences)))


def templates(held_out: bool = False, *, without: Collection[str] = ()) -> list[str]:
    """Every distinct template, slots unfilled.

    Args:
        held_out: The held-out paraphrases instead of the trainable templates.
        without: Findings to leave out; `["covid"]` gives the world of the generator, which has no COVID-19.
    """
    return list(dict.fromkeys(template.text for template, _ in _usages(held_out, without)))


def phrases(held_out: bool = False, *, without: Collection[str] = ()) -> list[str]:
    """Every distinct template in every filling: the text to train a tokenizer on; arguments as for `templates`."""
    return list(dict.fromkeys(template.fill(words) for template, words in _usages(held_out, without)))


def label_list(findings: Findings) -> str:
    """List the labels of an image, as ChestX-ray8 and CheXpert are given to the diffusion model (§5.1).

    Returns:
        Labels in alphabetical order, such as 'Cardiomegaly. Pneumothorax.'; 'No findings.' if there are none.
        Drains and pacemakers are CheXpert's 'Support devices.' (Appendix A).
    """
    check_findings(findings)
    labels = {phrasebook().findings[name].labels[0] for name in findings}
    return " ".join(sorted(labels)) or "No findings."


def check_findings(findings: Findings) -> None:
    """Raise `ValueError` for a finding, attribute or value that is not in `FINDINGS`, and for a left middle lobe."""
    for name, attributes in findings.items():
        if name not in FINDINGS:
            raise ValueError(f"Unknown finding {name!r}; allowed are {', '.join(FINDINGS)}.")
        for attribute, value in attributes.items():
            allowed = FINDINGS[name].get(attribute)
            if allowed is None:
                raise ValueError(f"{name} has no {attribute!r}; allowed are {', '.join(FINDINGS[name])}.")
            if value not in allowed:
                raise ValueError(f"{attribute} of {name} is {value!r}; allowed are {', '.join(allowed)}.")
        if attributes.get("lobe") == "middle" and attributes.get("side") == "left":
            raise ValueError("The left lung has no middle lobe; use upper or lower, or the right side.")


def _usages(held_out: bool, without: Collection[str]) -> Iterator[tuple[Template, dict[str, str]]]:
    """Each template with each set of words that fills it."""
    book = phrasebook()
    for name, group in book.findings.items():
        if name in without:
            continue
        fillings = [dict(zip(FINDINGS[name], values, strict=True)) for values in product(*FINDINGS[name].values())]
        fillings = [f for f in fillings if (f.get("side"), f.get("lobe")) != ("left", "middle")]
        labels = () if held_out else tuple(Template(label) for label in group.labels)
        for template in group.templates(held_out) + labels:
            for filling in fillings:
                yield template, book.slots(filling)
    for group in (book.normal, book.neutral, *book.negatives.values()):
        for template in group.templates(held_out):
            yield template, {}
    if not held_out:
        yield Template("No findings."), {}


def _draw(options: Sequence[Template], words: Mapping[str, str], others: set[str], rng: np.random.Generator) -> str:
    """Draw a template that can be filled and is true beside the other findings; earlier ones are likelier."""
    excluded = others | {"any"} if others else others
    usable = [option for option in options if option.slots <= words.keys() and not option.unless & excluded]
    weights = 1 / (np.arange(len(usable)) + 5.0)  # from 1 in 9 to 1 in 60 of 30 templates: our choice
    return usable[rng.choice(len(usable), p=weights / weights.sum())].fill(words)


def _normal(book: Phrasebook, rng: np.random.Generator, held_out: bool) -> list[str]:
    """First sentence of a report of an image without findings."""
    share = rng.random()
    if share < P_NORMAL and not held_out:
        return [NORMAL]
    if share < P_NORMAL + P_OTHER_NORMAL:
        options = [option for option in book.normal.templates(held_out) if option.text != NORMAL]
        return [_draw(options, {}, set(), rng)]
    if share < P_NORMAL + P_OTHER_NORMAL + P_NEUTRAL:
        return [_draw(book.neutral.templates(held_out), {}, set(), rng)]
    return _negatives(book, 1, "", set(), rng, held_out)


def _negatives(
    book: Phrasebook, n: int, text: str, findings: set[str], rng: np.random.Generator, held_out: bool
) -> list[str]:
    """Draw up to `n` pertinent negatives, true of `findings` and on topics that `text` does not touch."""
    sentences: list[str] = []
    topics = list(book.negatives.values())
    for i in rng.permutation(len(topics)):
        options = [option for option in topics[i].templates(held_out) if not option.unless & findings]
        if len(sentences) < n and options and not topics[i].is_touched_by(" ".join([text, *sentences])):
            sentences.append(_draw(options, {}, findings, rng))
    return sentences


def _labels(said: Findings, rng: np.random.Generator) -> str:
    """A report in the style of `label_list`, where opacities may be called just that."""
    options = [phrasebook().findings[name].labels for name in said]
    return " ".join(sorted({labels[rng.integers(len(labels))] for labels in options})) or "No findings."


def _misreport(said: Mapping[str, Mapping[str, str]], rng: np.random.Generator) -> dict[str, dict[str, str]]:
    """Make one error: a finding not mentioned, of the neighbouring grade, or on the wrong side."""
    reported = {name: dict(attributes) for name, attributes in said.items()}
    name = list(reported)[rng.integers(len(reported))]
    attributes = reported[name]
    grade = next((attribute for attribute in GRADES if attribute in attributes), None)
    possible = ["omission"]
    if grade:
        possible.append("grade")
    if "side" in attributes and attributes.get("lobe") != "middle":
        possible.append("side")
    shares = np.array([ERRORS[error] for error in possible])
    error = possible[rng.choice(len(possible), p=shares / shares.sum())]
    if error == "omission":
        del reported[name]
    elif error == "side":
        attributes["side"] = "right" if attributes["side"] == "left" else "left"
    elif grade:
        values = FINDINGS[name][grade]
        at = values.index(attributes[grade])
        neighbours = values[max(at - 1, 0) : at] + values[at + 1 : at + 2]
        attributes[grade] = neighbours[rng.integers(len(neighbours))]
    return reported
