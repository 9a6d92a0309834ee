"""Which items of guidance and of reporting checklists a dossier answers, and which not."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection
from importlib.resources import files
from typing import Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict

Answer = Literal["yes", "part", "no"]
COLUMNS = ("document", "date", "item", "answered", "where", "remark", "source")


class Item(BaseModel):
    """One item.

    Attributes:
        item: Its number and topic, in the document's words or shorter.
        answer: Whether the dossier answers it.
        where: File of the dossier, with a place in it.
        needs: A part that not every run has, `subgroups` or `images`; without it the answer is no.
        says: What is answered, or who has to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    item: str
    answer: Answer
    where: str = ""
    needs: str = ""
    says: str

    def of(self, parts: Collection[str]) -> Item:
        """The same of a dossier that has these parts."""
        if not self.needs or self.needs in parts:
            return self
        lacks = f"This run has no {self.needs}."
        return self.model_copy(update={"answer": "no", "where": "", "says": lacks})


class Document(BaseModel):
    """A document with its items."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    publisher: str
    date: str
    status: str
    url: str
    items: list[Item]

    @property
    def counts(self) -> dict[Answer, int]:
        """Answer → number of items."""
        counted = Counter(item.answer for item in self.items)
        return {answer: counted[answer] for answer in ("yes", "part", "no")}


class Crosswalk(NamedTuple):
    """All documents, as far as a dossier answers them."""

    documents: list[Document]

    @classmethod
    def of(cls, parts: Collection[str]) -> Crosswalk:
        """Of a dossier that has these parts, of `subgroups` and `images`."""
        text = files("radedit.report.dossier").joinpath("crosswalk.yaml").read_text("utf-8")
        found = [Document.model_validate({**each, "date": str(each["date"])}) for each in yaml.safe_load(text)]
        items = [[item.of(parts) for item in document.items] for document in found]
        return cls([d.model_copy(update={"items": i}) for d, i in zip(found, items, strict=True)])

    def csv(self) -> str:
        """As a table."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(COLUMNS)
        for document in self.documents:
            for item in document.items:
                row = (document.name, document.date, item.item, item.answer, item.where, item.says, document.url)
                writer.writerow(row)
        return buffer.getvalue()
