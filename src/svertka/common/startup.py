"""Importing PyTorch, which takes a second, in less time than `import torch` alone.

`ahead` has the system load the largest of its libraries (some 400 MB with 300,000 places to fill in): a sixth of that
second, which needs no Python and so passes beside the listing of files. `at_ease` keeps the garbage collector away,
another sixth: it would look again and again through hundreds of thousands of objects, of which none becomes garbage.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_LIBRARY = "libtorch_cpu.so"
_OTHERS = {f"lib{name}.so" for name in ("torch_cuda", "torch_hip", "torch_xpu", "c10_cuda", "c10_hip", "c10_xpu")}
_own: list[bool] = []  # filled where the whole process is ours


def own_process() -> None:
    """The process is that of a command: what it has imported may be taken for permanent."""
    _own.append(True)


def ahead() -> None:
    """Begin to load PyTorch's largest library, where importing torch needs no other before it; returns at once."""
    if "torch" not in sys.modules and (library := _library()) is not None:
        # no daemon: an interpreter that ends while libraries are being loaded crashes, so its end waits for this one
        threading.Thread(target=_load, args=(library,), name="svertka-library").start()


@contextlib.contextmanager
def at_ease() -> Iterator[None]:
    """Import something large inside, undisturbed by the garbage collector."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if _own:
            gc.freeze()  # never looked through again
        gc.enable()


def _library() -> Path | None:
    """The library in a build for the processor alone: one for GPUs loads others first, in an order of its own."""
    spec = importlib.util.find_spec("torch") if sys.platform == "linux" else None
    for root in (spec.submodule_search_locations or ()) if spec else ():
        found = {path.name for path in Path(root, "lib").glob("lib*.so")}
        if _LIBRARY in found and not found & _OTHERS:
            return Path(root, "lib", _LIBRARY)
    return None


def _load(library: Path) -> None:
    system = ctypes.CDLL(None)  # whose functions run without the interpreter's lock, as `ctypes.CDLL(library)` does not
    if hasattr(system, "dlopen"):
        system.dlopen(os.fsencode(library), os.RTLD_NOW)  # what hinders it, `import torch` will say better
