"""What a finished stress set shows about its own edits, before any predictor sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from radedit.data.stress_set import determined_by, read_rows, read_skipped
from radedit.harness.evidence.results import Score, Skipped
from radedit.harness.statistics.estimate import Estimate
from radedit.harness.statistics.means import clustered_mean
from radedit.harness.stress.scenario import StressData

LADDER = (0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.0)  # thresholds that are named where too few edits were kept
PUT_BACK = {
    "keep": "their image's own pixels in m_keep",
    "contrast": "what the device in m_keep adds to what is behind it",
    "outside": "their image's own pixels outside m_edit",
}


@dataclass(frozen=True)
class Edits:
    """Edits of a stress set.

    Attributes:
        kept, every: Records whose edit was kept, and all that were edited.
        score: Of every edit: its record, its editing score, and whether it was kept.
        counts: Of records: sources, edited, skipped, kept, rejected, undefined.
        skipped: Records that could not be edited, and why.
        notes: How many were kept, as sentences; where they are few, what another threshold would keep; what of the
            images was put back.
    """

    kept: list[str]
    every: list[str]
    score: Score
    counts: dict[str, int]
    skipped: list[Skipped]
    notes: list[str]

    @classmethod
    def of(cls, stress_set: Path, data: StressData, min_n: int = 0) -> Edits:
        """Read a finished stress set.

        Args:
            stress_set: Its folder.
            data: Datasets that the set was made from.
            min_n: Edits below which nothing is concluded, by the rules; a note says so, and which threshold keeps more.

        Raises:
            ValueError: If none of its records could be edited; the reasons are named.
        """
        edits = {row["attr_record"]: row for row in read_rows(stress_set) if row["attr_kind"] == "edit"}
        skipped = [Skipped(record=entry["id"], reason=entry["reason"]) for entry in read_skipped(stress_set)]
        every = list(edits)
        kept = [record for record, row in edits.items() if row["kept"]]
        if not every:
            reasons = sorted({entry.reason for entry in skipped})[:3]
            raise ValueError(
                f"None of {len(data.source.records)} records could be edited: {'; '.join(reasons) or 'there is none'}"
            )
        share = "Every edit was" if len(kept) == len(every) else f"{len(kept)} of {len(every)} edits were"
        cosines = [row["cosine"] for row in edits.values()]
        return cls(
            kept,
            every,
            Score(record=every, cosine=cosines, kept=[bool(row["kept"]) for row in edits.values()]),
            {
                "sources": len(data.source.records),
                "edited": len(every),
                "skipped": len(skipped),
                "kept": len(kept),
                "rejected": sum(not row["kept"] and row["cosine"] is not None for row in edits.values()),
                "undefined": sum(cosine is None for cosine in cosines),
            },
            skipped,
            [
                f"{share} kept by the editing score.",
                *_other_thresholds(cosines, len(kept), min_n),
                *paste_notes(stress_set),
            ],
        )


def _other_thresholds(cosines: list[float | None], n_kept: int, min_n: int) -> list[str]:
    if n_kept >= min_n or n_kept == len(cosines):
        return []
    known = [cosine for cosine in cosines if cosine is not None]
    would = ", ".join(f"{t:g} would keep {sum(cosine >= t for cosine in known)}" for t in LADDER)
    undefined = len(cosines) - len(known)
    return [
        f"So few are not enough to conclude from. An edit.threshold of {would}"
        + (f"; {undefined} scores are undefined, because the edit changed nothing that the score sees." if undefined
           else ".")
    ]  # fmt: skip


def paste_notes(stress_set: Path) -> list[str]:
    """What of the images was put back into everything that the editor made of them, if anything was."""
    edit = determined_by(stress_set).get("edit")
    mode = edit.get("paste_back", "none") if isinstance(edit, dict) else "none"
    if mode not in PUT_BACK:
        return []
    return [
        f"Edits, replays and shams got back {PUT_BACK[mode]} (edit.paste_back={mode}); the paper's method puts nothing "
        "back."
    ]


def reference_notes(stress_set: Path) -> list[str]:
    """What a reader must know of the references, as sentences: how often they serve, or that the set does not say."""
    rows = [row for row in read_rows(stress_set) if row["attr_kind"] == "reference"]
    if not rows:
        return []
    if any("attr_reference" not in row for row in rows):
        return [
            "An earlier version made this stress set and did not note whose images the references are. If one serves "
            "several sources, the intervals are too narrow: make the set again in another folder (out=…)."
        ]
    images, patients = ({row[key] for row in rows} for key in ("attr_reference", "patient_id"))
    if len(images) == len(rows):
        return []
    return [
        f"{len(images)} reference images of {len(patients)} patients serve {len(rows)} sources. Intervals count the "
        "patients behind the references as clusters, beside those behind the sources."
    ]


def edit_quality(stress_set: Path) -> dict[str, Estimate | float]:
    """Pixel change inside m_keep against the autoencoder's round trip, in grey levels of 255."""
    rows = [row for row in read_rows(stress_set) if row["attr_kind"] == "edit" and row["keep_change_mean"] is not None]
    if not rows:
        return {}
    mean = clustered_mean([row["keep_change_mean"] for row in rows], [row["patient_id"] for row in rows])
    return {"keep_change_mean": mean, "keep_change_max": max(float(row["keep_change_max"]) for row in rows)}
