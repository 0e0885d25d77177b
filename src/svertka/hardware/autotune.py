"""Making the plan: real steps of the real network are timed under each choice, one concern after the other.

Measured, because guesses are wrong somewhere: bfloat16 is slower than float32 on a CPU without units for it,
channels-last loses on some tiny networks, and sibling threads help some processors and hurt others. The answer is kept
in the cache by machine, network and batch, so that the next run starts at once.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from svertka.cache.folders import cache_folder
from svertka.common.atomic_write import write_bytes
from svertka.errors import UsageError
from svertka.hardware import compile
from svertka.hardware.device import cores, devices, free_memory, machine, pick_device
from svertka.hardware.memory_estimate import footprint
from svertka.hardware.plan import Plan
from svertka.hardware.step_timer import Timing, Trial

SWITCH = 1.1  # another choice must be this much faster than the default to be taken: noise must not decide
NEAR = 1.15  # within this factor of that it is not clear, so all choices of the row are measured once more
EQUAL = 1.03  # of choices this close to the fastest, the earlier is taken
FORMAT = 3  # of what is kept in the cache
OFF = 3.0  # a kept plan whose steps take so many times what they took is no guide to the machine as it is now
FULL = 8  # from this many cores on, small networks are tried with a quarter of them

T = TypeVar("T")
# Times one step: (plan, seconds it may take) -> Timing. A test puts its own in place.
Timer = Callable[[Plan, float], Timing]


def fastest(
    choices: Sequence[T], timer: Callable[[T], float], measured: dict[str, float], name: Callable[[T], str] = str
) -> T:
    """The quickest of several ways: the first, unless another is clearly quicker, since noise must not decide.

    Args:
        choices: the default first, then the likeliest.
        timer: seconds that a choice takes; infinity where it does not work here.
        measured: name of a choice -> seconds that are known already; what is measured here comes to them.
        name: of a choice.
    """
    for choice in choices:
        if name(choice) not in measured:
            measured[name(choice)] = timer(choice)
    first, *others = (measured[name(choice)] for choice in choices)
    if others and SWITCH / NEAR < first / min(others) < SWITCH * NEAR:
        for choice in choices:
            if measured[name(choice)] < math.inf:  # the least of all counts, which noise disturbed least
                measured[name(choice)] = min(measured[name(choice)], timer(choice))
    times = [measured[name(choice)] for choice in choices]
    if times[0] <= SWITCH * min(times):
        return choices[0]
    return next(choice for choice, seconds in zip(choices, times, strict=True) if seconds <= EQUAL * min(times))


def recall(key: str) -> dict[str, Any] | None:
    """What `keep` has kept under a key; None where it never did, or another version wrote something else."""
    try:
        kept = json.loads((cache_folder("plans") / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def keep(key: str, found: dict[str, Any]) -> bool:
    """Keep what was measured in the cache; False where it cannot be written: it is measured again next time."""
    path = cache_folder("plans") / f"{key}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, json.dumps(found).encode())
    except OSError:
        return False
    return True


def make_plan(
    net: nn.Module,
    shape: tuple[int, ...],
    classes: int,
    *,
    steps: int = 0,
    length: float | None = None,
    requested: dict[str, Any] | None = None,
    seconds: float = 0.2,
    timer: Timer | None = None,
) -> Plan:
    """Time a few training steps of a copy of `net` under each choice, and choose.

    Args:
        net: left as it was; copies are trained.
        shape: of one batch, (b, c, h, w).
        classes: outputs of the network.
        steps: that the run will take; few are not worth compiling for.
        length: seconds that it will take in place of that, where its steps are as many as fit.
        requested: fields of the plan that are not to be chosen, as `options.parse_plan` gives them.
        seconds: about how long measuring may take on a small network.
        timer: what times a step; real steps where None.

    Raises:
        UsageError: what is requested cannot be had here.
    """
    requested = dict(requested or {})
    refuse_impossible(requested)
    with_compile = requested.pop("compile", None)
    device = requested.get("device", pick_device())
    start = Plan(device=device, threads=torch.get_num_threads()).replace(**requested)
    size, free = footprint(net, start, shape), free_memory(device)
    start = start.replace(pieces=requested.get("pieces", size.pieces(shape[0], free)))
    planner = _Planner(net, start, shape, classes, requested, timer)
    key = _key(net, shape, start, requested)
    plan = _kept_plan(key)
    if plan is None:
        plan = planner.choose(seconds)
        if not keep(key, plan.to_dict()):
            plan = plan.replace(reason=f"{plan.reason} (not kept: the cache folder cannot be written)")
    else:  # load changes from run to run, the choice seldom does
        timing = planner.least(plan.replace(pieces=start.pieces), seconds / 4)
        if timing.seconds > OFF * plan.step:
            slower = f"its steps take {timing.seconds / plan.step:.0f} times what they took when it was kept"
            plan = planner.choose(seconds)  # for this run; what was kept stays for the machine as it was
            plan = plan.replace(reason=f"{plan.reason}; a kept plan was left aside, {slower}")
        else:
            plan = plan.replace(step=timing.seconds, shares=timing.shares)
    if start.pieces > 1 and "pieces" not in requested:  # what was chosen may need less than the default
        size = footprint(net, plan, shape)
        start = start.replace(pieces=min(start.pieces, size.pieces(shape[0], free)))
    plan = plan.replace(pieces=start.pieces, memory=size.of(-(-shape[0] // start.pieces)))
    if length is not None:
        steps = int(length / plan.step)
    if with_compile is None and compile.earns_trial(device, plan.step * steps):  # a hiccup may have said so
        again = planner.least(plan, seconds / 4)
        plan = plan.replace(step=min(plan.step, again.seconds))
    if with_compile or (with_compile is None and compile.earns_trial(device, plan.step * steps)):
        plan = planner.compiled(plan, seconds, None if with_compile else steps)
    return plan


def refuse_impossible(requested: dict[str, Any]) -> None:
    """Refuse, in one sentence, what this machine cannot do.

    Raises:
        UsageError: it cannot.
    """
    device = requested.get("device", pick_device())
    if device not in devices():
        raise UsageError(f"--plan device={device}: PyTorch sees no such device here, only {', '.join(devices())}.")
    precision = requested.get("precision", "float32")
    if precision == "tf32" and not _has_tf32(device):
        raise UsageError(
            f"--plan precision=tf32: TF32 is a mode of NVIDIA GPUs from Ampere on, not of this {device}; "
            "take float32 or bfloat16."
        )
    if precision == "bfloat16" and device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UsageError("--plan precision=bfloat16: this GPU has none; take float16 or float32.")
    _, logical = cores()
    if requested.get("threads", 1) > logical:
        raise UsageError(f"--plan threads={requested['threads']}: this process may use {logical} processor cores.")
    if requested.get("compile"):
        compile.refuse_without_compiler(device)


class _Planner:
    """Times choices and remembers what they took."""

    def __init__(
        self, net: nn.Module, start: Plan, shape: tuple[int, ...], classes: int, requested: dict[str, Any],
        timer: Timer | None,
    ) -> None:  # fmt: skip
        self.net, self.start, self.shape, self.classes, self.requested = net, start, shape, classes, requested
        self.time = timer or self._really
        self.batch: int | None = None  # pictures of a timed step, once known
        self.measured: dict[str, float] = {}
        self.timings: dict[str, Timing] = {}
        self.notes: list[str] = []

    def choose(self, seconds: float) -> Plan:
        """The fastest of each row of choices, under what was chosen before."""
        plan, rows = self.start, {concern: row for concern, row in self._rows().items() if len(row) > 1}
        share = seconds / (2 + sum(len(row) - 1 for row in rows.values()))
        self._fastest([plan], share)
        for row in rows.values():
            plan = self._fastest([plan.replace(**choice) for choice in row], share)
        if "layout" in rows and plan.precision != self.start.precision:  # it was chosen in another precision
            plan = self._fastest([plan.replace(**choice) for choice in rows["layout"]], share)
        timing = self.timings[self._name(plan)]
        measured = {name: seconds for name, seconds in self.measured.items() if seconds < math.inf}
        plan = plan.replace(step=timing.seconds, shares=timing.shares, measured=measured)
        return plan.replace(reason=self._reason(plan))

    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        """What is tried, by concern, the default first, without what is not to be chosen."""
        device, threads = self.start.device, self.start.threads
        table = {
            "layout": ("channels_last", "contiguous"),
            "precision": _precisions(device),
            "threads": _thread_counts(threads) if device == "cpu" else (threads,),
        }
        return {
            field: [{field: value} for value in values]
            for field, values in table.items()
            if field not in self.requested
        }

    def _fastest(self, plans: list[Plan], share: float) -> Plan:
        return fastest(plans, lambda plan: self._seconds(plan, share), self.measured, self._name)

    def _seconds(self, plan: Plan, share: float) -> float:
        """Of a step; never, for what does not work here."""
        name = self._name(plan)
        try:
            timing = self.time(plan, share)
        except (RuntimeError, NotImplementedError) as why:
            if plan == self.start:
                raise
            self.notes.append(f"{name} does not work here: {str(why).splitlines()[0]}")
            return math.inf
        self.timings[name] = min(self.timings.get(name, timing), timing, key=lambda one: one.seconds)
        return timing.seconds

    def least(self, plan: Plan, share: float) -> Timing:
        """The lesser of two measurements."""
        return min(self.time(plan, share), self.time(plan, share), key=lambda one: one.seconds)

    def _really(self, plan: Plan, share: float) -> Timing:
        trial = Trial(self.net, plan, self.shape, self.classes)
        if self.batch is None:
            self.batch = trial.affordable(share)
        return trial.time(share, self.batch)

    def compiled(self, plan: Plan, seconds: float, steps: int | None) -> Plan:
        """The same plan through torch.compile, if that pays over so many steps; whatever it pays where None."""
        trial = Trial(self.net, plan, self.shape, self.classes)
        found = compile.try_compiling(trial, seconds, self.batch or self.shape[0] // plan.pieces)
        if found.step is None:
            if steps is None:
                raise UsageError(f"--plan compile=yes: this network cannot be compiled here ({found.why}).")
            return plan.replace(reason=f"{plan.reason}; torch.compile does not work here: {found.why}")
        faster = plan.replace(compile=True, step=found.step)
        gain = f"{plan.step / found.step:.2f}x as fast, after {found.cost:.0f} s of compiling"
        if steps is not None and not found.pays(plan.step, steps):
            return plan.replace(reason=f"{plan.reason}; not compiled: that would be {gain}")
        measured = {**plan.measured, self._name(faster): found.step}
        return faster.replace(measured=measured, reason=f"{plan.reason}; compiled: {gain}")

    def _reason(self, plan: Plan) -> str:
        others = [f"{t / plan.step:.2f}x with {name}" for name, t in plan.measured.items() if name != self._name(plan)]
        parts = [f"one step takes {plan.step * 1000:.1f} ms", ", ".join(others), *self.notes]
        if self.requested:
            parts.append(f"{', '.join(self.requested)} as asked for")
        return "; ".join(text for text in parts if text)

    def _name(self, plan: Plan) -> str:
        threads = f" {plan.threads} threads" if plan.threads != self.start.threads else ""
        return f"{plan.layout} {plan.precision}{threads}{' compiled' if plan.compile else ''}"


def _precisions(device: str) -> tuple[str, ...]:
    """What may be faster than float32, as exact ones first."""
    if device != "cuda":
        return ("float32", "bfloat16")
    halves = ("bfloat16", "float16") if torch.cuda.is_bf16_supported(including_emulation=False) else ("float16",)
    return ("float32", *(("tf32",) if _has_tf32(device) else ()), *halves)


def _has_tf32(device: str) -> bool:
    return device == "cuda" and torch.cuda.get_device_capability()[0] >= 8


def _thread_counts(usual: int) -> tuple[int, ...]:
    """The usual number, every core, every sibling of one, and a quarter for small networks on large machines."""
    if "OMP_NUM_THREADS" in os.environ:  # the person has chosen
        return (usual,)
    physical, logical = cores()
    quarter = (max(1, physical // 4),) if physical >= FULL else ()
    return tuple(dict.fromkeys([usual, physical, logical, *quarter]))


def _kept_plan(key: str) -> Plan | None:
    try:
        return Plan(**(recall(key) or {"never": "measured"}))
    except TypeError:
        return None  # never measured here, or by another version: measure now


def _key(net: nn.Module, shape: tuple[int, ...], start: Plan, requested: dict[str, Any]) -> str:
    facts = {k: v for k, v in machine().items() if k != "python"}
    usual = [start.device, start.threads, cores(), "OMP_NUM_THREADS" in os.environ]
    what = json.dumps([FORMAT, facts, usual, list(shape), requested, str(net)], sort_keys=True)
    return hashlib.sha256(what.encode()).hexdigest()[:32]
