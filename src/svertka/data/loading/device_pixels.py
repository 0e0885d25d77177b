"""Pictures where batches are made: on a GPU all of them, once for all loaders that read them, where they fit.

Where they do not, they stay in the processor's memory, and each batch is gathered there and sent: from pinned memory
and without waiting, so that the copy runs beside the step before. It is varied and normalized on the GPU either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor

from svertka.data.store.compressed_pixels import Packed

SHARE = 0.5  # of a GPU's free memory may hold pictures: the rest is for training


@dataclass(eq=False)
class Resident:
    """All pictures as a tensor on a device, beside the array that they came from."""

    source: np.ndarray
    pixels: Tensor


_there: WeakValueDictionary[tuple[int, str], Resident] = WeakValueDictionary()  # as long as a loader holds it


def resident(pixels: np.ndarray, device: torch.device) -> Resident | None:
    """The pictures, uint8 (n, h, w, c), on a device, the same tensor for all who ask; None where they are too many."""
    key = id(pixels), str(device)  # the array lives as long as the entry, so nobody else has its id
    found = _there.get(key)
    if found is None:
        if pixels.nbytes > SHARE * room(device):
            return None
        found = _there[key] = Resident(pixels, torch.from_numpy(pixels).to(device))
    return found


def room(device: torch.device) -> float:
    """Bytes that are free on a device; endless where it does not say."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")


class Sent:
    """Pictures that stay in the processor's memory, decoded or as JPEG, asked as a tensor on the device is."""

    def __init__(self, pixels: np.ndarray | Packed, device: torch.device) -> None:
        self.pixels, self.device = pixels, device
        self._rows = torch.from_numpy(pixels) if isinstance(pixels, np.ndarray) else None

    def __len__(self) -> int:
        return len(self.pixels)

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Pictures on the device, along the one dimension that they are kept in; `index` is on the processor."""
        if self._rows is not None:
            return send(self._rows.index_select(dim, index), self.device)
        return send(torch.from_numpy(self.pixels[index.numpy()]), self.device)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the processor's on a device, without waiting for it to arrive."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
