"""Impressions must say what is in the image, in words that a radiologist would use."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from radedit.phantom.reports import (
    FINDINGS,
    NORMAL,
    Findings,
    check_findings,
    impression,
    label_list,
    phrasebook,
    phrases,
    templates,
)

DRAIN_WORDS = re.compile(r"drain|tube|catheter|thoracostomy|pigtail|device", re.IGNORECASE)
COVID_WORDS = re.compile(r"covid|sars|coronavirus|viral", re.IGNORECASE)
SMALL_LEFT_PNEUMOTHORAX = {"pneumothorax": {"side": "left", "size": "small"}}
LEFT_DRAIN = {"drain": {"side": "left"}}

Reports = list[tuple[Findings, str]]
CLEAR_LUNGS = r"lungs are clear|clear[^.]*lungs"
# What each sentence claims to be absent, read from the words alone: an oracle for `unless` in the templates.
DENIALS = {
    "pneumothorax": r"\b(no|without)\b[^.]*pneumothorax|pneumothorax is not\b",
    "consolidation": rf"\bno\b[^.]*(consolidation|pneumonia|airspace)|consolidation is not\b|{CLEAR_LUNGS}",
    "oedema": rf"\b(no|without)\b[^.]*(oedema|congestion)|oedema is not\b|heart failure|{CLEAR_LUNGS}",
    "covid": rf"\bno\b[^.]*(consolidation|pneumonia|airspace)|consolidation is not\b|{CLEAR_LUNGS}",
    "cardiomegaly": r"(heart|cardiac|silhouette)[^.]*normal|normal heart|(no|without) cardiomegaly",
}


def words_of(texts: list[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[a-z0-9-]+", text.lower())}


def random_findings(rng: np.random.Generator) -> Findings:
    """Any set of findings; now and then an attribute is unknown."""
    findings = {}
    for name, attributes in FINDINGS.items():
        if rng.random() < 0.35:
            values = {a: str(rng.choice(allowed)) for a, allowed in attributes.items() if rng.random() < 0.9}
            if values.get("lobe") == "middle" and values.get("side") == "left":
                values["side"] = "right"
            findings[name] = values
    return findings


@pytest.fixture(scope="module")
def reports() -> Reports:
    """2,000 random sets of findings with their reports, a quarter of them held out, some of them noisy."""
    rng = np.random.default_rng(0)
    drawn = [random_findings(rng) for _ in range(2000)]
    return [(f, impression(f, rng, held_out=i % 4 == 0, noise=0.5 * (i % 3 == 0))) for i, f in enumerate(drawn)]


def draw(findings: Findings, n: int, **options: float) -> list[str]:
    rng = np.random.default_rng(0)
    return [impression(findings, rng, **options) for _ in range(n)]  # type: ignore[arg-type]


@pytest.mark.parametrize("without", [(), ("covid",)])
def test_there_are_enough_templates(without: tuple[str, ...]) -> None:
    assert len(templates(without=without)) >= 200
    assert len(templates(held_out=True, without=without)) >= 40


def test_held_out_phrases_are_in_no_trainable_template() -> None:
    assert not set(phrases()) & set(phrases(held_out=True))


@pytest.mark.parametrize("without", [(), ("covid",)])
def test_held_out_templates_use_only_trainable_words(without: tuple[str, ...]) -> None:
    assert words_of(phrases(held_out=True, without=without)) <= words_of(phrases(without=without))


def test_held_out_reports_are_made_of_held_out_phrases_only() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        rest = impression(random_findings(rng), rng, held_out=True)
        for phrase in sorted(phrases(held_out=True), key=len, reverse=True):
            rest = rest.replace(phrase, "")
        assert not rest.strip()


@pytest.mark.parametrize(
    "prompt",
    [
        "No acute cardiopulmonary process.",
        "Moderate pulmonary oedema. The heart size is normal.",
        "Left pectoral pacemaker in place. The position of the leads is as expected. "
        "Otherwise unremarkable chest radiographic examination.",
        "New left upper lobe consolidation.",
        "New right upper lobe consolidation.",
        "Pneumothorax.",
        "No pneumothorax.",
        "Opacities.",
        "No findings.",
    ],
)
def test_prompts_of_the_paper_are_trainable_phrases(prompt: str) -> None:
    assert prompt in phrases()


@pytest.mark.parametrize("name", FINDINGS)
def test_several_templates_of_each_finding_name_no_attribute(name: str) -> None:
    group = phrasebook().findings[name]
    assert sum(not template.slots for template in group.trainable) >= 3
    assert any(not template.slots and not template.unless for template in group.held_out)


def test_sides_and_grades_are_named_by_slots_only() -> None:
    graded = re.compile(r"\b(left|right|small|large|mild|moderate|severe|upper|middle|lower)", re.IGNORECASE)
    assert not [text for text in templates() + templates(held_out=True) if graded.search(text)]


def test_no_slot_is_left_unfilled_and_every_sentence_is_capitalised(reports: Reports) -> None:
    for _, text in reports:
        assert re.fullmatch(r"([A-Z][^{}.]*\.)( [A-Z][^{}.]*\.)*", text), text


def test_normal_impression_never_occurs_with_an_acute_finding_or_a_drain(reports: Reports) -> None:
    compatible = [set(), {"pacemaker"}, {"cardiomegaly"}]
    texts_of_others = [text for findings, text in reports if set(findings) not in compatible]
    normals = {template.text for template in phrasebook().normal.trainable + phrasebook().normal.held_out}
    assert len(texts_of_others) > 1000
    assert not [text for text in texts_of_others if "acute cardiopulmonary" in text or text in normals]


@pytest.mark.parametrize("name", ["pacemaker", "cardiomegaly"])
def test_normal_impression_may_stand_beside_a_finding_that_is_not_acute(name: str) -> None:
    assert any(NORMAL in text for text in draw({name: {}}, 100))


def test_normal_impression_is_by_far_the_most_frequent_normal_report() -> None:
    (first, n_first), (_, n_second) = Counter(draw({}, 1000)).most_common(2)
    assert first == NORMAL
    assert n_first >= 400
    assert n_first > 2 * n_second


def test_side_named_is_the_side_of_a_finding(reports: Reports) -> None:
    for findings, text in reports[1::3] + reports[2::3]:  # the ones without noise
        sides = {attributes["side"] for attributes in findings.values() if "side" in attributes}
        assert set(re.findall(r"\b(left|right)\b", text.lower())) <= sides


def test_denied_findings_are_absent_even_from_noisy_reports(reports: Reports) -> None:
    for findings, text in reports:
        for name in findings.keys() & DENIALS.keys():
            assert not re.search(DENIALS[name], text, re.IGNORECASE), (name, text)


def test_otherwise_unremarkable_only_if_there_is_nothing_else(reports: Reports) -> None:
    texts = [(findings, text) for findings, text in reports if re.search("unremarkable chest|otherwise", text, re.I)]
    assert texts
    assert all(set(findings) <= {"pacemaker"} for findings, _ in texts)


@pytest.mark.parametrize("omit_drain", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("findings", [LEFT_DRAIN, LEFT_DRAIN | SMALL_LEFT_PNEUMOTHORAX])
def test_drain_is_omitted_as_often_as_asked(findings: Findings, omit_drain: float) -> None:
    omitted = np.mean([not DRAIN_WORDS.search(text) for text in draw(findings, 600, omit_drain=omit_drain)])
    assert omitted == pytest.approx(omit_drain, abs=0.07)


def test_drain_is_mentioned_only_if_there_is_one(reports: Reports) -> None:
    for findings, text in reports:
        if not findings.keys() & {"drain", "pacemaker"}:
            assert not DRAIN_WORDS.search(text)


def test_reports_that_omit_a_lone_drain_read_like_some_normal_reports() -> None:
    silent = set(draw(LEFT_DRAIN, 200, omit_drain=1.0))
    assert "Stable appearance." in silent & set(draw({}, 1000))


def test_covid_words_occur_with_covid_only(reports: Reports) -> None:
    without_covid = phrases(without=["covid"]) + phrases(held_out=True, without=["covid"])
    assert not [text for text in without_covid if COVID_WORDS.search(text)]
    assert not [text for findings, text in reports if COVID_WORDS.search(text) and "covid" not in findings]
    assert [text for findings, text in reports if COVID_WORDS.search(text)]


def test_a_tenth_of_reports_is_a_list_of_labels() -> None:
    findings = SMALL_LEFT_PNEUMOTHORAX | {"cardiomegaly": {"severity": "mild"}}
    share = np.mean([text == "Cardiomegaly. Pneumothorax." for text in draw(findings, 1000)])
    assert share == pytest.approx(0.10, abs=0.03)


def test_sentences_come_in_any_order() -> None:
    texts = draw(SMALL_LEFT_PNEUMOTHORAX | {"oedema": {}}, 100)
    first = [text.lower().find("pneumothorax") < text.lower().find("oedema") for text in texts]
    assert 20 < sum(first) < 80


def test_noise_makes_the_errors_it_documents() -> None:
    texts = draw(SMALL_LEFT_PNEUMOTHORAX, 2000, noise=1.0)
    wrong_side = np.mean([bool(re.search(r"\bright\b", text, re.IGNORECASE)) for text in texts])
    not_mentioned = np.mean([not re.search("pneumothorax|pleural|hemithorax", text, re.IGNORECASE) for text in texts])
    wrong_grade = np.mean([bool(re.search("moderate|medium", text, re.IGNORECASE)) for text in texts])
    assert 0.10 < wrong_side <= 0.22
    assert 0.35 < not_mentioned < 0.6
    assert 0.10 < wrong_grade <= 0.32
    assert not [text for text in texts if "large" in text.lower()]


def test_noise_never_finds_anything_in_a_normal_image() -> None:
    positives = re.compile("pneumothorax on|cardiomegaly is|left|right", re.IGNORECASE)
    assert not [text for text in draw({}, 300, noise=1.0) if positives.search(text)]


def test_same_generator_gives_same_report_whatever_the_order_of_findings() -> None:
    findings = SMALL_LEFT_PNEUMOTHORAX | LEFT_DRAIN | {"oedema": {"severity": "mild"}}
    reverse = dict(reversed(findings.items()))
    assert draw(findings, 50, noise=0.3) == draw(reverse, 50, noise=0.3)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ({}, "No findings."),
        (SMALL_LEFT_PNEUMOTHORAX | {"cardiomegaly": {"severity": "mild"}}, "Cardiomegaly. Pneumothorax."),
        (LEFT_DRAIN | {"pacemaker": {"side": "left"}}, "Support devices."),
    ],
)
def test_label_list_is_the_style_of_chestxray8_and_chexpert(findings: Findings, expected: str) -> None:
    assert label_list(findings) == expected


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        ({"edema": {}}, "Unknown finding 'edema'; allowed are"),
        ({"oedema": {"side": "left"}}, "oedema has no 'side'; allowed are severity"),
        ({"drain": {"side": "Left"}}, "side of drain is 'Left'; allowed are left, right"),
        ({"consolidation": {"side": "left", "lobe": "middle"}}, "left lung has no middle lobe"),
    ],
)
def test_unknown_findings_are_refused(findings: Findings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_findings(findings)
