"""The tiny bundle, loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from radedit.models.bundle.bundle import Bundle


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    """A generator bundle with random weights. Not to be changed."""
    return Bundle.load(tiny_bundle)
