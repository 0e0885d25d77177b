"""The proof that the forms of an operation are one: the same value, and the same gradient for every tensor.

Both are compared in float64. The gradient is that of sum(sin(y)), which pulls differently at every number of
y, so that a form that mixes up two places is found out. Each form starts from the same state of the random
generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from svertka.ops.forms import Operation

TOLERANCE = 1e-10  # of the largest number compared, or of 1; float64 leaves about 1e-15


class Disagreement(AssertionError):
    """Two forms do not compute the same: a fault of the program, not of its user."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was proved: which forms, in how many cases, and the largest differences."""

    name: str
    forms: tuple[str, ...]
    cases: int
    value: float
    gradient: float

    def __str__(self) -> str:
        forms = f"{', '.join(self.forms[:-1])} and {self.forms[-1]}"
        cases = "case" if self.cases == 1 else "cases"
        return (
            f"{self.name}: {forms} agree in {self.cases} {cases}; "
            f"largest difference {self.value:.1e} in value, {self.gradient:.1e} in gradient"
        )


def agree(forms: Operation[...] | Mapping[str, Callable[..., Tensor]], *args: Any, **options: Any) -> Agreement:
    """Prove that forms called with the same arguments give the same value and the same gradients.

    Args:
        forms: an operation, or functions by name; the first is the truth that the others are compared with.
        args: what they are called with; every tensor of floats among these gets a gradient, in float64.
        options: further arguments, given as they are.

    Raises:
        Disagreement: two forms differ by more than rounding; says which, in what, and by how much.
    """
    name = forms.name if isinstance(forms, Operation) else " = ".join(forms)
    calls = {key: forms.form(key) for key in forms.forms} if isinstance(forms, Operation) else forms
    results = {key: _value_and_gradients(form, args, options) for key, form in calls.items()}
    (first, truth), *others = results.items()
    worst = [0.0, 0.0]
    for key, result in others:
        if len(truth) != len(result) or any(a.shape != b.shape for a, b in zip(truth, result, strict=True)):
            shapes = [tuple(tuple(t.shape) for t in tensors) for tensors in (truth, result)]
            raise Disagreement(f"{name}: {first} and {key} give tensors of shapes {shapes[0]} and {shapes[1]}.")
        for place, (a, b) in enumerate(zip(truth, result, strict=True)):
            what = "value" if place == 0 else f"gradient of tensor {place}"
            difference = _difference(a, b)
            if not difference <= TOLERANCE:  # also where it is not a number
                raise Disagreement(f"{name}: {first} and {key} differ by {difference:.3g} in {what}.")
            worst[place > 0] = max(worst[place > 0], difference)
    return Agreement(name, tuple(calls), 1, *worst)


def _value_and_gradients(form: Callable[..., Tensor], args: tuple[Any, ...], options: dict[str, Any]) -> list[Tensor]:
    """The value, and behind it the gradient of sum(sin(value)) for each tensor of floats."""
    fresh = [_leaf(arg) for arg in args]
    leaves = [arg for arg in fresh if isinstance(arg, Tensor) and arg.requires_grad]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        y = form(*fresh, **{key: _double(option) for key, option in options.items()})
    gradients = (
        torch.autograd.grad(y.sin().sum(), leaves, materialize_grads=True)
        if y.requires_grad
        else [torch.zeros_like(leaf) for leaf in leaves]
    )
    return [y.detach(), *gradients]


def _double(arg: Any) -> Any:
    return arg.detach().double() if isinstance(arg, Tensor) and arg.is_floating_point() else arg


def _leaf(arg: Any) -> Any:
    arg = _double(arg)
    return arg.clone().requires_grad_() if isinstance(arg, Tensor) and arg.is_floating_point() else arg


def _difference(a: Tensor, b: Tensor) -> float:
    """The largest difference, measured by the largest number where that is above 1."""
    scale = max(1.0, float(a.abs().max()))
    return float((a - b).abs().max()) / scale


def prove(operation: Operation[...], *args: Any, seed: int = 0, **options: Any) -> Agreement:
    """Prove an operation on these arguments, or, without any, on its own awkward cases with random numbers.

    Raises:
        Disagreement: two forms differ by more than rounding.
    """
    if args:
        return agree(operation, *args, **options)
    random = torch.Generator().manual_seed(seed)
    proofs = []
    for case in operation.cases:
        tensors = [
            None if shape is None else torch.randn(shape, generator=random, dtype=torch.float64)
            for shape in case.tensors
        ]
        proofs.append(agree(operation, *tensors, **{**case.options, **options}))
    return Agreement(
        operation.name,
        tuple(operation.forms),
        len(proofs),
        max(proof.value for proof in proofs),
        max(proof.gradient for proof in proofs),
    )
