"""The segments of a JPEG before its first scan: where its tables and its EXIF block are, and where they end."""

from __future__ import annotations

from collections.abc import Iterator

_SCAN = 0xDA
_BARE = frozenset([0x00, 0x01, 0xFF, *range(0xD0, 0xDA)])  # markers without contents, and what is no marker


def segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of the contents of each segment, up to the first scan or to what no decoder expects."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and (marker := jpeg[at + 1]) not in _BARE:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if length < 2:
            return
        yield marker, at + 4, min(at + 2 + length, len(jpeg))
        if marker == _SCAN:
            return
        at += 2 + length


def scan_start(jpeg: bytes) -> int:
    """How many bytes stand before the data of the first scan; all of them where that is not to be told."""
    return next((end for marker, _, end in segments(jpeg) if marker == _SCAN), len(jpeg))
