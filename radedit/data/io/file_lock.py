"""One writer at a time, or many at work at once."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """A lock on a file, held until `release` or until the process dies, however it dies.

    The kernel keeps it (flock), so no stale lock can be left behind; the file itself stays and names its last holder.

    Args:
        path: The lock file; its folder must exist.
        wait: Whether to wait for another holder to finish.
        shared: Whether others may share it; nothing is written to the file then. See `is_locked`.

    Raises:
        BlockingIOError: If another process holds the lock and `wait` is false.
    """

    def __init__(self, path: str | Path, *, wait: bool = False, shared: bool = False) -> None:
        self.path = Path(path)
        self._descriptor: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 200).decode(errors="replace").strip() or "another process"
            self.release()
            raise BlockingIOError(
                f"{self.path.parent} is being written by {holder}. One process writes a folder at a time: "
                "wait for that one, or choose another folder."
            ) from error
        except BaseException:
            self.release()
            raise
        if shared:
            return
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Let others have it; a second call does nothing."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing is not enough where a forked worker has a copy
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def held(self) -> bool:
        """Whether it is held still."""
        return self._descriptor is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def is_locked(path: str | Path) -> bool:
    """Whether somebody holds a lock on a file, shared or not."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
