"""The worked examples of the lectures, and their slips: each is computed here, none is taken on trust.

docs/lectures.md lists the slips and names the test of each; tests/ops/test_ops_docs.py holds the two together.
"""

import ast
import math
import re

import numpy as np
import pytest
import torch

from svertka import ops, shapes
from svertka.shapes import Window, output_size

FORMS = pytest.mark.parametrize("form", ops.FORMS)


def table(*rows):
    """Rows of numbers as a picture of one channel: (1, 1, h, w)."""
    return torch.tensor(rows, dtype=torch.float32)[None, None]


# ---------------------------------------------------------------------------------------- the worked examples


@FORMS
def test_lecture_001_crosses_a_5x5_picture_with_a_3x3_kernel(form):
    s = table((1, 1, 1, 0, 0), (0, 1, 1, 1, 0), (0, 0, 1, 1, 1), (0, 0, 1, 1, 0), (0, 1, 1, 0, 0))
    w = table((1, 0, 1), (0, 1, 0), (1, 0, 1))
    assert torch.equal(w[0, 0], ops.kernel("cross"))
    expected = table((4, 3, 4), (2, 4, 3), (2, 3, 4))
    torch.testing.assert_close(ops.conv2d.form(form)(s, w), expected)


def convolve(sequence, weights):
    """The listing of lecture 001, with the `return` that it lacks."""
    convolution = np.zeros(len(sequence) - len(weights) + 1)
    for i in range(convolution.shape[0]):
        convolution[i] = np.sum(weights * sequence[i : i + len(weights)])
    return convolution


@FORMS
def test_lecture_001_convolves_a_sequence(form):
    sequence, weights = np.array([2.0, 3, 5, 7, 11, 13]), np.array([1.0, -2, 4])
    ours = ops.conv1d.form(form)(torch.tensor(sequence)[None, None], torch.tensor(weights)[None, None])
    np.testing.assert_allclose(ours[0, 0], convolve(sequence, weights))


@FORMS
def test_lecture_001_conv2d_then_flatten_is_3600(form):
    picture, filters = torch.zeros(1, 3, 32, 32), torch.zeros(4, 3, 3, 3)
    if form == "definition":  # a corner is enough where every number is a loop; the size is arithmetic
        assert ops.conv2d.definition(picture[..., :4, :4], filters).shape == (1, 4, 2, 2)
    else:
        assert ops.conv2d.form(form)(picture, filters).shape == (1, 4, 30, 30)
        assert ops.conv2d.form(form)(picture, filters).flatten(1).shape == (1, 3600)
    assert 4 * output_size(32, kernel=3) ** 2 == 3600


@pytest.mark.parametrize(
    ("w", "k", "p", "s", "out"),
    [
        (28, 3, 0, 1, 26),  # lecture 000: without padding
        (28, 3, 1, 1, 28),  # lecture 000: with a frame of one
        (3, 2, 1, 1, 4),  # lecture 000: the drawing of kernel 2x2, picture 3x3, padding 1
        (28, 2, 0, 2, 14),  # lectures 000 and 002: pooling
        (5, 3, 0, 1, 3),  # lecture 001: the cross
        (32, 3, 0, 1, 30),  # lecture 001: Conv2D
        (32, 5, 0, 1, 28),  # lectures 001 (LeNet) and 003
        (28, 5, 0, 1, 24),  # LeNet on MNIST
        (224, 3, 1, 1, 224),  # lecture 003: VGG's convolutions
        (224, 2, 0, 2, 112),  # lecture 003: VGG's poolings
        (14, 2, 0, 2, 7),
        (224, 7, 3, 2, 112),  # where the division leaves a rest: ResNet's first
    ],
)
def test_lecture_001_size_of_the_output(w, k, p, s, out):
    assert output_size(w, k, s, p) == out == ops.maxpool1d(torch.zeros(1, 1, w), k, s, p).shape[-1]
    assert out == (w - k + 2 * p) // s + 1


@FORMS
def test_lecture_003_one_filter_gives_28x28x1_and_two_28x28x2(form):
    picture = torch.zeros(1, 3, 32, 32)
    for filters in (1, 2):
        weight = torch.zeros(filters, 3, 5, 5)
        if form == "definition":
            assert ops.conv2d.definition(picture[..., :6, :6], weight).shape == (1, filters, 2, 2)
        else:
            assert ops.conv2d.form(form)(picture, weight).shape == (1, filters, 28, 28)


CURVE = table(
    (0, 0, 0, 0, 0, 0, 30),
    (0, 0, 0, 0, 50, 50, 50),
    (0, 0, 0, 20, 50, 0, 0),
    (0, 0, 0, 50, 50, 0, 0),
    (0, 0, 0, 50, 50, 0, 0),
    (0, 0, 0, 50, 50, 0, 0),
    (0, 0, 0, 50, 50, 0, 0),
)
NO_CURVE = table(
    (0, 0, 0, 0, 0, 0, 0),
    (0, 40, 0, 0, 0, 0, 0),
    (40, 0, 40, 0, 0, 0, 0),
    (40, 20, 0, 0, 0, 0, 0),
    (0, 50, 0, 0, 0, 0, 0),
    (0, 0, 50, 0, 0, 0, 0),
    (25, 25, 0, 50, 0, 0, 0),
)


@FORMS
def test_lecture_003_the_curve_detector_gives_6600_and_0(form):
    detector = ops.kernel("curve")[None, None]
    assert ops.conv2d.form(form)(CURVE, detector).item() == 6600
    assert ops.conv2d.form(form)(NO_CURVE, detector).item() == 0


@FORMS
def test_max_pooling_leaves_the_largest_of_each_four(form):
    x = table((1, 3, 2, 9), (7, 4, 1, 5), (8, 5, 2, 3), (4, 2, 1, 4))
    torch.testing.assert_close(ops.maxpool2d.form(form)(x, 2), table((7, 9), (8, 4)))
    torch.testing.assert_close(ops.minpool2d.form(form)(x, 2), table((1, 1), (2, 1)))
    torch.testing.assert_close(ops.avgpool2d.form(form)(x, 2), table((3.75, 4.25), (4.75, 2.5)))
    torch.testing.assert_close(ops.sumpool2d.form(form)(x, 2), table((15, 17), (19, 10)))


@pytest.mark.parametrize("form", ["definition", "torch"])
def test_lecture_003_leaky_relu_has_a_slope_of_a_hundredth_below_zero(form):
    x = torch.tensor([-100.0, -1.0, 0.0, 1.0, 100.0])
    assert ops.leaky_relu.form(form)(x).tolist() == pytest.approx([-1.0, -0.01, 0.0, 1.0, 100.0])
    assert ops.relu.form(form)(x).tolist() == [0, 0, 0, 1, 100]


def test_lecture_001_global_average_pooling_leaves_one_pixel_of_many_channels():
    assert ops.globalavgpool(torch.ones(1, 2048, 7, 7)).shape == (1, 2048)


def test_lecture_001_lenet_shrinks_to_five_pixels():
    conv, pool = Window(5), Window(2, 2)
    assert shapes.chain(32, [conv, pool, conv, pool]) == (32, 28, 14, 10, 5)


def test_lecture_002_the_network_for_mnist_needs_16_times_14_times_14_inputs():
    assert 16 * shapes.chain(28, [Window(3, padding=1), Window(2, 2)])[-1] ** 2 == 16 * 14 * 14


# ------------------------------------------------------------------------------------------------- the slips


def lecture(shared, number):
    return (shared / "lectures" / f"lecture_{number:03}.txt").read_text(encoding="utf-8")


def test_slip_positions_end_one_earlier():
    """k runs from 0 to m - n; at m - n + 1 the weights would stick out."""
    m, n = 6, 3
    assert Window(n).out(m) == m - n + 1
    assert list(Window(n).sees(m - n, m)) == [3, 4, 5]
    assert len(Window(n).sees(m - n + 1, m)) < n


def test_slip_the_double_sum_ends_at_n_minus_1():
    s, w = torch.randn(5, 5), torch.randn(3, 3)
    right = sum(s[t1, t2] * w[t1, t2] for t1 in range(3) for t2 in range(3))
    torch.testing.assert_close(ops.conv2d(s[None, None], w[None, None])[0, 0, 0, 0], right)
    with pytest.raises(IndexError):
        [w[t1, t2] for t1 in range(3 + 1) for t2 in range(3 + 1)]


def test_slip_convolve_returns_nothing(shared):
    listing = re.search(r"def convolve\(.*?\n```", lecture(shared, 1), re.DOTALL)[0].removesuffix("```")
    function = ast.parse(listing).body[0]
    assert not [node for node in ast.walk(function) if isinstance(node, ast.Return)]


def test_slip_the_kernel_is_not_turned_around():
    """What is called convolution is cross-correlation in mathematics."""
    s, w = np.array([1.0, 2, 3, 4]), np.array([1.0, 0, -1])
    ours = ops.conv1d(torch.tensor(s)[None, None], torch.tensor(w)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(ours, np.correlate(s, w))
    assert not np.allclose(ours, np.convolve(s, w, mode="valid"))


def test_slip_the_size_is_rounded_down():
    assert (7 - 2 + 2 * 0) / 2 + 1 == 3.5
    assert output_size(7, kernel=2, stride=2) == 3
    assert output_size(7, kernel=2, stride=2) != 7 / 2  # nor W / K, as of pooling


def test_slip_padding_does_not_make_border_pixels_equal():
    """How often each pixel takes part: the gradient of the sum of a convolution by ones."""

    def uses(padding):
        x = torch.zeros(1, 1, 5, requires_grad=True)
        ops.conv1d(x, torch.ones(1, 1, 3), padding=padding).sum().backward()
        return x.grad[0, 0].tolist()

    assert uses("valid") == [1, 2, 3, 2, 1]
    assert uses("same") == [2, 3, 3, 3, 2]  # still fewer at the ends
    assert uses(2) == [3, 3, 3, 3, 3]  # only padding of K - 1 makes them equal


def test_slip_same_keeps_the_size_only_at_stride_1():
    for word in ("same", "same-tf"):
        assert output_size(32, 3, stride=1, padding=word) == 32
        assert output_size(32, 3, stride=2, padding=word) == 16


def test_slip_padding_of_pooling_is_not_zeros():
    x = -torch.ones(1, 1, 4, 4)
    assert ops.maxpool2d(x, 3, stride=1, padding="same").max() == -1
    zeros = torch.nn.functional.pad(x, (1, 1, 1, 1))
    assert ops.maxpool2d(zeros, 3, stride=1).max() == 0


def test_slip_two_imports_on_one_line(shared):
    line = next(line for line in lecture(shared, 1).splitlines() if "import Sequential from" in line)
    with pytest.raises(SyntaxError):
        ast.parse(line)


def test_slip_horizontal_flip_mirrors_left_and_right(shared):
    text = lecture(shared, 1)
    assert "*vertical flip*" in text
    assert "horizontal_flip=True" in text
    assert "vertical_flip" not in text


def test_slip_resnet50_ends_in_2048_channels():
    """The last stage is 512 wide inside its blocks, which end four times as wide (He et al. 2015)."""
    expansion, width, stages = 4, 64, 4
    assert expansion * width * 2 ** (stages - 1) == 2048
    assert shapes.linear_parameters(2048, 1000).total == 2_049_000  # of the 25,557,032 published
    assert 25_557_032 - 2_049_000 == 23_508_032  # "about 23 million" is the network without its head


def test_slip_the_50_of_resnet50_leaves_out_the_projections():
    blocks = (3, 4, 6, 3)
    assert 1 + 3 * sum(blocks) + 1 == 50
    assert 50 + len(blocks) == 54  # one 1x1 convolution on the shortcut of each stage


def test_slip_freezing_removes_no_parameters():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(16, 2))
    before = sum(p.numel() for p in net.parameters())
    net[0].requires_grad_(False)
    assert sum(p.numel() for p in net.parameters()) == before
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == 16 * 2 + 2


def test_slip_the_last_named_pooling_is_not_the_largest():
    x = table((1, 3), (7, 4))
    assert ops.avgpool2d(x, 2).item() != ops.maxpool2d(x, 2).item() == 7


def test_slip_convolution_has_fewer_parameters_than_a_dense_layer():
    conv = shapes.conv_parameters(3, 64, (3, 3)).total
    dense = shapes.linear_parameters(3 * 224 * 224, 64).total
    assert (conv, dense) == (1_792, 9_633_856)


def test_slip_without_activation_two_convolutions_are_one():
    """That is what ReLU is for; that it removes negative numbers is how, not why."""
    x, a, b = (torch.randn(1, 1, n, dtype=torch.float64) for n in (12, 3, 4))
    one = torch.tensor(np.convolve(a[0, 0], b[0, 0]))[None, None]  # of 6 weights
    torch.testing.assert_close(ops.conv1d(ops.conv1d(x, a), b), ops.conv1d(x, one))
    assert not torch.allclose(ops.conv1d(ops.relu(ops.conv1d(x, a)), b), ops.conv1d(x, one))


def test_slip_listing_of_lecture_002_uses_names_it_never_made(shared):
    listing = re.search(r"```python\n(.*?)```", lecture(shared, 2), re.DOTALL)[1]
    nodes = list(ast.walk(ast.parse(listing)))
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    made |= {(alias.asname or alias.name).split(".")[0] for alias in imports}
    made |= {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    made |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    assert used - made - {"super", "print", "range", "enumerate", "len"} == {"datasets"}


def test_slip_the_scheduler_of_lecture_002_never_steps(shared):
    text = lecture(shared, 2)
    assert "scheduler = StepLR" in text
    assert "scheduler.step" not in text
    assert text.count("test_loader") == 1  # made, and never read: no accuracy is measured


def test_slip_relu_behind_pooling_behind_relu_changes_nothing():
    y = ops.maxpool2d(ops.relu(torch.randn(2, 3, 8, 8)), 2)
    assert torch.equal(ops.relu(y), y)


UNIT = {"K": 1e3, "M": 1e6}


def product(written):
    """224*224*64 as a number."""
    return math.prod(map(int, written.split("*")))


def test_slip_the_memory_of_vgg_adds_up_to_15_million(shared):
    """Every row of the table is right, its total is not: 24M numbers where the rows sum to 15.2M."""
    text = lecture(shared, 3)
    rows = re.findall(r"\[(\d+)x(\d+)x(\d+)\]\s+memory: *([\d*]+)(?:=([\d.]+)([KM]))?", text)
    assert len(rows) == 22
    total = 0
    for h, w, c, sides, written, unit in rows:
        numbers = shapes.numbers((int(h), int(w), int(c)))
        assert numbers == product(sides)
        assert not unit or float(written) * UNIT[unit] == pytest.approx(numbers, rel=0.02)
        total += numbers
    assert total == 15_237_608
    assert shapes.short(4 * total) == "61.0M"
    assert "TOTAL memory: 24M" in text


def test_the_weights_of_vgg_are_right_in_every_row(shared):
    """Also those of the fourth block's second and third convolution, which some copies give 256 channels."""
    written = re.findall(r"weights: \(?([\d*]+)\)?(?:\*(\d+))? = ([\d,]+)", lecture(shared, 3))
    counts = [int(count.replace(",", "")) for *_, count in written]
    assert [product(a) * int(b or 1) for a, b, _ in written] == counts
    channels, expected = 3, []
    for filters in [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6:
        expected.append(shapes.conv_parameters(channels, filters, (3, 3)).weights)
        channels = filters
    expected += [shapes.linear_parameters(*sides).weights for sides in ((25088, 4096), (4096, 4096), (4096, 1000))]
    assert counts == expected
    biases = 64 * 2 + 128 * 2 + 256 * 3 + 512 * 6 + 4096 * 2 + 1000
    assert (sum(counts), sum(counts) + biases) == (138_344_128, 138_357_544)


def test_slip_convolution_moves_with_the_picture_and_pooling_does_not_stand_still():
    """Equivariance, not invariance: a shifted picture gives a shifted map; behind a stride not even that."""
    x = torch.zeros(1, 1, 12)
    x[..., 4:7] = torch.tensor([1.0, 2.0, 3.0])
    w = torch.tensor([[[1.0, -1.0, 2.0]]])
    here, there = ops.conv1d(x, w), ops.conv1d(x.roll(1, -1), w)
    assert not torch.equal(here, there)
    assert torch.equal(here.roll(1, -1), there)
    assert not torch.equal(ops.maxpool1d(here, 2), ops.maxpool1d(there, 2))


def test_slip_one_output_joins_the_numbers_of_all_channels():
    """A 3x3 kernel joins 9 numbers only where there is one channel; a filter has a kernel for each."""
    assert ops.conv2d(torch.ones(1, 3, 3, 3), torch.ones(1, 3, 3, 3)).item() == 27


def test_slip_each_filter_has_its_bias_not_each_file():
    y = ops.conv2d(torch.zeros(1, 3, 4, 4), torch.zeros(2, 3, 3, 3), torch.tensor([0.5, -1.0]))
    assert y[0, 0].unique().tolist() == [0.5]
    assert y[0, 1].unique().tolist() == [-1.0]
