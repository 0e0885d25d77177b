"""How a picture becomes input, drawn on one: as it was, brought to size, and as the numbers that the network sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from svertka.kinds.image import Preprocess
from svertka.kinds.image.geometry import lie
from svertka.reporting import format, pictures
from svertka.reporting.charts import raster
from svertka.reporting.i18n.translate import decimal, say, to_say
from svertka.runs.pictures import Examples
from svertka.runs.results import Results

PREPARED = 10  # pictures shown as the network sees them
NUMBERS = 4  # pixels on a side of the block whose numbers are shown
FIT = {
    "stretch": to_say("stretched to this size, whatever their shape"),
    "crop": to_say("scaled until the shorter side fits, then cut from the middle"),
    "pad": to_say("scaled until they fit whole, the rest filled up"),
}
COLOR = {1: to_say("gray"), 3: to_say("red, green, blue")}


def section(run: Results) -> dict[str, Any]:
    """The steps of the preparation as they are stored in the model, and examples."""
    found = run.model.preprocess
    if found.kind != "image":  # nothing of what follows is true of it
        return {**dict.fromkeys(("size", "color", "fit", "mean", "std", "steps")), "pictures": _examples(run)}
    return {
        "size": None if found.width is None or found.height is None else [found.width, found.height],
        "color": say(COLOR[found.channels]) if found.channels in COLOR else None,
        "fit": say(FIT[found.fit]) if found.fit in FIT else None,
        "mean": format.value([round(float(v), 4) for v in found.mean]) if found.mean else None,
        "std": format.value([round(float(v), 4) for v in found.std]) if found.std else None,
        "steps": _steps(run),
        "pictures": _examples(run),
    }


def _steps(run: Results) -> dict[str, Any] | None:
    """One example through all steps; None where the run keeps no picture as it was, or at another size."""
    kept = run.examples
    if kept is None or kept.original is None:
        return None
    preprocess = run.preprocess
    pixels = kept.pixels[kept.of]
    if pixels.shape != (preprocess.height, preprocess.width, preprocess.channels):
        return None
    height, width = kept.size
    return {
        "original": pictures.shown(_framed(kept.original, kept, preprocess)),
        "original_size": f"{width} × {height}",
        "same": np.array_equal(kept.original, pixels),
        "fitted": pictures.shown(pixels),
        "fitted_size": f"{preprocess.width} × {preprocess.height}",
        "framed": preprocess.fit == "crop",
        **_numbers(pixels, preprocess),
    }


def _framed(original: np.ndarray, kept: Examples, preprocess: Preprocess) -> np.ndarray:
    """The original with a frame around what the network sees of it, where that is not all."""
    if preprocess.fit != "crop":
        return original
    height, width = original.shape[:2]
    box = lie(preprocess, *kept.size).box
    scale = width / kept.size[1], height / kept.size[0]
    color = original if original.shape[2] == 3 else original.repeat(3, axis=2)
    return raster.boxed(color, tuple(v * scale[k % 2] for k, v in enumerate(box)))


def _numbers(pixels: np.ndarray, preprocess: Preprocess) -> dict[str, Any]:
    """A block of numbers from the middle of the first channel, before and after scaling; and one of them worked out."""
    top, left = ((n - NUMBERS) // 2 if n >= NUMBERS else 0 for n in pixels.shape[:2])
    block = pixels[top : top + NUMBERS, left : left + NUMBERS, 0]
    mean, std = float(preprocess.mean[0]), float(preprocess.std[0])
    scaled = (block / 255 - mean) / std
    every = (pixels / 255 - np.array(preprocess.mean)) / np.array(preprocess.std)
    return {
        "before": [[str(v) for v in row] for row in block.tolist()],
        "after": [[_signed(v) for v in row] for row in scaled.tolist()],
        "sum": f"({block[0, 0]} / 255 − {decimal(mean, '.4g')}) / {decimal(std, '.4g')} = {_signed(scaled[0, 0])}",
        "low": _signed(float(every.min())),
        "high": _signed(float(every.max())),
    }


def _signed(x: float) -> str:
    return decimal(x, ".2f").replace("-", "−")


def _examples(run: Results) -> list[dict[str, Any]]:
    """Examples that are not mistakes, one of each class first."""
    if run.examples is None:
        return []
    wrong = run.wrong_files()
    fine = np.array([k for k, i in enumerate(run.examples.index.tolist()) if i not in wrong], dtype=np.int64)
    _, first = np.unique(run.manifest.labels[run.examples.index[fine]], return_index=True)
    order = [*fine[first], *np.delete(fine, first)]
    return [
        {
            **pictures.shown(run.examples.pixels[k]),
            "name": run.manifest.classes[run.manifest.labels[run.examples.index[k]]],
        }
        for k in order[:PREPARED]
    ]
