"""Ctrl-C ends a run where it can end: behind a block or a step, not in the middle of one."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

logger = logging.getLogger(__name__)


class Interruption:
    """Holds Ctrl-C back, while it is entered or from `hold` to `release`; a second one ends the run at once.

    Only a process's main thread hears of signals: elsewhere this does nothing.

    Args:
        what: Is finished first, such as a block.
    """

    def __init__(self, what: str) -> None:
        self.what, self.asked = what, False
        self._before: Any = None

    def check(self) -> None:
        """To be called where the run may end.

        Raises:
            KeyboardInterrupt: If Ctrl-C was pressed.
        """
        if self.asked:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Hold Ctrl-C back from now on."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)

    def release(self) -> None:
        """Let Ctrl-C do what it did before; a second call does nothing."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.check()
        self.asked = True
        logger.warning("Finishing this %s; press Ctrl-C again to end at once.", self.what)
