"""What a backbone says of pictures, computed once and kept in the user's cache.

A picture's features are found again by what they depend on: the backbone's weights and structure, the preprocessing,
the view, and the digest of the file's bytes. So other data sets, other splits and other heads all use them, and an
interrupted extraction goes on where it was. The folder of one backbone and view holds parts of some hundred pictures:

    NAME.npz   digests uint8 (n, 16), vectors float32 (n, d); the archive's own checksums tell damaged ones

A part is written aside and renamed: it is whole or not there. A part that cannot be read is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from svertka.cache.folders import cache_folder
from svertka.cache.locks import COUNTED, LOCK, hold
from svertka.cache.quota import make_room, room
from svertka.common.atomic_write import write_npz
from svertka.data.store.store import VERSION as STORE_VERSION
from svertka.hardware.device import machine
from svertka.hardware.parallel_inference import Streams, ways
from svertka.kinds.base import Augment
from svertka.models.fold_batch_norm import folded, quick
from svertka.transfer.backbones import Backbone

VERSION = 1  # of what is written here; features of another version are not looked at
FLUSH = 5.0  # seconds of work that an interruption may cost

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class View:
    """How pictures are varied before the backbone sees them: the `number`-th time by `augment`; 0 not at all."""

    number: int = 0
    augment: Augment = field(default_factory=Augment)


PLAIN = View()


def extract(
    backbone: Backbone,
    pixels: np.ndarray,
    digests: np.ndarray,
    index: np.ndarray,
    *,
    view: View = PLAIN,
    device: str = "cpu",
    progress: Progress | None = None,
) -> torch.Tensor:
    """The features of some of the store's pictures: float32 (m, d), in the order of `index`.

    Args:
        backbone: what looks; its preprocessing is the one the store was made with, but for mean and deviation.
        pixels: uint8 (n, h, w, c), the store's memory map.
        digests: uint8 (n, 16), of the bytes of each file.
        index: (m,) which pictures.
        view: how they are varied; a function of the picture's content.
        device: where the backbone computes.
        progress: called with (done, total) pictures as they are computed; with done 0 when all is ready for the first.
    """
    with _in_use(cache_folder("features") / key(backbone, view)) as shelf:
        known = dict(read_parts(shelf))
        missing = [i for i in index.tolist() if digests[i].tobytes() not in known]
        missing = list({digests[i].tobytes(): i for i in missing}.values())  # the same file twice is one
        fresh: list[tuple[bytes, np.ndarray]] = []
        saved, done = time.perf_counter(), 0
        try:
            for some, vectors in _compute(backbone, pixels, digests, missing, view, device):
                fresh += [(digests[i].tobytes(), v) for i, v in zip(some, vectors, strict=True)]
                done += len(some)
                if progress is not None:
                    progress(done, len(missing))
                if time.perf_counter() - saved > FLUSH:
                    write_part(shelf, fresh)
                    known |= fresh
                    fresh, saved = [], time.perf_counter()
        finally:  # also when interrupted: the next run goes on from here
            write_part(shelf, fresh)
        known |= fresh
    return torch.from_numpy(np.stack([known[digests[i].tobytes()] for i in index.tolist()]))


@contextlib.contextmanager
def _in_use(shelf: Path) -> Iterator[Path]:
    """A folder of features that does not leave the cache meanwhile (cache/quota.py), and was used just now."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a cache that may only be read, or not even that
            shelf.mkdir(parents=True, exist_ok=True)
            lock = hold(shelf / LOCK, shared=True, patience=COUNTED)
            if lock is not None:
                stack.callback(lock.close)
            os.utime(shelf / LOCK)
        yield shelf


def _compute(
    backbone: Backbone, pixels: np.ndarray, digests: np.ndarray, missing: list[int], view: View, device: str
) -> Iterator[tuple[list[int], np.ndarray]]:
    if not missing:
        return
    net = (quick if device == "cpu" else folded)(backbone.net, backbone.preprocess.shape)
    net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def look(which: slice) -> np.ndarray:
        some = missing[which]
        batch = torch.from_numpy(pixels[some]).to(device)  # (b, h, w, c)
        if view.number:
            names = torch.from_numpy(digests[some][:, :8].copy().view(np.int64)[:, 0]).to(device)
            batch = view.augment(batch, names, 0, view.number)
        with torch.inference_mode():
            vectors: np.ndarray = net.embed(backbone.preprocess.normalize(batch)).float().cpu().numpy()  # (b, d)
        return vectors

    yield [], np.empty((0, 0), np.float32)  # ready
    for which, vectors in streams(backbone, device).run(look, len(missing)):
        yield missing[which], vectors


def streams(backbone: Backbone, device: str = "cpu") -> Streams:
    """How this machine looks through a backbone quickest, as far as that is known already."""
    facts = [VERSION, machine(), torch.get_num_threads(), device, backbone.name, backbone.preprocess.shape]
    name = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()
    return Streams(f"look-{name}", ways(device))


def key(backbone: Backbone, view: View) -> str:
    """The name of the folder for the features of one backbone and one view."""
    facts = {
        "version": [VERSION, STORE_VERSION],
        "backbone": backbone.digest,
        "preprocess": backbone.preprocess.to_dict(),
        "view": [view.number, repr(view.augment)] if view.number else 0,
    }
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()


def read_parts(shelf: Path) -> Iterator[tuple[bytes, np.ndarray]]:
    """All (digest, vector) in a folder; parts that are damaged are passed over."""
    for path in sorted(shelf.glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
                digests, vectors = part["digests"], part["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue  # computed again
        if digests.shape == (len(vectors), 16) and digests.dtype == np.uint8 and vectors.ndim == 2:
            yield from zip((d.tobytes() for d in digests), vectors, strict=True)


def write_part(shelf: Path, rows: list[tuple[bytes, np.ndarray]]) -> bool:
    """Add rows to a folder; False where there is no room or it cannot be written: they are computed again next time."""
    if not rows:
        return True
    digests = np.frombuffer(b"".join(d for d, _ in rows), np.uint8).reshape(-1, 16)
    name = hashlib.blake2b(digests.tobytes(), digest_size=16).hexdigest()
    try:
        shelf.mkdir(parents=True, exist_ok=True)  # which may have been deleted meanwhile
        needed = sum(len(d) + v.nbytes for d, v in rows)
        if needed > room(shelf.parent):
            return False
        make_room(shelf.parent, needed)
        write_npz(shelf / f"{name}.npz", {"digests": digests, "vectors": np.stack([v for _, v in rows])})
    except OSError:
        return False
    return True
