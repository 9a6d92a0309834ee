"""Published files: where they lie on this machine, or what to do so that they do."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

logger = logging.getLogger(__name__)


class PublishedFile(NamedTuple):
    """What the hub says of a file.

    Attributes:
        size: Bytes.
        sha256: Of a large file (LFS); None of a small one.
        blob: Git's own SHA-1 of a small file.
    """

    size: int
    sha256: str | None
    blob: str

    def check(self, path: Path, what: str) -> None:
        """Raise a `ValueError` beginning with `what` if a file on this machine is another."""
        with path.open("rb") as file:
            if self.sha256 is not None:
                kind, found, said = "SHA-256", hashlib.file_digest(file, "sha256").hexdigest(), self.sha256
            else:
                content = file.read()
                sha1 = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
                kind, found, said = "Git checksum", sha1.hexdigest(), self.blob
        if found != said:
            raise ValueError(
                f"{what}: {path} has the {kind} {found}, but the hub publishes {said}: it is damaged, or another file. "
                "Delete it and fetch it again."
            )


def published_files(repository: str, revision: str, paths: Sequence[str] | None = None) -> dict[str, PublishedFile]:
    """Path → what the hub says of it at a revision.

    Args:
        repository: Owner and name.
        revision: Commit, branch or tag.
        paths: Those that are asked for; all where None.

    Raises:
        OSError: If the hub can't be reached, or gives nothing.
    """
    api = HfApi()
    try:
        if paths is None:
            found = list(api.list_repo_tree(repository, recursive=True, revision=revision))
        else:
            found = list(api.get_paths_info(repository, list(paths), revision=revision))
    except Exception as error:  # the hub's own, or of what it is reached by
        raise OSError(f"{repository} at {revision}: {_reason(error)}.") from error
    files: list[Any] = [each for each in found if hasattr(each, "blob_id")]  # folders have none
    return {each.path: PublishedFile(each.size, each.lfs.sha256 if each.lfs else None, each.blob_id) for each in files}


@dataclass(frozen=True)
class Release:
    """Files of one revision of a repository on the Hugging Face hub.

    Attributes:
        repository: Owner and name.
        revision: Commit, or a tag where a checksum pins the content.
        files: Paths in the repository, the weights first.
        size: Of the weights, bytes; None does not check it.
        md5: Of the weights; None does not check it.
        folder: A copy of the repository, or of these files of it; None looks in the hub's cache, then on the hub.
    """

    repository: str
    revision: str
    files: Sequence[str]
    size: int | None = None
    md5: str | None = None
    folder: str | None = None

    def locate(self, part: str) -> dict[str, Path]:
        """Each of `files` on this machine; fetched if it is not there yet, and the weights checked.

        Args:
            part: What they are of the generator, for messages: its key in the configuration.

        Raises:
            FileNotFoundError: If one can't be had; the message says how to get it.
            ValueError: If the weights are others than published.
        """
        if self.folder is not None:
            folder = Path(self.folder).expanduser()
            found = {file: folder / file for file in self.files}
            if missing := [file for file, path in found.items() if not path.is_file()]:
                raise FileNotFoundError(
                    f"generator.{part}.folder is {folder.resolve()}, but {', '.join(missing)} of {self.repository} is "
                    f"not there. Fetch it with `{self._command} --local-dir {folder}`."
                )
        else:
            found = {file: self._cached(file) or self._download(file, part) for file in self.files}
        self._check(found[self.files[0]], part)
        return found

    def _cached(self, file: str) -> Path | None:
        path = try_to_load_from_cache(self.repository, file, revision=self.revision)
        return Path(path) if isinstance(path, str) else None

    def _download(self, file: str, part: str) -> Path:
        try:
            path = Path(hf_hub_download(self.repository, file, revision=self.revision))
        except (OSError, EntryNotFoundError) as error:
            raise FileNotFoundError(
                f"{file} of {self.repository}, the generator's {part}, is not in the cache ({constants.HF_HUB_CACHE}), "
                f"and {_reason(error)}. Visit https://huggingface.co/{self.repository} and accept its licence if it "
                f"asks for that, run `hf auth login`, then `{self._command}`, here or on a machine with a network; or "
                f"name a copy with generator.{part}.folder=…"
            ) from error
        try:
            published = published_files(self.repository, self.revision, [file])
        except OSError as error:
            logger.warning("%s was not compared with the hub's checksum: %s", file, error)
            return path
        if file in published:
            published[file].check(path, f"The generator's {part}")
        return path

    @property
    def _command(self) -> str:
        return f"hf download {self.repository} {' '.join(self.files)} --revision {self.revision}"

    def _check(self, weights: Path, part: str) -> None:
        size = weights.stat().st_size
        if self.size is not None and size != self.size:
            raise ValueError(
                f"{weights} has {size:,} bytes, but the published {part} has {self.size:,}: a download that was cut "
                f"short, or other weights. Fetch it again with `{self._command} --force-download`, or say "
                f"generator.{part}.size=null if it is meant to be another."
            )
        if self.md5 is None:
            return
        with weights.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        if md5 != self.md5:
            raise ValueError(
                f"{weights} has the MD5 checksum {md5}, but the published {part} has {self.md5}: it is damaged, or "
                f"another file. Fetch it again with `{self._command} --force-download`, or say "
                f"generator.{part}.md5=null if it is meant to be another."
            )


def _reason(error: Exception) -> str:
    """Why the hub gave no file."""
    if isinstance(error, GatedRepoError):
        return "the hub gives it only to users who are logged in and have accepted its licence"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub knows no such repository, or hides it from users who are not logged in"
    if isinstance(error, RemoteEntryNotFoundError | RevisionNotFoundError):
        return "the hub has no such file at this revision"
    return f"the hub can't be reached ({type(error).__name__})"
