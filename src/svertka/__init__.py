"""svertka: one tool for convolutional networks.

    import svertka as sv
    run = sv.train("digits")
    sv.predict(run.path, ["seven.png"])

Importing svertka imports nothing heavy: every public name is fetched from its home when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# public name -> the module that defines it
_HOMES: dict[str, str] = {
    # verbs
    "train": "svertka.api.train",
    "check": "svertka.api.check",
    "compare": "svertka.api.compare",
    "predict": "svertka.api.predict",
    "preview": "svertka.api.preview",
    "find_rate": "svertka.api.lr_range_test",
    "verify": "svertka.api.verify",
    "evaluate": "svertka.api.evaluate",
    "explain": "svertka.api.explain",
    "embed": "svertka.api.embed",
    "repeat": "svertka.api.repeat",
    "report": "svertka.api.report",
    "resume": "svertka.api.train",
    "tune": "svertka.api.tune",
    "table": "svertka.api.table",
    # nouns
    "Model": "svertka.models",
    "Recipe": "svertka.training.recipe",
    "net": "svertka.zoo",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in {"blocks", "data", "errors", "explanation", "notation", "ops", "records", "shapes", "signals", "zoo"}:
        return importlib.import_module(f"svertka.{name}")
    raise AttributeError(f"module 'svertka' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
