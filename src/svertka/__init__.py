"""svertka: one tool for convolutional networks.

    import svertka as sv
    run = sv.train("digits")
    sv.predict(run.path, ["seven.png"])

Importing svertka imports nothing heavy: every public name is fetched from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svertka.common.lazy import lazy_face

__version__ = "0.1.0"

__all__ = [
    "Model",
    "Recipe",
    "__version__",
    "check",
    "compare",
    "embed",
    "evaluate",
    "explain",
    "find_rate",
    "net",
    "predict",
    "preview",
    "repeat",
    "report",
    "resume",
    "table",
    "train",
    "tune",
    "verify",
]

if TYPE_CHECKING:
    from svertka import blocks as blocks
    from svertka import data as data
    from svertka import errors as errors
    from svertka import explanation as explanation
    from svertka import kinds as kinds
    from svertka import notation as notation
    from svertka import ops as ops
    from svertka import records as records
    from svertka import shapes as shapes
    from svertka import zoo as zoo
    from svertka.api.check import check
    from svertka.api.compare import compare
    from svertka.api.embed import embed
    from svertka.api.evaluate import evaluate
    from svertka.api.explain import explain
    from svertka.api.lr_range_test import find_rate
    from svertka.api.predict import predict
    from svertka.api.preview import preview
    from svertka.api.repeat import repeat
    from svertka.api.report import report
    from svertka.api.table import table
    from svertka.api.train import resume, train
    from svertka.api.tune import tune
    from svertka.api.verify import verify
    from svertka.models import Model
    from svertka.training.recipe import Recipe
    from svertka.zoo import net
else:
    __getattr__, __dir__ = lazy_face(
        __name__,
        {
            "svertka.api.check": ("check",),
            "svertka.api.compare": ("compare",),
            "svertka.api.embed": ("embed",),
            "svertka.api.evaluate": ("evaluate",),
            "svertka.api.explain": ("explain",),
            "svertka.api.lr_range_test": ("find_rate",),
            "svertka.api.predict": ("predict",),
            "svertka.api.preview": ("preview",),
            "svertka.api.repeat": ("repeat",),
            "svertka.api.report": ("report",),
            "svertka.api.table": ("table",),
            "svertka.api.train": ("resume", "train"),
            "svertka.api.tune": ("tune",),
            "svertka.api.verify": ("verify",),
            "svertka.models": ("Model",),
            "svertka.training.recipe": ("Recipe",),
            "svertka.zoo": ("net",),
        },
        ("blocks", "data", "errors", "explanation", "kinds", "notation", "ops", "records", "shapes", "zoo"),
    )
