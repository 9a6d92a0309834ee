"""Stress sets: named by the content of what was asked for, and found again by that name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from radedit import __version__
from radedit.app.numbers import check_numbers
from radedit.app.own_code import own_code
from radedit.data.io.fingerprint import content_hash
from radedit.data.stress_set import require_whole_set
from radedit.editing.editor import Editor
from radedit.harness.stress.block_editor import EditPlan
from radedit.harness.stress.block_size import editing_trial, find_block, kept_block
from radedit.harness.stress.scenario import Addition, Removal, StressData
from radedit.models.bundle.bundle import Bundle
from radedit.types import Dataset

# The spacing and the score of sets that were made before others could be chosen; they keep their names.
USUAL = {("spacing", 1)}
EQ5 = {"_target_": "radedit.harness.stress.edit_score.directional", "_partial_": True}


@dataclass(frozen=True)
class RequestedSet:
    """The stress set that a configuration asks for, whether it is there or not.

    Attributes:
        scenario, data, bundle, plan: What it is made from.
        determines: All that determines the edits.
        hash: Of that.
        folder: Where the set is, or will be.
    """

    scenario: Removal | Addition
    data: StressData
    bundle: Bundle
    plan: EditPlan
    determines: dict[str, Any]
    hash: str
    folder: Path

    @property
    def finished(self) -> bool:
        """Whether all of its images are edited."""
        return (self.folder / "manifest.csv").is_file()


def requested(config: DictConfig, images: Dataset | None = None) -> RequestedSet:
    """What a configuration of `radedit.stress` asks for.

    Args:
        config: As `conf/stress.yaml` composes, at one point of its sweep.
        images: Of the user, in place of `dataset.images`; None where the configuration names them.
    """
    check_numbers(config)
    scenario: Removal | Addition = instantiate(config.scenario, _convert_="all")
    data: StressData = of_images(config.dataset, images)
    bundle: Bundle = instantiate(config.generator, _convert_="all")
    editor = Editor.of(instantiate(config.editor))
    edit: dict[str, Any] = OmegaConf.to_container(config.edit, resolve=True)  # type: ignore[assignment]
    if "keep" not in editor.masks:
        edit["paste_back"] = "none"  # what such an editor does not keep is to be seen
    edit["block"] = block_of(config, editor, bundle, len(data.source.records))
    plan = EditPlan(
        editor=editor,
        masks=instantiate(config.mask_strategy),
        score=instantiate(config.score),
        also={name: Editor.of(edit) for name, edit in instantiate(config.also).items()},
        n_also=config.n_also,
        **edit,
    )
    own_score = OmegaConf.to_container(config.score, resolve=True)
    determines = {
        "radedit": __version__,  # edits of another version are other edits
        "scenario": scenario.determines,
        "data": data.fingerprint,
        "generator": bundle.hash,
        "editor": OmegaConf.to_container(config.editor, resolve=True),
        "mask_strategy": OmegaConf.to_container(config.mask_strategy, resolve=True),
        "also": OmegaConf.to_container(config.also, resolve=True) if config.n_also else {},
        "edit": {name: value for name, value in edit.items() if (name, value) not in USUAL},
        "n_also": config.n_also,
        **({"score": own_score} if own_score != EQ5 else {}),
    }
    asked_for = [determines[name] for name in ("editor", "mask_strategy", "also")] + [own_score]
    if code := own_code(asked_for):
        determines["code"] = code
    named = content_hash(determines)
    folder = Path(config.out) / "stress_sets" / f"{scenario.name}-{named[:12]}"
    return RequestedSet(scenario, data, bundle, plan, determines, named, folder)


def of_images(node: DictConfig, images: Dataset | None) -> Any:
    """What a part of the configuration makes of `images`, or of its own where these are None."""
    if images is None:
        return instantiate(node, _convert_="all")
    return instantiate(node, _convert_="all", _partial_=True)(images=images)


def block_of(config: DictConfig, editor: Editor, bundle: Bundle, n: int) -> int:
    """Records of one block of a set of `n`; `edit.block=auto` has it found on this machine, once.

    Raises:
        ValueError: If it is no whole number from 1.
    """
    block, steps = config.edit.block, config.edit.steps
    if block == "auto":
        generator = {"generator": bundle.hash, "editor": OmegaConf.to_container(config.editor, resolve=True)}
        found = kept_block(
            Path(config.out) / "blocks",
            generator | {"steps": steps},
            lambda: find_block(editing_trial(bundle, editor, steps)),
        )
        return max(1, min(found, n))
    if type(block) is not int or block < 1:
        raise ValueError(f"edit.block is {block!r}; allowed are whole numbers from 1, and auto.")
    return block


def require(what: RequestedSet, given: str | None, command: str) -> RequestedSet:
    """A finished stress set.

    Args:
        what: Which.
        given: Folder that is taken instead, whatever its hash.
        command: Arguments of `radedit.stress` that make the set, but for those the user has given.

    Raises:
        ValueError: If it is not there, or not finished; the command that makes it is named.
    """
    found = what if given is None else replace(what, folder=Path(given).expanduser())
    if found.finished:
        require_whole_set(found.folder)
        return found
    if given is not None:
        raise ValueError(f"stress_set: {found.folder} is no finished stress set: it has no manifest.csv.")
    state = "is not finished" if found.folder.is_dir() else "is not there"
    raise ValueError(
        f"The stress set {found.folder} {state}. Make it with: python -m radedit.stress {command} run=[generate], and "
        "the same overrides as here."
    )
