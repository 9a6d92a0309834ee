"""Filled forms of a reader study: read, and refused where they can't be of this study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radedit.data.io.json_lines import parse_json
from radedit.harness.reader_study.study import ReaderStudy

LOOKS = (1, 2, 3, 4, 5)  # certainly real … certainly edited
FINDING = ("yes", "no", "unsure")
NAMED = 5  # mistakes in one message


@dataclass(frozen=True)
class Answer:
    """What a reader said of one item.

    Attributes:
        looks: 1 (certainly real) … 5 (certainly edited); None where it was left open.
        finding: `yes`, `no`, `unsure`; None where it was left open.
        seconds: That the item was looked at, all visits together.
        comment: Free text.
    """

    looks: int | None = None
    finding: str | None = None
    seconds: float = 0.0
    comment: str = ""

    @property
    def complete(self) -> bool:
        return self.looks is not None and self.finding is not None


@dataclass(frozen=True)
class Form:
    """One reader's answers: item → answer, for every item of the study."""

    reader: str
    answers: dict[int, Answer]

    @property
    def missing(self) -> list[int]:
        """Items with a question left open."""
        return [item for item, answer in self.answers.items() if not answer.complete]


def read_forms(files: Sequence[Path], study: ReaderStudy) -> list[Form]:
    """Read the forms that came back.

    A form may be half filled: what is open is None.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If there is no file, one is no form, is of another study, names an item that the study hasn't or
            one twice, or has a value that is not allowed; if two are by the same reader; or if no reader answered.
    """
    if not files:
        raise ValueError("answers is empty. Say answers=[a.json,b.json] with the forms that came back.")
    forms: dict[str, tuple[Path, Form]] = {}
    for file in files:
        form = _read_form(file, study)
        same = form.reader.casefold()
        if same in forms:
            raise ValueError(
                f"{file} and {forms[same][0]} are both by reader {form.reader!r}. Give each reader's form once; if two "
                'readers have the same initials, change "reader" in one of the files.'
            )
        forms[same] = file, form
    found = [form for _, form in forms.values()]
    if not any(answer.looks or answer.finding for form in found for answer in form.answers.values()):
        raise ValueError(f"None of the {len(found)} forms has an answer. Download the form after rating images.")
    return sorted(found, key=lambda form: form.reader)


def _read_form(file: Path, study: ReaderStudy) -> Form:
    if not file.is_file():
        raise FileNotFoundError(f"There is no form {file}. Check answers=…")
    found = parse_json(file.read_text(encoding="utf-8"), file)
    reader, answers = found.get("reader"), found.get("answers")
    if "study" not in found or not isinstance(answers, list) or not isinstance(reader, str) or not reader.strip():
        raise ValueError(f"{file} is no filled form: it needs study, reader and answers, as the page downloads them.")
    if found["study"] != study.hash:
        raise ValueError(
            f"{file} is of study {str(found['study'])[:12]}, and the key is of study {study.hash[:12]}. Give the key "
            "that was exported with the page that was filled."
        )
    if mistakes := list(_mistakes(answers, {item.item for item in study.items})):
        more = f"; and {len(mistakes) - NAMED} more" if len(mistakes) > NAMED else ""
        raise ValueError(f"{file}: {'; '.join(mistakes[:NAMED])}{more}.")
    given = {entry["item"]: _answer(entry) for entry in answers}
    return Form(reader.strip(), {item.item: given.get(item.item, Answer()) for item in study.items})


def _mistakes(answers: Sequence[Any], items: set[int]) -> Iterator[str]:
    seen: set[int] = set()
    for i, entry in enumerate(answers):
        if not isinstance(entry, dict) or not _is_number(entry.get("item"), int):
            yield f"answers[{i}] has no item"
            continue
        item = entry["item"]
        if item not in items:
            yield f"item {item} is not in the study, which has 1…{max(items)}"
        if item in seen:
            yield f"item {item} is there twice"
        seen.add(item)
        looks, finding, seconds = entry.get("looks"), entry.get("finding"), entry.get("seconds", 0)
        if looks is not None and not (_is_number(looks, int) and looks in LOOKS):
            yield f"item {item}: looks is {looks!r}; allowed are 1…5, and null"
        if finding is not None and finding not in FINDING:
            yield f"item {item}: finding is {finding!r}; allowed are {', '.join(FINDING)}, and null"
        if not (_is_number(seconds, int | float) and 0 <= seconds < float("inf")):
            yield f"item {item}: seconds is {seconds!r}; allowed is 0 and above"


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _answer(entry: dict[str, Any]) -> Answer:
    seconds, comment = float(entry.get("seconds", 0)), str(entry.get("comment") or "").strip()
    return Answer(entry.get("looks"), entry.get("finding"), seconds, comment)
