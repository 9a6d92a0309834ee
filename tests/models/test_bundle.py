"""A bundle comes back as it was saved, and says what is wrong with a folder."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from radedit.models.bundle.bundle import PARTS, Bundle, adopt, hash_folder, lacking
from tests.tiny_bundle import SIZE, WORDS

LENGTH = 16  # tokens, of the tiny bundle's prompts


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A folder of the same bundle, to be damaged."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def module(bundle: Bundle, part: str) -> nn.Module:
    found = getattr(bundle, part)
    assert isinstance(found, nn.Module)
    return found


def weights_of(folder: Path, part: str) -> Path:
    (path,) = (folder / part).glob("*.safetensors")
    return path


@pytest.mark.parametrize("part", PARTS)
def test_weights_come_back_in_half_precision(bundle: Bundle, part: str, tmp_path: Path) -> None:
    bundle.save(tmp_path, parts=[part])
    assert {w.dtype for w in load_file(weights_of(tmp_path, part)).values() if w.ndim} == {torch.float16}
    before, after = module(bundle, part).state_dict(), module(Bundle.load(tmp_path), part).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], before[name].half().to(after[name])) for name in before)


def test_tokenizer_and_scheduler_come_back(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path)
    again = Bundle.load(tmp_path)
    assert again.tokenizer(WORDS)["input_ids"] == bundle.tokenizer(WORDS)["input_ids"]
    assert again.tokenizer.model_max_length == LENGTH
    assert torch.equal(again.schedule(7).timesteps, bundle.schedule(7).timesteps)
    assert torch.equal(again.schedule(7).alpha_bar, bundle.schedule(7).alpha_bar)


@pytest.mark.parametrize("part", PARTS)
def test_saving_leaves_the_weights_as_they_were(tiny_bundle: Path, part: str, tmp_path: Path) -> None:
    bundle = Bundle.load(tiny_bundle)
    before = {name: tensor.clone() for name, tensor in module(bundle, part).state_dict().items()}
    bundle.save(tmp_path, parts=[part])
    after = module(bundle, part).state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_only_the_named_parts_are_written(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path, parts=["unet", "scheduler"])
    assert {path.name for path in tmp_path.iterdir()} == {"unet", "scheduler"}


def test_a_part_that_was_not_written_to_its_end_is_not_there(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("safetensors.torch.save_file", killed)  # the configuration is written before the weights
        bundle.save(tmp_path, parts=["unet"])
    assert lacking(tmp_path, ["unet"]) == ["unet"] and not list(tmp_path.iterdir())
    bundle.save(tmp_path, parts=["unet"])
    assert weights_of(tmp_path, "unet").is_file()


def test_what_a_killed_run_was_writing_is_no_part_of_a_bundle(
    bundle: Bundle, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Bundle.load(copy).hash
    if (child := os.fork()) == 0:
        monkeypatch.setattr("safetensors.torch.save_file", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        bundle.save(copy, parts=["unet"])
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert list(copy.glob(".unet.*/config.json"))
    assert Bundle.load(copy).hash == before


def test_a_part_that_was_not_copied_to_its_end_is_not_there(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(source: Path, target: Path) -> None:
        target.mkdir(parents=True)
        shutil.copy(source / "config.json", target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.copytree", killed)
        adopt(copy, tmp_path / "other", ["vae"])
    assert lacking(tmp_path / "other", ["vae"]) == ["vae"]
    adopt(copy, tmp_path / "other", ["vae"])
    assert weights_of(tmp_path / "other", "vae").read_bytes() == weights_of(copy, "vae").read_bytes()


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_frozen_and_in_evaluation_mode(bundle: Bundle, part: str) -> None:
    assert not any(child.training for child in module(bundle, part).modules())
    assert not any(parameter.requires_grad for parameter in module(bundle, part).parameters())


def test_images_have_the_size_that_the_autoencoder_was_trained_for(bundle: Bundle) -> None:
    assert bundle.size == SIZE


def test_the_hash_names_the_weights_and_not_the_place(tiny_bundle: Path, copy: Path) -> None:
    assert hash_folder(copy) == hash_folder(tiny_bundle) == Bundle.load(copy).hash
    path = weights_of(copy, "unet")
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path)
    assert hash_folder(copy) != hash_folder(tiny_bundle)


@pytest.mark.parametrize("part", [*PARTS, "scheduler", "tokenizer"])
def test_a_part_that_is_missing_is_named_when_it_is_needed(copy: Path, part: str) -> None:
    shutil.rmtree(copy / part)
    bundle = Bundle.load(copy)
    others = [name for name in (*PARTS, "scheduler", "tokenizer") if name != part]
    bundle.require(*others)
    with pytest.raises(ValueError, match=f"lacks {part};"):
        bundle.require(*others, part)


@pytest.mark.parametrize(
    ("part", "use"),
    [
        ("scheduler", lambda bundle: bundle.schedule(5)),
        ("unet", lambda bundle: bundle.predictor(bundle.schedule(5))),
        ("text_encoder", lambda bundle: bundle.predictor(bundle.schedule(5))),
        ("tokenizer", lambda bundle: bundle.predictor(bundle.schedule(5))),
        ("vae", lambda bundle: bundle.factor),
    ],
)
def test_work_that_needs_a_missing_part_does_not_begin(copy: Path, part: str, use: Callable[[Bundle], object]) -> None:
    shutil.rmtree(copy / part)
    with pytest.raises(ValueError, match=f"lacks {part};"):
        use(Bundle.load(copy))


@pytest.mark.parametrize("part", PARTS)
def test_truncated_weights_are_refused(copy: Path, part: str) -> None:
    path = weights_of(copy, part)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"Part '{part}'.*again"):
        Bundle.load(copy)


@pytest.mark.parametrize("part", PARTS)
def test_weights_with_a_gap_are_refused_and_not_filled_at_random(copy: Path, part: str) -> None:
    path = weights_of(copy, part)
    weights = load_file(path)
    gap = next(name for name in reversed(weights) if name.endswith("weight"))
    del weights[gap]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"(?s)Part '{part}'.*{gap}"):
        Bundle.load(copy)


@pytest.mark.parametrize("part", PARTS)
def test_weights_of_another_network_are_refused(copy: Path, part: str) -> None:
    path = weights_of(copy, part)
    narrower = {name: tensor[:1].clone() if tensor.ndim else tensor for name, tensor in load_file(path).items()}
    save_file(narrower, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"Part '{part}'"):
        Bundle.load(copy)


@pytest.mark.parametrize("part", [*PARTS, "scheduler", "tokenizer"])
def test_a_damaged_configuration_is_refused(copy: Path, part: str) -> None:
    for path in (copy / part).glob("*.json"):
        path.write_text(path.read_text()[:-20])
    with pytest.raises(ValueError, match=f"Part '{part}'"):
        Bundle.load(copy)


@pytest.mark.parametrize("name", ["empty", "nowhere"])
def test_a_folder_without_parts_is_no_bundle(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none of vae/, unet/, text_encoder/, image_encoder/ is there"):
        Bundle.load(tmp_path / name)


def test_autocast_is_part_of_the_hash_where_it_is_on(tiny_bundle: Path) -> None:
    hashes = {Bundle.load(tiny_bundle, autocast=kind).hash for kind in (None, "bfloat16")}
    assert len(hashes) == 2
    assert hash_folder(tiny_bundle) in hashes  # as it always was where it is off


def test_unknown_autocast_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(ValueError, match="autocast is 'float8'; allowed are null and bfloat16"):
        Bundle.load(tiny_bundle, autocast="float8")
