"""The page: self-contained, well-formed, safe, and with the numbers of its run."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from radedit.harness.evidence.results import load
from radedit.report.plots.figures import addition
from radedit.report.sweep.page import write_report
from tests.report.conftest import attribution, estimate, made_up, written

Run = dict[str, Any]
Write = Callable[[Run], Path]
VOID = {"meta", "link", "img", "br", "hr", "input", "source", "wbr"}
RESOURCES = {"src", "srcset", "poster", "data", "background"}


class Page(HTMLParser):
    """Elements of a page; a tag that does not close what is open is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html, self.open, self.errors = html, [], []  # type: tuple[str, list[str], list[str]]
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        self.errors += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if len({name for name, _ in attrs}) < len(attrs):
            self.errors.append(f"<{tag}> has an attribute twice: {attrs}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.errors.append(f"</{tag}> in line {self.getpos()[0]} closes nothing")

    def handle_data(self, data: str) -> None:
        self.text.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self) -> str:
        """What a reader reads."""
        return " ".join(" ".join(data for tag, data in self.text if tag not in ("style", "script")).split())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Of the run as it is made up."""
    return rendered(made_up(), lambda run: written(run, tmp_path_factory.mktemp("page") / "run"))


def rendered(run: Run, write: Write) -> Page:
    return Page(write_report(write(run)).read_text(encoding="utf-8"))


def bare(run: Run) -> Run:
    """The least that a run can have."""
    kept = {key: run[key] for key in ("schema_version", "scenario", "rules", "setting", "predictors", "table")}
    return kept | {"predictors": [p | {"cells": []} for p in run["predictors"]], "gallery": []}


def hostile(text: str, run: Run) -> Run:
    """The run with `text` wherever a user, a file name or an error message may have put it."""
    run["gallery"][0]["record"] = text
    run["skipped"] = [{"record": text, "reason": text}]
    run["notes"] = [text]
    run["command"] = run["machine"] = run["scenario"]["title"] = text
    run["config"] = {"prompt": text}
    run["hashes"] = {"generator": text, "predictors": {text: {text: text}}}
    run["versions"] = {text: text}
    run["predictors"][0]["name"] = run["predictors"][0]["why"] = run["predictors"][0]["trained_on"] = text
    run["table"][0]["label"] = text
    run["attribution"][0]["terms"][0]["name"] = run["attribution"][0]["terms"][0]["meaning"] = text
    run["scenario"]["called"] = {"finding": text, "shortcut": text}
    return run


def test_tags_are_balanced_and_ids_unique(page: Page) -> None:
    assert not page.errors
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 5


def test_links_within_the_page_lead_somewhere(page: Page) -> None:
    ids = {attributes.get("id") for _, attributes in page.elements}
    links = [attributes["href"] or "" for attributes in page.all("a")]
    assert links and {link.removeprefix("#") for link in links if link.startswith("#")} <= ids


def test_page_is_self_contained(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in RESOURCES & set(attributes):
            assert (attributes[name] or "").startswith("data:"), (tag, name, attributes[name])
    assert all((attributes["href"] or "").startswith("data:") for attributes in page.all("link"))
    assert not [a for a in page.all("script") if "src" in a] and not page.all("iframe")
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:|#)", page.html)
    assert not re.search(r"""(src|href|action)=["']?(https?:)?//""", page.html)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|import\(", page.html)


def test_every_picture_is_a_png_inside_the_page_and_has_words(page: Page) -> None:
    shown = [attributes for attributes in page.all("img") if "src" in attributes]
    assert len(shown) == 2 + 8 + 12  # the example, four cells of two predictors, four pictures of three records
    assert all((a["src"] or "").startswith("data:image/") and a.get("alt") for a in shown)


def test_verdicts_come_first_and_cells_before_the_table(page: Page) -> None:
    sections = [attributes.get("id") for attributes in page.all("section")]
    assert sections[:2] == ["verdicts", "cells"]
    main = page.html[page.html.index("<main") :]
    assert main.index("Confounded classifier") < main.index('id="table"')


def test_page_of_a_bare_run_is_well_formed(run: Run, write: Write) -> None:
    assert not rendered(bare(run), write).errors


@pytest.mark.parametrize("part", ["attribution", "gallery"])
def test_any_part_may_be_missing(part: str, run: Run, write: Write) -> None:
    run[part] = []
    assert not rendered(run, write).errors


HOSTILE = [
    "<script>alert(1)</script></style></script><b>",
    "\"><img src=x onerror='alert(1)'>{{ 7 * 7 }}&lt;é…</svg>]]>",
]


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return rendered(hostile("word", made_up()), lambda run: written(run, tmp_path_factory.mktemp("harmless") / "run"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str, run: Run, write: Write, harmless: Page) -> None:
    page = rendered(hostile(text, run), write)
    assert not page.errors
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert " ".join(text.split()) in page.words


def check_sum(text: str) -> None:
    """`2.4 + 0.4 − 1.2 + 0.9 + 79.5 = 82.0`, as printed, to the last digit."""
    terms, total = text.split(" = ")
    signed = terms.replace("− ", "-").replace("+ ", "").split()
    assert sum(round(10 * float(term)) for term in signed) == round(10 * float(total))


def test_printed_terms_add_up(page: Page) -> None:
    sums = re.findall(r"([\d.]+(?: [+−] [\d.]+)+ = [\d.]+) %", page.words)
    assert len(sums) == 2
    for text in sums:
        check_sum(text)


@pytest.mark.parametrize("seed", range(10))
def test_printed_terms_add_up_whatever_their_digits(seed: int, run: Run, write: Write) -> None:
    rng = random.Random(seed)
    terms = {name: rng.uniform(-0.02, 0.1) for name in ("VAE", "inversion", "artefact", "shift")}
    run["attribution"] = [attribution("bad", rng.uniform(0.05, 0.2), terms)]
    check_sum(addition(load(write(run)).attribution[0]))


def test_numbers_of_the_table_and_the_paper_are_printed(page: Page) -> None:
    for text in ("95.0", "18.0", "93.3", "17.9", "93.7", "81.7", "13.0 to 23.0"):
        assert text in page.words, text


def test_provenance_is_printed(page: Page, run: Run) -> None:
    for text in (run["command"], run["commit"], run["machine"], "torch 2.11", "aa11", "bb22", "cc33", run["created"]):
        assert text in page.words, text
    assert "Seed of the edits 7" in page.words


def test_skipped_records_are_listed_with_their_reason(page: Page) -> None:
    assert "lost-1 45 % of m_edit is lost to m_keep." in page.words


def test_page_says_that_it_is_not_for_clinical_use_and_its_images_are_drawn(page: Page) -> None:
    assert "ot for clinical use" in page.words and "synthetic" in page.words and "drawn" in page.words


def test_phantom_numbers_are_not_to_be_compared_with_the_papers(page: Page) -> None:
    assert "not comparable with the paper’s" in page.words


def test_undefined_score_and_unknown_interval_are_words_not_nan(run: Run, write: Write) -> None:
    run["table"][1]["accuracy"] = estimate(0.5)
    run["predictors"][0]["cells"][0]["accuracy"] = estimate(0.5)
    page = rendered(run, write)
    assert "score undefined" in page.words
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", page.words)


def test_one_of_something_is_named_in_the_singular(run: Run, write: Write) -> None:
    run["counts"] = {"sources": 1, "skipped": 0, "edited": 1, "kept": 1, "rejected": 0, "undefined": 0}
    words = rendered(run, write).words
    assert "source image 1 " in words and "edit 1 " in words and "models 2 " in words and "1 run Run" in words
    assert not re.search(r"\b1 (runs|seeds|trainings|records|models)\b", words)


@pytest.mark.parametrize(("path", "error"), [("pictures/none.png", FileNotFoundError), ("../secret.png", ValueError)])
def test_picture_that_is_missing_or_outside_is_named(path: str, error: type[Exception], run: Run, write: Write) -> None:
    folder = write(run)
    run["gallery"][0]["images"]["source"] = path
    (folder / "results.json").write_text(json.dumps(run))
    with pytest.raises(error, match="Picture 'source' of record 'rec-1'"):
        write_report(folder)
