"""The head of the report: the accuracy as one large number, the verdict, and what to know before relying on it.

The verdict is that of the test part where there is one; the sections below show the validation part, so that a reader
who acts on them does not use up the test.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from svertka.reporting import format as words
from svertka.reporting.charts import charts
from svertka.reporting.format import percent
from svertka.reporting.i18n.translate import say, translated
from svertka.reporting.run_results import RunFolder, Scored
from svertka.reporting.sections.learning.section import GROWING
from svertka.reporting.sections.network.section import name_of

# what makes a finding of the check one that the head repeats: without it the numbers would be taken for more
SERIOUS = ("accuracy there will flatter", "one of the labels is wrong", "alone gives away")
# notes that have a place of their own further down
ELSEWHERE = ("Training waits for its pictures", "left aside, such as", "cannot be read, such as", GROWING)


def head(run: RunFolder) -> dict[str, Any]:
    """Title, verdict and cautions, as the template takes them."""
    main = run.scored.get("test") or run.scored.get("validation")
    return {"title": _title(run), "head": _headline(run, main), "cautions": _cautions(run, main)}


def _title(run: RunFolder) -> dict[str, str]:
    """Names for the head of the page: the data, and the network."""
    where = str(run.recipe.get("data", {}).get("where") or run.path.resolve().name)
    return {"data": PurePosixPath(where.replace("\\", "/")).name or where, "net": name_of(run)["name"]}


def _headline(run: RunFolder, main: Scored | None) -> dict[str, Any] | None:
    looked_at = run.looked_at
    if main is None or looked_at is None:
        return None
    found, n = main.evaluation, main.evaluation.accuracy.n
    rows = [
        {
            "name": say("Always the most frequent class"),
            "chart": charts.whisker(found.majority, found.majority, found.majority, (0, 1), "base"),
            "value": percent(found.majority, n),
        }
    ]
    for part, scored in run.scored.items():
        a = scored.evaluation.accuracy
        name = say("Test pictures") if part == "test" else say("Validation pictures")
        chart = charts.whisker(a.value, a.low, a.high, (0, 1))
        rows.append({"name": name, "chart": chart, "value": percent(a.value, a.n)})
    return {
        "on": say(words.ON[main.part], n=n),
        "accuracy": percent(found.accuracy.value, n),
        "interval": words.interval(found.accuracy),
        "sentences": words.verdict(main.part, found, words.weakest(looked_at.part, looked_at.evaluation)),
        "rows": rows,
        "scale": charts.scale((0, 1)),
    }


def _cautions(run: RunFolder, main: Scored | None) -> list[str]:
    """What the reader must know before relying on the numbers."""
    found: list[str] = []
    if main is None:
        found.append(say("This run holds no predictions, so how well the network does is not known."))
    else:
        found.append(words.caution(main.evaluation.accuracy))
        few = [name for name, s in main.evaluation.per_class.items() if s.support < 5]
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
    for part, scored in run.scored.items():
        written, computed = (run.metrics.get(part) or {}).get("accuracy"), scored.evaluation.accuracy.value
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
    if run.metrics.get("stopped"):
        found.append(say("Training was stopped before its end; this is the best of what had been learned by then."))
    notes = [r.get("text") or r.get("message") or r.get("note") for r in run.records("note")]
    found += _notes(run, [str(n) for n in [*run.metrics.get("notes", []), *notes] if n])
    if run.examples is not None and run.recipe.get("format", 1) < 2:
        found.append(
            say(
                "This run was written by an earlier version, which kept its pictures smaller: where the network "
                "looked in them is not shown. Training again shows it."
            )
        )
    found += run.cautions
    return [text for text in dict.fromkeys(found) if text]


def _notes(run: RunFolder, notes: list[str]) -> list[str]:
    """What was noted; of the findings of the check only serious ones, and how many more it has."""
    checked = set(run.check["warnings"]) if run.check is not None else set()
    kept = [n for n in dict.fromkeys(notes) if not any(words in n for words in ELSEWHERE)]
    shown = [n for n in kept if n not in checked or any(words in n for words in SERIOUS)]
    more = len(kept) - len(shown)
    if not more:
        return [translated(n) for n in shown]
    last = say(
        "The check of the data found {n} thing worth a look, under “Check”.",
        "The check of the data found {n} things worth a look, under “Check”.",
        n=more,
    )
    return [*(translated(n) for n in shown), last]
