"""The plan: how to compute on this machine. Nothing in it changes what is learned beyond rounding.

It is made by `autotune.make_plan`, saved with the run, and used again by a resume.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from svertka.records import PlanChosen

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Plan:
    """What was chosen, and why.

    device     "cpu", "cuda" or "mps"
    layout     of pictures and filters in memory: "channels_last" or "contiguous"
    precision  of convolutions and products: "float32", "tf32", or under autocast "bfloat16" or "float16"
    threads    of each operation on the CPU
    compile    whether forward and backward pass run through torch.compile
    pieces     parts that a batch is computed in, one after the other, so that it fits into memory
    memory     bytes that a step takes, told from a small one
    step       seconds of one step, measured
    shares     of that: "forward", "backward" and "step", together 1
    measured   seconds per step of every choice that was tried
    reason     the sentence for a person
    """

    device: str = "cpu"
    layout: str = "channels_last"
    precision: str = "float32"
    threads: int = 1
    compile: bool = False
    pieces: int = 1
    memory: int = 0
    step: float = 0.0
    shares: dict[str, float] = dataclasses.field(default_factory=dict)
    measured: dict[str, float] = dataclasses.field(default_factory=dict)
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON writes it."""
        return dataclasses.asdict(self)

    def replace(self, **changes: Any) -> Plan:
        """The same plan with other values."""
        return dataclasses.replace(self, **changes)

    @property
    def chosen(self) -> PlanChosen:
        """The event that tells of it."""
        return PlanChosen(self.device, self.layout, self.precision, self.threads, self.reason)

    def laid(self, x: Tensor) -> Tensor:
        """A batch as the network wants it in memory; the layout is one of pictures, and leaves other samples alone."""
        return x.to(memory_format=self.memory_format) if x.dim() == 4 else x

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout as torch names it."""
        return torch.channels_last if self.layout == "channels_last" else torch.contiguous_format

    @property
    def scaled(self) -> bool:
        """Whether gradients are so small in this precision that the loss must be scaled up (arXiv:1710.03740)."""
        return self.precision == "float16"

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """A forward pass in the plan's precision."""
        if self.precision in HALVES:
            with torch.autocast(self.device.split(":")[0], dtype=HALVES[self.precision]):
                yield
        else:
            yield

    @contextmanager
    def torch_settings(self) -> Iterator[None]:
        """PyTorch's own settings as the plan wants them, for training as a whole; they are put back afterwards."""
        threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
        switches = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
        before = [switch.fp32_precision for switch in switches]
        try:
            # batches have one shape: try every kernel once
            torch.backends.cudnn.benchmark = self.device.startswith("cuda")
            if threads != self.threads:
                torch.set_num_threads(self.threads)  # other threads sum in another order
            for switch in switches:
                switch.fp32_precision = "tf32" if self.precision == "tf32" else "ieee"
            yield
        finally:
            if threads != self.threads:
                torch.set_num_threads(threads)
            torch.backends.cudnn.benchmark = benchmark
            for switch, was in zip(switches, before, strict=True):
                switch.fp32_precision = was
