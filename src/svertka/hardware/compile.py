"""torch.compile, where it pays: it takes a minute to fuse a network, so only long runs earn it back.

A machine without a compiler, or a network that cannot be compiled, is never an error of a run that did not ask for it.
"""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from svertka.errors import UsageError
from svertka.hardware.step_timer import Outputs, Trial

LONG = {"cuda": 300.0, "cpu": 1200.0}  # seconds of training from which on trying it may pay
MARGIN = 1.5  # what compiling gives back must be this many times its cost, within this run: both are measured in haste


@dataclass(frozen=True, slots=True)
class Compiled:
    """A trial of torch.compile: what compiling cost and what a step took after it, in seconds; or why it failed."""

    cost: float
    step: float | None
    why: str = ""

    def pays(self, step: float, steps: int) -> bool:
        """Whether compiling gives back what it costs, over `steps` that take `step` seconds without it."""
        return self.step is not None and (step - self.step) * steps > MARGIN * self.cost


def earns_trial(device: str, seconds: float) -> bool:
    """Whether a run is long enough to try."""
    return seconds > LONG.get(device.split(":")[0], float("inf"))


def try_compiling(trial: Trial, budget: float, batch: int) -> Compiled:
    """Compile a trial's network and time its steps; a failure is an answer, not an error."""
    start = time.perf_counter()
    try:
        with _quietly():
            trial.outputs = torch.compile(trial.outputs)
            trial.time(0.0, batch)  # the first steps compile
            cost = time.perf_counter() - start
            return Compiled(cost, trial.time(budget, batch).seconds)
    except Exception as why:  # whatever is missing or not supported: the run goes on without
        return Compiled(time.perf_counter() - start, None, _first_line(why))


def refuse_without_compiler(device: str) -> None:
    """Compile one small thing, where a person insists on compiling.

    Raises:
        UsageError: it cannot be done here.
    """
    try:
        with _quietly():
            torch.compile(lambda x: (x * 2 + 1).relu())(torch.ones(8, device=device))
    except Exception as why:
        raise UsageError(f"--plan compile=yes: torch.compile does not work here ({_first_line(why)}).") from why


def compiled(outputs: Outputs) -> Outputs:
    """The same function, compiled at its first call."""
    with _quietly():
        fast = torch.compile(outputs)

    def call(x: Tensor) -> Sequence[Tensor]:
        with _quietly():
            return fast(x)

    return call


def _first_line(why: Exception) -> str:
    lines = [line.strip() for line in str(why).splitlines() if line.strip()]
    return (lines[0] if lines else type(why).__name__).rstrip(".")


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the warnings and log lines of the compiler, which mean nothing to the person."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
