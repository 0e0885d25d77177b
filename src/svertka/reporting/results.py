"""The results in the report: how good, for which classes, and where it errs.

The verdict is that of the test part where there is one; classes, confusions and mistakes are shown for the
validation part, so that a reader who acts on them does not use up the test. None: there is nothing to show.
"""

from __future__ import annotations

import numpy as np

from svertka.evaluation import most_confused, worst_mistakes
from svertka.records import Interval
from svertka.reporting import charts, pictures, words
from svertka.reporting.folder import RunFolder, Scored
from svertka.reporting.sections import Section
from svertka.reporting.words import percent

PICTURES = 24  # mistakes shown
CLASSES = 100  # the most classes that a confusion matrix shows in full
ROWS = 30  # classes listed at once; the others unfold
WORST = 40  # classes in the confusion matrix when there are more than CLASSES


def headline(run: RunFolder, main: Scored | None, looked_at: Scored | None) -> Section | None:
    """The accuracy as one large number, in sentences, and drawn against the baseline."""
    if main is None or looked_at is None:
        return None
    found, n = main.evaluation, main.evaluation.accuracy.n
    rows = [
        {
            "name": "Always the most frequent class",
            "chart": charts.whisker(found.majority, found.majority, found.majority, (0, 1), "base"),
            "value": percent(found.majority, n),
        }
    ]
    for part, scored in run.scored.items():
        a = scored.evaluation.accuracy
        chart = charts.whisker(a.value, a.low, a.high, (0, 1))
        rows.append({"name": f"{part.capitalize()} pictures", "chart": chart, "value": percent(a.value, a.n)})
    return {
        "part": main.part,
        "accuracy": percent(found.accuracy.value, n),
        "interval": words.interval(found.accuracy),
        "n": n,
        "sentences": words.verdict(main.part, found, words.weakest(looked_at.part, looked_at.evaluation)),
        "rows": rows,
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
            names = ", ".join(map(words.quoted, few[:5])) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
            found.append(f"Fewer than five {main.part} pictures show {names}: their own accuracy is hardly known.")
    for part, scored in run.scored.items():
        written = (run.metrics.get(part) or {}).get("accuracy")
        if written is not None and abs(written - scored.evaluation.accuracy.value) > 1e-4:
            found.append(
                f"metrics.json says {percent(written, 1000)} for the {part} part, the predictions give "
                f"{percent(scored.evaluation.accuracy.value, 1000)}; this page follows the predictions."
            )
    if run.metrics.get("stopped"):
        found.append("Training was stopped before its end; this is the best of what had been learned by then.")
    notes = [r.get("text") or r.get("message") or r.get("note") for r in run.records("note")]
    found += [str(n) for n in [*run.metrics.get("notes", []), *notes] if n]
    return [text for text in dict.fromkeys(found) if text]


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
            "interval": "–" if s.recall is None else words.interval(Interval(s.recall, s.low, s.high, s.support)),
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
        "table": charts.confusion(counts[np.ix_(kept, kept)].tolist(), [names[i] for i in kept], counts.sum(1)[kept]),
        "pairs": [
            {"truth": p.truth, "guess": p.predicted, "count": p.count, "of": round(p.count / p.share)} for p in pairs
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


def scores(run: RunFolder) -> Section | None:
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
        rows.append(("Truth among the first five", [percent(e.top5.value, e.top5.n) for e in found if e.top5]))
    rows += [
        ("Always the most frequent class", [percent(e.majority, e.accuracy.n) for e in found]),
        ("Loss (nats)", [f"{e.loss:.4f}" for e in found]),
        ("Calibration error", [percent(e.ece, e.accuracy.n) for e in found]),
        ("Pictures", [f"{e.accuracy.n:,}" for e in found]),
    ]
    return {"parts": list(run.scored), "rows": rows}
