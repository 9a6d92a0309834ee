"""Stress-testing chest X-ray models by diffusion image editing (RadEdit).

```python
import radedit

result = radedit.stress(model, "my.csv", scenario="manifestation", generator="radedit_hub")
print(result)               # a verdict, and why
result.to_frame()           # every number with its interval
result.report()             # path of the HTML report
```

All names are imported when they are first used, so that `import radedit` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radedit.api.result import StressResult, load_result
    from radedit.api.single_edit import edit, load_generator
    from radedit.api.stress_test import stress
    from radedit.data.datasets.manifest.manifest import ManifestDataset
    from radedit.harness.evidence.verdict import Rules, Verdict
    from radedit.harness.single.edit import EditedImage
    from radedit.harness.statistics.estimate import Estimate

__version__ = "0.1.0"
__all__ = [
    "EditedImage",
    "Estimate",
    "ManifestDataset",
    "Rules",
    "StressResult",
    "Verdict",
    "edit",
    "load_generator",
    "load_result",
    "stress",
]

_HOMES = {
    # Python binds a submodule's name to its package whenever it is imported. So these two are always the modules that
    # are also commands (python -m radedit.stress), and which can be called, see `radedit.api.callable_module`.
    "edit": "radedit.edit",
    "stress": "radedit.stress",
    "EditedImage": "radedit.harness.single.edit",
    "Estimate": "radedit.harness.statistics.estimate",
    "ManifestDataset": "radedit.data.datasets.manifest.manifest",
    "Rules": "radedit.harness.evidence.verdict",
    "StressResult": "radedit.api.result",
    "Verdict": "radedit.harness.evidence.verdict",
    "load_generator": "radedit.api.single_edit",
    "load_result": "radedit.api.result",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'radedit' has no attribute {name!r}; it has {', '.join(__all__)}.")
    module = importlib.import_module(_HOMES[name])
    return module if _HOMES[name] == f"radedit.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
