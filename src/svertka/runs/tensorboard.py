"""Records for TensorBoard: a reader of what `log.jsonl` holds, one record at a time, live or afterwards.

TensorBoard is an extra; without it `train --tensorboard` is refused with a sentence that names it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svertka.errors import UsageError
from svertka.records import encoded
from svertka.runs import layout

STEP = {"loss": "step/loss", "rate": "step/rate"}
EPOCH = {
    "loss": "epoch/training_loss", "accuracy": "epoch/training_accuracy",
    "validation_loss": "epoch/validation_loss", "validation_accuracy": "epoch/validation_accuracy",
    "seconds": "epoch/seconds",
}  # fmt: skip


class TensorBoard:
    """Writes the scalars of a run's records, its notes as text, and its recipe as hyper-parameters.

    Args:
        run: the run folder; events go into `tensorboard/` in it.

    Raises:
        UsageError: TensorBoard is not installed.
    """

    def __init__(self, run: Path) -> None:
        require()
        from torch.utils.tensorboard.writer import SummaryWriter

        self.writer = SummaryWriter(str(run / layout.TENSORBOARD))

    def __call__(self, record: Mapping[str, Any]) -> None:
        """One record, as `log.jsonl` holds it."""
        kind, moment = record.get("kind"), record.get("time")
        if kind == "step":
            self._scalars(STEP, record, record["step"], moment)
        elif kind == "epoch":
            self._scalars(EPOCH, record, record["epoch"], moment)
        elif kind == "note":
            self.writer.add_text("notes", encoded(record["text"]).decode(), walltime=moment)
        elif kind == "recipe":
            self._parameters(record["recipe"])
        elif kind == "result":
            self._result(record)

    def _scalars(self, names: Mapping[str, str], record: Mapping[str, Any], step: int, moment: float | None) -> None:
        for key, tag in names.items():
            if record.get(key) is not None:
                self.writer.add_scalar(tag, record[key], step, walltime=moment)

    def _parameters(self, recipe: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard.summary import hparams

        values = {k: v for k, v in recipe.items() if isinstance(v, (bool, int, float, str))}
        for summary in hparams(values, {"result/validation_accuracy": 0.0}):
            self.writer._get_file_writer().add_summary(summary)

    def _result(self, record: Mapping[str, Any]) -> None:
        for part in ("validation", "test"):
            found = record.get(part)
            if found:
                self.writer.add_scalar(f"result/{part}_accuracy", found["accuracy"], 0, walltime=record.get("time"))

    def close(self) -> None:
        """Everything is on disk."""
        self.writer.close()


def require() -> None:
    """See that TensorBoard is there, before any work is done.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError(
            "--tensorboard needs TensorBoard: pip install 'svertka[tensorboard]'; log.jsonl holds the same records."
        )
