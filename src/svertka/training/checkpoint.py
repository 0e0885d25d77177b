"""A checkpoint: everything that `fit` needs to go on to the same weights, in one safetensors file.

One file, written aside, flushed to disk and renamed: it is the old one or the new one, never half. No pickle: tensors
by name, numbers as JSON in the file's metadata.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from svertka.common.atomic_write import PART, atomic_write
from svertka.errors import RunError, TrainingError
from svertka.training.state import State

NAME = "state.safetensors"
FORMAT = 2


def save(state: State, folder: Path) -> Path:
    """Write the state into `folder`, replacing the checkpoint before it.

    Raises:
        TrainingError: the disk is full or the folder cannot be written; the checkpoint before stays whole.
    """
    tensors: dict[str, Tensor] = {f"net.{k}": v for k, v in state.net.state_dict().items()}
    if state.average is not None:
        tensors |= {f"average.{k}": v for k, v in state.average.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in state.best_tensors.items()}
    tensors |= {f"slow.{i}": v for i, v in enumerate(state.slow)}
    numbers: dict[str, dict[str, float]] = {}
    for i, entries in state.optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{i}.{key}"] = value
            elif value is not None:
                numbers.setdefault(str(i), {})[key] = value
    facts = {
        "format": FORMAT, "step": state.step, "best": state.best, "best_epoch": state.best_epoch,
        "history": state.history, "rescues": state.rescues, "pieces": state.pieces, "loss_sum": state.loss_sum,
        "right": state.right, "seen": state.seen, "seconds": state.seconds, "optimizer": numbers,
        "scaler": state.scaler.state_dict() if state.scaler else None,
    }  # fmt: skip
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        separate = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with atomic_write(path, durable=True) as file:
            save_file(separate, file.name, metadata={"state": json.dumps(facts)})
        for left in folder.glob(f".*{PART}"):  # by a process that was killed while it wrote
            left.unlink(missing_ok=True)
    except (OSError, RuntimeError, SafetensorError) as why:
        raise TrainingError(
            f"The checkpoint cannot be written to {folder}: {why}; the one before it is whole."
        ) from why
    return path


def restore(state: State, folder: Path) -> State:
    """Fill a fresh state (of the same network and recipe) from the checkpoint in `folder`.

    Raises:
        RunError: there is no checkpoint, or it is damaged or of another network.
    """
    path = folder / NAME
    if not path.is_file():
        raise RunError(f"There is no checkpoint in {folder}: nothing to resume.")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["state"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
        if facts["format"] != FORMAT:
            raise RunError(
                f"The checkpoint {path} was written by another version of svertka (format {facts['format']})."
            )
        _fill(state, facts, tensors)
    except RunError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as why:
        raise RunError(f"The checkpoint {path} is damaged or belongs to another network: {why}.") from why
    except SafetensorError as why:
        raise RunError(f"The checkpoint {path} cannot be read: {why}.") from why
    return state


def _fill(state: State, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    state.net.load_state_dict(part("net."))
    if state.average is not None:
        state.average.load_state_dict(part("average."))
    device = next(state.net.parameters()).device
    state.best_tensors = {k: v.to(device) for k, v in part("best.").items()}
    slow = part("slow.")
    state.slow = [slow[str(i)].to(device) for i in range(len(slow))]
    entries: dict[int, dict[str, Tensor | float]] = {}
    for name, tensor in part("optimizer.").items():
        i, key = name.split(".", 1)
        entries.setdefault(int(i), {})[key] = tensor
    for i, numbers in facts["optimizer"].items():
        entries.setdefault(int(i), {}).update(numbers)
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": entries, "param_groups": groups})
    _match_layout(state)
    state.step, state.best_epoch = facts["step"], facts["best_epoch"]
    state.best = (facts["best"][0], facts["best"][1])
    state.history = [(accuracy, loss) for accuracy, loss in facts["history"]]
    state.rescues, state.pieces = facts["rescues"], facts["pieces"]
    state.loss_sum, state.right, state.seen = facts["loss_sum"], facts["right"], facts["seen"]
    state.seconds = facts["seconds"]
    if state.scaler is not None and facts.get("scaler"):
        state.scaler.load_state_dict(facts["scaler"])


def _match_layout(state: State) -> None:
    # Momentum lies in memory as its parameter does; another layout gives the same numbers more slowly.
    for parameter, entries in state.optimizer.state.items():
        for key, value in entries.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                entries[key] = torch.empty_like(parameter).copy_(value)
