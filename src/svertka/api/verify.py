"""`train --verify`: does the same seed give the same weights on this machine? The first steps are taken three times."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from svertka.common.torchrun import refuse_several
from svertka.pipeline.context import Where
from svertka.pipeline.dry_run import Rehearsal
from svertka.records import Epoch, Step, Watch, silent
from svertka.training import checkpoint, loop
from svertka.training.state import State

STEPS = 12  # in each of two passes
PASSES = 2


@dataclass(frozen=True, slots=True)
class Proof:
    """What `verify` returns: hashes of the weights after the first steps, after the same again, after a resume."""

    steps: int
    first: str
    again: str
    resumed: str
    device: str

    @property
    def holds(self) -> bool:
        """Whether all are equal, to the bit."""
        return self.first == self.again == self.resumed

    @property
    def sentence(self) -> str:
        """The answer in words."""
        if self.holds:
            return (
                f"The same seed gives the same weights here: after {self.steps} steps on {self.device}, twice and once "
                f"stopped and resumed, their sha256 is {self.first[:16]}."
            )
        what = "repeating" if self.first != self.again else "resuming"
        return (
            f"The same seed does not give the same weights here: after {self.steps} steps on {self.device}, {what} "
            "ended in other bits. On a GPU some operations sum in no fixed order; on a CPU this is worth a report."
        )

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "holds": self.holds, "steps": self.steps, "device": self.device, "first": self.first, "again": self.again,
            "resumed": self.resumed, "sentence": self.sentence,
        }  # fmt: skip


def verify(data: Where, *, watch: Watch = silent, **settings: Any) -> Proof:
    """Take the first steps of a training twice, and once stopped in the middle and resumed, and compare the weights.

    Args:
        data: what `train` takes.
        watch: called with each `FilesDecoded` and `PlanChosen`.
        settings: what `train` takes as settings; what is left out is what `train` would choose.

    Raises:
        DataError: no usable pictures.
        UsageError: a setting is wrong, or torchrun has started several processes.
    """
    refuse_several("--verify")
    rehearsal = Rehearsal(data, watch, **{**settings, "epochs": PASSES})
    with torch.random.fork_rng(), rehearsal.plan.torch_settings(), tempfile.TemporaryDirectory() as folder:
        first, again = rehearsal.begin(), rehearsal.begin()
        _fit(rehearsal, first, stop_in=Path(folder))
        _fit(rehearsal, again)
        resumed = checkpoint.restore(rehearsal.begin(), Path(folder))
        _fit(rehearsal, resumed)
        hashes = [weights_hash(state) for state in (first, again, resumed)]
    return Proof(first.step, hashes[0], hashes[1], hashes[2], device=rehearsal.plan.device)


def weights_hash(state: State) -> str:
    """sha256 of all tensors of the network, as `model/weights.safetensors` holds them."""
    tensors = {k: v.detach().cpu().contiguous() for k, v in state.net.state_dict().items()}
    return hashlib.sha256(save(tensors)).hexdigest()


def _fit(rehearsal: Rehearsal, state: State, stop_in: Path | None = None) -> None:
    """Two short passes; with `stop_in`, a checkpoint in the middle of the second, or before it where it is one step."""
    train = rehearsal.pictures("train", STEPS * (rehearsal.recipe.batch_size or 1))
    validation = rehearsal.pictures("validation", 256) if rehearsal.context.data.count("validation") else None
    for record in loop.fit(state, train, validation, rehearsal.recipe, rehearsal.plan):
        if stop_in is not None and isinstance(record, Step | Epoch) and state.step <= 1.5 * len(train):
            checkpoint.save(state, stop_in)
