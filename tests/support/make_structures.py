"""Writes structures.json: networks as they are saved today, with what they answer, for test_structure.py.

Run it only to add a network. What stands there already must never change: it is what saved models are made of.

    PYTHONPATH=src python tests/support/make_structures.py
"""

import copy
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from svertka import zoo
from svertka.blocks import Ensemble, put_head, put_netvlad, put_stages
from svertka.models import describe, outline, rebuild
from svertka.records import readable

PLACE = Path(__file__).with_name("structures.json")
CLASSES = 4


def fill(net: nn.Module) -> nn.Module:
    """Weights that a formula gives, so that nobody need keep them."""
    for number, (name, tensor) in enumerate(net.state_dict().items()):
        wave = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 0.37 + number).view(tensor.shape)
        if name.endswith("running_var"):
            wave = wave.abs() + 0.5
        elif name.endswith("labels"):
            wave = torch.arange(tensor.numel()) % CLASSES
        elif name.endswith("num_batches_tracked"):
            wave = torch.zeros(())
        elif tensor.ndim > 1:
            wave = wave * (2 / tensor[0].numel()) ** 0.5
        tensor.copy_(wave)
    return net.eval()


def answer(net: nn.Module, shape: tuple[int, ...]) -> list[float]:
    """What a network filled so says of a picture that a formula gives."""
    x: Tensor = torch.cos(torch.arange(2 * torch.Size(shape).numel(), dtype=torch.float32) * 0.11).view(2, *shape)
    with torch.inference_mode():
        return [round(float(y), 6) for y in fill(net)(x).flatten()]


def networks():
    """What no published weights hold in place: our own networks, what transfer puts together, 1-D, the Conformer."""
    for name, shape in (
        ("small", (3, 32, 32)),
        ("medium", (1, 12, 12)),
        ("lenet", (1, 16, 16)),
        ("oneconv", (3, 6, 6)),
    ):
        yield name, shape, zoo.make(name, shape, CLASSES)
    for name in ("fcn1d", "resnet1d", "inceptiontime"):
        yield name, (2, 24), zoo.net(name, classes=CLASSES, channels=2)
    conformer = zoo.net("conformer_s", classes=CLASSES, mels=16)
    conformer.stages = conformer.stages[:1]
    yield "conformer_s, one block", (1, 16, 20), conformer
    deep, wide = zoo.net("resnet20", classes=1), zoo.net("mobilenet_v2_035", classes=1, padding="tensorflow")
    yield "NetVLAD", (3, 32, 32), put_head(put_netvlad(copy.deepcopy(deep), 64, 4), "dense", 256, CLASSES, hidden=5)
    yield "several stages", (3, 30, 30), put_head(put_stages(copy.deepcopy(deep), 3), "linear", 112, CLASSES)
    specs, plain = [describe(net, net.name, (3, 32, 32)) for net in (deep, wide)], ((0.5,) * 3, (0.25,) * 3)
    both = Ensemble([deep, wide], [plain, ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))], specs)
    yield "side by side", (3, 32, 32), put_head(both, "neighbors", 64 + 1280, CLASSES, count=9, k=3)


def main() -> None:
    kept = json.loads(PLACE.read_text(encoding="utf-8")) if PLACE.exists() else {}
    for name, shape, net in networks():
        if name not in kept:
            told = json.loads(json.dumps(outline(net.eval())))
            kept[name] = {"shape": shape, "structure": told, "answer": answer(rebuild(told), shape)}
    PLACE.write_text(readable(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
