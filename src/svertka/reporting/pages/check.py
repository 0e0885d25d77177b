"""The findings of `svertka check` with their pictures: a page of their own, and a section of a run's report.

Both are made of plain data: the object that `check --json` prints, and the pixels of the files that are shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from svertka.reporting import format, pictures
from svertka.reporting.i18n.translate import say, to_say, translated
from svertka.reporting.templates import render

SHOWN, BRIEFLY = 12, 6  # families of copies that are shown of each sort; in the report of a run
EACH = 4  # pictures of a family
ODD = 24  # odd pictures, those of every kind in turn; in the report of a run half of them
FILES = 50  # unreadable files listed

Found = Mapping[str, Any]
Pixels = Mapping[str, np.ndarray]  # path -> uint8 (h, w, 1 or 3)
Section = dict[str, Any]


def shown_paths(found: Found) -> list[str]:
    """The files whose pictures the page shows, each once."""
    paths = [f["path"] for _, _, families in _families(found) for f in _kept(families)]
    return list(dict.fromkeys([*paths, *(o["path"] for o in _odd(found, ODD))]))


def section(found: Found, pixels: Pixels, *, brief: bool = False) -> Section:
    """All findings as the template takes them; with fewer pictures where it is a part of a report."""
    most, odd = (BRIEFLY, ODD // 2) if brief else (SHOWN, ODD)
    return {
        "warnings": [translated(w) for w in found["warnings"]],
        "families": [
            {
                "title": say("{title}: {n} picture", "{title}: {n} pictures", title=say(title), n=len(families)),
                "text": say(text),
                "count": len(families),
                "shown": [[_card(f, pixels) for f in family[:EACH]] for family in families[:most]],
            }
            for title, text, families in _families(found)
            if families
        ],
        "oddities": {
            "count": len(found["oddities"]),
            "shown": [
                _card({"path": o["path"], "note": say(o["kind"]), "detail": translated(o["detail"])}, pixels)
                for o in _odd(found, odd)
            ],
        },
    }


def page(found: Found, pixels: Pixels, name: str) -> str:
    """The page of `check --html`: one file, without scripts and without requests."""
    counts = found["classes"]
    most = max(counts.values(), default=0)
    return render(
        "check",
        name=name,
        found=found,
        check=section(found, pixels),
        classes=[(label, n, 100 * n / max(1, most)) for label, n in counts.items()],
        asides=[
            (say(sentence, n=sum(one.get("files", 1) for one in found[key])), found[key][:FILES], len(found[key]))
            for sentence, key in (
                (to_say("{n} file could not be read", "{n} files could not be read"), "unreadable"),
                (to_say("{n} file left aside", "{n} files left aside"), "skipped"),
            )
        ],
        verdict=_verdict(found),
        readable=_readable(found),
    )


def _verdict(found: Found) -> str:
    if not found["warnings"]:
        return say("Nothing was found that would mislead a network or its scores.")
    n, leaks, wrong = len(found["warnings"]), len(found["leaks"]), len(found["disagreements"])
    if leaks and wrong:
        return say(
            "{n} finding, {leaks} and {wrong} among them.",
            "{n} findings, {leaks} and {wrong} among them.",
            n=n,
            leaks=say("{n} leak", "{n} leaks", n=leaks),
            wrong=say("{n} contradiction", "{n} contradictions", n=wrong),
        )
    if leaks:
        return say(
            "{n} finding, {leaks} among them.",
            "{n} findings, {leaks} among them.",
            n=n,
            leaks=say("{n} leak", "{n} leaks", n=leaks),
        )
    if wrong:
        return say(
            "{n} finding, {wrong} among them; no leak between parts.",
            "{n} findings, {wrong} among them; no leak between parts.",
            n=n,
            wrong=say("{n} contradiction", "{n} contradictions", n=wrong),
        )
    return say("{n} finding; no leak between parts.", "{n} findings; no leak between parts.", n=n)


def _readable(found: Found) -> str:
    n, of_classes = found["readable"], say("of {n} class", "of {n} classes", n=len(found["classes"]))
    if n == found["files"]:
        return say(
            "{n} picture {of_classes} could be read.",
            "{n} pictures {of_classes} could be read.",
            n=n,
            of_classes=of_classes,
        )
    of_files = say("of {n} file", "of {n} files", n=found["files"])
    return say(
        "{n} picture {of_classes} could be read, {of_files}.",
        "{n} pictures {of_classes} could be read, {of_files}.",
        n=n,
        of_classes=of_classes,
        of_files=of_files,
    )


def _families(found: Found) -> list[tuple[str, str, list[list[dict[str, str]]]]]:
    """(title, explanation, families of files); what stands under one title does not come back under the next."""
    leaks = [[_file(f, say(format.PART[f["part"]])) for f in leak["files"]] for leak in found["leaks"]]
    disagree = [[_file(f, f["class"]) for f in family] for family in found["disagreements"]]
    listed = {f["path"] for family in [*leaks, *disagree] for f in family}
    copies = [[{"path": p, "note": ""} for p in family] for family in found["near_duplicates"] + found["duplicates"]]
    rest = [family for family in copies if not listed & {f["path"] for f in family}]
    return [
        (
            to_say("Leaks"),
            to_say("The same picture on both sides of a split: its answer is known beforehand."),
            _across(leaks),
        ),
        (
            to_say("Contradictions"),
            to_say("The same picture under two labels: one is wrong, or the classes overlap."),
            disagree,
        ),
        (to_say("Copies"), to_say("The same picture more than once, on one side and in one class."), rest),
    ]


def _file(file: Mapping[str, str], note: str) -> dict[str, str]:
    return {"path": file["path"], "note": note}


def _across(leaks: list[list[dict[str, str]]]) -> list[list[dict[str, str]]]:
    """Each leak with one file of each part first, so that what is shown shows the leak."""
    ordered = []
    for family in leaks:
        first = list({f["note"]: f for f in reversed(family)}.values())
        ordered.append(sorted(first, key=family.index) + [f for f in family if f not in first])
    return ordered


def _odd(found: Found, most: int) -> list[dict[str, str]]:
    """Odd pictures, a few of every kind rather than many of the first."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for one in found["oddities"]:
        kinds.setdefault(one["kind"], []).append(one)
    turns = itertools.zip_longest(*kinds.values())
    chosen = [one for turn in turns for one in turn if one is not None][:most]
    return sorted(chosen, key=lambda one: list(kinds).index(one["kind"]))


def _kept(families: list[list[dict[str, str]]]) -> Iterable[dict[str, str]]:
    return (f for family in families[:SHOWN] for f in family[:EACH])


def _card(file: Mapping[str, str], pixels: Pixels) -> Section:
    picture = pixels.get(file["path"])
    return {
        "path": file["path"],
        "note": file["note"],
        "detail": file.get("detail", ""),
        **({"uri": None, "tiny": False} if picture is None else pictures.shown(picture)),
    }
