"""The arithmetic of one number is the network's own, term by term."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from svertka import zoo
from svertka.blocks.conv import TensorflowConv
from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.explanation import arithmetic

# The windows of lecture 003: a curve detector, a place that it fits and one that it does not.
CURVE = """0 0 0 0 0 30 0
0 0 0 0 30 0 0
0 0 0 30 0 0 0
0 0 0 30 0 0 0
0 0 0 30 0 0 0
0 0 0 30 0 0 0
0 0 0 0 0 0 0"""
FITS = """0 0 0 0 0 0 30
0 0 0 0 50 50 50
0 0 0 20 50 0 0
0 0 0 50 50 0 0
0 0 0 50 50 0 0
0 0 0 50 50 0 0
0 0 0 50 50 0 0"""
FITS_NOT = """0 0 0 0 0 0 0
0 40 0 0 0 0 0
40 0 40 0 0 0 0
40 20 0 0 0 0 0
0 50 0 0 0 0 0
0 0 50 0 0 0 0
25 25 0 50 0 0 0"""


def matrix(text):
    return torch.tensor([[float(n) for n in row.split()] for row in text.splitlines()])[None, None]


@pytest.mark.parametrize(("window", "total"), [(FITS, 6600), (FITS_NOT, 0)])
def test_the_two_sums_of_lecture_003(window, total):
    net = nn.Sequential(nn.Conv2d(1, 1, 7, bias=False))
    net[0].weight.data.copy_(matrix(CURVE))
    found = arithmetic(net, matrix(window), "0", (0, 0, 0))
    assert found.sum == found.given == total
    products = [f"({t.input:g}*{t.weight:g})" for t in found.terms if t.product]
    lecture = ["(50*30)", "(20*30)", "(50*30)", "(50*30)", "(50*30)"] if total else []
    assert sorted(products) == sorted(lecture)
    assert found.text().endswith(f"sum: {total}; the network has {total}")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.booleans(),
    st.integers(0, 2**16),
)  # fmt: skip
def test_any_convolution(groups, kernel, stride, padding, dilation, bias, seed):
    torch.manual_seed(seed)
    conv = nn.Conv2d(2 * groups, 3 * groups, (kernel, 2), stride, padding, dilation, groups, bias)
    net, x = nn.Sequential(conv, nn.ReLU(inplace=True)), torch.randn(1, 2 * groups, 7, 8)
    shape = conv(x).shape[1:]
    at = tuple(int(torch.randint(0, n, ())) for n in shape)
    found = arithmetic(net, x, "0", at)
    assert found.given == pytest.approx(float(conv(x)[(0, *at)].detach()))
    assert found.sum == pytest.approx(found.given, rel=1e-4, abs=1e-5)
    for term in found.terms:
        assert term.weight == float(conv.weight[term.weight_place].detach())
        assert term.input == (float(x[(0, *term.place)]) if term.place else 0)


@pytest.mark.parametrize(
    ("layer", "shape", "at"),
    [
        (nn.Conv2d(3, 4, 5, padding="same"), (3, 9, 9), (3, 0, 8)),
        (nn.Conv2d(3, 4, 4, padding="same", dilation=2), (3, 9, 9), (1, 0, 8)),
        (TensorflowConv(3, 4, 3, 2), (3, 8, 8), (2, 3, 3)),
        (TensorflowConv(3, 4, 3, 2), (3, 9, 9), (2, 0, 4)),
        (nn.Conv1d(3, 4, 5, 2, 3), (3, 11), (0, 4)),
        (nn.Linear(6, 5), (2, 6), (1, 3)),
    ],
)
def test_other_layers(layer, shape, at):
    torch.manual_seed(1)
    found = arithmetic(nn.Sequential(layer), torch.randn(1, *shape), "0", at)
    assert found.sum == pytest.approx(found.given, rel=1e-4, abs=1e-5)


def test_inside_a_network_whose_activations_work_in_place():
    torch.manual_seed(0)
    net = zoo.net("resnet20", classes=4)
    x = torch.randn(1, 3, 16, 16)
    convs = [name for name, part in net.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    for name in convs[::6] + convs[-1:]:
        at = (1,) if isinstance(net.get_submodule(name), nn.Linear) else (1, 2, 3)
        found = arithmetic(net, x, name, at)
        assert found.sum == pytest.approx(found.given, rel=1e-3, abs=1e-5)
    assert net.training


def test_the_text_tells_the_strongest_channels_and_what_the_others_add():
    torch.manual_seed(0)
    found = arithmetic(nn.Sequential(nn.Conv2d(5, 1, 2)), torch.randn(1, 5, 4, 4), "0", (0, 1, 1))
    lines = found.text(most=2).splitlines()
    assert lines[0] == "0 (Conv2d), number (0, 1, 1)"
    assert lines[3].startswith("  the other 3 input channels: ")
    assert len(lines) == 6
    told = found.to_dict()
    assert len(told["terms"]) == 20
    assert np.isclose(sum(t["input"] * t["weight"] for t in told["terms"]) + told["bias"], told["sum"])


def test_what_cannot_be_opened():
    net, x = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), torch.randn(1, 1, 5, 5)
    with pytest.raises(UnknownName, match="no layer called 'conv'"):
        arithmetic(net, x, "conv", (0, 0, 0))
    with pytest.raises(UsageError, match="is a ReLU"):
        arithmetic(net, x, "1", (0, 0, 0))
    with pytest.raises(ShapeError, match="gives 2x3x3; it has no number"):
        arithmetic(net, x, "0", (0, 3, 0))
    with pytest.raises(UsageError, match="pads by reflect"):
        arithmetic(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")), x, "0", (0, 0, 0))
