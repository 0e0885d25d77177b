"""All findings of one audit: as records, as JSON, and in sentences that say what to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from svertka.audit.oddities import Oddity, find_oddities
from svertka.audit.shortcuts import Shortcut, find_shortcuts
from svertka.data import Source, Store
from svertka.data.folders.part_names import PART_NAMES, UNDECIDED
from svertka.data.path_array import counted
from svertka.data.sources.groups import Groups
from svertka.data.splitting.near_duplicates import Copies, find_copies
from svertka.kinds.base import Kind
from svertka.records import Unreadable

UNEVEN = 3.0  # times that the largest class may exceed the smallest before it is said
SCARCE = 20  # pictures of a class below which it is said

Family = tuple[int, ...]  # places of files in the source


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
            "skipped": [{"path": u.path, "reason": u.reason} for u in self.skipped],
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


def _leaks(found: Audit) -> list[str]:
    sentences = []
    pairs = Counter(tuple(sorted(_several(found.parts, f) - {UNDECIDED})) for f in found.leaks)
    for parts, n in sorted(pairs.items()):
        names = " and ".join(PART_NAMES[p] for p in parts)
        first = next(f for f in found.leaks if tuple(sorted(_several(found.parts, f) - {UNDECIDED})) == parts)
        one, other = (next(i for i in first if found.parts[i] == p) for p in parts[:2])
        sentences.append(
            f"{counted(n, 'picture stands', 'pictures stand')} in {names} at once, such as {found.paths[one]} and "
            f"{found.paths[other]}: the accuracy there will flatter. Keep each in one of them."
        )
    return sentences


def _disagreements(found: Audit) -> list[str]:
    n = len(found.disagreements)
    if not n:
        return []
    names, family = list(found.classes), found.disagreements[0]
    one, other = family[0], next(i for i in family if found.labels[i] != found.labels[family[0]])
    return [
        f"{counted(n, 'picture stands', 'pictures stand')} in more than one class, such as {found.paths[one]} "
        f"({names[found.labels[one]]}) and {found.paths[other]} ({names[found.labels[other]]}): one of the labels is "
        "wrong, or the classes overlap."
    ]


def _shortcuts(found: Audit) -> list[str]:
    names = list(found.classes)
    sentences = []
    for fact in dict.fromkeys(s.fact for s in found.shortcuts):
        told = [s for s in found.shortcuts if s.fact == fact]
        which = ", ".join(repr(names[s.label]) for s in told[:3]) + (
            f" and {len(told) - 3} more" if len(told) > 3 else ""
        )
        sentences.append(
            f"The {fact} alone gives away {'the class' if len(told) == 1 else 'the classes'} {which} (it ranks "
            f"{told[0].area:.0%} of pairs of pictures rightly, where 50 % is chance): a network may learn that and "
            "fail on pictures from elsewhere. Save all classes in the same way."
        )
    return sentences


def _copies(found: Audit) -> list[str]:
    sentences = []
    for families, how in ((found.copies.exact, "is the same file"), (found.copies.near, "is nearly the same picture")):
        more = sum(len(f) - 1 for f in families)
        if more:
            one, other = families[0][:2]
            sentences.append(
                f"{counted(more, 'file is', 'files are')} there once more: {found.paths[other]} {how} as "
                + found.paths[one]
                + (", and so on." if more > 1 else ".")
                + " A split that svertka makes keeps them on one side."
            )
    return sentences


def _oddities(found: Audit, kind: Kind) -> list[str]:
    sentences = []
    for rule in kind.rules:
        odd = [o for o in found.oddities if o.kind == rule.name]
        if odd:
            example = f"{found.paths[odd[0].index]} ({odd[0].detail})"
            sentences.append(
                f"1 {kind.one} {rule.one}: {example}."
                if len(odd) == 1
                else f"{len(odd):,} {kind.several} {rule.several}, such as {example}."
            )
    return sentences


def _balance(found: Audit) -> list[str]:
    sentences, counts = [], {name: n for name, n in found.classes.items() if n}
    if len(counts) > 1:
        few, many = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        if counts[many] >= UNEVEN * counts[few]:
            sentences.append(
                f"The class {many!r} has {counts[many] / counts[few]:.1f} times the pictures of {few!r} "
                f"({counts[many]:,} to {counts[few]:,}): read the results class by class; more pictures of {few!r} "
                "help most."
            )
    scarce = [name for name, n in counts.items() if n < SCARCE]
    if scarce:
        them = ", ".join(map(repr, scarce[:3])) + (f" and {len(scarce) - 3} more" if len(scarce) > 3 else "")
        sentences.append(f"Fewer than {SCARCE} pictures of {them}: too few to learn from, or to tell how well it went.")
    return sentences


def _bare(found: Audit) -> list[str]:
    bare = [name for name, n in found.classes.items() if not n]
    if not bare:
        return []
    them = ", ".join(map(repr, bare[:3])) + (f" and {len(bare) - 3} more" if len(bare) > 3 else "")
    return [f"No picture of {them} can be read: nothing can be learned of them."]


def _unreadable(found: Audit) -> list[str]:
    bad = found.unreadable
    if not bad:
        return []
    return [
        f"{counted(len(bad), 'file')} of {len(found.paths):,} cannot be read, such as {bad[0].path}: {bad[0].reason}."
    ]
