"""What each section of the report says: one function a section, from the run folder to data for the template.

None means that the run has nothing for that section, and the page leaves it out or says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from svertka.data.layout import PART_NAMES
from svertka.evaluation import most_confused, worst_mistakes
from svertka.records import Interval
from svertka.reporting import charts, pictures, words
from svertka.reporting.folder import RunFolder, Scored
from svertka.reporting.words import percent

PICTURES = 24  # mistakes shown
PREPARED = 12  # pictures shown as the network sees them
CLASSES = 100  # the most classes that a confusion matrix shows in full
ROWS = 30  # classes listed at once; the others unfold
WORST = 40  # classes in the confusion matrix when there are more than that
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


def headline(run: RunFolder, main: Scored | None) -> Section | None:
    """The accuracy as one large number, in sentences, and drawn against the baseline."""
    if main is None:
        return None
    found = main.evaluation
    rows = [
        ("Always the most frequent class", None, Interval(found.majority, found.majority, found.majority, 1))
    ]
    rows += [(f"{part.capitalize()} pictures", part, s.evaluation.accuracy) for part, s in run.scored.items()]
    return {
        "part": main.part,
        "accuracy": percent(found.accuracy.value, found.accuracy.n),
        "interval": words.interval(found.accuracy),
        "n": found.accuracy.n,
        "sentences": words.verdict(main.part, found),
        "rows": [
            {
                "name": name,
                "chart": charts.whisker(i.value, i.low, i.high, (0, 1), "hit" if part else "base"),
                "value": percent(i.value, i.n if part else found.accuracy.n),
            }
            for name, part, i in rows
        ],
        "scale": charts.scale((0, 1)),
    }


def cautions(run: RunFolder, main: Scored | None) -> list[str]:
    """What the reader must know before relying on the numbers."""
    found = []
    if main is None:
        found.append("This run holds no predictions, so how well the network does is not known.")
    else:
        found.append(words.caution(main.evaluation.accuracy))
        few = [name for name, s in main.evaluation.per_class.items() if s.support < 5]
        if few:
            names = ", ".join(map(words.quoted, few[:5])) + (
                f" and {len(few) - 5} more" if len(few) > 5 else ""
            )
            found.append(
                f"Fewer than five {main.part} pictures show {names}: their own accuracy is hardly known."
            )
    for part, scored in run.scored.items():
        written = (run.metrics.get(part) or {}).get("accuracy")
        if written is not None and abs(written - scored.evaluation.accuracy.value) > 1e-4:
            found.append(
                f"metrics.json says {percent(written, 1000)} for the {part} part, the predictions give "
                f"{percent(scored.evaluation.accuracy.value, 1000)}; this page follows the predictions."
            )
    if run.metrics.get("stopped"):
        found.append(
            "Training was stopped before its end; this is the best of what had been learned by then."
        )
    notes = [r.get("text") or r.get("message") or r.get("note") for r in run.records("note")]
    found += [str(n) for n in [*run.metrics.get("notes", []), *notes] if n]
    return [text for text in dict.fromkeys(found) if text]


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
        "kind": source.get("kind"),
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
            _files(
                "left aside", [(u.get("path"), u.get("reason")) for u in run.metrics.get("skipped") or []]
            ),
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
    name = str(
        run.model.get("network", {}).get("name") or run.recipe.get("recipe", {}).get("net") or "network"
    )
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
        "chosen": [
            (words.label(k), words.value(settings.get(k, "–")), str(why)) for k, why in reasons.items()
        ],
        "others": [(words.label(k), words.value(v)) for k, v in settings.items() if k not in reasons],
    }


def learning(run: RunFolder) -> Section | None:
    """Curves of loss and accuracy over the epochs."""
    epochs = list(
        {r["epoch"]: r for r in run.records("epoch") if "epoch" in r}.values()
    )  # after a resume the last
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
    faint = (
        charts.Line("", "fine", [(of * r["step"] / r["steps"], r["loss"]) for r in steps]) if steps else None
    )
    at_best = epochs[numbers.index(best)] if best in numbers else epochs[-1]
    return {
        "loss": charts.curves(
            lines("loss"), title="Loss per epoch, training and validation", best=best, faint=faint
        ),
        "accuracy": charts.curves(
            lines("accuracy"),
            title="Accuracy in percent per epoch, training and validation",
            best=best,
            as_percent=True,
            ceiling=1.0,
        ),
        "fine": faint is not None,
        "best": best,
        "last": numbers[-1],
        "of": of,
        "at_best": at_best,
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


def _plain(number: float | None) -> str:
    return "–" if number is None else f"{number:.4f}"


def classes(scored: Scored | None) -> Section | None:
    """Each class with the share of its pictures that is found, the weakest first."""
    if scored is None:
        return None
    found = sorted(
        scored.evaluation.per_class.items(),
        key=lambda item: (item[1].recall is None, item[1].recall, item[1].low),
    )
    axis = charts.axis_for(s.low for _, s in found if s.recall is not None)
    rows = [
        {
            "name": name,
            "chart": "" if s.recall is None else charts.whisker(s.recall, s.low, s.high, axis),
            "recall": percent(s.recall, s.support),
            "interval": "–"
            if s.recall is None
            else words.interval(Interval(s.recall, s.low, s.high, s.support)),
            "support": s.support,
            "precision": percent(s.precision, s.support),
            "f1": percent(s.f1, s.support),
        }
        for name, s in found
    ]
    return {"part": scored.part, "scale": charts.scale(axis), "rows": rows[:ROWS], "others": rows[ROWS:]}


def confusion(scored: Scored | None) -> Section | None:
    """The confusion matrix (of the most confused classes where there are very many) and its worst pairs."""
    if scored is None:
        return None
    names, counts = list(scored.evaluation.per_class), np.array(scored.evaluation.confusion)
    pairs = most_confused(counts, names, 8)
    wrong = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    kept = np.arange(len(names))
    if len(names) > CLASSES:
        kept = np.sort(np.argsort(-wrong, kind="stable")[:WORST])
    return {
        "part": scored.part,
        "all": len(names),
        "shown": len(kept),
        "table": charts.confusion(
            counts[np.ix_(kept, kept)].tolist(), [names[i] for i in kept], counts.sum(1)[kept]
        ),
        "pairs": [
            {"truth": p.truth, "guess": p.predicted, "count": p.count, "of": round(p.count / p.share)}
            for p in pairs
        ],
    }


def mistakes(run: RunFolder) -> Section | None:
    """The most confident wrong answers, with their pictures where the run keeps them."""
    scored = run.scored.get("validation") or run.scored.get("test")
    if scored is None:
        return None
    at = {} if run.examples is None else {int(i): k for k, i in enumerate(run.examples.index)}
    worst = worst_mistakes(scored.probability, scored.labels, len(scored.labels)).tolist()
    shown = [row for row in worst if int(scored.index[row]) in at] or worst
    names = run.manifest.classes
    cards = []
    for row in shown[:PICTURES]:
        file, truth, guess = int(scored.index[row]), scored.labels[row], scored.probability[row].argmax()
        pixels = run.examples.pixels[at[file]] if run.examples is not None and file in at else None
        cards.append(
            {
                "uri": None if pixels is None else pictures.data_uri(pixels),
                "tiny": pixels is not None and pictures.is_tiny(pixels),
                "truth": names[truth],
                "guess": names[guess],
                "confidence": percent(float(scored.probability[row, guess]), 100),
                "given": percent(float(scored.probability[row, truth]), 100),
                "path": run.manifest.paths[file],
            }
        )
    return {
        "part": scored.part,
        "count": len(worst),
        "surest": shown[:PICTURES] == worst[:PICTURES],
        "n": len(scored.labels),
        "cards": cards,
    }


def test(run: RunFolder) -> Section | None:
    """All scores, validation and test beside each other."""
    if not run.scored:
        return None
    found = [s.evaluation for s in run.scored.values()]
    rows = [
        ("Accuracy", [percent(e.accuracy.value, e.accuracy.n) for e in found]),
        (f"95{words.NARROW}% interval", [words.interval(e.accuracy) for e in found]),
        ("Balanced accuracy", [percent(e.balanced_accuracy, e.accuracy.n) for e in found]),
    ]
    if all(e.top5 for e in found):
        rows.append(
            ("Truth among the first five", [percent(e.top5.value, e.top5.n) for e in found if e.top5])
        )
    rows += [
        ("Always the most frequent class", [percent(e.majority, e.accuracy.n) for e in found]),
        ("Loss (nats)", [f"{e.loss:.4f}" for e in found]),
        ("Calibration error", [percent(e.ece, e.accuracy.n) for e in found]),
        ("Pictures", [f"{e.accuracy.n:,}" for e in found]),
    ]
    return {"parts": list(run.scored), "rows": rows}


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
        "folder": str(run.path.resolve()) if run.path != Path() else str(Path.cwd()),
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
