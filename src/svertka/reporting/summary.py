"""The head of the report: the accuracy as one large number, the verdict, and what to know before relying on it.

The verdict is that of the test part where there is one; the sections below show the validation part, so that a reader
who acts on them does not use up the test.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from svertka.common.messages import id_of
from svertka.reporting import format as words
from svertka.reporting.charts import charts
from svertka.reporting.format import percent
from svertka.reporting.i18n.translate import say, translated
from svertka.reporting.sections.learning.section import GROWING
from svertka.reporting.sections.network.section import name_of
from svertka.runs.predictions import Predictions
from svertka.runs.results import Results

# ids of those findings of the check that the head repeats: without them the numbers would be taken for more
SERIOUS = {"leak", "parted-groups", "contradiction", "shortcut"}
# ids of notes that have a place of their own further down
ELSEWHERE = {"limit.input", "limit.compute", "left-aside", "unreadable", "unreadable-one", GROWING}


def head(run: Results) -> dict[str, Any]:
    """Title, verdict and cautions, as the template takes them."""
    main = run.predictions.get("test") or run.predictions.get("validation")
    return {"title": _title(run), "head": _headline(run, main), "cautions": _cautions(run, main)}


def _title(run: Results) -> dict[str, str]:
    """Names for the head of the page: the data, and the network."""
    where = str(run.recipe.data.where or run.path.resolve().name)
    return {"data": PurePosixPath(where.replace("\\", "/")).name or where, "net": name_of(run)["name"]}


def _headline(run: Results, main: Predictions | None) -> dict[str, Any] | None:
    looked_at = run.shown
    if main is None or looked_at is None:
        return None
    found = run.evaluations[main.part]
    n = found.accuracy.n
    rows = [
        {
            "name": say("Always the most frequent class"),
            "chart": charts.whisker(found.majority, found.majority, found.majority, (0, 1), "base"),
            "value": percent(found.majority, n),
        }
    ]
    for part, evaluation in run.evaluations.items():
        a = evaluation.accuracy
        name = say("Test pictures") if part == "test" else say("Validation pictures")
        chart = charts.whisker(a.value, a.low, a.high, (0, 1))
        rows.append({"name": name, "chart": chart, "value": percent(a.value, a.n)})
    return {
        "on": say(words.ON[main.part], n=n),
        "accuracy": percent(found.accuracy.value, n),
        "interval": words.interval(found.accuracy),
        "sentences": words.verdict(main.part, found, words.weakest(looked_at.part, run.evaluations[looked_at.part])),
        "rows": rows,
        "scale": charts.scale((0, 1)),
    }


def _cautions(run: Results, main: Predictions | None) -> list[str]:
    """What the reader must know before relying on the numbers."""
    found: list[str] = []
    if main is None:
        found.append(say("This run holds no predictions, so how well the network does is not known."))
    else:
        found.append(words.caution(run.evaluations[main.part].accuracy))
        few = [name for name, s in run.evaluations[main.part].per_class.items() if s.support < 5]
        if few:
            names = ", ".join(map(words.quoted, few[:5]))
            if len(few) > 5:
                names = say("{names} and {n} more", names=names, n=len(few) - 5)
            found.append(
                say("Fewer than five test pictures show {names}: their own accuracy is hardly known.", names=names)
                if main.part == "test"
                else say(
                    "Fewer than five validation pictures show {names}: their own accuracy is hardly known.", names=names
                )
            )
    for part, evaluation in run.evaluations.items():
        score = run.metrics.test if part == "test" else run.metrics.validation
        written, computed = score.accuracy if score else None, evaluation.accuracy.value
        if written is not None and abs(written - computed) > 1e-4:
            found.append(
                say(
                    "metrics.json says {written} for the {part} part, the predictions give {computed}; this page "
                    "follows the predictions.",
                    written=percent(written, 1000),
                    part=say(words.PART[part]),
                    computed=percent(computed, 1000),
                )
            )
    if run.metrics.stopped:
        found.append(say("Training was stopped before its end; this is the best of what had been learned by then."))
    notes = [r.text for r in run.log.notes]
    found += _notes(run, [n for n in [*run.metrics.notes, *notes] if n])
    if run.examples is not None and run.recipe.format < 2:
        found.append(
            say(
                "This run was written by an earlier version, which kept its pictures smaller: where the network "
                "looked in them is not shown. Training again shows it."
            )
        )
    found += run.cautions
    return [text for text in dict.fromkeys(found) if text]


def _notes(run: Results, notes: list[str]) -> list[str]:
    """What was noted; of the findings of the check only serious ones, and how many more it has."""
    checked = set(run.findings.warnings) if run.findings is not None else set()
    kept = [n for n in dict.fromkeys(notes) if id_of(n) not in ELSEWHERE]
    shown = [n for n in kept if n not in checked or id_of(n) in SERIOUS]
    more = len(kept) - len(shown)
    if not more:
        return [translated(n) for n in shown]
    last = say(
        "The check of the data found {n} thing worth a look, under “Check”.",
        "The check of the data found {n} things worth a look, under “Check”.",
        n=more,
    )
    return [*(translated(n) for n in shown), last]
