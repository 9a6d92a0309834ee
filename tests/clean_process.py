"""Processes for tests that compute gradients in them: one that has done so may not fork another that does."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(["radedit.train"])  # seconds, once


def clean_process(work: Callable[..., None], *arguments: Any) -> Any:
    """A process, forked from one that has only imported. `work` is a function of a module."""
    return CLEAN.Process(target=work, args=arguments)
