"""`embed`: what a network sees in pictures, as numbers: to search, to map, to feed something else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from svertka.api.predict import open_model
from svertka.common.atomic_write import atomic_write
from svertka.data.path_array import counted
from svertka.data.samples import batched, open_samples
from svertka.errors import DataError, ReadError, SvertkaError, UsageError
from svertka.models import Model
from svertka.models.fold_batch_norm import quick
from svertka.records import Unreadable

BATCH = 32


@dataclass(frozen=True, slots=True)
class Embedded:
    """paths (n) and vectors float32 (n, d) of the pictures that could be read, and those that could not."""

    paths: tuple[str, ...]
    vectors: np.ndarray
    unreadable: tuple[Unreadable, ...]

    def similar(
        self, query: np.ndarray, count: int = 5, *, besides: str | Path | None = None
    ) -> list[tuple[str, float]]:
        """The pictures most like a vector (d,), other than the file `besides`: (path, cosine), the most alike first."""
        length = np.linalg.norm(self.vectors, axis=1) * np.linalg.norm(query)
        cosine = self.vectors @ query / np.maximum(length, 1e-12)
        own = None if besides is None else Path(besides).resolve()
        order = (int(i) for i in np.argsort(-cosine, kind="stable"))
        others = (i for i in order if own is None or Path(self.paths[i]).resolve() != own)
        return [(self.paths[i], float(cosine[i])) for i in islice(others, count)]


def embed(model: str | Path | Model, files: Any, *, out: str | Path | None = None) -> Embedded:
    """The pooled features of pictures: what the head of a network sees.

    Args:
        model: what `predict` takes.
        files: one picture or many, in any form that `predict` takes.
        out: write them there: .npz (paths, vectors) or, with pyarrow installed, .parquet.

    Raises:
        RunError: there is no usable model.
        DataError: no picture can be read, or a folder holds none.
        UsageError: the file to write exists, or is of another kind.
    """
    if out is not None:
        _check(Path(out))
    model = open_model(model)
    net = quick(model.net, model.preprocess.shape).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    paths: list[str] = []
    vectors: list[np.ndarray] = []
    bad: list[Unreadable] = []
    for group in batched(open_samples(files, model.preprocess), BATCH):
        pixels = []
        for sample in group:
            try:
                pixels.append(sample.stored(model.preprocess))
                paths.append(sample.name)
            except ReadError as why:
                bad.append(Unreadable(sample.name, why.reason))
        if pixels:
            with torch.inference_mode():
                vectors.append(net.embed(model.preprocess.normalize(np.stack(pixels))).float().numpy())
    if not vectors:
        such = f", such as {bad[0].path}: {bad[0].reason}" if bad else ""
        raise DataError(f"{counted(len(bad), 'file')} named, and none can be read as a picture{such}.")
    found = Embedded(tuple(paths), np.concatenate(vectors), tuple(bad))
    if out is not None:
        _write(found, Path(out))
    return found


def _check(out: Path) -> None:
    if out.exists():
        raise UsageError(f"{out} exists already and is never overwritten; name another file with --out.")
    if out.suffix not in (".npz", ".parquet"):
        raise UsageError(f"--out is a file ending in .npz or .parquet, not {out.name}.")
    if out.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401  # only whether it is there
        except ImportError:
            raise UsageError("Parquet needs pyarrow: `pip install pyarrow`, or name a file ending in .npz.") from None


def _write(found: Embedded, out: Path) -> None:
    try:
        with atomic_write(out) as file:
            if out.suffix == ".npz":
                np.savez(file, paths=np.array(found.paths), vectors=found.vectors)
            else:
                import pyarrow
                import pyarrow.parquet

                columns = {"path": list(found.paths), "vector": list(found.vectors)}
                pyarrow.parquet.write_table(pyarrow.table(columns), file)
    except OSError as why:
        raise SvertkaError(f"{out} cannot be written: {(why.strerror or str(why)).lower()}.") from why
