"""Imports that wait until they are used: settings are read, and pictures decoded, before torch is there.

A package that offers names of modules that cost much imports them for type checkers and fetches them for users:

    if TYPE_CHECKING:
        from svertka.zoo import net as net
    else:
        __getattr__, __dir__ = lazy_face(__name__, {"svertka.zoo": ("net",)})

so that an editor knows what each name is (tests/house/test_types.py holds the two lists against each other).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def lazy_face(
    package: str, names: Mapping[str, Iterable[str]], submodules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose names are fetched from their modules when they are used.

    Args:
        package: its `__name__`.
        names: the module that defines them -> public names.
        submodules: those of the package's own modules that are public.
    """
    homes = {name: module for module, offered in names.items() for name in offered}
    modules = {name: f"{package}.{name}" for name in submodules}

    def fetch(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(homes[name]), name)
        if name in modules:
            return importlib.import_module(modules[name])
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def listed() -> list[str]:
        own = vars(importlib.import_module(package))
        return sorted({*own, *homes, *modules})

    return fetch, listed


class LazyModule:
    """Stands for a module; whatever is asked of it is asked of the module, once."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = self.__dict__[name] = getattr(importlib.import_module(self._name), name)
        return value
