"""Sentences that outlive the process: an id and values, from which a reader's language is drawn.

    note = message("growing", "Pictures grow from {first} to {last} pixels.", first=20, last=32)

`note` is the English sentence, a `str` like any other, so that whatever prints strings prints it. A run folder keeps
`storable(note)`: {"id": "growing", "values": {"first": 20, "last": 32}, "text": "Pictures grow ..."}. Whoever looks
for a sentence compares ids, so that it may be worded anew. A value may be a message itself.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Value = str | int | float
_KEYS = {"id", "values", "text"}  # of a stored message


class Message(str):
    """An English sentence that knows its id, and the values that were put into it."""

    id: str
    values: Mapping[str, Value]

    def __new__(cls, text: str, id: str, values: Mapping[str, Value]) -> Message:
        """`text` is the sentence, already filled."""
        made = super().__new__(cls, text)
        made.id, made.values = id, values
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (str(self), self.id, self.values)


def message(id: str, one: str, many: str | None = None, /, **values: Value) -> Message:
    """A sentence with its {places} filled; `many` where it counts something, for any `n` but 1.

    >>> message("left-aside", "{n} file was left aside", "{n} files were left aside", n=1200)
    '1,200 files were left aside'

    Raises:
        TypeError: a value is neither text nor a Python number.
    """
    for name, value in values.items():
        if not isinstance(value, Value):
            raise TypeError(f"{name} of the message {id!r} is a {type(value).__name__}, which JSON has no form for.")
    return Message(fill(one if many is None or values["n"] == 1 else many, values), id, values)


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names in quotation marks, and how many more there are.

    >>> listed(["a", "b", "c", "d"])
    "'a', 'b', 'c' and 1 more"
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def storable(thing: Any) -> Any:
    """The same for JSON, every message in it as an object."""
    if isinstance(thing, Message):
        return {"id": thing.id, "values": storable(dict(thing.values)), "text": str(thing)}
    if isinstance(thing, Mapping):
        return {key: storable(value) for key, value in thing.items()}
    return [storable(value) for value in thing] if isinstance(thing, list | tuple) else thing


def restored(fields: dict[str, Any]) -> Any:
    """A stored message as a message, any other object as it is: the `object_hook` of `json.loads`."""
    if fields.keys() != _KEYS:
        return fields
    text, id, values = fields["text"], fields["id"], fields["values"]
    if not (isinstance(text, str) and isinstance(id, str) and isinstance(values, dict)):
        return fields
    return Message(text, id, values)


def id_of(sentence: str) -> str | None:
    """The id of a message; None of any other sentence, as the notes of older runs are."""
    return sentence.id if isinstance(sentence, Message) else None


def fill(sentence: str, values: Mapping[str, Any], write: Callable[[Any, str], str] | None = None) -> str:
    """`sentence` with its {places} filled: whole numbers as 1,797; `write` (value, format) says otherwise."""
    return _Filling(write or _english).vformat(sentence, (), values)


def _english(value: Any, form: str) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return format(value, form or ("," if whole else ""))


class _Filling(string.Formatter):
    def __init__(self, write: Callable[[Any, str], str]) -> None:
        self.write = write

    def format_field(self, value: Any, format_spec: str) -> str:
        return self.write(value, format_spec)
