"""The built-in digits: 1,797 handwritten digits, the test part of UCI's optdigits in scikit-learn's copy."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from svertka.data.path_array import Paths
from svertka.data.sources.readers import DigitsReader
from svertka.data.sources.source import Source


def digits_table() -> np.ndarray:
    """uint8 (1797, 65): 64 pixels of 0..16 row by row, then the digit."""
    # The file is read directly: importing scikit-learn takes a second, the file a few milliseconds.
    spec = importlib.util.find_spec("sklearn")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        packed = Path(root, "datasets", "data", "digits.csv.gz")
        if packed.is_file():
            numbers = gzip.decompress(packed.read_bytes()).replace(b"\n", b",").rstrip(b",").split(b",")
            return np.array(numbers, np.float32).astype(np.uint8).reshape(-1, 65)
    from sklearn.datasets import load_digits  # a scikit-learn that keeps the file elsewhere

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target]).astype(np.uint8)


def digits() -> Source:
    """The digits as a source, in the order of their classes."""
    table = digits_table()  # (n, 65): 64 pixels of 0..16, then the label
    order = np.argsort(table[:, 64], kind="stable")
    rows = np.zeros(len(table), DigitsReader.row)
    rows["pixels"] = table[order, :64]
    labels = table[order, 64].astype(np.int32)
    n = len(table)
    return Source(
        name="digits",
        kind="digits",
        where="digits",
        classes=tuple("0123456789"),
        paths=Paths.of(f"{labels[i]}/{order[i]:04d}.pgm" for i in range(n)),
        labels=labels,
        parts=np.zeros(n, np.uint8),
        sizes=np.full(n, 64 + len(b"P5 8 8 255\n"), np.int64),
        reader=DigitsReader(),
        rows=rows,
    )
