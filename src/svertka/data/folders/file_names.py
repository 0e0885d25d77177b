"""Names of files and classes: what the eye takes for one name is one name."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from svertka.kinds.image.formats import EXTENSIONS

_UNSEEN = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))  # zero-width space, joiner and mark, soft hyphen
# letters of other alphabets that print like Latin ones
_ALIKE = str.maketrans("авекмнорстухіѕјԁɡαορυνι", "abekmhopctyxisjdgaopuvi")
_SHOWN = 4  # names that a sentence spells out


def class_name(name: str) -> str:
    """A name as it is shown and compared: composed (NFC), without spaces at its ends and what has no width.

    >>> class_name("e\u0301te\u0301 ") == "\u00e9t\u00e9"
    True
    """
    if name.isascii():
        return re.sub(" +", " ", name).strip() or name
    text = unicodedata.normalize("NFC", name).translate(_UNSEEN)
    return re.sub(r"[ \u00a0\u2002-\u200a\u202f\u3000]+", " ", text).strip() or name


def by_eye(name: str) -> str:
    """A key that is the same for names which look the same, whatever their case or alphabet."""
    return class_name(name).casefold().translate(_ALIKE)


def in_words(names: Iterable[str]) -> str:
    """Names as a person would list them.

    >>> in_words("abc"), in_words("abcdef")
    ("'a', 'b' and 'c'", "'a', 'b', 'c', 'd' and 2 more")
    """
    names = list(names)
    shown = [repr(name) for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        shown.append(f"{len(names) - _SHOWN} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def has_picture_extension(name: str) -> bool:
    """Whether the name alone makes the file a picture."""
    return extension(name) in EXTENSIONS


def extension(name: str) -> str:
    """The extension in lower case without its dot; "" where there is none.

    >>> extension("Cat.JPG"), extension("README")
    ('jpg', '')
    """
    stem, dot, last = name.rpartition(".")
    return last.lower() if dot and stem else ""


# Where a class stands in the name of a file: cat.0.jpg and cat (1).jpg, 0001_cat.jpg, cat-left-a.jpg
_PATTERNS = (
    r"([^/]*[^\W\d_])[ ._(-]*\d+\)?\.[^./]+$",
    r"(?:^|/)\d+[ ._-]+([^/]*[^\W\d_])\.[^./]+$",
    r"(?:^|/)([^\W\d_]+)[ ._-][^/]*$",
)


def class_pattern(paths: Sequence[str]) -> tuple[str, list[str]] | None:
    """A pattern that finds classes in the names of files, and the classes; None where names hold none.

    >>> class_pattern(["cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "dog.1.jpg"])[1]
    ['cat', 'dog']
    """
    for pattern in _PATTERNS:
        found = Counter(match[1] for path in paths if (match := re.search(pattern, path)))
        if 2 <= len(found) <= max(2, len(paths) // 2) and found.total() >= 0.9 * len(paths):
            return pattern, sorted(found)
    return None
