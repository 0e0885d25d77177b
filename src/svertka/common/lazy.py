"""A module that is imported when it is first used: settings are read, and pictures decoded, before torch is there."""

from __future__ import annotations

import importlib
from typing import Any


class LazyModule:
    """Stands for a module; whatever is asked of it is asked of the module, once."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = self.__dict__[name] = getattr(importlib.import_module(self._name), name)
        return value
