"""One block of a stress set: load, edit, sham, score, keep (Sections 4.2 to 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from radedit.data.image.transforms import preprocess
from radedit.data.stress_set import image_path
from radedit.editing.editor import Editor
from radedit.editing.inversion import Trajectory
from radedit.editing.noise import record_randn
from radedit.editing.score import keep as keep_edit
from radedit.harness.stress.edit_score import EditScore, directional, scores
from radedit.harness.stress.memory import MemoryLimit
from radedit.harness.stress.paste import check_paste_back, paste_back
from radedit.harness.stress.scenario import Shift, StressData
from radedit.masks import check_keep_share, to_latent
from radedit.models.bundle.bundle import Bundle
from radedit.schedule import check_spacing
from radedit.types import Dataset, EditMasks, Randn, Record, Sample

UNTOUCHED = ("replay", "keep_sham")  # still show what an edit should change: scored alike, they say what nothing scores
REFERENCE = ("reference", "reference_vae", "reference_replay")  # show another patient, where references are matched
FEATHER_PX = 4  # as of single edits
Strategy = Callable[[Sample], tuple[Tensor, Tensor]]
CREDITS = ("licence", "licence_url", "attribution", "url")  # must be named where an image or its edit is shown


@dataclass(frozen=True)
class EditPlan:
    """How a scenario's images are edited; everything here determines the result.

    Attributes:
        editor: The editor under whose edits predictors are tested.
        masks: Mask strategy.
        steps: T.
        spacing: Of these steps, see `Schedule.from_diffusers`.
        seed: Of the edits' noise.
        block: Records that go through the network together, and the unit of resuming.
        threshold: Editing scores at or above it are kept (Section 4.4: 0.2).
        max_lost: Largest share of m_edit that may be lost to m_keep; records above it are skipped.
        keep_share: Least share of a latent cell's pixels that must be kept for the cell to be, see `to_latent`.
        paste_back: What of the image is put back into what is made of it, see `radedit.harness.stress.paste`.
        also: Further editors, shown beside it for the first `n_also` records.
        n_also: How many.
        score: What edits are kept by.
    """

    editor: Editor
    masks: Strategy
    steps: int
    seed: int = 0
    block: int = 16
    threshold: float = 0.2
    max_lost: float = 0.4
    keep_share: float = 0
    paste_back: str = "none"
    also: Mapping[str, Editor] = field(default_factory=dict)
    n_also: int = 0
    score: EditScore = directional
    spacing: float = 1

    def __post_init__(self) -> None:
        check_spacing(self.spacing)
        check_paste_back(self.paste_back, FEATHER_PX)
        check_keep_share(self.keep_share)

    @property
    def inverted_by(self) -> dict[str, str | None]:
        """Name of each further editor → whose inversion it begins from: its own, another's, or `editor`'s (None)."""
        own: dict[str | None, Editor] = {None: self.editor}
        found: dict[str, str | None] = {}
        for name, editor in self.also.items():
            found[name] = next((other for other, one in own.items() if editor.shares(one)), name)
            if found[name] == name:
                own[name] = editor
        return found

    def calls(self, n: int, *, has_reference: bool, done: int = 0) -> int:
        """Network calls, in images, that `n` records take after the first `done`, which are whole blocks."""
        each = self.editor.calls(self.steps, prompts=2)
        if has_reference:
            each += self.editor.calls(self.steps, prompts=1)
        inverted_by = self.inverted_by
        also = sum(
            editor.calls(self.steps, prompts=1, replay=False, inverted=inverted_by[name] != name)
            for name, editor in self.also.items()
        )
        blocks, n_also = -(-n // self.block), max(0, min(n + done, self.n_also) - done)
        return blocks * self.block * each + n_also * also


@dataclass
class Loaded:
    """One record, ready to be edited.

    Attributes:
        record: Its metadata.
        source: Image, (1, H, W).
        edit, keep: Masks at the image's resolution, bool, (1, H, W).
        m_edit, m_keep: Masks at latent resolution, (1, h, w).
        noise: Of all steps, (T, C, h, w): drawn while another block is edited.
        lost: Share of m_edit that m_keep took.
        reference, counterfactual: Images of the same id, where there are some.
        shown_by_reference: What is known of the image that the reference is: another patient's, where they are matched.
        structures: Masks that stay true, by name, each as `edit`.
    """

    record: Record
    source: Tensor
    edit: Tensor
    keep: Tensor
    m_edit: Tensor
    m_keep: Tensor
    noise: Tensor
    lost: float
    reference: Tensor | None
    counterfactual: Tensor | None
    shown_by_reference: Record
    structures: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass
class LoadedBlock:
    """The records of one block: those that can be edited, and `id` and `reason` of the others."""

    images: list[Loaded]
    skipped: list[dict[str, str]]


@dataclass(frozen=True, eq=False)
class Inverted:
    """Latents of some images, (B, C, h, w), and the inversion that an editor begins from, if it has one."""

    x_0: Tensor
    trajectory: Trajectory | None

    def first(self, n: int) -> Inverted:
        """Of the first n images alone."""
        return Inverted(self.x_0[:n], self.trajectory and self.trajectory.first(n))


class BlockEditor:
    """Loads, edits and scores blocks of records.

    Attributes:
        at_once: Records that go through the network together: the plan's block, or fewer where memory ran out. The
            rows say so then, as a batch of another size rounds otherwise.
    """

    def __init__(self, scenario: Shift, data: StressData, bundle: Bundle, plan: EditPlan) -> None:
        self.scenario, self.data, self.bundle, self.plan = scenario, data, bundle, plan
        self.schedule = bundle.schedule(plan.steps, plan.spacing)
        self.f_theta = bundle.predictor(self.schedule)
        self.at_once = MemoryLimit(plan.block)
        self.of_reference = {*REFERENCE, *scenario.reference_prompts}
        texts = list(dict.fromkeys([*scenario.prompts.values(), *scenario.reference_prompts.values()]))
        self.c = dict(zip(texts, bundle.embed_prompts(texts)[:, None], strict=True))

    def load_block(self, records: Sequence[Record]) -> LoadedBlock:
        """Load the records of one block."""
        block = LoadedBlock([], [])
        for record in records:
            try:
                block.images.append(self.load(record))
            except (ValueError, OSError) as error:
                block.skipped.append({"id": record.id, "reason": str(error)})
        return block

    def block(
        self, loaded_block: LoadedBlock, first: int
    ) -> tuple[list[dict[str, Any]], dict[str, Tensor], list[dict[str, str]]]:
        """Rows, images by path, and skipped records of one block; `first` is the position of its first record."""
        block, skipped = loaded_block.images, list(loaded_block.skipped)
        if not block:
            return [], {}, skipped
        # The last block is padded to the size of the others: a batch of another size rounds otherwise.
        padded = block + [block[-1]] * (self.plan.block - len(block))
        kinds = self.edit(padded, min(len(block), max(0, self.plan.n_also - first)))
        diverged = _diverged(kinds)
        skipped += [{"id": block[i].record.id, "reason": reason} for i, reason in diverged.items() if i < len(block)]
        # a score need not bear what it can't score
        kinds = {kind: radiographs.nan_to_num() for kind, radiographs in kinds.items()}
        edits, kinds = kinds["edit"], self.pasted(padded, kinds)
        # pixels that have another background are not unchanged: there it counts how well the editor kept
        held = edits if self.plan.paste_back == "contrast" else kinds["edit"]
        device = self.bundle.device
        real, edited = (kinds[kind].to(device) for kind in ("source", "edit"))
        words = (self.scenario.score_real, self.scenario.score_edit)
        cosine = scores(self.plan.score, real, edited, *words, self.bundle)
        kept = keep_edit(cosine, self.plan.threshold)
        untouched = {
            kind: scores(self.plan.score, real, kinds[kind].to(device), *words, self.bundle)
            for kind in UNTOUCHED
            if kind in kinds
        }
        rows: list[dict[str, Any]] = []
        images: dict[str, Tensor] = {}
        for i, loaded in enumerate(block):
            if i in diverged:
                continue
            change = 255 * (held[i] - kinds["vae"][i]).abs()[loaded.keep]
            facts = {
                "cosine": _known(cosine[i]),
                "kept": bool(kept[i]),
                "lost_to_keep": round(loaded.lost, 4),
                "keep_change_mean": round(float(change.mean()), 3) if len(change) else None,
                "keep_change_max": round(float(change.max()), 3) if len(change) else None,
                **({"at_once": self.at_once.n} if self.at_once.n < self.plan.block else {}),
            }
            for kind, radiographs in kinds.items():
                if i < len(radiographs):
                    path = image_path(kind, loaded.record.id)
                    images[path] = radiographs[i].cpu()
                    own = {"own_cosine": _known(untouched[kind][i])} if kind in untouched else {}
                    rows.append(self.row(loaded, kind, path, facts | own))
            masks = {"m_edit": loaded.edit, "m_keep": loaded.keep}
            source = next(row for row in rows if row["id"] == f"{loaded.record.id}/source")
            for name, mask in masks.items():
                path = image_path(name, loaded.record.id)
                images[path] = mask
                source[f"mask_{name}"] = path
            for name, mask in loaded.structures.items():
                images[image_path(name, loaded.record.id)] = mask
        return rows, images, skipped

    def load(self, record: Record) -> Loaded:
        """Load a record with its reference and counterfactual, and make its masks.

        Raises:
            ValueError: If its masks leave too little to edit, or something can't be read.
        """
        size = self.bundle.size
        source = preprocess(self.data.source.load(record), size)
        edit, keep = self.plan.masks(source)
        latent = to_latent(edit, keep, self.bundle.factor, self.plan.keep_share)
        lost = float(latent.lost)
        if lost > self.plan.max_lost:
            raise ValueError(
                f"{100 * lost:.0f} % of m_edit is lost to m_keep, more than the {100 * self.plan.max_lost:.0f} % "
                "allowed."
            )

        def sample(dataset: Dataset | None) -> Sample | None:
            return None if dataset is None else preprocess(dataset.load(record), size)

        reference, counterfactual = sample(self.data.reference), sample(self.data.counterfactual)
        structures = {name: structure(source, name) for name in self.scenario.structures}
        assert self.bundle.unet is not None
        channels, side = int(self.bundle.unet.config["in_channels"]), size // self.bundle.factor
        noise = record_randn(self.plan.seed, [record.id])((self.plan.steps, 1, channels, side, side))[:, 0]
        return Loaded(
            record, source.image, edit, keep, *latent.masks, noise, lost,
            reference=None if reference is None else reference.image,
            counterfactual=None if counterfactual is None else counterfactual.image,
            shown_by_reference=record if reference is None else reference.record,
            structures=structures,
        )  # fmt: skip

    def edit(self, block: Sequence[Loaded], n_also: int) -> dict[str, Tensor]:
        """All kinds of images of a block, each (B, 1, H, W) on the CPU; of the first `n_also`, also other editors'."""
        source = torch.stack([loaded.source for loaded in block])
        kinds = {"source": source} | self._chain(block, source, self.scenario.prompts, n_also)
        references = [loaded.reference for loaded in block if loaded.reference is not None]
        if references:
            reference = torch.stack(references)
            chain = self._chain(block, reference, self.scenario.reference_prompts)
            kinds |= {"reference": reference} | {kind: chain.pop(kind) for kind in self.scenario.reference_prompts}
            kinds |= {f"reference_{kind}": images for kind, images in chain.items()}
        counterfactuals = [loaded.counterfactual for loaded in block if loaded.counterfactual is not None]
        return kinds | ({"counterfactual": torch.stack(counterfactuals)} if counterfactuals else {})

    def pasted(self, block: Sequence[Loaded], kinds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The same images, with the original put back into the editor's, of edits and of unchanged images alike."""
        edit, keep = (torch.stack([getattr(loaded, name) for loaded in block]) for name in ("edit", "keep"))
        found = dict(kinds)
        bases = dict.fromkeys([*self.scenario.prompts, "replay"], "source")
        bases |= dict.fromkeys([*self.scenario.reference_prompts, "reference_replay"], "reference")
        for kind, base in bases.items():
            if kind in kinds:
                found[kind] = paste_back(kinds[kind], kinds[base], edit, keep, self.plan.paste_back, FEATHER_PX)
        return found

    def _chain(
        self, block: Sequence[Loaded], images: Tensor, prompts: Mapping[str, str], n_also: int = 0
    ) -> dict[str, Tensor]:
        """What `_edit` makes of a block."""

        def part(which: slice) -> dict[str, Tensor]:
            some = block[which]
            return self._edit(some, images[which], prompts, min(len(some), max(0, n_also - which.start)))

        return self.at_once.make(part, len(block))

    def _edit(
        self, block: Sequence[Loaded], images: Tensor, prompts: Mapping[str, str], n_also: int
    ) -> dict[str, Tensor]:
        """Images → one edit for each prompt, and the editing artefact: `vae` and `replay`.

        Of the first `n_also` images, also the edit by each other editor, under its name.
        """
        images, editor = images.to(self.bundle.device), self.plan.editor
        c = {kind: self.c[prompt] for kind, prompt in prompts.items()}
        main = self._invert(editor, block, images)
        latents = {"vae": main.x_0} | self._edits(editor, block, c, main)
        if n_also:
            block, images = block[:n_also], images[:n_also]
            inverted: dict[str | None, Inverted] = {None: main.first(n_also)}
            for name, by in self.plan.inverted_by.items():
                editor = self.plan.also[name]
                if by == name:
                    inverted[name] = self._invert(editor, block, images)
                c = {name: self.c[self.scenario.prompt]}
                latents |= self._edits(editor, block, c, inverted[by], replay=False)
        return {kind: self.bundle.decode(x).cpu() for kind, x in latents.items()}

    def _invert(self, editor: Editor, block: Sequence[Loaded], images: Tensor) -> Inverted:
        """Images as an editor needs them."""
        ids = [loaded.record.id for loaded in block]
        posterior = record_randn(self.plan.seed, ids, device=images.device, stream="latent") if editor.samples else None
        x_0 = self.bundle.encode(images, posterior).float()
        trajectory = editor.invert(self.f_theta, x_0, self.schedule, self._randn(block), rows=self._rows)
        return Inverted(x_0, trajectory)

    def _edits(
        self, editor: Editor, block: Sequence[Loaded], c: Mapping[str, Tensor], inverted: Inverted, *,
        replay: bool = True,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Latents of a block's edits."""
        masks = EditMasks(
            torch.stack([loaded.m_edit for loaded in block]).to(self.bundle.device),
            torch.stack([loaded.m_keep for loaded in block]).to(self.bundle.device),
        )
        return editor.edits(
            self.f_theta, inverted.x_0, c, masks, self.schedule, self._randn(block), replay=replay,
            trajectory=inverted.trajectory, rows=self._rows,
        )  # fmt: skip

    def _randn(self, block: Sequence[Loaded]) -> Randn:
        """The records' noise, taken where it was drawn before."""
        device, (steps, *latent) = self.bundle.device, block[0].noise.shape
        otherwise = record_randn(self.plan.seed, [loaded.record.id for loaded in block], device=device)

        def randn(shape: Sequence[int]) -> Tensor:
            if tuple(shape) != (steps, len(block), *latent):
                return otherwise(shape)
            return torch.stack([loaded.noise for loaded in block], dim=1).to(device)

        return randn

    @property
    def _rows(self) -> int | None:
        """Of one network call, as suits the device; where memory ran out, no more than both halves of guidance take."""
        return None if self.at_once.n == self.plan.block else 2 * self.at_once.n

    def row(self, loaded: Loaded, kind: str, path: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What is known of one image: the stress set's manifest is made of these.

        `patient_id` is whose image it shows. One reference may serve several sources, so statistics need its own
        patient, and `attr_reference` names the image that it is.
        """
        record = loaded.record
        shown = loaded.shown_by_reference if kind in self.of_reference else record
        return {
            "id": f"{record.id}/{kind}",
            "patient_id": shown.patient_id,
            "image": path,
            **{f"label_{finding}": value for finding, value in self.scenario.labels(kind).items()},
            **{f"mask_{name}": image_path(name, record.id) for name in self.scenario.structures},
            "attr_kind": kind,
            "attr_record": record.id,
            **({"attr_reference": shown.id} if kind in self.of_reference else {}),
            **{f"attr_{name}": shown.attributes[name] for name in CREDITS if name in shown.attributes},
            **facts,
        }


def _diverged(kinds: Mapping[str, Tensor]) -> dict[int, str]:
    """Position in the block → reason, for records of which an image has pixels that are not finite."""
    found: dict[int, list[str]] = {}
    for kind, images in kinds.items():
        for i in (~images.isfinite()).flatten(1).any(1).nonzero().flatten().tolist():
            found.setdefault(i, []).append(kind)
    return {
        i: f"Its {', '.join(names)} diverged: the network gave values that are not finite. Use a smaller w, or float32."
        for i, names in found.items()
    }


def _known(cosine: Tensor) -> float | None:
    """A score as rows have it; None where it is undefined."""
    return None if cosine.isnan() else round(float(cosine), 6)


def structure(sample: Sample, name: str) -> Tensor:
    """A mask of the image that a prediction is judged by.

    Raises:
        ValueError: If it has none of that name.
    """
    if name not in sample.masks:
        raise ValueError(f"It has no mask {name!r}, so a prediction can't be judged; it has {sorted(sample.masks)}.")
    return sample.masks[name]
