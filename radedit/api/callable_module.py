"""A module that can be called, as `radedit.stress` is both a command and a function."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_callable(module: str, function: Callable[..., Any]) -> None:
    """Let a call of a module be a call of a function.

    `import radedit.stress` binds the module's name to the package, whatever stood there before. With both being the
    same object, `radedit.stress(…)` works before such an import and after it.

    Args:
        module: Its name in `sys.modules`.
        function: What a call of it does.
    """

    class CallableModule(ModuleType):
        __signature__ = inspect.signature(function)  # for help in editors and notebooks

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return function(*arguments, **options)

        __call__.__doc__ = function.__doc__

    sys.modules[module].__class__ = CallableModule
