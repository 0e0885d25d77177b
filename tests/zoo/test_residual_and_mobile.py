"""How the residual and mobile families behave: bricks by definition, fresh weights, sizes, errors."""

import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from svertka import zoo
from svertka.blocks import ConvNorm, SqueezeExcite, StochasticDepth, TensorflowConv, he_normal, round_width
from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.zoo.image.resnet_cifar import Subsample

SMALLEST = [
    "resnet18",
    "resnet20",
    "mobilenet_v1_025",
    "mobilenet_v2_035",
    "mobilenet_v3_small",
    "efficientnet_b0",
]


def tensorflow_same(x, weight, stride):
    """TensorFlow's "SAME" in loops: ceil(size / stride) windows, missing pixels are 0, the odd one last."""
    (_, h, w), (o, _, k, _) = x.shape, weight.shape
    rows, columns = math.ceil(h / stride), math.ceil(w / stride)
    top = max(0, (rows - 1) * stride + k - h) // 2
    left = max(0, (columns - 1) * stride + k - w) // 2
    y = x.new_zeros(o, rows, columns)
    for i in range(rows):
        for j in range(columns):
            for a in range(k):
                for b in range(k):
                    row, column = i * stride - top + a, j * stride - left + b
                    if 0 <= row < h and 0 <= column < w:
                        y[:, i, j] = y[:, i, j] + weight[:, :, a, b] @ x[:, row, column]
    return y


@settings(max_examples=25, deadline=None)
@given(h=st.integers(1, 9), w=st.integers(1, 9), k=st.sampled_from([1, 3, 5]), stride=st.sampled_from([2, 3]))
def test_tensorflow_padding_is_its_definition(h, w, k, stride):
    conv = TensorflowConv(2, 3, k, stride, bias=False).double()
    x = torch.randn(1, 2, h, w, dtype=torch.float64, requires_grad=True)
    ours, loops = conv(x)[0], tensorflow_same(x[0], conv.weight, stride)
    torch.testing.assert_close(ours, loops)
    given_back = [torch.autograd.grad(y.sin().sum(), [x, conv.weight]) for y in (ours, loops)]
    torch.testing.assert_close(*given_back)


@given(h=st.integers(1, 40), w=st.integers(1, 40), stride=st.integers(1, 3), k=st.sampled_from([1, 3, 5, 7]))
@settings(max_examples=40, deadline=None)
def test_both_paddings_give_the_same_sizes(h, w, stride, k):
    x = torch.zeros(1, 1, h, w)
    sizes = {ConvNorm(1, 1, k, stride, padding=p).eval()(x).shape for p in ("symmetric", "tensorflow")}
    assert sizes == {(1, 1, math.ceil(h / stride), math.ceil(w / stride))}


def test_squeeze_and_excitation_by_its_formula():
    block = SqueezeExcite(6, 2).double()
    x = torch.randn(3, 6, 4, 5, dtype=torch.float64)
    z = x.mean((2, 3))  # (n, c)
    z = (z @ block.reduce.weight[:, :, 0, 0].T + block.reduce.bias).clamp(min=0)
    z = 1 / (1 + torch.exp(-(z @ block.restore.weight[:, :, 0, 0].T + block.restore.bias)))
    torch.testing.assert_close(block(x), x * z[:, :, None, None])


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    drop, x = StochasticDepth(0.25), torch.ones(4000, 2, 3, 3)
    y = drop(x)
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert ((y == 0).flatten(1).all(1) | (y > 0).flatten(1).all(1)).all()
    assert y.mean().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(drop.eval()(x), x)


def test_option_a_in_loops():
    x = torch.randn(2, 4, 5, 6)
    y = Subsample(4, 8, 2)(x)
    assert y.shape == (2, 8, 3, 3)
    for c in range(8):
        for i in range(3):
            for j in range(3):
                expected = x[:, c - 2, 2 * i, 2 * j] if 2 <= c < 6 else torch.zeros(2)
                assert torch.equal(y[:, c, i, j], expected)


def test_widths_of_the_published_mobilenet_v2_035():
    channels = (32, 16, 24, 32, 64, 96, 160, 320)
    assert [round_width(0.35 * c) for c in channels] == [16, 8, 8, 16, 24, 32, 56, 112]


def test_he_start_keeps_the_size_of_gradients():
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(64, 128, 3, groups=4)
    he_normal(conv)
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (128 // 4 * 9)), rel=0.02)
    assert not conv.bias.any()


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d", "resnet20"])
def test_a_fresh_residual_block_is_the_identity(name):
    block = zoo.net(name).stages[0][1]
    x = torch.rand(2, block.body[0].conv.in_channels, 6, 6)  # not negative, as after a ReLU
    assert torch.equal(block(x), x)
    block = zoo.net(name, zero_last=False).stages[0][1]
    assert not torch.allclose(block(x), x)


def test_a_fresh_convnext_block_is_nearly_the_identity():
    block, x = zoo.net("convnext_tiny").stages[0].blocks[0], torch.randn(1, 96, 8, 8)
    torch.testing.assert_close(block(x), x, atol=1e-4, rtol=0)
    assert not torch.equal(block(x), x)


@pytest.mark.parametrize("name", [*SMALLEST, "resnext50_32x4d", "efficientnet_v2_s", "convnext_tiny"])
def test_any_size_channels_and_classes(name):
    with torch.device("meta"):
        net = zoo.net(name, classes=7, channels=1).eval()
        least = zoo.variant(name).least
        for h, w in ((least, least), (least, least + 5), (61, 47)):
            assert net(torch.empty(2, 1, h, w)).shape == (2, 7)


@pytest.mark.parametrize("name", SMALLEST)
def test_the_least_size_really_works(name):
    net, least = zoo.net(name, classes=3), zoo.variant(name).least
    y = net(torch.randn(4, 3, least, least))
    y.square().sum().backward()
    assert y.isfinite().all()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_convnext_says_the_least_size():
    net = zoo.net("convnext_tiny", classes=2)
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 2)
    with pytest.raises(ShapeError, match=r"^convnext_tiny .* 32 or more"):
        net(torch.zeros(1, 3, 31, 32))


STAGES = {  # (channels, side) after each stage, from the tables of the papers
    "resnet18": [(64, 56), (128, 28), (256, 14), (512, 7)],
    "resnet50": [(256, 56), (512, 28), (1024, 14), (2048, 7)],
    "resnet56": [(16, 32), (32, 16), (64, 8)],
    "mobilenet_v1": [(64, 112), (128, 56), (256, 28), (512, 14), (1024, 7)],
    "mobilenet_v2": [(16, 112), (24, 56), (32, 28), (64, 14), (96, 14), (160, 7), (320, 7), (1280, 7)],
    "mobilenet_v3_large": [(16, 112), (24, 56), (40, 28), (112, 14), (160, 7), (960, 7)],
    "mobilenet_v3_small": [(16, 56), (24, 28), (48, 14), (96, 7), (576, 7)],
    "efficientnet_b0": [(16, 112), (24, 56), (40, 28), (80, 14), (112, 14), (192, 7), (320, 7), (1280, 7)],
    "convnext_tiny": [(96, 56), (192, 28), (384, 14), (768, 7)],
}


@pytest.mark.parametrize(("name", "expected"), STAGES.items(), ids=STAGES)
def test_stages_have_the_shapes_of_the_paper(name, expected):
    with torch.device("meta"):
        net, size = zoo.net(name).eval(), zoo.variant(name).size
        y, shapes = net.stem(torch.empty(1, 3, size, size)), []
        for stage in net.stages:
            y = stage(y)
            shapes.append((y.shape[1], y.shape[2]))
    assert shapes == expected


@pytest.mark.parametrize("name", ["efficientnet_b0", "convnext_tiny"])
def test_stochastic_depth_is_off_until_asked_for_and_grows(name):
    def rates(net):
        return [m.rate for m in net.modules() if isinstance(m, StochasticDepth)]

    with torch.device("meta"):
        assert rates(zoo.net(name)) == []
        grown = rates(zoo.net(name, drop_path=0.2))
    assert grown == sorted(grown)
    assert 0.15 < grown[-1] <= 0.2
    assert len(set(grown)) == len(grown) > 10


def test_any_width():
    x = torch.zeros(1, 3, 64, 64, device="meta")
    for name in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"):
        with torch.device("meta"):
            sizes = [
                sum(p.numel() for p in zoo.net(name, width=width).parameters())
                for width in (0.1, 0.25, 0.6, 1.0, 1.5, 2.0)
            ]
            assert zoo.net(name, width=0.6).eval()(x).shape == (1, 1000)
        assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0"])
def test_tensorflow_padding_moves_pixels_but_not_sizes(name):
    torch.manual_seed(0)
    ours, theirs = zoo.net(name, classes=5).eval(), zoo.net(name, classes=5, padding="tensorflow").eval()
    theirs.load_state_dict(ours.state_dict())
    even, odd = torch.randn(1, 3, 64, 64), torch.randn(1, 3, 33, 33)
    assert ours.features(even).shape == theirs.features(even).shape
    assert not torch.allclose(ours.features(even), theirs.features(even))
    assert torch.equal(ours.stem(odd), theirs.stem(odd))


def test_a_network_without_storage_is_made_without_drawing():
    """Drawing normal numbers without storage makes PyTorch import modules for seconds."""
    code = """
import sys
from svertka import zoo
for name in ("resnet50", "mobilenet_v2", "efficientnet_b0", "convnext_tiny", "vgg11"):
    assert all(p.is_meta for p in zoo.empty_net(name).parameters())
print("sympy" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_wrong_options_are_named():
    with pytest.raises(UnknownName, match="no padding called 'same'"):
        zoo.net("mobilenet_v2", padding="same")
    for name in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"):
        with pytest.raises(UsageError, match="width"):
            zoo.net(name, width=0)
    with pytest.raises(UnknownName, match="option of resnet50"):
        zoo.net("resnet50", width=2)


def test_a_depthwise_separable_block_is_a_convolution_in_two_steps():
    """A MobileNet v1 block without norm and ReLU equals one convolution with the product of both kernels."""
    block = zoo.net("mobilenet_v1_025").stages[0][0]
    deep, point = block.depthwise.conv.weight, block.pointwise.conv.weight  # (c, 1, 3, 3), (o, c, 1, 1)
    x = torch.randn(1, deep.shape[0], 7, 7)
    two = block.pointwise.conv(block.depthwise.conv(x))
    one = F.conv2d(x, point * deep[:, 0], padding=1)
    torch.testing.assert_close(two, one, atol=1e-5, rtol=1e-4)
