"""Which part of the data a name speaks of: one vocabulary for folders, archives, tables and shards."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

from svertka.common.messages import message

UNDECIDED, TRAIN, VALIDATION, TEST = range(4)
PART_NAMES = ("undecided", "train", "validation", "test")
PLAIN = {"train": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "test": TEST}

_WORDS = {
    TRAIN: "train training trainings trn learn learning fit обучение обучающая обучающие тренировка тренировочная "
    "entrenamiento apprentissage 训练",
    VALIDATION: "val valid validation validate validating vali dev devel development holdout heldout eval evaluation "
    "evaluate crossval проверка валидация проверочная валидационная validacion 验证",
    TEST: "test testing tests tst тест тестовая тестовые prueba 测试",
}
_SHORT = {"tr": TRAIN, "va": VALIDATION, "vl": VALIDATION, "te": TEST, "ts": TEST}  # other words too, such as languages
# What stands beside such a word and says nothing of its own.
_FILLER = (
    "set sets data dataset datasets seg image images img imgs pic pics picture pictures photo photos split splits part "
    "parts fold folder folders dir sample samples files full final new orig original raw resized cropped small large "
    "cross x выборка выборки данные набор 集"
)
# Folders of such names hold samples, or what is said of them; they are no classes where all of a level are such.
_CONTAINER = (
    "annotation annotations mask masks label labels labeled groundtruth gt truth bbox bboxes boxes segmentation "
    "segmentations metadata meta unlabeled unlabelled unknown extra color colour rgb gray grey grayscale greyscale jpg "
    "jpeg jpegs jpegimages png pngs"
)
_FILLERS = frozenset(_FILLER.split())
_CONTAINERS = _FILLERS | frozenset(_CONTAINER.split())


@functools.cache
def _known() -> dict[str, int]:
    """word -> part, with what is often written as one: trainset, testdata, segtrain."""
    words = {word: part for part, text in _WORDS.items() for word in text.split()}
    joined = {
        one: part for word, part in words.items() for filler in _FILLERS for one in (word + filler, filler + word)
    }
    return joined | words


def _words(name: str) -> list[str]:
    """The words of a name in lower case: without digits, and apart where a capital begins one."""
    text = unicodedata.normalize("NFC", name)
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).casefold())


def part_of(name: str) -> int:
    """The part that a name as a whole means; 0 where it means none, or several.

    >>> [part_of(name) for name in ("Training", "seg_test", "val-set", "test1", "train_tracks")]
    [1, 3, 2, 3, 0]
    """
    words = _words(name)
    whole = _known().get("".join(words), _SHORT.get("".join(words), UNDECIDED))
    if whole:
        return whole
    parts = {_known().get(word, UNDECIDED) for word in words if word not in _FILLERS}
    return parts.pop() if len(parts) == 1 else UNDECIDED


def part_within(name: str) -> int:
    """The part that some word of a longer name means; 0 where none does, or several do.

    >>> part_within("birds-train-000001"), part_within("training"), part_within("train-test")
    (1, 1, 0)
    """
    parts = {part for word in _words(name) if (part := _known().get(word, UNDECIDED))}
    return parts.pop() if len(parts) == 1 else UNDECIDED


def is_container(name: str) -> bool:
    """Whether a folder of that name holds samples of any class, as `images` does, or what is said of them."""
    words = _words(name)
    return bool(words) and all(word in _CONTAINERS for word in words)


def is_short(name: str) -> bool:
    """Whether a name means a part only beside others, as `tr` does, which may be a language as well."""
    return "".join(_words(name)) in _SHORT


def part_names(parts: Sequence[int]) -> str:
    """What parts are called: "train and validation"."""
    name = PART_NAMES[parts[-1]]
    last = message(f"part.{name}", name)
    if len(parts) == 1:
        return last
    return message("parts", "{one} and {other}", one=part_names(parts[:-1]), other=last)
