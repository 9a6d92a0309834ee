"""A blinded reader study: which image of a stress set is shown at which place, as a key that readers don't get."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radedit.data.io.fingerprint import content_hash, plain
from radedit.data.io.json_lines import parse_json
from radedit.data.stress_set import read_rows
from radedit.harness.stress.scenario import Addition, Removal

REAL = "real"
CREDITS = ("attribution", "licence", "licence_url")  # not the url, which names the image
UNCHANGED = ("source", "vae", "replay", "sham")  # images of an addition that lack what is added


@dataclass(frozen=True)
class Item:
    """One place in the study.

    Attributes:
        item: 1, 2, … in the order in which images are shown.
        kind: What was done to the image: `real`, `vae`, `sham`, `edited`.
        image: Kind of image in the stress set.
        record: Of the source.
        patient: Whose image it is.
        has: Whether the finding is, or should be, on it.
        repeats: Item that shows the same image earlier; None at its first showing.
    """

    item: int
    kind: str
    image: str
    record: str
    patient: str
    has: bool
    repeats: int | None = None


@dataclass(frozen=True)
class ReaderStudy:
    """What is asked of readers, and the key.

    Attributes:
        scenario: Name of the stress test.
        stress_set: Hash of the set.
        finding: What readers look for, in words.
        seed: Of the drawing.
        images: Kind → kinds of image in the set that are shown as it.
        items: In the order in which they are shown.
        counts: Of records: edited, kept, and with every image that the study may show; patients of the last.
    """

    scenario: str
    stress_set: str
    finding: str
    seed: int
    images: dict[str, list[str]]
    items: list[Item]
    counts: dict[str, int]

    @property
    def hash(self) -> str:
        """Names the study, on the page and in every form that comes back."""
        return content_hash(asdict(self))

    @property
    def cautions(self) -> list[str]:
        """What makes an edit easier to tell than by its looks, in sentences."""
        missing = {item.has for item in self.items} - {item.has for item in self.items if item.kind == REAL}
        if not missing:
            return []
        which = "with" if missing == {True} else "without"
        return [
            f"No real image is {which} {self.finding}, as edited ones should be: who knows that can tell them by the "
            "finding, and not by their looks."
        ]


def draw_study(
    stress_set: Path,
    scenario: Removal | Addition,
    images: Mapping[str, Sequence[str]],
    *,
    n: int,
    repeats: int,
    seed: int,
) -> ReaderStudy:
    """Draw images from a finished stress set, as many of each kind, and shuffle them.

    A patient is shown once: as real, or as one of the others. All kinds are drawn from the records whose edit was kept,
    so that they differ in nothing but what was done to them. Repeats are of images from the first half and come in the
    second.

    Args:
        stress_set: Its folder.
        scenario: That it was made for.
        images: Kind → kinds of image in the set that are shown as it, in equal parts; those that the set doesn't have
            are passed over.
        n: Images, each of another patient; a multiple of the number of kinds.
        repeats: How many of them are shown twice.
        seed: Of drawing and order.

    Raises:
        ValueError: If the set was made for another scenario, has not enough patients, or a number is not as above.
    """
    meta = parse_json((stress_set / "meta.json").read_text(encoding="utf-8"), stress_set / "meta.json")
    if meta["fingerprint"].get("scenario", scenario.determines) != plain(scenario.determines):
        raise ValueError(f"{stress_set} was not made for scenario {scenario.name}. Say +scenario=… with the one it is.")
    rows = read_rows(stress_set)
    shown = _shown(images, {row["attr_kind"] for row in rows})
    have: dict[str, set[str]] = {}
    for row in rows:
        have.setdefault(row["attr_record"], set()).add(row["attr_kind"])
    edits = {row["attr_record"]: row for row in rows if row["attr_kind"] == "edit"}
    kept = {record: str(row["patient_id"]) for record, row in edits.items() if row["kept"]}
    wanted = {image for some in shown.values() for image in some}
    whose = {record: patient for record, patient in sorted(kept.items()) if wanted <= have[record]}
    patients = len(set(whose.values()))
    counts = {"edited": len(edits), "kept": len(kept), "usable": len(whose), "patients": patients}
    _check_numbers(n, repeats, len(shown), counts)

    rng = np.random.default_rng(seed)
    first_of = {whose[record]: record for record in rng.permutation(list(whose)).tolist()}
    chosen = rng.permutation(sorted(first_of.values()))[:n].tolist()
    kinds = list(shown)
    drawn = []
    for i, record in enumerate(chosen):
        kind = kinds[i % len(kinds)]
        image = shown[kind][i // len(kinds) % len(shown[kind])]
        drawn.append((kind, image, record))
    order = rng.permutation(n).tolist()
    again = rng.choice(order[: n // 2], size=repeats, replace=False).tolist()
    later = [(index, False) for index in order[n // 2 :]] + [(index, True) for index in again]
    places = [(index, False) for index in order[: n // 2]] + [later[i] for i in rng.permutation(len(later))]
    number = {index: place for place, (index, repeated) in enumerate(places, start=1) if not repeated}
    items = []
    for place, (index, repeated) in enumerate(places, start=1):
        kind, image, record = drawn[index]
        first = number[index] if repeated else None
        items.append(Item(place, kind, image, record, whose[record], _has(scenario, image), first))
    finding = scenario.added if isinstance(scenario, Addition) else scenario.words["finding"]
    return ReaderStudy(scenario.name, str(meta["content_hash"]), finding, seed, shown, items, counts)


def image_files(study: ReaderStudy, stress_set: Path) -> list[Path]:
    """The picture of every item, in order."""
    paths = {(row["attr_record"], row["attr_kind"]): row["image"] for row in read_rows(stress_set)}
    return [stress_set / paths[item.record, item.image] for item in study.items]


def credits_of(study: ReaderStudy, stress_set: Path) -> list[str]:
    """Whom the images that are shown are by, each once, sorted, so that it doesn't say which is whose."""
    used = {(item.record, item.image) for item in study.items}
    found = {
        " · ".join(str(row[f"attr_{name}"]) for name in CREDITS if row.get(f"attr_{name}"))
        for row in read_rows(stress_set)
        if (row["attr_record"], row["attr_kind"]) in used
    }
    return sorted(found - {""})


def write_key(study: ReaderStudy, about: Mapping[str, Any]) -> bytes:
    """The key as JSON; `about` is provenance, which is not part of the study's hash."""
    key = {"study": study.hash, **asdict(study), "about": dict(about)}
    return (json.dumps(key, indent=1, ensure_ascii=False) + "\n").encode()


def read_key(file: Path) -> ReaderStudy:
    """Read a key.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no key, or was changed since it was written.
    """
    if not file.is_file():
        raise FileNotFoundError(f"There is no key {file}. It was written beside the study's page: key=…/key.json.")
    found = parse_json(file.read_text(encoding="utf-8"), file)
    try:
        names = ("scenario", "stress_set", "finding", "seed", "images", "counts")
        study = ReaderStudy(items=[Item(**item) for item in found["items"]], **{name: found[name] for name in names})
        named = str(found["study"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file} is no key of a reader study: {error}. Expected key.json, not a form.") from None
    if study.hash != named:
        raise ValueError(
            f"{file} does not fit its own hash {named[:12]}: it was changed since it was written. Export "
            "the study again with the same words."
        )
    return study


def _shown(images: Mapping[str, Sequence[str]], there: set[str]) -> dict[str, list[str]]:
    """Kind → its images that the set has."""
    shown = {kind: [image for image in some if image in there] for kind, some in images.items()}
    empty = [kind for kind, some in shown.items() if not some]
    if empty or REAL not in shown or len(shown) < 2:
        what = f"{empty[0]!r} has none that the set has" if empty else f"it has only {', '.join(shown) or 'nothing'}"
        raise ValueError(
            f"study.images: {what}. Expected {REAL!r} and another, each with some of: {', '.join(sorted(there))}. "
            "A kind is left out with ~study.images.<kind>."
        )
    return shown


def _check_numbers(n: int, repeats: int, kinds: int, counts: Mapping[str, int]) -> None:
    most = counts["patients"] // kinds * kinds
    if n < kinds or n % kinds or n > counts["patients"]:
        raise ValueError(
            f"study.n is {n}; expected a multiple of {kinds}, the number of kinds, and at most {most}: a patient is "
            f"shown once, and the set has {counts['patients']} whose edit was kept ({counts['kept']} of "
            f"{counts['edited']} edits were)."
        )
    if not 0 <= repeats <= n // 2:
        raise ValueError(f"study.repeats is {repeats}; expected 0…{n // 2}, images of the first half of {n}.")


def _has(scenario: Removal | Addition, image: str) -> bool:
    if isinstance(scenario, Removal):
        return bool(scenario.labels(image)[scenario.finding])
    return image not in UNCHANGED
