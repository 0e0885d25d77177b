"""The torch side of a model of the facade: its layers joined, and the same as the training loop takes a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from svertka.errors import UsageError
from svertka.keras.layers import Layer, Symbol

Wires = Sequence[tuple[int, ...]]  # for each layer, whose outputs it takes: 0 is the input, k the k-th layer's


class Chain(nn.Module):
    """The torch side of a model: its layers one after another, or as `wires` join them."""

    def __init__(self, layers: Sequence[Layer], wires: Wires | None = None) -> None:
        super().__init__()
        self.chained = tuple(layers)  # a tuple: torch finds the modules in `parts`
        self.wires = tuple(wires) if wires is not None else tuple((k,) for k in range(len(layers)))
        self.parts = nn.ModuleList(layer.core for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        """The answer: (n, *shape) -> (n, *shape')."""
        y: Tensor = self.chained[-1].act(self._before_last(x))
        return y

    def raw(self, x: Tensor) -> Tensor:
        """The answer without the last activation."""
        return self._before_last(x, raw=True)

    def _before_last(self, x: Tensor, *, raw: bool = False) -> Tensor:
        """What the last layer makes before its activation; of a model as the last layer, before its own."""
        values, last = [x], len(self.chained)
        for number, (layer, sources) in enumerate(zip(self.chained, self.wires, strict=True), 1):
            core = layer.core.raw if raw and number == last and isinstance(layer.core, Chain) else layer.core
            y = core(*(values[k] for k in sources))
            if number < last:
                y = layer.act(y)
            values.append(y)
        return values[-1]

    def train(self, mode: bool = True) -> Chain:
        """As torch's, but a frozen layer keeps the statistics of its batch norms, as in Keras."""
        super().train(mode)
        for layer in self.chained:
            if not layer.trainable:
                for module in layer.core.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()
        return self


class Learner(nn.Module):
    """A chain as the loop takes a network: its outputs are logits, two where it ends in one sigmoid."""

    def __init__(self, chain: Chain, binary: bool) -> None:
        super().__init__()
        self.chain, self.binary = chain, binary

    def forward(self, x: Tensor) -> Tensor:
        """Logits: (n, c, h, w) -> (n, classes)."""
        y = self.chain.raw(x)
        # sigmoid(z) is the second of softmax(0, z)
        return torch.cat([torch.zeros_like(y), y], dim=1) if self.binary else y

    def outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """The logits, as the only head."""
        return (self(x),)


def in_order(first: Symbol, last: Symbol) -> list[Symbol]:
    """All symbols from behind `first` to `last`, each behind its inputs."""
    order: list[Symbol] = []
    seen = {id(first)}

    def visit(symbol: Symbol) -> None:
        if id(symbol) in seen:
            return
        if not symbol.inputs:
            raise UsageError(f"{symbol.layer.name or 'an Input'} is not the input that the model is made of.")
        seen.add(id(symbol))
        for one in symbol.inputs:
            visit(one)
        order.append(symbol)

    visit(last)
    return order
