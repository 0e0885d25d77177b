"""A model on disk and in memory: network, weights, class names and preprocessing, together or not at all.

On disk: `model.json`, which a person can read, and `weights.safetensors`. Nothing in them executes. The network is kept
layer by layer (structure.py), so that a model stays what it is when the zoo changes. `Model.load` takes a run folder or
its `model/`; what predicts is the same code that trained: `signals` makes the pixels, `Preprocess` the input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

import svertka
from svertka import zoo
from svertka.blocks import Net
from svertka.common.atomic_write import write_bytes
from svertka.common.text import shorten
from svertka.data.samples import Sample, batched, open_samples
from svertka.errors import ReadError, RecipeError, RunError, ShapeError, SvertkaError, UsageError, WeightsError
from svertka.kinds import image, kind
from svertka.kinds.base import Kind, Preprocess
from svertka.models.describe import build, describe
from svertka.models.structure import outline
from svertka.records import Prediction, Unreadable, encoded, readable
from svertka.runs.files import as_preprocess, as_record, renewed
from svertka.runs.layout import MODEL
from svertka.runs.layout import MODEL_FACTS as FACTS
from svertka.runs.layout import MODEL_WEIGHTS as WEIGHTS
from svertka.runs.records import ModelFile
from svertka.zoo.weights import catalog as catalog
from svertka.zoo.weights.rename_tensors import load_state

FORMAT = 2  # 1 named a network of the zoo; 2 has its structure as well


@dataclass
class Model:
    """A classifier ready for use.

    net          in evaluation mode
    classes      names, in the order of the outputs
    preprocess   how bytes become input
    spec         how the network is called, its options and the shape of its input (see `describe`)
    temperature  the logits are divided by it before softmax
    abstaining   rows [threshold, coverage, accuracy, low] on validation, for a model that may say "unsure"
    mirror       the answer is the mean over the picture and its mirror image
    """

    net: Net
    classes: tuple[str, ...]
    preprocess: Preprocess
    spec: dict[str, Any]
    temperature: float = 1.0
    abstaining: list[list[float]] = field(default_factory=list)
    mirror: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.net.eval()

    # ---- on disk

    def save(self, folder: Path) -> Path:
        """Write model.json and weights.safetensors into `folder`, each whole or not at all.

        Raises:
            UsageError: the network has parts that could not be built again.
            SvertkaError: the folder cannot be written.
        """
        structure = outline(self.net)
        data = save({k: v.detach().cpu().contiguous() for k, v in self.net.state_dict().items()})
        facts = {
            "format": FORMAT,
            "svertka": svertka.__version__,
            "network": self.spec,
            "classes": list(self.classes),
            "preprocess": self.preprocess.to_dict(),
            "temperature": self.temperature,
            "abstaining": self.abstaining,
            "mirror": self.mirror,
            "weights": {"file": WEIGHTS, "sha256": hashlib.sha256(data).hexdigest()},
            "structure": structure,
        }
        _write(folder / WEIGHTS, data)
        _write(folder / FACTS, encoded(f"{readable(facts)}\n"))
        self.facts = facts
        return folder

    @classmethod
    def load(cls, where: str | Path, *, device: str = "cpu") -> Model:
        """The model of a run folder, or of a folder that holds model.json.

        Raises:
            RunError: no model there, damaged, or written by a newer version; or by an older one, as a network that the
                zoo no longer has.
        """
        folder = Path(where)
        folder = folder / MODEL if (folder / MODEL / FACTS).is_file() else folder
        content, facts = _read_facts(folder)
        data = _bytes(folder / WEIGHTS)
        if hashlib.sha256(data).hexdigest() != facts.weights.sha256:
            raise RunError(f"{folder / WEIGHTS} is damaged: its sha256 is not the one in {FACTS}.")
        try:
            net = _filled(facts, load(data), folder)
        except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, RecipeError) as why:
            raise RunError(f"{folder / FACTS} does not describe a model: {shorten(repr(why))}.") from why
        return cls(
            net.to(device, memory_format=torch.channels_last),  # type: ignore[call-overload]
            tuple(facts.classes), as_preprocess(facts.preprocess, folder / FACTS), facts.network, facts.temperature,
            [list(row) for row in facts.abstaining], facts.mirror, content,
        )  # fmt: skip

    @classmethod
    def published(cls, what: str, weights: str | Path | None = None) -> Model:
        """A network with its ImageNet weights: the thousand classes, and pictures prepared as it learned them.

        Args:
            what: a network of the zoo, or a name of `svertka weights`.
            weights: a file to take instead of the published one.

        Raises:
            UnknownName: nothing of that name.
            WeightsError: the weights cannot be had, or are of another network.
        """
        row = catalog.published(weights or what)
        name = what if what in zoo.variants() else catalog.find(what).network
        classes = catalog.imagenet_classes()
        net = catalog.load_weights(name, weights or what, classes=len(classes))
        library = row.library if row else catalog.recognize(catalog.path_of(weights or what, name, None), name)[1]
        variant = zoo.variant(name)
        preprocess = image.Preprocess(
            *(row.size if row else variant.size,) * 2, variant.channels, "crop", *catalog.range_of(row, library),
            zoom=row.size / row.resize if row else 0.875,
            interpolation=row.interpolation if row else "bilinear",
        )  # fmt: skip
        return cls(net, classes, preprocess, describe(net, name, preprocess.shape))

    # ---- in use

    @property
    def kind(self) -> Kind:
        """The kind of its samples."""
        return kind(self.preprocess.kind)

    @torch.inference_mode()
    def probabilities(self, pixels: np.ndarray | Tensor) -> Tensor:
        """uint8 (n, h, w, c) as `preprocess` shapes them -> probabilities (n, classes) float32."""
        device = next(self.net.parameters()).device
        x = self.preprocess.normalize(torch.as_tensor(pixels).to(device))
        return torch.softmax(answer(self.net, x, self.mirror) / self.temperature, dim=1).cpu()

    def predict(self, samples: Any, *, batch: int = 64) -> list[Prediction | Unreadable]:
        """What the model says of each sample, in order; one that cannot be read is told apart by its type.

        Args:
            samples: one or many, in any form that `svertka.predict` takes.
            batch: how many go through the network at once.

        Raises:
            UsageError: it is no sample, such as a number, or an array of another form.
            DataError: a folder or archive without samples.
        """
        answers: list[Prediction | Unreadable] = []
        for group in batched(open_samples(samples, self.preprocess), batch):
            answers += self._answers([self._row(sample) for sample in group])
        return answers

    def _row(self, sample: Sample) -> tuple[str, np.ndarray | Unreadable]:
        try:
            return sample.name, sample.stored(self.preprocess)
        except ReadError as why:
            return sample.name, Unreadable(sample.name, why.reason)

    def _answers(self, rows: Sequence[tuple[str, np.ndarray | Unreadable]]) -> list[Prediction | Unreadable]:
        good = [pixels for _, pixels in rows if not isinstance(pixels, Unreadable)]
        shares = iter(self.probabilities(np.stack(good)).tolist() if good else [])
        return [r if isinstance(r, Unreadable) else self._prediction(path, next(shares)) for path, r in rows]

    def _prediction(self, path: str, shares: list[float]) -> Prediction:
        ranking = tuple(sorted(zip(self.classes, shares, strict=True), key=lambda pair: -pair[1]))
        return Prediction(path, ranking[0][0], ranking[0][1], ranking)


def answer(net: Net, x: Tensor, mirror: bool = False) -> Tensor:
    """Logits (n, classes) float32 for x (n, c, h, w); with `mirror` the mean over each picture and its mirror image."""
    logits: Tensor = net(x).float()
    return (logits + net(x.flip(-1)).float()) / 2 if mirror else logits


def _filled(facts: ModelFile, tensors: dict[str, Tensor], folder: Path) -> Net:
    """The network of model.json with its weights."""
    named = facts.format == 1
    if not named and facts.structure is None:
        raise RunError(f"{folder / FACTS} does not describe a model: it has no structure.")
    try:
        with zoo.without_storage():
            net = build(facts.network, len(facts.classes), None if named else facts.structure)
        load_state(net, tensors)
    except (RunError, UsageError, ShapeError, WeightsError) as why:
        if not named:
            raise RunError(f"{folder / FACTS} does not describe its weights: {shorten(str(why), 200)}") from why
        name = shorten(repr(facts.network.get("name")), 40)
        raise RunError(
            f"{folder} was written by an earlier svertka, whose network {name} was not today's: open it with that "
            f"version, or train anew. ({shorten(str(why), 80)})"
        ) from why
    return net


def _read_facts(folder: Path) -> tuple[dict[str, Any], ModelFile]:
    """What model.json holds, as plain data and as a record."""
    if not (folder / FACTS).is_file():
        what = "holds no model.json" if folder.is_dir() else "does not exist"
        raise RunError(f"{folder} {what}; a model is a run folder of `svertka train`, or its model/.")
    content = renewed(folder / FACTS)
    version = content.get("format")
    if isinstance(version, int) and version > FORMAT:
        writer = shorten(str(content.get("svertka")), 40)
        raise RunError(f"{folder} was written by a newer svertka ({writer}); this is {svertka.__version__}.")
    return content, as_record(content, ModelFile, str(folder / FACTS))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as why:
        raise RunError(f"{path} cannot be read: {(why.strerror or str(why)).lower()}.") from why


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    except OSError as why:
        raise SvertkaError(f"{path} cannot be written: {(why.strerror or str(why)).lower()}.") from why
