"""What is in the network: first filters, maps of one picture, what a place sees, what excites a channel; all drawn
from the album that explanation made (explanations.npz)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from svertka.reporting import pictures
from svertka.reporting.charts import raster
from svertka.reporting.format import percent
from svertka.reporting.i18n.translate import decimal, say, to_say
from svertka.reporting.sections.mistakes.section import heat_of
from svertka.runs.results import Results

LEFT_OUT = {  # pieces of the album, as the page calls them where they were cut
    "heat": to_say("where it looked in all of the mistakes"),
    "filters": to_say("the first filters"),
    "maps": to_say("feature maps"),
    "fields": to_say("receptive fields"),
    "patches": to_say("what excites its channels"),
    "slow": to_say("the second opinion"),
    "dreams": to_say("what its channels dream of"),
    "checks": to_say("tests of the explanations"),
}
BLIND = 0.5  # rank correlation with a shuffled network from which an explanation is marked


def section(run: Results) -> dict[str, Any] | None:
    """Everything that the album holds; None without one."""
    album, examples = run.explanations, run.examples
    if not album or examples is None:
        return None
    place = int(album["heat_place"][0])
    name = run.manifest.classes[run.manifest.labels[examples.index[place]]]
    return {
        "picture": pictures.shown(examples.pixels[place]),
        "name": name,
        "heat": heat_of(run, place),
        "layer": str(album["heat_layer"]),
        "filters": _filters(album["filters"]) if "filters" in album else None,
        "maps": _maps(run),
        "fields": _fields(run),
        "patches": _patches(run),
        "imagined": _imagined(album),
        "slow": _slow(run),
        "channels": int(album.get("slow_channels", 0)),
        "took": float(album.get("took", 0.0)),
        "allowed": float(album["allowed"]) if "allowed" in album else None,
        "left_out": [say(LEFT_OUT[name]) for name in album.get("left_out", ()) if name in LEFT_OUT],
        "checks": _checks(run),
    }


def _imagined(album: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Pictures made for channels, each with the channel's number; earlier versions made them for the first ones."""
    made = album.get("imagined", ())
    numbers = album.get("imagined_channel", range(len(made)))
    return [{**pictures.shown(p), "channel": int(n)} for n, p in zip(numbers, made, strict=True)]


def _filters(filters: np.ndarray) -> dict[str, Any]:
    grid = raster.grid(filters, columns=min(16, len(filters)), side=48 if len(filters) <= 32 else 24)
    return {**pictures.sheet(grid), "n": len(filters), "size": "×".join(map(str, filters.shape[1:3]))}


def _maps(run: Results) -> list[dict[str, Any]]:
    album, found = run.explanations, []
    for k, name in enumerate(album.get("maps_layers", ())):
        maps, numbers = album[f"maps_{k}"], album[f"maps_{k}_channels"]
        grid = raster.grid(maps.astype(np.float32), columns=len(maps), side=64)
        found.append(
            {
                **pictures.sheet(grid),
                "layer": str(name),
                "channels": ", ".join(map(str, numbers[:-1])),
                "of": int(numbers[-1]),
                "size": " × ".join(map(str, maps.shape[1:])),
            }
        )
    return found


def _fields(run: Results) -> dict[str, Any] | None:
    """The boxes that the middle places see, on the sample; and how much the watched layer makes of each pixel."""
    album, examples = run.explanations, run.examples
    if "field_effective" not in album or examples is None:
        return None
    pixels = examples.pixels[int(album["maps_sample"])]
    height, width = pixels.shape[:2]
    rows = []
    for name, (left, top, right, bottom) in zip(album["field_layers"], album["field_box"].tolist(), strict=True):
        rows.append((str(name), f"{right - left} × {bottom - top}", (left, top, right, bottom)))
    shown = raster.shown(pixels, side=224)
    scale = shown.shape[1] / width
    for _, _, box in rows:
        shown = raster.boxed(shown, tuple(v * scale for v in box))
    return {
        "boxes": pictures.sheet(shown),
        "rows": [row[:2] for row in rows],
        "input": f"{width} × {height}",
        "effective": pictures.heated(pixels, album["field_effective"]),
        "watched": str(album["field_watched"]),
    }


def _patches(run: Results) -> dict[str, Any] | None:
    album, examples = run.explanations, run.examples
    if "patch_box" not in album or examples is None:
        return None
    rows = []
    for channel, places, boxes in zip(album["patch_channel"], album["patch_place"], album["patch_box"], strict=True):
        cut = [
            examples.pixels[place][top:bottom, left:right]
            for place, (left, top, right, bottom) in zip(places.tolist(), boxes.tolist(), strict=True)
        ]
        rows.append({"channel": int(channel), "pictures": [pictures.shown(c) for c in cut if c.size]})
    return {"layer": str(album["patch_layer"]), "rows": rows}


def _slow(run: Results) -> list[dict[str, Any]]:
    """Score-CAM beside Grad-CAM, for the pictures that it was made for."""
    album, examples = run.explanations, run.examples
    if "slow_place" not in album or examples is None:
        return []
    heat = dict(zip(album["heat_place"].tolist(), album["heat_own"], strict=True))
    return [
        {
            "class": run.manifest.classes[target],
            "picture": pictures.shown(examples.pixels[place]),
            "quick": pictures.heated(examples.pixels[place], heat[place]) if place in heat else None,
            "slow": pictures.heated(examples.pixels[place], own),
        }
        for place, target, own in zip(
            album["slow_place"].tolist(), album["slow_target"], album["slow_own"], strict=True
        )
    ]


def _checks(run: Results) -> dict[str, Any] | None:
    album = run.explanations
    if "check" not in album:
        return None
    rows = [
        {
            "method": str(method),
            "deletion": percent(float(deletion), 1000),
            "insertion": percent(float(insertion), 1000),
            "similarity": decimal(float(similarity), ".2f"),
            "blind": bool(similarity >= BLIND),
        }
        for method, (deletion, insertion, similarity) in zip(album["check_method"], album["check"], strict=True)
    ]
    return {"rows": rows, "n": int(album["check_pictures"])}
