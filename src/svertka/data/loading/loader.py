"""Batches from the store: gathered, varied and normalized as tensors, in an order that only (seed, epoch) decide.

There are no worker processes to feed a small network: a batch is one gather from the memory map and one
multiply-add, and the pixels already lie in channels-last order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.common.counter_rng import Stream, mix, uniform
from svertka.data.loading.batch_buffers import Buffers
from svertka.data.loading.device_pixels import Resident, Sent, resident, send
from svertka.data.loading.prefetch import ahead
from svertka.data.store.columnar import MappedFile, mapped_memory
from svertka.data.store.compressed_pixels import Packed
from svertka.kinds.base import Augment, Preprocess

LOOKED_AT = 1 << 27  # bytes of a mapped store after which the process lets go of them
AT_ONCE = 1 << 20  # numbers of pixels that are varied at once: of small pictures several batches, which costs less


class Batch(NamedTuple):
    """x float (b, c, h, w) channels-last, y int64 (b,), index int64 (b,) into the store.

    Where pictures are mixed, y is float (b, classes): the share of each class.
    """

    x: Tensor
    y: Tensor
    index: Tensor


class Loader:
    """Batches of some of the store's pictures, shuffled and varied for training or in order for measuring.

    Args:
        pixels: uint8 (n, h, w, c), the store's memory map or packed pictures, or any array.
        labels: (n,) the class of every picture in the store.
        index: (m,) which pictures of the store take part.
        preprocess: how pixels become network input.
        batch: pictures a step; the last batch of a pass is smaller unless they are `even`.
        seed: shuffles and augments by it; None keeps the order and the pictures.
        augment: how training pictures are varied.
        balanced: draw every class equally often; a pass is as long as ever, a picture that comes twice is varied anew.
        even: share a pass out into batches of equal size, up to one picture, so that none is left over or tiny: as few
            as have no more than `batch`, or fewer where they would have less than `least`.
        least: pictures that an even batch has at least, where there are so many.
        classes: columns of y where pictures are mixed; as many as there are labels where None.
        rank, size: of so many processes, this one takes its share: of every batch where pictures are shuffled, of all
            pictures where they are not. Shares differ by one picture at most, and may be empty.
        device: where batches are made.
    """

    def __init__(
        self,
        pixels: np.ndarray | Packed,
        labels: np.ndarray,
        index: np.ndarray,
        preprocess: Preprocess,
        *,
        batch: int,
        seed: int | None = None,
        augment: Augment | None = None,
        balanced: bool = False,
        even: bool = False,
        least: int = 2,
        classes: int | None = None,
        device: str | torch.device = "cpu",
        rank: int = 0,
        size: int = 1,
    ) -> None:
        self.device = torch.device(device)
        self.pixels, self._resident = _placed(pixels, self.device)
        self.labels = torch.from_numpy(labels.astype(np.int64))
        self.index = torch.from_numpy(np.asarray(index, dtype=np.int64))
        self.total, self.rank, self.size = len(self.index), rank, size
        if seed is None:
            self.index = self._share(self.index)
        self.preprocess, self.seed, self.augment = preprocess, seed, augment or Augment()
        self.batch = min(batch, max(1, len(self.index)))
        self.balanced = balanced
        self.sizes = _sizes(len(self.index), self.batch, min(least, batch) if even else None)  # of a pass's batches
        self.classes = int(self.labels.max()) + 1 if classes is None else classes
        self._buffers: Buffers | None = None  # kept from pass to pass
        self._mapped = pixels if isinstance(pixels, MappedFile) else None
        self._least = mapped_memory()  # bytes of files in this process when little of that one was
        # whoever gathers pictures knows their numbers where the pictures are
        self.pool, self._labels = self.index.to(self._gathers), self.labels
        self.labels = self.labels.to(self._gathers)

    @property
    def _gathers(self) -> torch.device:
        """Where pictures are gathered: on the device if they are there, else on the processor."""
        return torch.device("cpu") if isinstance(self.pixels, Sent) else self.device

    def __len__(self) -> int:
        """Batches in one pass."""
        return len(self.sizes)

    def order(self, epoch: int) -> Tensor:
        """The samples of one pass, in order: int64, each an index into the store.

        A picture that comes again in the same pass (`balanced`) is another sample: its index plus the size of the
        store for each time before.
        """
        if self.seed is None:
            return self.index
        generator = torch.Generator().manual_seed(mix(self.seed, epoch))
        samples = self._equal_shares(generator) if self.balanced else self.index
        return samples[torch.randperm(len(samples), generator=generator)]

    def _equal_shares(self, generator: torch.Generator) -> Tensor:
        labels, n = self._labels[self.index], len(self.index)
        classes = labels.unique()
        shares = []
        for k, label in enumerate(classes.tolist()):
            there = self.index[labels == label]
            there = there[torch.randperm(len(there), generator=generator)]
            place = torch.arange(n * k // len(classes), n * (k + 1) // len(classes)) - n * k // len(classes)
            shares.append(there[place % len(there)] + place // len(there) * len(self.pixels))
        return torch.cat(shares)

    def epoch(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """The batches of one pass, from batch number `start` on; what is decoded or sent, is so ahead of the caller."""
        batches = self._batches(epoch, start)
        return ahead(batches) if isinstance(self.pixels, Sent) else batches

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        order = self.order(epoch).to(self._gathers).split(self.sizes)
        shape = self.preprocess.stored
        batch = max(self.sizes, default=1) * int(np.prod(shape))  # numbers
        if self._buffers is None and batch >= AT_ONCE and self.device.type == "cpu":
            self._buffers = Buffers(batch)  # smaller ones the C library keeps itself
        together = 1 if isinstance(self.pixels, Sent) else max(1, AT_ONCE // batch)
        for first in range(start, len(order), together):
            batches = order[first : first + together]
            if self.seed is not None:
                batches = tuple(map(self._share, batches))
            for pixels, y, index, chosen in self._parts(batches, epoch):
                out = self._buffers.take(len(index), *shape) if self._buffers else None
                yield Batch(self.preprocess.normalize(pixels, out, chosen), y, index)
                self._forget()

    def _parts(self, batches: Sequence[Tensor], epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
        """Of each batch of samples: pixels, y, its pictures, and which of the pixels are its own (all where None)."""
        if self.pristine and len(batches) == 1 and isinstance(self.pixels, Tensor):  # gathered as they are normalized
            index = batches[0] % len(self.pixels) if self.balanced else batches[0]
            yield self.pixels, self.labels[index], index, index
            return
        samples, sizes = torch.cat(list(batches)), [len(b) for b in batches]
        index = samples % len(self.pixels) if self.balanced else samples
        for pixels, y, of in zip(*(t.split(sizes) for t in (*self.varied(samples, epoch), index)), strict=True):
            yield pixels, y, of, None

    def _forget(self) -> None:
        """Keep no more of a store in this process than LOOKED_AT: the system has what lies on the disk."""
        if self._mapped is None or self._mapped.nbytes <= LOOKED_AT:
            return
        now = mapped_memory()
        if now > self._least + LOOKED_AT:
            self._mapped.release()
            now = mapped_memory()
        self._least = min(self._least, now)

    @property
    def pristine(self) -> bool:
        """Whether pictures come as they are in the store."""
        return self.seed is None or self.augment.none

    def _share(self, samples: Tensor) -> Tensor:
        return samples.tensor_split(self.size)[self.rank]

    def varied(self, samples: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Pixels uint8 (b, h, w, c) of these samples as this pass sees them, and their y."""
        index = samples % len(self.pixels) if self.balanced else samples
        pixels, y = self.pixels.index_select(0, index), self._here(self.labels[index])  # (b, h, w, c), (b,)
        if self.seed is None:
            return pixels, y
        pixels = self.augment(pixels, self._here(samples), self.seed, epoch)
        return self._mixed(pixels, y, samples, epoch) if self.augment.mixes else (pixels, y)

    def _here(self, tensor: Tensor) -> Tensor:
        """On the device, if it is not there yet."""
        return send(tensor, self.device) if isinstance(self.pixels, Sent) else tensor

    def _mixed(self, pixels: Tensor, y: Tensor, samples: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Join each picture with another of the training part, varied too."""
        seed = self.seed or 0
        index = partners(self.pool, samples, seed, epoch)
        others = self.augment(self.pixels.index_select(0, index), self._here(index), seed, epoch)
        targets = (F.one_hot(labels, self.classes).float() for labels in (y, self._here(self.labels[index])))
        return self.augment.mix((pixels, others), tuple(targets), self._here(samples), seed, epoch)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch()


def partners(pool: Tensor, samples: Tensor, seed: int, epoch: int) -> Tensor:
    """Which sample of `pool` (m,) each of `samples` (n,) meets where two are mixed: int64 (n,)."""
    return pool[(uniform(seed, epoch, samples, Stream.PARTNER) * len(pool)).long().clamp_(max=len(pool) - 1)]


def _sizes(pictures: int, batch: int, least: int | None) -> list[int]:
    """Of the batches of a pass: `batch` each and what is left, or with `least` equal ones.

    >>> _sizes(63, 32, None), _sizes(65, 32, 2), _sizes(3, 2, 2)
    ([32, 31], [22, 22, 21], [3])
    """
    count = -(-pictures // batch)
    if least is None or not count:
        return [min(batch, pictures - batch * k) for k in range(count)]
    count = max(1, min(count, pictures // least))
    return [(pictures + k) // count for k in reversed(range(count))]


def _placed(pixels: np.ndarray | Packed, device: torch.device) -> tuple[Tensor | Sent, Resident | None]:
    """The pictures as they are gathered from, and what keeps them on the device."""
    if isinstance(pixels, np.ndarray):
        if device.type == "cpu":
            return torch.from_numpy(pixels), None
        if there := resident(pixels, device):
            return there.pixels, there
    return Sent(pixels, device), None
