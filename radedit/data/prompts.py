"""Texts for films that have labels but no report (Section 5.1, Appendix A)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from radedit.data.cache import fingerprint
from radedit.types import Reader, Record, Sample

NO_FINDINGS = "No findings."  # Appendix A


class ListedFindings:
    """A data set whose reports are lists of findings (`Cardiomegaly. Effusion.`).

    A film that was read and has none of the findings says *No findings.* (Appendix A). A film that nobody read for
    them says nothing, so that it trains the unconditional half of the generator.

    Args:
        reader: Films with labels.
        sentences: Finding → its sentence, in the order of the list; findings that are not here are not mentioned.
        none: Label that says that a film was read and nothing was found; without it, a film says *No findings.* where
            it was read for all of `sentences`.
    """

    def __init__(self, reader: Reader, sentences: Mapping[str, str], none: str | None = None) -> None:
        self.reader, self.sentences, self.none = reader, dict(sentences), none
        self._records = [replace(record, report=self.say(record)) for record in reader.records]

    def say(self, record: Record) -> str:
        """The text of one film."""
        present = [sentence for finding, sentence in self.sentences.items() if record.labels.get(finding)]
        if self.none is not None:
            clear = bool(record.labels.get(self.none))
        else:
            clear = all(finding in record.labels for finding in self.sentences)
        return " ".join(present) or (NO_FINDINGS if clear else "")

    @property
    def records(self) -> Sequence[Record]:
        return self._records

    @property
    def fingerprint(self) -> dict[str, object]:
        """What determines the samples, for content hashes."""
        return {"sentences": list(self.sentences.items()), "none": self.none, "of": fingerprint(self.reader)}

    def load(self, record: Record) -> Sample:
        """As the data set loads it, under the new text."""
        return replace(self.reader.load(record), record=record)
