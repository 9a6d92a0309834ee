"""Texts for films that have labels but no report (Section 5.1, Appendix A)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from radedit.data.cache import fingerprint
from radedit.data.told import Told
from radedit.types import Reader, Record

NO_FINDINGS = "No findings."  # Appendix A


class ListedFindings(Told):
    """A data set whose reports are lists of findings (`Cardiomegaly. Effusion.`).

    A film that was read and has none of the findings says *No findings.* (Appendix A). A film that nobody read for
    them says nothing, so that it trains the unconditional half of the generator.

    Args:
        reader: Films with labels.
        sentences: Finding → its sentence, in the order of the list; findings that are not here are not mentioned.
        none: Label that says that a film was read and nothing was found; without it, a film says *No findings.* where
            it was read for all of `sentences`.
        all_read: Whether every film was read for all findings, so that an empty list always says *No findings.*, as the
            paper has it for CheXpert and ChestX-ray8 (Section 5.1): also where labels are uncertain or not mentioned.

    Raises:
        ValueError: If both `none` and `all_read` are given.
    """

    def __init__(
        self, reader: Reader, sentences: Mapping[str, str], none: str | None = None, *, all_read: bool = False
    ) -> None:
        if none is not None and all_read:
            raise ValueError(f"none is {none!r}, but all_read says that an empty list needs no such label. Give one.")
        self.sentences, self.none, self.all_read = dict(sentences), none, all_read
        super().__init__(reader, [replace(record, report=self.say(record)) for record in reader.records])

    def say(self, record: Record) -> str:
        """The text of one film."""
        present = [sentence for finding, sentence in self.sentences.items() if record.labels.get(finding)]
        if self.all_read:
            clear = True
        elif self.none is not None:
            clear = bool(record.labels.get(self.none))
        else:
            clear = all(finding in record.labels for finding in self.sentences)
        return " ".join(present) or (NO_FINDINGS if clear else "")

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        how = {"none": self.none} | ({"all_read": True} if self.all_read else {})
        return {"sentences": list(self.sentences.items()), **how, "of": fingerprint(self.reader)}
