"""Texts for images that have labels but no report (Section 5.1, Appendix A)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from radedit.data.batches.cache import fingerprint
from radedit.data.views.relabelled import RelabelledDataset
from radedit.types import Dataset, Record

NO_FINDINGS = "No findings."  # Appendix A


class ListedFindings(RelabelledDataset):
    """A data set whose reports are lists of findings (`Cardiomegaly. Effusion.`).

    The text of an image that was read and has none of the findings is *No findings.* (Appendix A). An image that was
    not read for them has no text and trains the unconditional half of the generator.

    Args:
        dataset: Images with labels.
        sentences: Finding → its sentence, in the order of the list; findings that are not here are not mentioned.
        none: Label of images that were read without a finding; without it, an image's text is *No findings.*
            where it was read for all of `sentences`.
        all_read: Whether every image was read for all findings, so that an empty list always is *No findings.*, as
            the paper has it for CheXpert and ChestX-ray8 (Section 5.1): also where labels are uncertain or not
            mentioned.

    Raises:
        ValueError: If both `none` and `all_read` are given.
    """

    def __init__(
        self, dataset: Dataset, sentences: Mapping[str, str], none: str | None = None, *, all_read: bool = False
    ) -> None:
        if none is not None and all_read:
            raise ValueError(f"none is {none!r}, but all_read says that an empty list needs no such label. Give one.")
        self.sentences, self.none, self.all_read = dict(sentences), none, all_read
        super().__init__(dataset, [replace(record, report=self.say(record)) for record in dataset.records])

    def say(self, record: Record) -> str:
        """The text of one image."""
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
        return {"sentences": list(self.sentences.items()), **how, "of": fingerprint(self.dataset)}
