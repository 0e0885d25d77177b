"""Parameters and multiply-adds against the figures that the papers and the published weights state.

Multiply-adds are counted here from what convolutions and linear layers put out, on a device without storage,
by code that shares nothing with the package.
"""

import pytest
import torch
from torch import nn

from svertka import zoo

# Name, parameters, multiply-adds in thousand millions, side of the input: torchvision's documentation.
TORCHVISION = [
    ("resnet18", 11_689_512, 1.814, 224),
    ("resnet34", 21_797_672, 3.664, 224),
    ("resnet50", 25_557_032, 4.089, 224),
    ("resnet101", 44_549_160, 7.801, 224),
    ("resnet152", 60_192_808, 11.514, 224),
    ("resnext50_32x4d", 25_028_904, 4.230, 224),
    ("resnext101_32x8d", 88_791_336, 16.414, 224),
    ("resnext101_64x4d", 83_455_272, 15.460, 224),
    ("wide_resnet50_2", 68_883_240, 11.398, 224),
    ("wide_resnet101_2", 126_886_696, 22.753, 224),
    ("mobilenet_v2", 3_504_872, 0.301, 224),
    ("mobilenet_v3_large", 5_483_032, 0.217, 224),
    ("mobilenet_v3_small", 2_542_856, 0.057, 224),
    ("efficientnet_b0", 5_288_548, 0.386, 224),
    ("efficientnet_b1", 7_794_184, 0.687, 240),
    ("efficientnet_b2", 9_109_994, 1.088, 288),
    ("efficientnet_b3", 12_233_232, 1.827, 300),
    ("efficientnet_b4", 19_341_616, 4.394, 380),
    ("efficientnet_b5", 30_389_784, 10.266, 456),
    ("efficientnet_b6", 43_040_704, 19.068, 528),
    ("efficientnet_b7", 66_347_960, 37.746, 600),
    ("efficientnet_v2_s", 21_458_488, 8.366, 384),
    ("convnext_tiny", 28_589_128, 4.456, 224),
    ("convnext_small", 50_223_688, 8.684, 224),
]

# Name, million parameters, million multiply-adds, both as rounded in the source.
PAPERS = [
    ("mobilenet_v1", 4.2, 569),  # arXiv:1704.04861, tables 4 and 6
    ("mobilenet_v1_075", 2.6, 325),
    ("mobilenet_v1_050", 1.3, 149),
    ("mobilenet_v1_025", 0.5, 41),
    ("mobilenet_v2", 3.47, 300),  # TensorFlow's list of its MobileNet v2 weights, which counts no batch norm
    ("mobilenet_v2_140", 6.06, 582),
    ("mobilenet_v2_130", 5.34, 509),
    ("mobilenet_v2_075", 2.61, 209),
    ("mobilenet_v2_050", 1.95, 97),
    ("mobilenet_v2_035", 1.66, 59),
    ("mobilenet_v3_large", 5.4, 219),  # arXiv:1905.02244, table 3
    ("mobilenet_v3_large_075", 4.0, 155),
    ("mobilenet_v3_small", 2.5, 56),
    ("mobilenet_v3_small_075", 2.0, 44),
    ("resnet20", 0.27, 40.6),  # arXiv:1512.03385, table 6; multiply-adds: arXiv:1808.06866, table 1
    ("resnet32", 0.46, 68.9),
    ("resnet56", 0.85, 125),
    ("resnet110", 1.7, 253),
]


def without_storage(name: str) -> nn.Module:
    with torch.device("meta"):
        return zoo.net(name).eval()


def parameters(net: nn.Module, *, norms: bool = True) -> int:
    skip = {id(p) for m in net.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    return sum(p.numel() for p in net.parameters() if norms or id(p) not in skip)


def multiply_adds(net: nn.Module, side: int) -> int:
    total = 0

    def count(layer, _, y):
        nonlocal total
        weights_per_output = layer.weight.numel() // layer.weight.shape[0]
        total += weights_per_output * y.numel()

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    net(torch.empty(1, 3, side, side, device="meta"))
    return total


@pytest.mark.parametrize(("name", "number", "giga", "side"), TORCHVISION)
def test_as_torchvision_documents(name, number, giga, side):
    net = without_storage(name)
    assert parameters(net) == number
    assert round(multiply_adds(net, side) / 1e9, 3) == pytest.approx(giga, abs=5e-4)


@pytest.mark.parametrize(("name", "million", "mega"), PAPERS)
def test_as_the_papers_state(name, million, mega):
    net = without_storage(name)
    norms = not name.startswith("mobilenet_v2")
    assert parameters(net, norms=norms) / 1e6 == pytest.approx(million, rel=0.02, abs=0.05)
    assert multiply_adds(net, zoo.variant(name).size) / 1e6 == pytest.approx(mega, rel=0.015)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("resnet20", 269_722),  # github.com/akamaster/pytorch_resnet_cifar10, counted in its files
        ("resnet32", 464_154),
        ("resnet44", 658_586),
        ("resnet56", 853_018),
        ("mobilenet_v1", 4_231_976),  # Keras's MobileNet, its trainable parameters
    ],
)
def test_parameters_to_the_last_one(name, number):
    assert parameters(without_storage(name)) == number
