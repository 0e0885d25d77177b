"""What this machine is: its processor, its cores, its memory, and what PyTorch can use of it."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

CPUS = Path("/sys/devices/system/cpu")
CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def machine() -> dict[str, Any]:
    """What the plan and every figure depend on, for the record."""
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": len(_allowed()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def pick_device() -> str:
    """The fastest kind of device that is here."""
    return devices()[0]


def devices() -> tuple[str, ...]:
    """The kinds of device that are here, the fastest first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name, there in found.items() if there)


def cores() -> tuple[int, int]:
    """(physical, logical) cores that this process may use: of its affinity, and within the quota of its container."""
    allowed = _allowed()
    siblings = set()
    for cpu in allowed:
        try:
            siblings.add((CPUS / f"cpu{cpu}/topology/thread_siblings_list").read_text(encoding="ascii"))
        except OSError:  # not Linux: every one counts
            siblings.add(str(cpu))
    most = max(1, round(_quota() or len(allowed)))
    return min(len(siblings), most), min(len(allowed), most)


def finish(device: str) -> None:
    """Wait until a GPU has done all that it was given, so that a look at the clock tells what that took."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def free_memory(device: str) -> int | None:
    """Bytes that more tensors may take on a device before something breaks; None where that cannot be told."""
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + cached
    found = [_available(), _container_left()]
    known = [number for number in found if number is not None]
    return min(known) if known else None


def resident() -> int | None:
    """Bytes that this process holds in memory now."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return peak_resident()
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_resident() -> int | None:
    """Bytes that this process held in memory at most, so far."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_allocated(device: str) -> int | None:
    """Bytes that tensors took on a GPU at most, so far; None elsewhere."""
    return torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else None


def _allowed() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _quota() -> float | None:
    """Processors that the container's quota amounts to (cgroup v2, cpu.max: microseconds of each period)."""
    with contextlib.suppress(OSError, ValueError):
        share, period = (CGROUP / "cpu.max").read_text(encoding="ascii").split()
        return int(share) / int(period)  # "max" is no number: no quota
    return None


def _available() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _container_left() -> int | None:
    """What the container may still take (cgroup v2); its cached file pages count as free."""
    with contextlib.suppress(OSError, ValueError):
        limit = int((CGROUP / "memory.max").read_text(encoding="ascii"))  # "max" is no number: no limit
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        return limit - used + int(stat["inactive_file"])
    return None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123  a device file, not a path of the user's
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
