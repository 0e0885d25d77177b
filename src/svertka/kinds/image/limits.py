"""Files from strangers: how large a picture may be, and what to say of one that cannot be decoded.

- A file that would need more than MEMORY bytes, or claims more than PIXELS pixels, is refused from its
  header.
- Whatever a damaged or hostile file provokes becomes one ReadError with a short reason.
"""

from __future__ import annotations

import re
import struct
import threading
import warnings
import zlib

from PIL import Image, UnidentifiedImageError

from svertka.errors import ReadError
from svertka.kinds.image.formats import other_kind, picture_format

PIXELS = 2**27  # the most that a header may claim, whatever the format
MEMORY = 450_000_000  # bytes that decoding one file may take, the file itself included
PASSES = 500  # of a progressive JPEG: an honest one has about ten, a hostile one makes each cost seconds


class Refused(Exception):
    """A file is turned down for a reason that is already in words."""


def check_size(height: int, width: int, needed: int = 0) -> None:
    """Raise Refused for a picture that claims too many pixels, or needs too many bytes to decode."""
    if height * width > PIXELS or needed > MEMORY:
        raise Refused(f"it claims {width} x {height} pixels, too large to decode safely")


def check_passes(jpeg: bytes) -> None:
    """Raise Refused for a JPEG that is drawn in more passes than any honest one."""
    if jpeg.count(b"\xff\xda") > PASSES:
        raise Refused(f"it is a progressive JPEG of more than {PASSES} passes, too slow to decode safely")


def read_error(why: Exception, data: bytes, path: str) -> ReadError:
    """The error for a file whose decoding failed as `why` says."""
    return ReadError(path, _reason(why, data))


def _reason(why: Exception, data: bytes) -> str:
    if not data:
        return "the file is empty"
    if isinstance(why, Refused):
        return str(why)
    if isinstance(why, Image.DecompressionBombError):
        claimed = re.search(r"\((\d+) pixels\)", str(why))
        return f"it claims {claimed[1] if claimed else 'too many'} pixels, too large to decode safely"
    if isinstance(why, MemoryError):
        return "there is not enough memory to decode it"
    if isinstance(why, UnidentifiedImageError):
        kind = picture_format(data[:16])
        if kind == "TIFF" and (form := _tiff_form(data)):
            return form
        return f"the {kind} picture has a damaged header" if kind else other_kind(data[:160])
    if isinstance(why, OSError | EOFError | struct.error) and re.search("truncated|end of", str(why), re.I):
        return "the picture is cut short"
    if isinstance(why, zlib.error):
        return "the compressed pixels are damaged"
    return "the picture is damaged"


def _tiff_form(data: bytes) -> str:
    """The bands and bits of a TIFF that is not read (TIFF 6.0, section 2); "" where it does not say."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        start = struct.unpack_from(order + "I", data, 4)[0]
        count = struct.unpack_from(order + "H", data, start)[0]
        tags = {}
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, form, number = struct.unpack_from(order + "HHI", data, place)
            at = place + 8 if number <= 2 else struct.unpack_from(order + "I", data, place + 8)[0]
            tags[tag] = struct.unpack_from(order + "H", data, at)[0] if form == 3 else 0
    except struct.error:
        return ""
    bands, bits = tags.get(277, 1), tags.get(258, 1)
    if not 0 < bits <= 64 or (bands in (1, 3, 4) and bits == 8):
        return ""
    return f"it is a TIFF of {bands} bands of {bits} bits, which is not read; save it as 1 or 3 bands of 8 or 16 bits"


class _Quiet:
    """No warnings from Pillow inside `with quiet_pillow:`, in any thread.

    `warnings.catch_warnings` is not made for threads that enter and leave in any order; so the first to enter
    changes the filters, and the last to leave puts them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\b")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._saved.__exit__(None, None, None)


quiet_pillow = _Quiet()
