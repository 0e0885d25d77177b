"""Keras' models: layers, in a chain or between an Input and an output, with `compile`, `fit`, `evaluate`, `predict`,
`summary` and `save`.

`fit` hands the chain to `svertka.training.fit` and prints its records. A last softmax or sigmoid belongs to
the loss while learning (cross-entropy of logits, which cannot overflow) and to the answer in `predict`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from svertka.data.loading.numpy_batches import Flow
from svertka.errors import ShapeError, SvertkaError, UnknownName, UsageError, WeightsError
from svertka.hardware.device import pick_device
from svertka.hardware.plan import Plan
from svertka.keras.batches import Passes, flow_of
from svertka.keras.callbacks import Callback, check_callbacks
from svertka.keras.chain import Chain, Learner, in_order
from svertka.keras.layers import LAYERS, Input, InputLayer, Layer, Shape, Symbol, inward, shown, snake
from svertka.keras.losses import Loss, loss_of
from svertka.keras.missing import getter
from svertka.keras.optimizers import Optimizer, get
from svertka.keras.saving import read_model, write_model
from svertka.keras.table import table
from svertka.records import Epoch
from svertka.training.loop import begin, fit, measure
from svertka.training.recipe import Recipe

METRICS = ("acc", "accuracy", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy")


@dataclass
class History:
    """What `fit` returns: `history["loss"]` and the like, one number an epoch."""

    history: dict[str, list[float]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)


class Model(Layer):
    """Layers in a chain, or between an `Input` and what came out of the last of them; a layer itself.

    Args:
        inputs: an `Input`, or layers for a chain.
        outputs: what comes out, where `inputs` is an Input.
        name: of the model.
    """

    def __init__(
        self, inputs: Symbol | Iterable[Layer] = (), outputs: Symbol | None = None, name: str | None = None
    ) -> None:
        super().__init__(name=name or snake(type(self).__name__))
        self.layers: list[Layer] = []
        self.act = nn.Identity()
        self.optimizer: Optimizer | None = None
        self.loss = Loss("")
        self.metrics: tuple[str, ...] = ("acc",)
        self.stop_training = False  # for callbacks
        self._taught: Any = None  # the optimizer of the last fit
        self._frozen: tuple[bool, ...] = ()  # what was trainable when it was compiled
        self._names: Counter[str] = Counter()
        self._wires: list[tuple[int, ...]] | None = None
        self._made: list[Symbol] = []
        self._fits = 0
        if isinstance(inputs, Symbol) or outputs is not None:
            self._join(inputs, outputs)
        else:
            for layer in inputs:
                self._append(layer)

    def _join(self, inputs: object, outputs: object) -> None:
        """Take the layers between an input and an output, each behind those it takes."""
        (inputs,) = inputs if isinstance(inputs, list | tuple) and len(inputs) == 1 else (inputs,)
        (outputs,) = outputs if isinstance(outputs, list | tuple) and len(outputs) == 1 else (outputs,)
        if not isinstance(inputs, Symbol) or not isinstance(outputs, Symbol):
            raise UsageError("Model(inputs, outputs) of svertka.keras takes one Input and one output of a layer.")
        places = {id(inputs): 0}
        self._wires = []
        for symbol in in_order(inputs, outputs):
            self._wires.append(tuple(places[id(one)] for one in symbol.inputs))
            places[id(symbol)] = len(self._wires)
            symbol.layer.name = symbol.layer.name or self._fresh(snake(type(symbol.layer).__name__))
            self.layers.append(symbol.layer)
        if len(set(map(id, self.layers))) < len(self.layers):
            raise UsageError(f"{self.name} uses a layer twice; svertka.keras has no shared layers.")
        self.input_shape = tuple(n for n in inputs.shape[1:] if n is not None)
        self.shape, self.core = outputs.inward, Chain(self.layers, self._wires)

    @property
    def input(self) -> Symbol:
        """Where the model begins, for another model made of its layers.

        Raises:
            UsageError: the model knows no input_shape yet.
        """
        return self._symbols()[0]

    @property
    def output(self) -> Symbol:
        """What comes out of the last layer, for another model."""
        return self._symbols()[-1]

    def _symbols(self) -> list[Symbol]:
        self._known()
        if len(self._made) != len(self.layers) + 1:  # the same ones each time, until a layer is added
            first = inward(self.input_shape) if self.input_shape else self.layers[0].seen
            made = [Symbol(first, InputLayer(name="input"))]
            for layer, sources in zip(self.layers, self._chain.wires, strict=True):
                made.append(Symbol(layer._known(), layer, tuple(made[k] for k in sources)))
            self._made = made
        return self._made

    @property
    def _chain(self) -> Chain:
        assert isinstance(self.core, Chain)  # noqa: S101  # for the type checker
        return self.core

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or its number.

        Raises:
            UnknownName: there is none of that name.
            UsageError: there are fewer.
        """
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise UsageError(f"{self.name} has {len(self.layers)} layers; there is no number {index}.")
            return self.layers[index]
        names = {str(layer.name): layer for layer in self.layers}
        if name not in names:
            raise UnknownName(f"layer of {self.name}", str(name), names)
        return names[name]

    def _append(self, layer: Layer | Symbol) -> None:
        if isinstance(layer, Symbol) and not layer.inputs:  # Input(...) as the first of a chain
            layer = layer.layer
        if not isinstance(layer, Layer):
            raise UsageError(f"A model is made of layers of svertka.keras; received {layer!r}.")
        layer.name = layer.name or self._fresh(snake(type(layer).__name__))
        shape = self.shape
        if not self.layers and layer.input_shape is not None:
            self.input_shape = tuple(layer.input_shape)
            shape = inward(self.input_shape)
        built = None if shape is None else layer.build(shape)
        if not isinstance(layer, InputLayer):
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
        if self._wires is not None:
            if self.shape is None or inward(self.input_shape or ()) != shape:
                raise ShapeError(f"{self.name} was made for inputs of shape {self.input_shape}.")
            return self.shape
        self.seen = shape
        for layer in self.layers:
            shape = layer.build(shape)
        self.shape, self.core = shape, Chain(self.layers)
        return shape

    @property
    def activation(self) -> str | None:
        """What the last layer ends with."""
        return getattr(self.layers[-1], "activation", None) if self.layers else None

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
        loss: str | Loss = "sparse_categorical_crossentropy",
        metrics: str | Sequence[str] = (),
    ) -> None:
        """Say how to learn.

        Args:
            optimizer: a name, or one of svertka.keras.optimizers.
            loss: one of LOSSES by name, or of svertka.keras.losses.
            metrics: names for the accuracy.

        Raises:
            UnknownName: there is no such optimizer, loss or metric.
            UsageError: the last layer does not end as the loss wants.
        """
        names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
        for metric in names:
            if metric not in METRICS:
                raise UnknownName("metric", str(metric), METRICS)
        chosen = loss_of(loss)
        self.optimizer, self.loss, self.metrics, self._taught = get(optimizer), chosen, names, None
        self._frozen = self._trainables()
        needed = (None, "linear") if chosen.from_logits else (chosen.activation,)
        if self.layers and self.activation not in needed:
            kind = "logits" if chosen.from_logits else "probabilities"
            raise UsageError(
                f"{chosen.name} wants {kind}, and {self.layers[-1].name} ends in "
                f"{self.activation or 'no activation'}; activation={needed[0]!r} there would work."
            )

    def _trainables(self) -> tuple[bool, ...]:
        inner = (one._trainables() if isinstance(one, Model) else (one.trainable,) for one in self.layers)
        return tuple(flag for flags in inner for flag in flags)

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
        *,
        validation_split: float = 0.0,
        class_weight: Mapping[int, float] | None = None,
        callbacks: Sequence[Callback] | Callback = (),
    ) -> History:
        """Learn from a flow or from arrays (n, height, width, channels) with labels.

        Args:
            x, y: a flow, or arrays.
            batch_size: of arrays.
            epochs: passes.
            verbose: 0 prints nothing.
            validation_data: a flow, or a pair of arrays.
            shuffle: arrays, in a new order each pass.
            steps_per_epoch, validation_steps: batches of a pass; all where None.
            validation_split: share of arrays, the last of them, that is validated and not learned, as in Keras.
            class_weight: what a mistake on each class costs, by its number; 1 where it is not named.
            callbacks: of svertka.keras.callbacks, called after each epoch.

        Raises:
            UsageError: the model is not compiled or was thawed since, every layer is frozen, or arguments contradict
                each other.
            ShapeError: the data do not fit the model.
            TrainingError: the loss is no longer finite.
        """
        called = check_callbacks(callbacks)
        if validation_split:
            (x, y), validation_data = _cut(x, y, validation_split, validation_data)
        flow = flow_of(x, y, batch_size=batch_size, seed=self._fits if shuffle else None)
        recipe = self._recipe(epochs, flow)
        plan = Plan(device=pick_device(), threads=torch.get_num_threads())
        learner: Any = self._learner(
            flow
        )  # the loop asks no more of a network, and no more of a loader than Passes has
        state = begin(learner, recipe, plan)
        if self._taught is not None:  # a second call goes on with what the optimizer remembers
            state.optimizer = self._taught
        if class_weight:
            state.class_weights = self._class_weights(class_weight).to(plan.device)
        train: Any = Passes(flow, steps_per_epoch, onward=True, device=plan.device)
        validation: Any = None
        if validation_data is not None:
            unseen = _flow(validation_data, batch_size)
            self._learner(unseen)
            validation = Passes(unseen, validation_steps, device=plan.device)
        history, before = History(), 0.0
        self.stop_training = False
        for callback in called:
            callback.begin(self)
        for record in fit(state, train, validation, recipe, plan):
            if isinstance(record, Epoch):
                logs = self._note(history, record)
                if verbose:
                    print(f"Epoch {record.epoch}/{epochs} - {record.seconds - before:.0f}s - {_words(logs)}")
                before = record.seconds
                for callback in called:
                    callback.on_epoch_end(record.epoch - 1, logs)
                if self.stop_training:
                    break
        for callback in called:
            callback.on_train_end(_last(history))
        self._taught, self._fits = state.optimizer, self._fits + 1
        return history

    fit_generator = fit  # Keras' old name

    def _class_weights(self, weights: Mapping[int, float]) -> Tensor:
        classes = max(2, (self.shape or (2,))[0])
        if not isinstance(weights, Mapping) or not all(k in range(classes) and v >= 0 for k, v in weights.items()):
            raise UsageError(
                f"class_weight is a dictionary from the number of a class, 0 to {classes - 1}, to a weight from 0; "
                f"received {weights!r}."
            )
        return torch.tensor([float(weights.get(k, 1.0)) for k in range(classes)])

    def _recipe(self, epochs: int, flow: Flow) -> Recipe:
        if self.optimizer is None:
            raise UsageError("compile() comes before fit(): say which optimizer and which loss.")
        if not self.trainable:
            raise UsageError(f"Every layer of {self.name} is frozen: there is nothing to learn.")
        if self._frozen != self._trainables() and len(self._frozen) == len(self._trainables()):
            raise UsageError(
                f"What is trainable in {self.name} has changed since compile(): call compile() again, as in Keras."
            )
        return Recipe(
            epochs=epochs,
            batch_size=flow.batch_size,
            optimizer=self.optimizer.recipe_name,
            learning_rate=self.optimizer.learning_rate,
            momentum=self.optimizer.momentum,
            schedule="constant",
            weight_decay=self.optimizer.weight_decay,
            rescue=0,  # Keras would go on with what is lost; here it is an error
            seed=self._fits,
        )

    def _learner(self, flow: Flow) -> Learner:
        """The chain as a network of logits, once it is sure that the data fit it."""
        self._ready(flow.shape)
        binary = self.loss.activation == "sigmoid"
        outputs = self.shape
        if outputs is None or len(outputs) != 1 or (binary and outputs != (1,)):
            wanted = "(None, 1)" if binary else "(None, classes)"
            raise ShapeError(f"{self.loss.name} wants {wanted}, and {self.name} gives {self.output_shape}.")
        if flow.num_classes > max(2 * binary, *outputs):
            raise ShapeError(
                f"The data have {flow.num_classes} classes, and {self.layers[-1].name} tells "
                f"{outputs[0] + binary} apart."
            )
        return Learner(self._chain, binary)

    def _ready(self, shape: Shape) -> None:
        if self.shape is None:
            self.build(shape)
        if self.input_shape is not None and inward(self.input_shape) != shape:
            given = shown(shape)[1:]
            raise ShapeError(f"The pictures are {given} and {self.name} was made for {self.input_shape}.")

    def _note(self, history: History, record: Epoch) -> dict[str, float]:
        """Put an epoch into the history; its numbers by name."""
        logs: dict[str, float] = {"loss": record.loss, **dict.fromkeys(self.metrics, record.accuracy)}
        if record.validation_loss is not None and record.validation_accuracy is not None:
            logs["val_loss"] = record.validation_loss
            logs |= {f"val_{metric}": record.validation_accuracy for metric in self.metrics}
        for name, value in logs.items():
            history.history.setdefault(name, []).append(value)
        history.epoch.append(record.epoch - 1)
        return logs

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
        learner: Any = self._learner(flow)
        passes: Any = Passes(flow, steps, device=_device(learner))
        loss, accuracy = measure(learner, passes)
        said = {"loss": loss, **dict.fromkeys(self.metrics, accuracy)}
        if verbose:
            print(_words(said))
        return list(said.values()) if self.metrics else loss

    evaluate_generator = evaluate  # Keras' old name

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

    predict_generator = predict  # Keras' old name

    def summary(self, print_fn: Callable[[str], object] = print) -> None:
        """Print the layers, what comes out of them, and how many numbers they hold.

        Raises:
            UsageError: the model knows no input_shape yet.
        """
        self._known()
        print_fn(table(str(self.name), self.layers))

    # --- keeping ---

    def get_config(self) -> dict[str, Any]:
        """The model as JSON can write it; `from_config` makes it again, without its numbers.

        Raises:
            UsageError: it is not built.
        """
        self._known()
        compiled = None
        if self.optimizer is not None:
            optimizer, loss = vars(self.optimizer), vars(self.loss)
            compiled = {"optimizer": optimizer, "loss": loss, "metrics": list(self.metrics)}
        return {
            "class": type(self).__name__ if type(self).__name__ in LAYERS else "Model",
            "name": self.name,
            "input_shape": list(self.input.shape[1:]),
            "wires": None if self._wires is None else [list(wire) for wire in self._wires],
            "layers": [layer.get_config() for layer in self.layers],
            "compile": compiled,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Model:
        """A fresh model of what `get_config` gave, compiled as it was."""
        layers = [LAYERS[one["class"]].from_config(one) for one in config["layers"]]
        first, symbols = Input(tuple(config["input_shape"])), []
        if config["wires"] is None:
            model = cls(layers, name=config["name"])
            if model.shape is None:
                model.build(first.inward)
        else:
            symbols = [first]
            for layer, wire in zip(layers, config["wires"], strict=True):
                symbols.append(layer([symbols[k] for k in wire]))
            model = cls(first, symbols[-1], name=config["name"])
        if (compiled := config["compile"]) is not None:
            model.compile(Optimizer(**compiled["optimizer"]), Loss(**compiled["loss"]), compiled["metrics"])
        return model

    def save(self, path: str | Path, overwrite: bool = True) -> None:
        """Write the model into one file of svertka's own format: its layers as JSON, its numbers as safetensors.

        Raises:
            UsageError: the file exists and may not be replaced, or the model is not built.
            SvertkaError: it cannot be written.
        """
        write_model(Path(path), self.get_config(), self.core.state_dict(), overwrite=overwrite)

    def save_weights(self, path: str | Path, overwrite: bool = True) -> None:
        """The same as `save`: a file of svertka.keras always tells its layers too."""
        self.save(path, overwrite)

    def load_weights(self, path: str | Path) -> None:
        """Take the numbers of a file that `save` wrote, of a model of the same layers.

        Raises:
            UsageError: the model is not built.
            WeightsError: it is no such file, or of other layers.
        """
        self._known()
        self._fill(read_model(Path(path))[1], path)

    def _fill(self, tensors: Mapping[str, Tensor], path: str | Path) -> None:
        own = self.core.state_dict()
        for name in sorted(own.keys() | tensors.keys()):
            if name not in own or name not in tensors or own[name].shape != tensors[name].shape:
                raise WeightsError(f"{path} holds the numbers of other layers than {self.name} has: {name} differs.")
        self.core.load_state_dict(tensors)


def _cut(x: object, y: object, share: float, validation: object) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The last share of arrays for validation, the rest to learn from."""
    if validation is not None:
        raise UsageError("validation_split and validation_data are two ways to say one thing: leave one out.")
    if isinstance(x, Flow) or y is None:
        raise UsageError("validation_split cuts arrays; a generator has a validation_split of its own, and subset=.")
    if not 0 < share < 1:
        raise UsageError(f"validation_split is a share of 1 below it; received {share!r}.")
    pictures, labels = np.asarray(x), np.asarray(y)
    at = int(len(pictures) * (1 - share))
    if not 0 < at < len(pictures):
        raise UsageError(f"validation_split={share:g} of {len(pictures)} pictures leaves one side empty.")
    return (pictures[:at], labels[:at]), (pictures[at:], labels[at:])


def _last(history: History) -> dict[str, float]:
    return {name: values[-1] for name, values in history.history.items()}


def _flow(data: object, batch_size: int) -> Flow:
    """Validation data: a flow, or a pair of arrays."""
    return flow_of(*data, batch_size=batch_size) if isinstance(data, tuple) else flow_of(data)


def _words(said: dict[str, float]) -> str:
    return " - ".join(f"{name}: {value:.4f}" for name, value in said.items())


def _device(module: nn.Module) -> str:
    return str(next((p.device for p in module.parameters()), "cpu"))


class Sequential(Model):
    """A chain that grows: `Sequential([...])`, or `add` one layer after another."""

    def __init__(self, layers: Iterable[Layer | Symbol] = (), name: str | None = None) -> None:
        super().__init__((), name=name)
        for layer in layers:
            self._append(layer)

    def add(self, layer: Layer | Symbol) -> None:
        """Put a layer at the end.

        Raises:
            ShapeError: it does not fit what comes out of the layer before.
        """
        self._append(layer)


def load_model(path: str | Path) -> Model:
    """A model that `save` wrote, compiled as it was.

    Raises:
        WeightsError: it is no such file, or damaged.
    """
    config, tensors = read_model(Path(path))
    try:
        model = LAYERS[config["class"]].from_config(config)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, SvertkaError) as why:
        raise WeightsError(f"{path} does not describe a model of svertka.keras: {why!r:.200}.") from why
    if not isinstance(model, Model):
        raise WeightsError(f"{path} describes a layer and no model.")
    model._fill(tensors, path)
    return model


__getattr__ = getter(__name__, ["Model", "Sequential", "load_model"])
