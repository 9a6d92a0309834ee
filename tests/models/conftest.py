"""The tiny bundle, loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from radedit.models.bundle.bundle import Bundle

settings.register_profile("busy", deadline=None)  # a busy machine is no failure
settings.load_profile("busy")


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    """A generator bundle with random weights. Not to be changed."""
    return Bundle.load(tiny_bundle)
