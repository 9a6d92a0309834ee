"""Bundles in the hub's layout: nothing is lost, nothing else comes along, and no file is another than published."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from radedit import bundle as command
from radedit.models.bundle import hub, shared
from radedit.models.bundle.bundle import Bundle, hash_folder
from radedit.models.bundle.hub import Release, published_files
from radedit.models.bundle.shared import CARD, ModelCard, lay_out, pull, push
from tests.commands import run

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MINE = ModelCard("Mine", "mit", "drawn radiographs")


class Hub:
    """The hub in a folder: as much of its interface as is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lies: dict[str, bytes] = {}  # path → what the hub publishes the checksum of instead

    def create_repo(self, repository: str, *, private: bool, exist_ok: bool) -> None:
        (self.folder / repository).mkdir(parents=True, exist_ok=exist_ok)
        self.private = private

    def upload_folder(
        self, *, repo_id: str, folder_path: Path, allow_patterns: Sequence[str], commit_message: str
    ) -> SimpleNamespace:
        shutil.copytree(folder_path, self.folder / repo_id, dirs_exist_ok=True)
        return SimpleNamespace(oid=COMMIT)

    def list_repo_tree(self, repository: str, *, recursive: bool, revision: str) -> Iterator[Any]:
        for path in sorted((self.folder / repository).rglob("*")):
            if path.is_dir():
                yield SimpleNamespace(path="folder")
                continue
            name = path.relative_to(self.folder / repository).as_posix()
            content = self.lies.get(name, path.read_bytes())
            large = (
                SimpleNamespace(sha256=hashlib.sha256(content).hexdigest()) if name.endswith(".safetensors") else None
            )
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            yield SimpleNamespace(path=name, size=len(content), lfs=large, blob_id=blob)

    def get_paths_info(self, repository: str, paths: Sequence[str], *, revision: str) -> list[Any]:
        return [
            each for each in self.list_repo_tree(repository, recursive=True, revision=revision) if each.path in paths
        ]

    def download(self, repository: str, path: str, *, revision: str) -> str:
        return str(self.folder / repository / path)


@pytest.fixture
def local_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(tmp_path / "hub")
    for module in (hub, shared):
        monkeypatch.setattr(module, "HfApi", lambda: found)
        monkeypatch.setattr(module, "hf_hub_download", found.download)
    return found


def test_bundle_comes_back_as_it_went(tiny_bundle: Path, tmp_path: Path, local_hub: Hub) -> None:
    lay_out(tiny_bundle, tmp_path / "out", MINE)
    commit = push(tmp_path / "out", "me/mine")
    back = pull("me/mine", commit, tmp_path / "back")
    assert hash_folder(back) == hash_folder(tiny_bundle) and local_hub.private
    assert (back / CARD).read_bytes() == (tmp_path / "out" / CARD).read_bytes()
    one, other = (Bundle.load(folder).unet.state_dict() for folder in (tiny_bundle, back))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_card_says_licence_parts_and_hash(tiny_bundle: Path, tmp_path: Path) -> None:
    text = lay_out(tiny_bundle, tmp_path / "out", MINE).read_text()
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["license"] == "mit" and header["library_name"] == "diffusers"
    n = sum(p.numel() for p in Bundle.load(tiny_bundle).unet.parameters())
    assert f"| `unet/` | UNet2DConditionModel | {n:,} |" in text and hash_folder(tiny_bundle) in text
    assert "Trained on: drawn radiographs" in text


def test_only_tensors_and_text_of_a_bundle_travel(tiny_bundle: Path, tmp_path: Path, local_hub: Hub) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(tiny_bundle, mine)
    (mine / "unet/train.py").write_text("print()")
    (mine / "notes.txt").write_text("Mrs. X")
    lay_out(mine, tmp_path / "out", MINE)
    push(tmp_path / "out", "me/mine")
    for name in ("unet/model.bin", "modeling.py", "unet/sub/x.json", "config.json"):
        path = local_hub.folder / "me/mine" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"{}")
    back = pull("me/mine", COMMIT, tmp_path / "back")
    expected = {p.relative_to(tiny_bundle).as_posix() for p in tiny_bundle.rglob("*") if p.suffix in shared.SUFFIXES}
    assert {p.relative_to(back).as_posix() for p in back.rglob("*") if p.is_file()} == expected | {CARD}


@pytest.mark.parametrize("name", ["unet/diffusion_pytorch_model.safetensors", "unet/config.json"])
def test_file_that_is_not_the_published_one_is_refused(
    name: str, tiny_bundle: Path, tmp_path: Path, local_hub: Hub
) -> None:
    lay_out(tiny_bundle, tmp_path / "out", MINE)
    push(tmp_path / "out", "me/mine")
    local_hub.lies[name] = b"what was published"
    with pytest.raises(ValueError, match=f"{name}.*but the hub publishes"):
        pull("me/mine", COMMIT, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_release_is_compared_with_what_the_hub_publishes(tiny_bundle: Path, tmp_path: Path, local_hub: Hub) -> None:
    lay_out(tiny_bundle, tmp_path / "out", MINE)
    push(tmp_path / "out", "me/mine")
    file = "unet/diffusion_pytorch_model.safetensors"
    release = Release("me/mine", COMMIT, [file, "unet/config.json"])
    assert release.locate("unet")[file].is_file()
    assert published_files("me/mine", COMMIT, [file])[file].sha256 is not None
    local_hub.lies[file] = b"what was published"
    with pytest.raises(ValueError, match="The generator's unet: .* but the hub publishes"):
        release.locate("unet")


def test_hub_that_cannot_be_reached_is_an_error_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no network")

    monkeypatch.setattr(hub, "HfApi", lambda: SimpleNamespace(list_repo_tree=refuse))
    with pytest.raises(OSError, match=f"me/mine at {COMMIT}: the hub can't be reached"):
        pull("me/mine", COMMIT, tmp_path / "back")


@pytest.mark.parametrize("revision", ["main", "v1.0", "0123abc", ""])
def test_what_is_pulled_is_pinned_to_a_commit(revision: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="40 hexadecimal digits"):
        pull("me/mine", revision, tmp_path / "back")


def test_command_lays_out_without_sending_and_says_what_leaves_when_it_pushes(
    tiny_bundle: Path, tmp_path: Path, local_hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"folder={tiny_bundle}", "license=mit", f"out={tmp_path / 'out'}"]
    assert run(command.main, words) == 0 and not local_hub.folder.exists()
    assert "leave" not in capsys.readouterr().out
    assert run(command.main, [*words, "push=me/mine"]) == 0
    said = capsys.readouterr().out
    assert "Weights leave this machine" in said and f"pull=me/mine revision={COMMIT}" in said
    assert run(command.main, ["pull=me/mine", f"revision={COMMIT}", f"out={tmp_path / 'back'}"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["folder=nowhere", "license=mit"], "no bundle"),
        (["folder=nowhere"], "license=…"),
        (["pull=me/mine", "push=me/mine"], "give one of them"),
        (["pull=mine", f"revision={COMMIT}"], "owner/name"),
    ],
)
def test_mistake_ends_in_a_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command.main, [*words, "out=out"]) == 2
    assert said in capsys.readouterr().err
