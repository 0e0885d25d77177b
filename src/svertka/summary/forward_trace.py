"""Watches every operation of one forward pass and writes down what each layer did.

The pass runs on a copy of the module whose tensors are `meta`: shapes without numbers, so VGG-16 takes
milliseconds and the module itself is not touched. Where an operation needs real numbers, a real copy runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from svertka.errors import UsageError
from svertka.shapes import Field
from svertka.summary import receptive_field
from svertka.summary.layer_words import word_of
from svertka.summary.records import Layer, Reach


class Row:
    """A layer while it runs."""

    def __init__(self, name: str, module: nn.Module | None) -> None:
        self.name, self.module = name, module
        self.operations: list[str] = []
        self.output: tuple[int, ...] = ()
        self.seen: receptive_field.ReceptiveField | None = None
        self.memory = self.weights = self.biases = self.macs = 0

    def layer(self, input: tuple[int, ...]) -> Layer:
        """The finished row."""
        operations = " ".join(dict.fromkeys(self.operations))
        return Layer(
            name=self.name or (type(self.module).__name__.lower() if self.module else "net"),
            type=type(self.module).__name__ if self.module else operations,
            word=word_of(self.module) if self.module else operations,
            output=self.output,
            memory=self.memory,
            weights=self.weights,
            biases=self.biases,
            macs=self.macs,
            receptive_field=reach(self.seen, input),
        )


def reach(seen: receptive_field.ReceptiveField | None, input: tuple[int, ...]) -> Reach:
    """What a number sees along each axis of the input, in pixels; one number where all agree."""
    if seen is None or receptive_field.UNKNOWN in seen.views:
        return None
    sizes = input[-len(seen.views) :]
    found = tuple(view.size if isinstance(view, Field) else size for view, size in zip(seen.views, sizes, strict=True))
    return found[0] if len(set(found)) == 1 else found


def watch(
    module: nn.Module, input: tuple[int, ...], dtype: torch.dtype, numbers: bool = False
) -> tuple[list[Row], int]:
    """The rows of one forward pass, and how many parameters took part in none of them.

    It runs without numbers where that goes and `numbers` are not wanted.
    """
    if numbers:
        return _with_numbers(module, input, dtype)
    try:
        return _run(_copy(module, meta=True), torch.empty((1, *input), dtype=dtype, device="meta"))
    except (
        NotImplementedError,
        RuntimeError,
    ):  # an operation that needs numbers, or a size that does not fit
        return _with_numbers(module, input, dtype)


def _with_numbers(module: nn.Module, input: tuple[int, ...], dtype: torch.dtype) -> tuple[list[Row], int]:
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    return _run(_copy(module, meta=False), torch.zeros((1, *input), dtype=dtype, device=device))


def _copy(module: nn.Module, meta: bool) -> nn.Module:
    """A copy in evaluation mode; `meta` gives every tensor in it by shape alone, stray ones too."""
    memo: dict[int, Any] = {}
    if meta:
        for part in module.modules():
            for tensor in receptive_field.tensors([part._parameters, part._buffers, vars(part)]):
                bare = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
                memo[id(tensor)] = nn.Parameter(bare, False) if isinstance(tensor, nn.Parameter) else bare
    try:
        return copy.deepcopy(module, memo).eval()
    except (TypeError, RuntimeError, AttributeError) as why:
        raise UsageError(
            f"{type(module).__name__} cannot be copied ({why}); the table runs a copy so as to spare yours."
        ) from why


def _run(module: nn.Module, x: Tensor) -> tuple[list[Row], int]:
    watching = _Watch(module, x)
    with ExitStack() as stack:
        for name, part in module.named_modules():
            stack.callback(part.register_forward_pre_hook(watching.enter(name)).remove)
            stack.callback(part.register_forward_hook(watching.leave, always_call=True).remove)
        with torch.no_grad(), watching:
            module(x)
    return watching.rows, sum(p.numel() for p in watching.waiting.values())


class _Watch(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing compiles inside; to be skipped, a mode imports the whole compiler: a second

    def __init__(self, module: nn.Module, x: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known: dict[int, receptive_field.ReceptiveField] = {id(x): receptive_field.of_input(x.shape)}
        self.alive: list[Any] = [x]  # an id stays one tensor's as long as the tensor lives
        self.waiting = {id(p): p for p in module.parameters()}  # the parameters that no row has counted yet
        self.biases = {id(p) for name, p in module.named_parameters() if name.endswith("bias")}
        self.rows: list[Row] = []
        self.inside: list[tuple[str, nn.Module, Row | None]] = []  # the modules that run now, outermost first

    def enter(self, name: str) -> Callable[[nn.Module, Any], None]:
        """The hook that opens a module's row where it holds no other modules."""

        def hook(module: nn.Module, _: Any) -> None:
            leaf = next(module.children(), None) is None
            row = Row(name, module) if leaf else None
            self.inside.append((name, module, row))
            if row and not isinstance(module, nn.Identity):
                self.rows.append(row)

        return hook

    def leave(self, module: nn.Module, _: Any, output: Any) -> None:
        """The hook that closes it."""
        if not self.inside or self.inside[-1][1] is not module:
            return  # someone else's hook raised before it was entered
        _, _, row = self.inside.pop()
        result = next(iter(receptive_field.tensors(output)), None)
        if row and result is not None:
            row.output = tuple(result.shape[1:])
            row.seen = self.known.get(id(result))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        results = receptive_field.tensors(out)
        self.alive.append((args, out))
        if results:
            row = self.note(func, (*args, *(kwargs or {}).values()), out, results)
            seen = receptive_field.after(func, args, self.known, results[0].shape)
            if row:
                row.seen = seen or row.seen
            if seen:
                self.known.update((id(result), seen) for result in results)
        return out

    def note(self, func: Any, args: Any, out: Any, results: list[Tensor]) -> Row | None:
        """Adds an operation to the row where it belongs; None for a mere view."""
        given = receptive_field.tensors(args)
        learned = {id(t) for t in given} & self.waiting.keys()
        view = any(r.alias_info is not None for r in func._schema.returns)
        if not given or (view and not learned and not func._schema.is_mutable):
            return None
        row = self.row()
        for key in learned:
            numbers = self.waiting.pop(key).numel()
            if key in self.biases:
                row.biases += numbers
            else:
                row.weights += numbers
        if func._overloadpacket in flop_registry:
            row.macs += flop_registry[func._overloadpacket](*args, out_val=out) // 2
        alone = receptive_field.pointwise(func) and sum(t.dim() > 0 for t in given) == 1
        if not view:
            row.memory += 0 if alone else results[0].numel()
            row.output = tuple(results[0].shape[1:])
        if not row.module and not (view and not func._schema.is_mutable):
            row.operations.append(NAMES.get(name := func._overloadpacket.__name__, name.strip("_")))
        return row

    def row(self) -> Row:
        """The row of the layer that runs, or of what its container does by itself."""
        name, _, row = self.inside[-1] if self.inside else ("", None, None)
        if row:
            return row
        last = self.rows[-1] if self.rows else None
        if last is None or last.module or last.name != name:
            self.rows.append(Row(name, None))
        return self.rows[-1]


NAMES = {
    "addmm": "matmul",
    "mm": "matmul",
    "bmm": "matmul",
    "baddbmm": "matmul",
    "convolution": "conv",
    "max_pool2d_with_indices": "pool",
    "avg_pool2d": "avgpool",
    "native_batch_norm": "bn",
    "native_layer_norm": "layernorm",
    "native_group_norm": "groupnorm",
    "relu_": "relu",
    "add_": "add",
    "mul_": "mul",
}
