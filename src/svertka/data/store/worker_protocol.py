"""What the process that builds a store and its decode workers say to each other over pipes.

A message is a length, a JSON object and the bytes of some arrays that the object names. No pickle.
"""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from typing import IO, Any

import numpy as np

from svertka.common.messages import restored, storable
from svertka.kinds.base import Kind

_LENGTHS = struct.Struct("<II")  # of the JSON text, of the array bytes

PATIENCE = 60  # seconds for one file; then the system ends the worker, and its parent knows what for


@lru_cache
def result_of(kind: Kind) -> np.dtype[Any]:
    """What a worker says of one file, beside the sample that it has put into place."""
    return np.dtype(
        [
            ("digest", "u1", (16,)),
            ("size", "<i4", (2,)),
            ("sum", "<u4"),  # CRC-32 of what the store keeps of it: the sample, or what it is packed to
            ("length", "<i4"),  # bytes of what it is packed to; 0 where it is kept as it is, or there is none
            *((name, kind.statistics[name]) for name in kind.statistics.names or ()),
        ]
    )


def send(pipe: IO[bytes], fields: dict[str, Any], *blocks: bytes) -> None:
    """Write one message."""
    text = json.dumps({**storable(fields), "blocks": [len(b) for b in blocks]}).encode()
    pipe.write(b"".join((_LENGTHS.pack(len(text), sum(map(len, blocks))), text, *blocks)))
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[dict[str, Any], list[bytes]] | None:
    """Read one message; None where the other side is gone."""
    head = pipe.read(_LENGTHS.size)
    if len(head) < _LENGTHS.size:
        return None
    text_length, block_length = _LENGTHS.unpack(head)
    text, rest = pipe.read(text_length), pipe.read(block_length)
    if len(text) < text_length or len(rest) < block_length:
        return None
    fields = json.loads(text, object_hook=restored)
    blocks, at = [], 0
    for length in fields["blocks"]:
        blocks.append(rest[at : at + length])
        at += length
    return fields, blocks
