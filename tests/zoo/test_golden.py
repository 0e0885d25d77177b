"""Our networks against torchvision's keys, shapes and logits; both sides make the weights from the keys."""

import functools
import json
import math
import zlib

import pytest
import torch

from svertka import zoo
from svertka.zoo.weights.rename_tensors import load_state, rename

NAMES = [
    "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg16_bn", "googlenet", "inception_v3",
    "squeezenet1_0", "squeezenet1_1", "densenet121",
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "wide_resnet50_2",
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
    "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4",
    "efficientnet_v2_s", "convnext_tiny", "convnext_small",
]  # fmt: skip


@pytest.fixture(scope="module")
def golden(shared):
    return json.loads((shared / "golden" / "torchvision.json").read_text(encoding="utf-8"))


def generator(text):
    return torch.Generator().manual_seed(zlib.crc32(text.encode()))


def fill(key, shape):
    """The tensor that both sides put under a key."""
    last = key.rpartition(".")[2]
    if last == "num_batches_tracked":
        return torch.tensor(0)
    if math.prod(shape) > 50e6:  # all VGGs share one fully connected layer
        return large(key, tuple(shape))
    if last in ("running_mean", "bias"):
        return 0.1 * torch.randn(shape, generator=generator(key), dtype=torch.float64)
    if last in ("running_var", "layer_scale") or len(shape) == 1:
        return 0.5 + torch.rand(shape, generator=generator(key), dtype=torch.float64)
    return he(key, shape)


def he(key, shape):
    values = torch.randn(shape, generator=generator(key), dtype=torch.float64)
    return values.mul_(math.sqrt(2 / math.prod(shape[1:])))


large = functools.lru_cache(1)(he)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if name in zoo.variants()],
)
def test_logits_are_torchvisions(name, golden):
    fact = golden[name]
    net = zoo.empty_net(name).double()
    left = load_state(
        net,
        {key: fill(key, shape) for key, shape in fact["keys"].items()},
        zoo.variant(name).renames["torchvision"],
    )
    assert left == ()  # and load_state refuses a key that has no place
    assert sum(p.numel() for p in net.parameters()) == fact["parameters"]

    x = torch.randn(fact["input"], generator=generator("input"), dtype=torch.float64)
    with torch.inference_mode():
        logits = net.eval()(x)[0]
    expected = torch.tensor(fact["logits"], dtype=torch.float64)
    torch.testing.assert_close(logits[: len(expected)], expected, rtol=1e-6, atol=1e-9)
    assert logits.abs().mean().item() == pytest.approx(fact["logits_abs_mean"], rel=1e-6)


@pytest.mark.shared
def test_every_key_gets_a_name_of_its_own(golden):
    for name in golden.keys() & zoo.variants().keys():
        rules = zoo.variant(name).renames["torchvision"]
        ours = [rename(key, rules) for key in golden[name]["keys"]]
        assert sorted(ours) == sorted(zoo.empty_net(name).state_dict())


def test_all_29_networks_are_here():
    assert len(set(NAMES)) == 29
    assert [name for name in NAMES if name not in zoo.variants()] == []
