"""How far something is that takes long: a bar with the time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

FIRST_S, MOST_S = 10.0, 60.0  # seconds to the first plain line, and at most between two
BAR = "{desc} {percentage:3.0f} % |{bar}| {n_fmt} of {total_fmt} {unit}{postfix}, {remaining} left"


class Progress:
    """Counts what is done of something; use as a context. It writes to stderr, so that results can be piped.

    Args:
        total: How much there is to do.
        what: Is done, such as `Editing`.
        unit: What is counted, in the plural.
        done: How much of it was done before, which does not count for the speed.
    """

    def __init__(self, total: int, what: str, unit: str, *, done: int = 0) -> None:
        self.total, self.what, self.unit = total, what, unit
        self.n = self._first = done
        self._clock = time.monotonic()
        self._next, self._between = self._clock + FIRST_S, FIRST_S
        self._bar = (
            tqdm(
                total=total, initial=done, desc=what, unit=unit, bar_format=BAR, file=sys.stderr, leave=False,
                dynamic_ncols=True, mininterval=0.5,
            )
            if total > done and sys.stderr.isatty()
            else None
        )  # fmt: skip

    def add(self, n: int = 1) -> None:
        """So much more is done; no more than there is to do."""
        n = max(0, min(n, self.total - self.n))
        self.n += n
        if self._bar is not None:
            self._bar.update(n)
        elif (now := time.monotonic()) >= self._next and self.n < self.total:
            self._between = min(2 * self._between, MOST_S)
            self._next = now + self._between
            print(self.line(now - self._clock), file=sys.stderr, flush=True)

    def line(self, seconds: float) -> str:
        """The state in words, after so many seconds."""
        made = self.n - self._first
        left = f", about {_duration(seconds / made * (self.total - self.n))} left" if made else ""
        return f"{self.what}: {self.n:,} of {self.total:,} {self.unit}{left}"

    def note(self, text: str) -> None:
        """A word on the side, beside the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def tracked(items: Iterable[T], total: int, what: str, unit: str) -> Iterator[T]:
    """Items one after the other, each counted when the next one is taken."""
    with Progress(total, what, unit) as progress:
        for item in items:
            yield item
            progress.add()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
