"""Tensors out of a file of weights, whoever wrote it, without ever running code from it.

- `.safetensors`: numbers behind a JSON header; nothing in it can run.
- `.npz`: numpy arrays, read with `allow_pickle=False`; under Keras names, turned to PyTorch's layout.
- `.pth`, `.pt`, `.th`: PyTorch's pickles, read with `weights_only=True`: tensors and containers, no more.
- any of them inside a `.zip`: `weights.zip/folder/file.th` or `weights.zip!folder/file.th`.

A file that is cut short, of another kind, or made to harm ends in one sentence.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from svertka.errors import WeightsError

SUFFIXES = (".safetensors", ".npz", ".pth", ".pt", ".th")
NESTS = ("state_dict", "model")  # where training scripts keep the weights among other things
WRAPPER = "module."  # what DataParallel puts before every name
ROOMY, RATIO = 1 << 30, 20  # an archive may hold 1 GiB, or 20 times its own size


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file under their own names, on the CPU, in PyTorch's layout.

    Args:
        path: a file of one of SUFFIXES, or one inside a zip archive: `a.zip/b.pth` or `a.zip!b.pth`.

    Raises:
        WeightsError: the file is missing, damaged, of another kind, or holds anything but weights.
    """
    file, member = split(str(path))
    name = f"{file}!{member}" if member else str(file)
    suffix = Path(member or file).suffix.lower()
    if suffix not in SUFFIXES:
        raise WeightsError(f"{name} is no file of weights by its name; {', '.join(SUFFIXES)} can be read.")
    if not file.is_file():
        raise WeightsError(f"There is no file of weights at {file}.")
    try:
        data = io.BytesIO(unzip(file, member)) if member else None
        tensors = READERS[suffix](data or file)
    except WeightsError as why:
        raise WeightsError(f"{name} {why}") from why
    except Exception as why:  # a damaged or hostile file can fail in any way whatever
        raise WeightsError(f"{name} cannot be read as weights: it is damaged or of another kind.") from why
    if not tensors:
        raise WeightsError(f"{name} holds no tensors.")
    return tensors


def split(path: str) -> tuple[Path, str]:
    """A path into the file on disk and the member of its archive, which is "" for a plain file.

    >>> split("w.zip!a/b.th"), split("w.pth")
    ((PosixPath('w.zip'), 'a/b.th'), (PosixPath('w.pth'), ''))
    """
    before, mark, member = path.partition("!")
    if mark and before.lower().endswith(".zip"):
        return Path(before), member
    whole = Path(path)
    for parent in whole.parents:
        if parent.suffix.lower() == ".zip" and parent.is_file():
            return parent, whole.relative_to(parent).as_posix()
    return whole, ""


def unzip(file: Path, member: str) -> bytes:
    """One member of an archive, wholly in memory.

    Raises:
        WeightsError: it is not there (the message says what is), or unpacks to far more than the archive.
    """
    with zipfile.ZipFile(file) as archive:
        if member not in archive.namelist():
            there = [n for n in archive.namelist() if n.lower().endswith(SUFFIXES)][:5]
            raise WeightsError(f"is not in the archive; there is {', '.join(there) or 'no file of weights'}.")
        refuse_bomb([archive.getinfo(member)], file.stat().st_size)
        return archive.read(member)


def refuse_bomb(members: Iterable[zipfile.ZipInfo], packed: int) -> None:
    """Raise WeightsError when members unpack to far more than an archive of weights can."""
    unpacked = sum(info.file_size for info in members)
    if unpacked > max(ROOMY, RATIO * packed):
        raise WeightsError(f"would unpack to {unpacked / 2**30:.1f} GiB from {packed / 2**20:.1f} MiB.")


def read_safetensors(source: Path | BinaryIO) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    from safetensors.torch import load, load_file

    return load_file(source) if isinstance(source, Path) else load(source.read())


def read_npz(source: Path | BinaryIO) -> dict[str, Tensor]:
    """All arrays of a numpy archive; those with Keras names in PyTorch's layout."""
    with zipfile.ZipFile(source) as archive:
        size = source.stat().st_size if isinstance(source, Path) else len(source.read())
        refuse_bomb(archive.infolist(), size)
    if not isinstance(source, Path):
        source.seek(0)
    with np.load(source, allow_pickle=False) as arrays:
        return {name: from_keras(name, torch.tensor(arrays[name])) for name in arrays.files}


def from_keras(name: str, tensor: Tensor) -> Tensor:
    """A tensor named as Keras does (`layer/kernel`) in PyTorch's layout; any other as it is.

    A kernel is (h, w, in, out) there and (out, in, h, w) here, a depthwise one (h, w, in, times) there and
    (in * times, 1, h, w) here, a dense one is transposed.
    """
    if name.endswith("/depthwise_kernel"):
        h, w, channels, times = tensor.shape
        return tensor.permute(2, 3, 0, 1).reshape(channels * times, 1, h, w)
    if name.endswith(("/kernel", "/pointwise_kernel")):
        places = range(tensor.dim() - 2)
        return tensor.permute(tensor.dim() - 1, tensor.dim() - 2, *places).contiguous()
    return tensor


def read_torch(source: Path | BinaryIO) -> dict[str, Tensor]:
    """The state dict of a PyTorch file, out of whatever a training script has put around it."""
    if isinstance(source, Path) and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            refuse_bomb(archive.infolist(), source.stat().st_size)
    try:
        found = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as why:  # a pickle can fail in any way whatever
        if "weights_only" not in str(why).lower():
            raise
        raise WeightsError("holds Python objects besides tensors, which svertka never loads.") from why
    for nest in NESTS:
        if isinstance(found, Mapping) and isinstance(found.get(nest), Mapping):
            found = found[nest]
    if not isinstance(found, Mapping):
        raise WeightsError(f"holds a {type(found).__name__}, not a state dict.")
    tensors = {str(name): t.detach() for name, t in found.items() if isinstance(t, Tensor)}
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise WeightsError(f"holds {name} in a form (sparse, quantized or empty) that is not read.")
    if tensors and all(name.startswith(WRAPPER) for name in tensors):
        return {name.removeprefix(WRAPPER): tensor for name, tensor in tensors.items()}
    return tensors


READERS = {".safetensors": read_safetensors, ".npz": read_npz}
READERS |= dict.fromkeys((".pth", ".pt", ".th"), read_torch)
