"""Studies are tried with the harness's small scenario and generator."""

from tests.harness.conftest import bundle

__all__ = ["bundle"]
