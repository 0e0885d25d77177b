"""Words for people: numbers and amounts in them, and texts that grow too long."""

from __future__ import annotations


def shorten(text: str, most: int = 160) -> str:
    """At most so many characters on one line; what is left out of the middle is an ellipsis.

    >>> shorten("a" * 20, 9), shorten("two\\nlines")
    ('aaaa…aaaa', 'two lines')
    """
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    head = most // 2
    return f"{line[:head]}…{line[head + 1 - most :]}"


def reason(why: OSError) -> str:
    """Why the system could not, in a few words.

    >>> reason(FileNotFoundError(2, "No such file or directory", "x"))
    'no such file or directory'
    """
    return (why.strerror or str(why)).lower()
