"""A model of the facade in one file: safetensors, with its layers as JSON in the header. Nothing in it executes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from svertka.common.atomic_write import write_bytes
from svertka.errors import SvertkaError, UsageError, WeightsError

KEY, FORMAT = "svertka.keras", 1
THEIRS = (".h5", ".hdf5", ".keras")  # what Keras calls files of its own formats


def write_model(path: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], *, overwrite: bool) -> None:
    """Write layers and numbers, whole or not at all.

    Raises:
        UsageError: the file exists and may not be replaced.
        SvertkaError: it cannot be written.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists and stays as it is: name another file, or leave overwrite=False out.")
    if path.suffix in THEIRS:
        warnings.warn(f"{path.name} holds svertka's format (safetensors), which Keras does not read.", stacklevel=3)
    text = json.dumps({"format": FORMAT, **config}, ensure_ascii=False)
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        write_bytes(path, save(plain, {KEY: text}))
    except OSError as why:
        raise SvertkaError(f"{path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The layers and numbers of such a file.

    Raises:
        WeightsError: it does not exist, is no such file, or is damaged.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head in (b"\x89HDF", b"PK\x03\x04"):
            raise WeightsError(f"{path} is a file of Keras itself, which svertka does not read.")
        with safe_open(str(path), "pt") as file:
            config = json.loads((file.metadata() or {})[KEY])
            version = int(config["format"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except OSError as why:
        raise WeightsError(f"{path} cannot be read: {(why.strerror or str(why)).lower()}.") from why
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as why:
        raise WeightsError(f"{path} is no model that svertka.keras has saved, or it is damaged.") from why
    if version > FORMAT:
        raise WeightsError(f"{path} was written by a newer svertka.")
    return config, tensors
