"""Published files are found in the hub's cache or in a folder; else the error says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)

from radedit.models.bundle import hub
from radedit.models.bundle.hub import Release

COMMIT = "e8ebd31396ff8553c34084b98b5defb8ebea2817"
FILES = ["unet/model.safetensors", "unet/config.json"]
GATED = Release("microsoft/radedit", COMMIT, FILES)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub" / "models--microsoft--radedit"


def write(folder: Path, files: list[str]) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(file.encode())


def prediction(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr(hub, "hf_hub_download", refuse)


def http(kind: Any) -> Exception:
    error = kind("no", response=httpx.Response(403, request=httpx.Request("GET", "https://huggingface.co")))
    assert isinstance(error, Exception)
    return error


def test_the_cache_is_read_without_asking_the_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prediction(monkeypatch, AssertionError("the hub was asked"))
    write(cache / "snapshots" / COMMIT, FILES)
    assert GATED.locate("unet") == {file: cache / "snapshots" / COMMIT / file for file in FILES}


def test_a_tag_is_looked_up_in_the_cache(cache: Path) -> None:
    write(cache / "snapshots" / COMMIT, FILES)
    write(cache / "refs", ["v1.0"])
    (cache / "refs" / "v1.0").write_text(COMMIT)
    assert Release("microsoft/radedit", "v1.0", FILES).locate("unet")[FILES[0]].is_file()


def test_another_revision_in_the_cache_does_not_serve(cache: Path) -> None:
    write(cache / "snapshots" / ("0" * 40), FILES)
    with pytest.raises(FileNotFoundError, match="is not in the cache"):
        GATED.locate("unet")


def test_only_what_is_missing_is_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(cache / "snapshots" / COMMIT, FILES[:1])
    asked = []

    def fetch(repository: str, file: str, *, revision: str) -> str:
        asked.append((repository, file, revision))
        return str(tmp_path / file)

    monkeypatch.setattr(hub, "hf_hub_download", fetch)
    monkeypatch.setattr(hub, "published_files", lambda *asked: {})
    assert GATED.locate("unet")[FILES[1]] == tmp_path / FILES[1]
    assert asked == [("microsoft/radedit", FILES[1], COMMIT)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (http(GatedRepoError), "logged in and have accepted its licence"),
        (http(RepositoryNotFoundError), "hides it from users who are not logged in"),
        (http(RemoteEntryNotFoundError), "no such file at this revision"),
        (LocalEntryNotFoundError("offline"), "can't be reached"),
        (ConnectionError("no network"), "can't be reached"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_can_not_be_fetched_comes_with_the_licence_page_and_the_commands(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    prediction(monkeypatch, error)
    with pytest.raises(FileNotFoundError) as raised:
        GATED.locate("unet")
    said = str(raised.value)
    assert reason in said
    for needed in (
        "https://huggingface.co/microsoft/radedit",
        "`hf auth login`",
        f"`hf download microsoft/radedit unet/model.safetensors unet/config.json --revision {COMMIT}`",
        "generator.unet.folder=",
        str(cache.parent),  # where it looked
    ):
        assert needed in said


def test_offline_says_so_and_does_not_wait(cache: Path) -> None:
    with pytest.raises(FileNotFoundError, match="the hub can't be reached"):  # HF_HUB_OFFLINE, see conftest
        GATED.locate("unet")


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    found = Release("microsoft/radedit", COMMIT, FILES, folder=str(tmp_path)).locate("unet")
    assert found == {file: tmp_path / file for file in FILES}


def test_a_folder_that_lacks_files_is_not_filled_from_elsewhere(cache: Path, tmp_path: Path) -> None:
    write(cache / "snapshots" / COMMIT, FILES)
    write(tmp_path / "copy", FILES[1:])
    release = Release("microsoft/radedit", COMMIT, FILES, folder=str(tmp_path / "copy"))
    with pytest.raises(FileNotFoundError, match=r"(?s)unet/model.safetensors .* is not there.*--local-dir"):
        release.locate("unet")


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    release = Release("microsoft/radedit", COMMIT, FILES, size=1757849552, folder=str(tmp_path))
    with pytest.raises(ValueError, match=r"has 22 bytes, but the published unet has 1,757,849,552.*size=null"):
        release.locate("unet")


def test_weights_of_another_content_are_refused(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    right = "fa7ce0b0c4b1b71e5f5f8e3d4a9c4d52"
    release = Release("microsoft/radedit", COMMIT, FILES, size=22, md5=right, folder=str(tmp_path))
    with pytest.raises(ValueError, match=f"MD5 checksum .* has {right}.*md5=null"):
        release.locate("unet")


def test_weights_of_the_published_size_and_content_are_taken(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"hello")
    checksum = "5d41402abc4b2a76b9719d911017c592"  # of "hello"
    assert Release("a/b", "v1", ["weights"], size=5, md5=checksum, folder=str(tmp_path)).locate("vae")
