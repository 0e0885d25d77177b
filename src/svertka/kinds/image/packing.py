"""Pictures as JPEG at the store's size: where decoded ones would not fit the cache. Lossy."""

from __future__ import annotations

import numpy as np
import simplejpeg

from svertka.kinds.base import Array

QUALITY = 92  # with color at full resolution


class JpegPacker:
    """Packs pictures of so many channels."""

    def __init__(self, channels: int) -> None:
        self._space = "GRAY" if channels == 1 else "RGB"

    def pack(self, sample: Array) -> bytes:
        """One picture, uint8 (h, w, c), as JPEG."""
        sub = "Gray" if self._space == "GRAY" else "444"
        found: bytes = simplejpeg.encode_jpeg(
            np.ascontiguousarray(sample), quality=QUALITY, colorspace=self._space, colorsubsampling=sub
        )
        return found

    def unpack(self, data: bytes) -> Array:
        """And back."""
        found: Array = simplejpeg.decode_jpeg(data, self._space)
        return found

    def packed_size(self, numbers: int) -> int:
        """About what a picture of so many numbers takes, in bytes; headers count where it is small."""
        return 650 + numbers // 5
