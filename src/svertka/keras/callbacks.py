"""Keras' callbacks: what is done after each epoch of `fit`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from svertka.errors import UnknownName, UsageError
from svertka.keras.missing import getter

Logs = Mapping[str, float]
MODES = ("auto", "min", "max")


class Trained(Protocol):
    """What callbacks know of a model."""

    core: nn.Module
    stop_training: bool

    def save(self, path: str | Path, overwrite: bool = True) -> None:
        """Write it into a file."""


class Callback:
    """What `fit` calls: subclass it and write `on_epoch_end`; `self.model.stop_training = True` ends training."""

    model: Trained

    def begin(self, model: Trained) -> None:
        """Training of this model begins."""
        self.model = model
        self.on_train_begin({})

    def on_train_begin(self, logs: Logs) -> None:
        """Before the first epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After epoch `epoch`, from 0, with its numbers by name: loss, acc, val_loss, ..."""

    def on_train_end(self, logs: Logs) -> None:
        """After the last epoch, with its numbers."""


@dataclass
class Monitored(Callback):
    """What watches one number, which falls (a loss) or rises (an accuracy) as it gets better."""

    LESS: ClassVar[float] = math.inf

    def _check(self, monitor: str, mode: str) -> None:
        if mode not in MODES:
            raise UnknownName("mode", str(mode), MODES)
        falls = mode == "min" or (mode == "auto" and "acc" not in monitor)
        self.sign = 1.0 if falls else -1.0
        self.best = self.LESS

    def _better(self, monitor: str, logs: Logs, by: float = 0.0) -> bool:
        """Whether the number is better than ever before; remembers it.

        Raises:
            UnknownName: there is no such number.
        """
        if monitor not in logs:
            raise UnknownName("number to monitor", monitor, logs)
        value = self.sign * logs[monitor]
        if not value < self.best - by:
            return False
        self.best = value
        return True


@dataclass
class EarlyStopping(Monitored):
    """End training where a number has not got better for `patience` epochs.

    monitor               which number of the log
    min_delta             less than this is not better
    patience              epochs without a better one
    verbose               1 says when training ends
    mode                  "min", "max", or "auto": an accuracy rises, all else falls
    restore_best_weights  take the weights of the best epoch at the end
    """

    monitor: str = "val_loss"
    min_delta: float = 0.0
    patience: int = 0
    verbose: int = 0
    mode: str = "auto"
    restore_best_weights: bool = False
    _kept: dict[str, torch.Tensor] = field(init=False, repr=False, default_factory=dict)

    def on_train_begin(self, logs: Logs) -> None:
        """Nothing seen yet."""
        self._check(self.monitor, self.mode)
        self._waited, self._kept = 0, {}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Look at the number."""
        if self._better(self.monitor, logs, abs(self.min_delta)):
            self._waited = 0
            if self.restore_best_weights:
                self._kept = {k: v.detach().clone() for k, v in self.model.core.state_dict().items()}
            return
        self._waited += 1
        if self._waited >= max(1, self.patience):
            self.model.stop_training = True
            if self.verbose:
                print(f"Epoch {epoch + 1}: early stopping")

    def on_train_end(self, logs: Logs) -> None:
        """Back to the best weights, where these were asked for."""
        if self._kept:
            self.model.core.load_state_dict(self._kept)


@dataclass
class ModelCheckpoint(Monitored):
    """Save the model after epochs, in svertka's format; `{epoch}` and the numbers of the log may stand in the name."""

    filepath: str | Path
    monitor: str = "val_loss"
    verbose: int = 0
    save_best_only: bool = False
    save_weights_only: bool = False  # the file is the same
    mode: str = "auto"

    def on_train_begin(self, logs: Logs) -> None:
        """Nothing seen yet."""
        self._check(self.monitor, self.mode)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Save, where the epoch was better than all before or each is wanted."""
        if self.save_best_only and not self._better(self.monitor, logs):
            return
        try:
            path = str(self.filepath).format(epoch=epoch + 1, **logs)
        except (KeyError, IndexError, ValueError) as why:
            raise UsageError(f"{self.filepath} cannot be filled in: there are epoch, {', '.join(logs)}.") from why
        self.model.save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saving model to {path}")


def check_callbacks(callbacks: Any) -> Sequence[Callback]:
    """One callback or several, as a list.

    Raises:
        UsageError: something else.
    """
    given = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
    for one in given:
        if not isinstance(one, Callback):
            raise UsageError(f"callbacks are of svertka.keras.callbacks, or subclasses of Callback; received {one!r}.")
    return given


__getattr__ = getter(__name__, ["Callback", "EarlyStopping", "ModelCheckpoint"])
