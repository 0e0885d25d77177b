"""The plan: how to compute on this machine, chosen by timing real steps of the real network.

Nothing here changes what is learned beyond rounding; it is measured because guesses are wrong somewhere (bfloat16 is
slower than float32 on a CPU without matrix units, channels-last loses on some tiny networks). The answer is kept in the
cache by machine, network and batch, so the next run starts at once.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from svertka.cache import cache_folder
from svertka.training.sgd import SGD

SWITCH = 1.1  # another choice must be this much faster than the default to be taken: noise must not decide


@dataclass(frozen=True, slots=True)
class Plan:
    """What was chosen, and the measured seconds per step of every choice that was tried."""

    device: str = "cpu"
    layout: str = "channels_last"
    precision: str = "float32"
    threads: int = 1
    measured: dict[str, float] = dataclasses.field(default_factory=dict)
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON writes it."""
        return dataclasses.asdict(self)

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout as torch names it."""
        return torch.channels_last if self.layout == "channels_last" else torch.contiguous_format

    @contextmanager
    def precisely(self) -> Iterator[None]:
        """Compute in the plan's precision."""
        if self.precision == "float32":
            yield
        else:
            with torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16):
                yield


def pick_device() -> str:
    """The fastest kind of device that is here."""
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def machine() -> dict[str, Any]:
    """What the plan and every figure depend on, for the record."""
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def make_plan(net: nn.Module, shape: tuple[int, ...], classes: int, seconds: float = 0.4) -> Plan:
    """Time a few training steps of a copy of `net` in each layout and precision, and choose.

    Args:
        net: left as it was; a copy is trained.
        shape: of one batch, (b, c, h, w).
        seconds: about how long measuring may take.
    """
    device = pick_device()
    default = Plan(device=device, threads=torch.get_num_threads())
    kept = cache_folder("plans") / f"{_key(net, shape, device)}.json"
    try:
        plan = Plan(**json.loads(kept.read_text(encoding="utf-8")))
        now = _seconds_per_step(
            net, plan, shape, classes, seconds / 4
        )  # for the forecast: load changes, the choice does not
        return dataclasses.replace(plan, measured={**plan.measured, f"{plan.layout} {plan.precision}": now})
    except (OSError, ValueError, TypeError):
        pass  # never measured here, or by another version: measure now
    choices = [
        default,
        dataclasses.replace(default, layout="contiguous"),
        dataclasses.replace(default, precision="bfloat16"),
    ]
    measured: dict[str, float] = {}
    for plan in choices:
        measured[f"{plan.layout} {plan.precision}"] = _seconds_per_step(
            net, plan, shape, classes, seconds / len(choices)
        )
    times = list(measured.values())
    best = min(range(len(choices)), key=times.__getitem__)
    if times[0] < SWITCH * times[best]:
        best = 0
    plan = dataclasses.replace(choices[best], measured=measured, reason=_reason(measured, choices[best]))
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(plan.to_dict()), encoding="utf-8")
        aside.replace(kept)
    except OSError:
        return dataclasses.replace(plan, reason=plan.reason + " (not kept: the cache folder cannot be written)")
    return plan


def _seconds_per_step(net: nn.Module, plan: Plan, shape: tuple[int, ...], classes: int, budget: float) -> float:
    trial = copy.deepcopy(net).to(plan.device, memory_format=plan.memory_format).train()
    x = torch.rand(shape, device=plan.device).to(memory_format=plan.memory_format)
    y = torch.arange(shape[0], device=plan.device) % classes
    groups = [{"params": trial.parameters(), "weight_decay": 0.0}]
    optimiser = SGD(groups, lr=1e-6, momentum=0.9, nesterov=True)
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - start < budget and len(times) < 12):
        t = time.perf_counter()
        with plan.precisely():
            loss = F.cross_entropy(trial(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        loss.item()  # waits for the device
        times.append(time.perf_counter() - t)
        if len(times) == 2 and time.perf_counter() - start > 4 * budget:
            break  # a heavy network: two steps say enough
    return min(times[1:])  # the first step allocates; the least is the one that noise disturbed least


def _reason(measured: dict[str, float], plan: Plan) -> str:
    chosen = measured[f"{plan.layout} {plan.precision}"]
    others = ", ".join(f"{t / chosen:.2f}x with {k}" for k, t in measured.items() if t is not chosen)
    return f"one step takes {chosen * 1000:.1f} ms; {others}"


def _key(net: nn.Module, shape: tuple[int, ...], device: str) -> str:
    facts = {k: v for k, v in machine().items() if k != "python"}
    what = json.dumps([1, facts, torch.get_num_threads(), device, list(shape), str(net)], sort_keys=True)
    return hashlib.sha256(what.encode()).hexdigest()[:32]


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123  a device file, not a path of the user's
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
