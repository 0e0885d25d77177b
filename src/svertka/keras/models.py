"""Keras' models: a chain of layers with `compile`, `fit`, `evaluate`, `predict` and `summary`.

`fit` hands the chain to `svertka.training.fit` and prints its records. A last softmax or sigmoid belongs to
the loss while learning (cross-entropy of logits, which cannot overflow) and to the answer in `predict`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.hardware.device import pick_device
from svertka.hardware.plan import Plan
from svertka.keras.batches import Flow, Passes, flow_of
from svertka.keras.layers import Layer, Shape, inward, shown, snake
from svertka.keras.optimizers import Optimizer, get
from svertka.keras.table import table
from svertka.records import Epoch
from svertka.training.loop import begin, fit, measure
from svertka.training.recipe import Recipe

# loss -> the activation that the last layer must end with
LOSSES = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
}
METRICS = ("acc", "accuracy", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")


@dataclass
class History:
    """What `fit` returns: `history["loss"]` and the like, one number an epoch."""

    history: dict[str, list[float]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)


class Chain(nn.Module):
    """The torch side of a model: its layers one after another."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.chained = tuple(layers)  # a tuple: torch finds the modules in `parts`
        self.parts = nn.ModuleList(layer.core for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        """The answer: (n, *shape) -> (n, *shape')."""
        for layer in self.chained:
            x = layer.act(layer.core(x))
        return x

    def raw(self, x: Tensor) -> Tensor:
        """The answer without the last activation."""
        *before, last = self.chained
        for layer in before:
            x = layer.act(layer.core(x))
        return last.core.raw(x) if isinstance(last.core, Chain) else last.core(x)

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


class Model(Layer):
    """A chain of layers, which is a layer itself."""

    def __init__(self, layers: Iterable[Layer] = (), name: str | None = None) -> None:
        super().__init__(name=name or snake(type(self).__name__))
        self.layers: list[Layer] = []
        self.act = nn.Identity()
        self.optimizer: Optimizer | None = None
        self.loss, self.metrics = "", ("acc",)
        self._taught: torch.optim.Optimizer | None = None
        self._names: Counter[str] = Counter()
        self._fits = 0
        for layer in layers:
            self._append(layer)

    def _append(self, layer: Layer) -> None:
        if not isinstance(layer, Layer):
            raise UsageError(f"A model is made of layers of svertka.keras; received {layer!r}.")
        layer.name = layer.name or self._fresh(snake(type(layer).__name__))
        shape = self.shape
        if not self.layers and layer.input_shape is not None:
            self.input_shape = tuple(layer.input_shape)
            shape = inward(self.input_shape)
        built = None if shape is None else layer.build(shape)
        self.layers.append(layer)
        if built is not None:
            self.shape, self.core = built, Chain(self.layers)

    def _fresh(self, name: str) -> str:
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{name}_{self._names[name] - 1}"

    def build(self, shape: Shape) -> Shape:
        """Build every layer that is not, for an input of that shape.

        Raises:
            ShapeError: a layer does not fit; names it.
            UsageError: there are no layers.
        """
        if not self.layers:
            raise UsageError(f"{self.name} has no layers yet: add() some.")
        for layer in self.layers:
            shape = layer.build(shape)
        self.shape, self.core = shape, Chain(self.layers)
        return shape

    @property
    def activation(self) -> str | None:  # type: ignore[override]  # of the last layer
        """What the last layer ends with."""
        return self.layers[-1].activation if self.layers else None

    @property
    def trainable(self) -> bool:
        """Whether training changes any of the layers."""
        return any(layer.trainable for layer in self.layers) or not self.layers

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = value

    # --- learning ---

    def compile(
        self,
        optimizer: str | Optimizer = "rmsprop",
        loss: str = "sparse_categorical_crossentropy",
        metrics: Sequence[str] = (),
    ) -> None:
        """Say how to learn.

        Args:
            optimizer: a name, or one of svertka.keras.optimizers.
            loss: one of LOSSES.
            metrics: names for the accuracy.

        Raises:
            UnknownName: there is no such optimizer, loss or metric.
            UsageError: the last layer does not end as the loss wants.
        """
        if loss not in LOSSES:
            raise UnknownName("loss", str(loss), LOSSES)
        for metric in metrics:
            if metric not in METRICS:
                raise UnknownName("metric", str(metric), METRICS)
        self.optimizer, self.loss, self.metrics, self._taught = get(optimizer), loss, tuple(metrics), None
        wanted = LOSSES[loss]
        if self.layers and self.activation != wanted:
            raise UsageError(
                f"{loss} wants probabilities, and {self.layers[-1].name} ends in "
                f"{self.activation or 'no activation'}; activation={wanted!r} there would work."
            )

    def fit(
        self,
        x: object = None,
        y: object = None,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int = 1,
        validation_data: object = None,
        shuffle: bool = True,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
    ) -> History:
        """Learn from a flow or from arrays (n, height, width, channels) with labels.

        Raises:
            UsageError: the model is not compiled, or every layer is frozen.
            ShapeError: the data do not fit the model.
            TrainingError: the loss is no longer finite.
        """
        flow = flow_of(x, y, batch_size=batch_size, seed=self._fits if shuffle else None)
        recipe = self._recipe(epochs, flow)
        plan = Plan(device=pick_device(), threads=torch.get_num_threads())
        state = begin(self._learner(flow), recipe, plan)
        if self._taught is not None:  # a second call goes on with what the optimizer remembers
            state.optimizer = self._taught
        train = Passes(flow, steps_per_epoch, onward=True, device=plan.device)
        validation = None
        if validation_data is not None:
            unseen = _flow(validation_data, batch_size)
            self._learner(unseen)
            validation = Passes(unseen, validation_steps, device=plan.device)
        history, before = History(), 0.0
        for record in fit(state, train, validation, recipe, plan):
            if isinstance(record, Epoch):
                said = self._note(history, record)
                if verbose:
                    print(f"Epoch {record.epoch}/{epochs} - {record.seconds - before:.0f}s - {said}")
                before = record.seconds
        self._taught, self._fits = state.optimizer, self._fits + 1
        return history

    def _recipe(self, epochs: int, flow: Flow) -> Recipe:
        if self.optimizer is None:
            raise UsageError("compile() comes before fit(): say which optimizer and which loss.")
        if not self.trainable:
            raise UsageError(f"Every layer of {self.name} is frozen: there is nothing to learn.")
        return Recipe(
            epochs=epochs,
            batch_size=flow.batch_size,
            optimizer=self.optimizer.recipe_name,
            learning_rate=self.optimizer.learning_rate,
            momentum=self.optimizer.momentum,
            schedule="constant",
            weight_decay=0.0,
            rescue=0,  # Keras would go on with what is lost; here it is an error
            seed=self._fits,
        )

    def _learner(self, flow: Flow) -> Learner:
        """The chain as a network of logits, once it is sure that the data fit it."""
        self._ready(flow.shape)
        binary = LOSSES[self.loss] == "sigmoid"
        outputs = self.shape
        if outputs is None or len(outputs) != 1 or (binary and outputs != (1,)):
            wanted = "(None, 1)" if binary else "(None, classes)"
            raise ShapeError(f"{self.loss} wants {wanted}, and {self.name} gives {self.output_shape}.")
        if flow.num_classes > max(2 * binary, *outputs):
            raise ShapeError(
                f"The data have {flow.num_classes} classes, and {self.layers[-1].name} tells "
                f"{outputs[0] + binary} apart."
            )
        return Learner(self.core, binary)

    def _ready(self, shape: Shape) -> None:
        if self.shape is None:
            self.build(shape)
        if self.input_shape is not None and inward(self.input_shape) != shape:
            given = shown(shape)[1:]
            raise ShapeError(f"The pictures are {given} and {self.name} was made for {self.input_shape}.")

    def _note(self, history: History, record: Epoch) -> str:
        """Put an epoch into the history, and in words."""
        said: dict[str, float] = {"loss": record.loss, **dict.fromkeys(self.metrics, record.accuracy)}
        if record.validation_loss is not None and record.validation_accuracy is not None:
            said["val_loss"] = record.validation_loss
            said |= {f"val_{metric}": record.validation_accuracy for metric in self.metrics}
        for name, value in said.items():
            history.history.setdefault(name, []).append(value)
        history.epoch.append(record.epoch - 1)
        return _words(said)

    # --- using ---

    def evaluate(
        self,
        x: object = None,
        y: object = None,
        batch_size: int = 32,
        verbose: int = 1,
        steps: int | None = None,
    ) -> float | list[float]:
        """The loss, and behind it the accuracy once for each metric, over a flow or arrays.

        Raises:
            UsageError: the model is not compiled.
            ShapeError: the data do not fit the model.
        """
        if self.optimizer is None:
            raise UsageError("compile() comes before evaluate(): say which loss and metrics.")
        flow = flow_of(x, y, batch_size=batch_size)
        learner = self._learner(flow)
        loss, accuracy = measure(learner, Passes(flow, steps, device=_device(learner)))
        said = {"loss": loss, **dict.fromkeys(self.metrics, accuracy)}
        if verbose:
            print(_words(said))
        return list(said.values()) if self.metrics else loss

    def predict(self, x: object, batch_size: int = 32, verbose: int = 0, steps: int | None = None) -> np.ndarray:
        """The answer for every picture of a flow (one pass, in its order) or of an array, as Keras shapes it.

        Raises:
            ShapeError: the data do not fit the model.
        """
        flow = flow_of(x, batch_size=batch_size)
        self._ready(flow.shape)
        self.core.eval()
        with torch.inference_mode():
            answers = [self.core(batch.x).cpu() for batch in Passes(flow, steps, device=_device(self.core))]
        y = torch.cat(answers)  # (n, *shape)
        return (y.movedim(1, -1) if y.ndim > 2 else y).numpy()

    def summary(self, print_fn: Callable[[str], object] = print) -> None:
        """Print the layers, what comes out of them, and how many numbers they hold.

        Raises:
            UsageError: the model knows no input_shape yet.
        """
        self._known()
        print_fn(table(self.name, self.layers))


def _flow(data: object, batch_size: int) -> Flow:
    """Validation data: a flow, or a pair of arrays."""
    return flow_of(*data, batch_size=batch_size) if isinstance(data, tuple) else flow_of(data)


def _words(said: dict[str, float]) -> str:
    return " - ".join(f"{name}: {value:.4f}" for name, value in said.items())


def _device(module: nn.Module) -> str:
    return str(next((p.device for p in module.parameters()), "cpu"))


class Sequential(Model):
    """A chain that grows: `Sequential([...])`, or `add` one layer after another."""

    def add(self, layer: Layer) -> None:
        """Put a layer at the end.

        Raises:
            ShapeError: it does not fit what comes out of the layer before.
        """
        self._append(layer)
