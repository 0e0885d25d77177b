"""The sections on data, network, learning and time: one function each, from the run folder to plain data.

None means that the run has nothing for that section, and the page leaves it out or says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from svertka.data.layout import PART_NAMES
from svertka.reporting import charts, pictures, words
from svertka.reporting.folder import RunFolder
from svertka.reporting.words import percent

PREPARED = 10  # pictures shown as the network sees them
FILES = 50  # unreadable files listed
FIT = {
    "stretch": "stretched to this size, whatever their shape",
    "crop": "scaled until the shorter side fits, then cut from the middle",
    "pad": "scaled until they fit whole, the rest filled up",
}

Section = dict[str, Any]


def title(run: RunFolder) -> Section:
    """Names for the head of the page: the data, and the network."""
    where = str(run.recipe.get("data", {}).get("where") or run.path.resolve().name)
    return {"data": PurePosixPath(where.replace("\\", "/")).name or where, "net": _net(run)["name"]}


def data(run: RunFolder) -> Section:
    """Where the pictures come from, how many of each class are in each part, and what could not be read."""
    manifest, source = run.manifest, run.recipe.get("data", {})
    usable = np.ones(len(manifest), dtype=bool)
    usable[list(manifest.reasons)] = False
    counts = np.zeros((len(manifest.classes), len(PART_NAMES)), dtype=np.int64)
    np.add.at(counts, (manifest.labels[usable], manifest.parts[usable]), 1)  # (classes, parts)
    shown = [p for p in range(len(PART_NAMES)) if counts[:, p].any()]
    totals = counts.sum(1)
    return {
        "where": source.get("where"),
        "kind": source.get("kind") if source.get("kind") != source.get("where") else None,
        "pictures": int(totals.sum()),
        "parts": [(PART_NAMES[p], int(counts[:, p].sum())) for p in shown],
        "classes": [
            {
                "name": name,
                "counts": [int(counts[i, p]) for p in shown],
                "total": int(totals[i]),
                "share": 100 * totals[i] / max(1, totals.max()),
            }
            for i, name in enumerate(manifest.classes)
        ],
        "fewest": int(min(totals, default=0)),
        "most": int(max(totals, default=0)),
        "aside": [
            _files("could not be read", [(manifest.paths[i], why) for i, why in manifest.reasons.items()]),
            _files("left aside", [(u.get("path"), u.get("reason")) for u in run.metrics.get("skipped") or []]),
        ],
    }


def _files(what: str, files: list[tuple[Any, Any]]) -> Section:
    return {
        "what": what,
        "count": len(files),
        "files": [(str(path), str(why)) for path, why in files[:FILES]],
    }


def preparation(run: RunFolder) -> Section:
    """How bytes become input, and some pictures as the network sees them."""
    found = run.model.get("preprocess") or {}
    mean, std = found.get("mean"), found.get("std")
    return {
        "size": [found[k] for k in ("width", "height")] if {"width", "height"} <= found.keys() else None,
        "colour": {1: "grey", 3: "red, green, blue"}.get(found.get("channels", 0)),
        "fit": FIT.get(found.get("fit", ""), found.get("fit")),
        "mean": words.value([round(float(v), 4) for v in mean]) if mean else None,
        "std": words.value([round(float(v), 4) for v in std]) if std else None,
        "pictures": _prepared(run),
    }


def _prepared(run: RunFolder) -> list[Section]:
    """Examples that are not mistakes, one of each class first."""
    if run.examples is None:
        return []
    wrong = {int(i) for s in run.scored.values() for i in s.index[s.probability.argmax(1) != s.labels]}
    fine = np.array([k for k, i in enumerate(run.examples.index.tolist()) if i not in wrong], dtype=np.int64)
    _, first = np.unique(run.manifest.labels[run.examples.index[fine]], return_index=True)
    order = [*fine[first], *np.delete(fine, first)]
    return [
        {
            "uri": pictures.data_uri(run.examples.pixels[k]),
            "tiny": pictures.is_tiny(run.examples.pixels[k]),
            "name": run.manifest.classes[run.manifest.labels[run.examples.index[k]]],
        }
        for k in order[:PREPARED]
    ]


def _net(run: RunFolder) -> Section:
    """The network by name, or by notation where it has no name."""
    name = str(run.model.get("network", {}).get("name") or run.recipe.get("recipe", {}).get("net") or "network")
    if " " in name:
        return {"name": "network in notation", "notation": name}
    return {"name": name, "notation": None}


def network(run: RunFolder) -> Section:
    """What was trained."""
    found = run.model.get("preprocess") or {}
    weights = run.path / "model" / "weights.safetensors"
    return {
        **_net(run),
        "parameters": run.metrics.get("parameters"),
        "input": [found[k] for k in ("channels", "height", "width") if k in found],
        "classes": len(run.manifest.classes),
        "bytes": weights.stat().st_size if weights.is_file() else None,
    }


def recipe(run: RunFolder) -> Section:
    """The settings: those chosen by svertka with the reason, and the rest."""
    settings, reasons = run.recipe.get("recipe", {}), run.recipe.get("reasons", {})
    return {
        "chosen": [(words.label(k), words.value(settings.get(k, "–")), str(why)) for k, why in reasons.items()],
        "others": [(words.label(k), words.value(v)) for k, v in settings.items() if k not in reasons],
    }


def learning(run: RunFolder) -> Section | None:
    """Curves of loss and accuracy over the epochs."""
    epochs = list({r["epoch"]: r for r in run.records("epoch") if "epoch" in r}.values())  # after a resume the last
    if not epochs:
        return None
    shift = 1 if epochs[0]["epoch"] == 0 else 0  # people count from 1
    numbers = [r["epoch"] + shift for r in epochs]
    best = run.metrics.get("best_epoch")
    if best is None:
        best = next((r["epoch"] for r in reversed(epochs) if r.get("best")), None)
    best = None if best is None else best + shift

    def lines(key: str) -> list[charts.Line]:
        pairs = (("training", "train", key), ("validation", "valid", f"validation_{key}"))
        return [
            charts.Line(label, role, [(n, r.get(k)) for n, r in zip(numbers, epochs, strict=True)])
            for label, role, k in pairs
        ]

    steps = [r for r in run.records("step") if r.get("steps") and r.get("loss") is not None]
    of = epochs[-1].get("epochs") or numbers[-1]
    faint = charts.Line("", "fine", [(of * r["step"] / r["steps"], r["loss"]) for r in steps]) if steps else None
    return {
        "loss": charts.curves(lines("loss"), title="Loss per epoch, training and validation", best=best, faint=faint),
        "accuracy": charts.curves(
            lines("accuracy"),
            title="Accuracy in percent per epoch, training and validation",
            best=best,
            as_percent=True,
            ceiling=1.0,
            least=0.05,
        ),
        "fine": faint is not None,
        "cut": len(numbers) > charts.FEW_EPOCHS,
        "best": best,
        "last": numbers[-1],
        "of": of,
        "rows": [
            {
                "epoch": n,
                "best": n == best,
                "seconds": r.get("seconds"),
                "losses": [_plain(r.get(k)) for k in ("loss", "validation_loss")],
                "accuracies": [percent(r.get(k), 1000) for k in ("accuracy", "validation_accuracy")],
            }
            for n, r in zip(numbers, epochs, strict=True)
        ],
    }


def ladder(run: RunFolder) -> Section | None:
    """The ways in which the weights it started from were used, each with what it scored."""
    rungs = run.metrics.get("ladder")
    if not rungs:
        return None
    kept = max((k for k, r in enumerate(rungs) if r.get("kept")), default=None)
    return {
        "rows": [
            {
                "name": r.get("rung"),
                "network": r.get("backbone"),
                "detail": r.get("detail"),
                "accuracy": percent(r.get("accuracy"), r.get("n") or 1000),
                "interval": f"{percent(r['low'], 1000)} to {percent(r['high'], 1000)}" if "low" in r else "–",
                "left_out": percent(r.get("left_out"), 1000),
                "seconds": r.get("seconds"),
                "best": k == kept,
            }
            for k, r in enumerate(rungs)
        ],
        "overlap": _overlap(rungs, kept),
    }


def _overlap(rungs: list[dict[str, Any]], kept: int | None) -> bool:
    """Whether the winner's interval reaches down to another rung: the difference may be chance."""
    if kept is None or "low" not in rungs[kept]:
        return False
    others = [r["accuracy"] for k, r in enumerate(rungs) if k != kept and r.get("accuracy") is not None]
    return bool(others) and rungs[kept]["low"] <= max(others)


def _plain(number: float | None) -> str:
    return "–" if number is None else f"{number:.4f}"


def time(run: RunFolder) -> Section | None:
    """Where the seconds went."""
    seconds = run.metrics.get("seconds") or {}
    total = seconds.get("total")
    if not total:
        return None
    read, train = min(seconds.get("read", 0), total), min(seconds.get("train", 0), total)
    parts = [("reading pictures", "read", read), ("training", "train", train)]
    parts.append(("everything else", "other", max(0.0, total - read - train)))
    whole = sum(s for _, _, s in parts)
    told = ", ".join(f"{name} {words.duration(s)}" for name, _, s in parts)
    return {
        "total": total,
        "bar": charts.stacked([(role, s / whole) for _, role, s in parts], f"Time: {told}"),
        "parts": [(name, role, s, f"{100 * s / whole:.0f}{words.NARROW}%") for name, role, s in parts],
        "rate": run.metrics.get("images_per_second"),
        "plan": list(_rows(run.metrics.get("plan"))),
    }


def again(run: RunFolder) -> Section:
    """What is needed to get the same result."""
    return {
        "command": words.command(run.recipe.get("command")),
        "seed": run.recipe.get("recipe", {}).get("seed", run.manifest.seed),
        "version": run.recipe.get("svertka"),
        "machine": list(_rows(run.metrics.get("machine"))),
        "hashes": run.hashes,
    }


def _rows(thing: Any, under: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as (label, value) pairs."""
    if isinstance(thing, Mapping):
        for key, inner in thing.items():
            name = f"{under} {words.label(str(key))}".strip()
            if isinstance(inner, Mapping) and inner:
                yield from _rows(inner, name)
            else:
                yield name, words.value(inner)
    elif thing:
        yield under or "machine", words.value(thing)
