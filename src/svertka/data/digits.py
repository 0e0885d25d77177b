"""The built-in digits: 1,797 handwritten digits, the test part of UCI's optdigits in scikit-learn's copy."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np


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
