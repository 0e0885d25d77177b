"""All findings of one audit: as records, as JSON, and in sentences that say what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from svertka.audit.oddities import Oddity, find_oddities
from svertka.audit.shortcuts import Shortcut, find_shortcuts
from svertka.common.messages import listed, message
from svertka.data import Source, Store
from svertka.data.folders.part_names import PART_NAMES, UNDECIDED, part_names
from svertka.data.sources.groups import Groups
from svertka.data.splitting.near_duplicates import Copies, find_copies
from svertka.kinds.base import Kind
from svertka.records import Unreadable

UNEVEN = 3.0  # times that the largest class may exceed the smallest before it is said
SCARCE = 20  # pictures of a class below which it is said

Family = tuple[int, ...]  # places of files in the source

# of copies: the id, what to say of one, and of several
_COPIES = (
    (
        "copies",
        "1 file is there once more: {path} is the same file as {other}. A split that svertka makes keeps them on one "
        "side.",
        "{n} files are there once more: {path} is the same file as {other}, and so on. A split that svertka makes "
        "keeps them on one side.",
    ),
    (
        "near-copies",
        "1 file is there once more: {path} is nearly the same picture as {other}. A split that svertka makes keeps "
        "them on one side.",
        "{n} files are there once more: {path} is nearly the same picture as {other}, and so on. A split that svertka "
        "makes keeps them on one side.",
    ),
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What is wrong with a set of labeled pictures.

    copies         files with the same bytes or the same picture
    leaks          families of copies that stand in more than one part (train, validation, test)
    disagreements  families of copies that stand in more than one class
    groups         of files by name, where the source has them
    warnings       everything that matters, a sentence each, the worst first
    """

    paths: Any  # a sequence of str
    labels: np.ndarray
    parts: np.ndarray
    classes: dict[str, int]
    unreadable: tuple[Unreadable, ...]
    skipped: tuple[Unreadable, ...]
    copies: Copies
    leaks: tuple[Family, ...]
    disagreements: tuple[Family, ...]
    oddities: tuple[Oddity, ...]
    shortcuts: tuple[Shortcut, ...]
    groups: Groups | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What `check --json` prints."""
        names, exact = list(self.classes), set(self.copies.exact)
        return {
            "files": len(self.paths),
            "readable": len(self.paths) - len(self.unreadable),
            "classes": self.classes,
            "unreadable": [{"path": u.path, "reason": u.reason} for u in self.unreadable],
            "skipped": [u.to_dict() for u in self.skipped],
            "duplicates": [self._paths(f) for f in self.copies.exact],
            "near_duplicates": [self._paths(f) for f in self.copies.near],
            "leaks": [
                {
                    "files": [{"path": self.paths[i], "part": PART_NAMES[self.parts[i]]} for i in f],
                    "identical": f in exact,
                }
                for f in self.leaks
            ],
            "disagreements": [
                [{"path": self.paths[i], "class": names[self.labels[i]]} for i in f] for f in self.disagreements
            ],
            "oddities": [{"path": self.paths[o.index], "kind": o.kind, "detail": o.detail} for o in self.oddities],
            "shortcuts": [
                {"fact": s.fact, "class": names[s.label], "area": round(s.area, 4), "pictures": s.n}
                for s in self.shortcuts
            ],
            "parted_groups": [
                {"group": name, "files": [{"path": self.paths[i], "part": PART_NAMES[self.parts[i]]} for i in files]}
                for name, files in (self.groups.parted(self.parts) if self.groups else ())
            ],
            "warnings": list(self.warnings),
        }

    def _paths(self, family: Family) -> list[str]:
        return [self.paths[i] for i in family]


def audit(source: Source, store: Store, copies: Copies | None = None) -> Audit:
    """Look for everything that is wrong with the pictures of a source.

    Args:
        source, store: the files, and what reading them gave.
        copies: what `find_copies` found, where that is known already.
    """
    copies = find_copies(store, source.labels) if copies is None else copies
    counts = np.bincount(source.labels[store.readable], minlength=len(source.classes))
    families = sorted({*copies.near, *_exact_alone(copies)})
    found = Audit(
        paths=source.paths,
        labels=source.labels,
        parts=source.parts,
        classes={name: int(n) for name, n in zip(source.classes, counts, strict=True)},
        unreadable=tuple(Unreadable(source.paths[i], why) for i, why in sorted(store.reasons.items())),
        skipped=source.skipped,
        copies=copies,
        leaks=tuple(f for f in families if len(_several(source.parts, f) - {UNDECIDED}) > 1),
        disagreements=tuple(f for f in families if len(_several(source.labels, f)) > 1),
        oddities=find_oddities(store),
        shortcuts=find_shortcuts(source, store),
        groups=source.groups,
    )
    store.release()
    return _with_warnings(found, source, store.kind)


def _several(column: np.ndarray, family: Family) -> set[int]:
    return {int(column[i]) for i in family}


def _exact_alone(copies: Copies) -> list[Family]:
    """Families of the same bytes that are no part of a family of near copies."""
    near = {int(copies.group[f[0]]) for f in copies.near}
    return [f for f in copies.exact if int(copies.group[f[0]]) not in near]


# -- sentences ------------------------------------------------------------------------------------------------------


def _with_warnings(found: Audit, source: Source, kind: Kind) -> Audit:
    sentences = [
        *_leaks(found),
        *(found.groups.warnings(found.paths, found.parts) if found.groups else ()),
        *_disagreements(found),
        *_shortcuts(found),
        *_copies(found),
        *_oddities(found, kind),
        *_balance(found),
        *_unreadable(found),
        *_bare(found),
        *source.notes,
    ]
    return replace(found, warnings=tuple(sentences))


def _leaks(found: Audit) -> Sequence[str]:
    sentences = []
    pairs = Counter(tuple(sorted(_several(found.parts, f) - {UNDECIDED})) for f in found.leaks)
    for parts, n in sorted(pairs.items()):
        first = next(f for f in found.leaks if tuple(sorted(_several(found.parts, f) - {UNDECIDED})) == parts)
        one, other = (next(i for i in first if found.parts[i] == p) for p in parts[:2])
        sentences.append(
            message(
                "leak",
                "{n} picture stands in {part} and {other_part} at once, such as {one} and {other}: the accuracy there "
                "will flatter. Keep each in one of them.",
                "{n} pictures stand in {part} and {other_part} at once, such as {one} and {other}: the accuracy there "
                "will flatter. Keep each in one of them.",
                n=n,
                part=part_names(parts[:-1]),
                other_part=part_names(parts[-1:]),
                one=found.paths[one],
                other=found.paths[other],
            )
        )
    return sentences


def _disagreements(found: Audit) -> list[str]:
    n = len(found.disagreements)
    if not n:
        return []
    names, family = list(found.classes), found.disagreements[0]
    one, other = family[0], next(i for i in family if found.labels[i] != found.labels[family[0]])
    return [
        message(
            "contradiction",
            "{n} picture stands in more than one class, such as {one} ({name}) and {other} ({another}): one of the "
            "labels is wrong, or the classes overlap.",
            "{n} pictures stand in more than one class, such as {one} ({name}) and {other} ({another}): one of the "
            "labels is wrong, or the classes overlap.",
            n=n,
            one=found.paths[one],
            name=names[found.labels[one]],
            other=found.paths[other],
            another=names[found.labels[other]],
        )
    ]


def _shortcuts(found: Audit) -> Sequence[str]:
    names = list(found.classes)
    sentences = []
    for fact in dict.fromkeys(s.fact for s in found.shortcuts):
        given = [s for s in found.shortcuts if s.fact == fact]
        sentences.append(
            message(
                "shortcut",
                "The {fact} alone gives away the class {names} (it ranks {share} of pairs of pictures rightly, where "
                "50 % is chance): a network may learn that and fail on pictures from elsewhere. Save all classes in "
                "the same way.",
                "The {fact} alone gives away the classes {names} (it ranks {share} of pairs of pictures rightly, "
                "where 50 % is chance): a network may learn that and fail on pictures from elsewhere. Save all "
                "classes in the same way.",
                n=len(given),
                fact=message(f"fact.{fact}", fact),
                names=listed([names[s.label] for s in given]),
                share=f"{given[0].area:.0%}",
            )
        )
    return sentences


def _copies(found: Audit) -> list[str]:
    """Of the same file and of nearly the same picture."""
    return [
        message(
            f"{id}-one" if n == 1 else id, one if n == 1 else several,
            n=n, path=found.paths[families[0][1]], other=found.paths[families[0][0]],
        )
        for families, (id, one, several) in zip((found.copies.exact, found.copies.near), _COPIES, strict=True)
        if (n := sum(len(f) - 1 for f in families))
    ]  # fmt: skip


def _oddities(found: Audit, kind: Kind) -> Sequence[str]:
    sentences = []
    for rule in kind.rules:
        odd = [o for o in found.oddities if o.kind == rule.name]
        if odd:
            example = {"path": found.paths[odd[0].index], "detail": odd[0].detail}
            sentences.append(
                message(f"odd.{rule.name}-one", f"1 {kind.one} {rule.one}: {{path}} ({{detail}}).", **example)
                if len(odd) == 1
                else message(
                    f"odd.{rule.name}",
                    f"{{n}} {kind.several} {rule.several}, such as {{path}} ({{detail}}).",
                    n=len(odd),
                    **example,
                )
            )
    return sentences


def _balance(found: Audit) -> Sequence[str]:
    sentences, counts = [], {name: n for name, n in found.classes.items() if n}
    if len(counts) > 1:
        few, many = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        if counts[many] >= UNEVEN * counts[few]:
            sentences.append(
                message(
                    "uneven",
                    "The class {many} has {x:.1f} times the pictures of {few} ({a} to {b}): read the results class by "
                    "class; more pictures of {few} help most.",
                    many=repr(many),
                    few=repr(few),
                    x=counts[many] / counts[few],
                    a=counts[many],
                    b=counts[few],
                )
            )
    scarce = [name for name, n in counts.items() if n < SCARCE]
    if scarce:
        sentences.append(
            message(
                "scarce",
                "Fewer than {n} pictures of {names}: too few to learn from, or to tell how well it went.",
                n=SCARCE,
                names=listed(scarce),
            )
        )
    return sentences


def _bare(found: Audit) -> list[str]:
    bare = [name for name, n in found.classes.items() if not n]
    if not bare:
        return []
    return [message("bare", "No picture of {names} can be read: nothing can be learned of them.", names=listed(bare))]


def _unreadable(found: Audit) -> list[str]:
    bad = found.unreadable
    if not bad:
        return []
    return [
        message(
            "unreadable-one" if len(bad) == 1 else "unreadable",
            "1 file of {all} cannot be read, such as {path}: {reason}."
            if len(bad) == 1
            else "{n} files of {all} cannot be read, such as {path}: {reason}.",
            n=len(bad),
            all=len(found.paths),
            path=bad[0].path,
            reason=bad[0].reason,
        )
    ]
