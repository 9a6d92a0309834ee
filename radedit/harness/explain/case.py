"""One case of a stress set: all its images along their chains, and what every predictor predicts for each, and why."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from radedit.data.datasets.manifest.manifest import ManifestDataset
from radedit.data.image.transforms import preprocess
from radedit.data.stress_set import read_rows, read_skipped
from radedit.harness.explain.grad_cam import Layer, Localises, grad_cam
from radedit.harness.predictors.own_model import KEY
from radedit.harness.predictors.segment import drawn
from radedit.harness.stress.block_editor import CREDITS
from radedit.metrics import dice
from radedit.models.predictors import Network, load_predictor
from radedit.types import Sample

OF_THE_SOURCE = ("source", "vae", "replay", "sham", "edit", "counterfactual")
OF_THE_REFERENCE = ("reference", "reference_vae", "reference_replay", "sham")


@dataclass(frozen=True)
class Says:
    """The prediction for an image.

    Attributes:
        probability: Of the label, 0…1; None if it does not classify.
        drawn: What it drew, bool, shape (H, W); None if it draws none of the requested masks.
        dice: Of the edited structures, taken as one, against the truth; None where there is none.
        dice_all: Of all structures together.
        cam: Grad-CAM of its label, 0 and up, shape (H, W); None if it has no feature map to show.
        layer: The feature map that `cam` is of.
    """

    probability: float | None = None
    drawn: Tensor | None = None
    dice: float | None = None
    dice_all: float | None = None
    cam: Tensor | None = None
    layer: Layer | None = None


@dataclass(frozen=True)
class CaseImage:
    """An image of a chain.

    Attributes:
        kind: `source`, `vae`, …
        image: Grey levels in [0, 1], shape (H, W).
        difference: From the chain's first image to this one, in grey levels of 255, signed, shape (H, W).
        path: Of its PNG in the stress set.
        sha256: Of the PNG.
        says: Predictor → what it says.
    """

    kind: str
    image: Tensor
    difference: Tensor
    path: str
    sha256: str
    says: dict[str, Says]


@dataclass(frozen=True)
class Case:
    """A record of a stress set.

    Attributes:
        record: Its id.
        chains: From the source to its edit, and, where the sham is made on a reference, from that to the sham. Each
            begins with the image that the others differ from.
        masks: `edit` and `keep`, bool, shape (H, W).
        truth: What the predictors should draw, likewise; None where it is not known.
        kept, cosine: Whether the edit was kept, and its editing score, None where it is undefined.
        credits: What must be named where the images are shown.
    """

    record: str
    chains: list[list[CaseImage]]
    masks: dict[str, Tensor]
    truth: Tensor | None
    kept: bool
    cosine: float | None
    credits: dict[str, str]

    @property
    def images(self) -> list[CaseImage]:
        """Of all chains."""
        return [image for chain in self.chains for image in chain]

    @property
    def layers(self) -> dict[str, Layer]:
        """Predictor → the feature map that its Grad-CAM is of."""
        return {key: says.layer for key, says in self.images[0].says.items() if says.layer is not None}


def load_tested(key: str, folder: str, hash_: str, run: Path) -> Network:
    """A predictor as it was when a run tested it.

    Args:
        key: Its name in the run.
        folder: Of its weights, relative to the working directory or to a folder that the run is in; empty where the run
            did not write it down.
        hash_: Of the weights that were tested.
        run: Its folder.

    Raises:
        ValueError: If the folder is not known, or has other weights.
        FileNotFoundError: If there is no predictor in it.
    """
    mend = f"Say where the weights are: +folders.{key}=…"
    if key == KEY and not folder:
        raise ValueError(f"{run} tested a model of your own. Only networks of radedit's own kinds can be explained.")
    if not folder:
        raise ValueError(f"{run} does not say where the weights of predictor {key!r} lie. {mend}")
    try:
        predictor = load_predictor(_found(Path(folder), run))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"Predictor {key!r} of {run}: {error} {mend}") from None
    if predictor.hash != hash_:
        raise ValueError(
            f"Predictor {key!r} in {folder} has hash {predictor.hash[:12]}, but {run} tested {hash_[:12]}: it has been "
            f"trained again since. {mend}, or run the stress test again."
        )
    return predictor


def explain(
    stress_set: Path,
    record: str,
    predictors: Mapping[str, Network],
    *,
    finding: str = "",
    structures: Sequence[str] = (),
    edited: Sequence[str] = (),
) -> Case:
    """Read one record's images from a finished stress set and ask every predictor about each.

    Args:
        stress_set: Folder of the set.
        record: Id of a record that was edited.
        predictors: Key → network.
        finding: Of a removal: the label, and the mask that a segmenter is asked to draw, if it can.
        structures: Of an addition: the masks that it is asked to draw, against the truth.
        edited: Those of them that were edited.

    Raises:
        ValueError: If there is no such record, or it was skipped.
        FileNotFoundError: If files of the set are missing.
    """
    rows = _rows(stress_set, record)
    dataset = ManifestDataset(stress_set / "manifest.csv")
    found = {known.id: known for known in dataset.records}
    samples = {kind: dataset.load(found[row["id"]]) for kind, row in rows.items() if row["id"] in found}
    chains = [[kind for kind in chain if kind in samples] for chain in _chains(samples)]
    source, edit = samples["source"], rows["edit"]
    known = all(name in source.masks for name in structures) and bool(structures)
    says = {
        key: _ask(predictor, {kind: samples[kind] for chain in chains for kind in chain}, finding, structures, edited)
        for key, predictor in predictors.items()
    }

    def radiograph(kind: str, first: str) -> CaseImage:
        path = str(rows[kind]["image"])
        image = samples[kind].image[0]
        return CaseImage(
            kind, image, 255 * (image - samples[first].image[0]), path,
            hashlib.sha256((stress_set / path).read_bytes()).hexdigest(),
            {key: predictions[kind] for key, predictions in says.items()},
        )  # fmt: skip

    return Case(
        record,
        [[radiograph(kind, chain[0]) for kind in chain] for chain in chains if chain],
        {name: source.masks[f"m_{name}"][0] for name in ("edit", "keep")},
        torch.cat([source.masks[name] for name in structures]).any(0) if known else None,
        bool(edit["kept"]),
        edit["cosine"],
        {name: str(edit[f"attr_{name}"]) for name in CREDITS if edit.get(f"attr_{name}")},
    )


def inside(values: Tensor, mask: Tensor) -> float | None:
    """Mean of what lies inside a mask; None where it is empty."""
    return float(values[mask].mean()) if bool(mask.any()) else None


def _found(folder: Path, run: Path) -> Path:
    """A folder that was written down relative to where the stress test was started, which is often above its run."""
    places = [folder, *(parent / folder for parent in run.resolve().parents)]
    return next((place for place in places if place.is_dir()), folder)


def _rows(stress_set: Path, record: str) -> dict[str, dict[str, Any]]:
    """Kind → row of one record."""
    rows = [row for row in read_rows(stress_set) if row.get("image")]
    edited = [row["attr_record"] for row in rows if row["attr_kind"] == "edit"]
    if record in edited:
        return {row["attr_kind"]: row for row in rows if row["attr_record"] == record}
    for entry in read_skipped(stress_set):
        if entry["id"] == record:
            raise ValueError(f"Record {record!r} was skipped, not edited: {entry['reason']}")
    near = difflib.get_close_matches(record, edited, n=3, cutoff=0.4)
    raise ValueError(
        f"There is no record {record!r} among the {len(edited)} of {stress_set}. "
        f"{'Near it are' if near else 'The first are'} {', '.join(near or edited[:3])}; record=worst takes the "
        "gallery's first."
    )


def _chains(kinds: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A removal's sham is made on its reference, so it is no step of the source's own chain."""
    if "reference" not in kinds:
        return [OF_THE_SOURCE]
    return [tuple(kind for kind in OF_THE_SOURCE if kind != "sham"), OF_THE_REFERENCE]


def _ask(
    predictor: Network, samples: Mapping[str, Sample], finding: str, structures: Sequence[str], edited: Sequence[str]
) -> dict[str, Says]:
    """Kind of image → what a predictor says, as the stress test asked it."""
    images = {kind: preprocess(sample, predictor.size) for kind, sample in samples.items()}
    batch = torch.stack([image.image for image in images.values()])
    probability = predictor.predict(batch).probability
    evidence = grad_cam(predictor, batch) if probability is not None and isinstance(predictor, Localises) else None
    asked = [name for name in structures or [finding] if name in predictor.masks]
    masks = drawn(predictor, batch, asked) if asked else None
    predictions = {}
    for i, (kind, image) in enumerate(images.items()):
        overlap: dict[str, float] = {}
        if masks is not None and structures and list(structures) == asked and {*structures} <= {*image.masks}:
            truth = torch.cat([image.masks[name] for name in structures])[None]
            which = {"dice": [asked.index(name) for name in edited], "dice_all": list(range(len(asked)))}
            for measure, index in which.items():
                found, true = (of[:, index].any(1, keepdim=True) for of in (masks[i : i + 1], truth))
                overlap[measure] = round(float(dice(found, true)), 6)
        predictions[kind] = Says(
            probability=None if probability is None else float(probability[i]),
            drawn=None if masks is None else masks[i].any(0),
            cam=None if evidence is None else evidence.maps[i],
            layer=None if evidence is None else evidence.layer,
            **overlap,
        )
    return predictions
