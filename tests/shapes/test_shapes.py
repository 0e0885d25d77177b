"""The arithmetic of sizes against counting, and against what torch really returns."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from svertka import shapes
from svertka.errors import ShapeError, UnknownName
from svertka.shapes import Field, Window

calm = settings(deadline=None, max_examples=80)  # no test fails because the machine is busy

side = st.integers(1, 9)
ends = st.integers(0, 4)
paddings = st.one_of(st.sampled_from(shapes.PADDINGS), ends, st.tuples(ends, ends))
any_window = st.builds(Window, side, st.integers(1, 5), paddings, st.integers(1, 3))
rounded_up = st.builds(Window, side, st.integers(1, 5), st.one_of(ends, st.tuples(ends, ends)), ceil=st.just(True))
all_windows = st.one_of(any_window, rounded_up)


def positions(window, size):
    """The output size by trying: floor mode counts the starts from which a whole window fits."""
    before, after = window.pads(size)
    return sum(1 for start in range(-before, size + after - window.reach + 1) if (start + before) % window.stride == 0)


@calm
@given(any_window, st.integers(1, 40))
def test_the_formula_counts_the_places_where_the_window_fits(window, size):
    expected = positions(window, size)
    if expected:
        assert window.out(size) == expected
    else:
        with pytest.raises(ShapeError, match=f"the least size that works is {window.least()}"):
            window.out(size)


@calm
@given(any_window, st.integers(1, 30))
def test_the_size_is_that_of_torch_convolution(window, size):
    assume(positions(window, size) > 0)
    x = F.pad(torch.zeros(1, 1, size), window.pads(size))
    y = F.conv1d(x, torch.zeros(1, 1, window.kernel), stride=window.stride, dilation=window.dilation)
    assert window.out(size) == y.shape[-1]


@calm
@given(st.integers(1, 30), side, st.integers(1, 5), st.integers(0, 4), st.booleans())
def test_the_size_is_that_of_torch_pooling_in_both_roundings(size, kernel, stride, padding, ceil):
    assume(padding <= kernel // 2)
    window = Window(kernel, stride, padding, ceil=ceil)
    x = torch.zeros(1, 1, size)
    try:
        expected = F.max_pool1d(x, kernel, stride, padding, ceil_mode=ceil).shape[-1]
    except RuntimeError:
        with pytest.raises(ShapeError):
            window.out(size)
    else:
        assert window.out(size) == expected


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@calm
@given(side, st.integers(1, 5), st.integers(1, 3), st.integers(1, 40))
def test_both_meanings_of_same_give_the_rounded_up_quotient(kernel, stride, dilation, size):
    even = Window(kernel, stride, "same", dilation)
    late = Window(kernel, stride, "same-tf", dilation)
    assert even.out(size) == late.out(size) == math.ceil(size / stride)
    for window in (even, late):
        before, after = window.pads(size)
        assert after - before in (0, 1)  # the extra pixel is at the end
    if stride == 1:
        assert even.pads(size) == late.pads(size)
        y = F.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), padding="same", dilation=dilation)
        assert y.shape[-1] == even.out(size)


def test_same_of_tensorflow_pads_as_tensorflow_documents():
    # tensorflow.org, tf.nn, "Notes on padding": in 13, filter 6, stride 5 -> 3 windows, padding 1 and 2
    assert Window(6, 5, "same-tf").pads(13) == (1, 2)
    assert Window(6, 5, "same-tf").out(13) == 3
    # MobileNet's stem on an even picture: one row and one column, at the end
    assert Window(3, 2, "same-tf").pads(224) == (0, 1)


@calm
@given(all_windows, st.integers(1, 12))
def test_inputs_is_the_inverse_of_out(window, out):
    sizes = window.inputs(out)
    for size in range(1, 80):
        try:
            given_out = window.out(size)
        except ShapeError:
            given_out = 0
        assert (given_out == out) == (size in sizes)


@calm
@given(all_windows, st.integers(1, 25))
def test_sees_lists_what_the_loops_would_touch(window, size):
    try:
        out = window.out(size)
    except ShapeError:
        return
    before, after = window.pads(size)
    for i in range(out):
        touched = [i * window.stride + t * window.dilation - before for t in range(window.kernel)]
        assert list(window.sees(i, size)) == [p for p in touched if 0 <= p < size]
        assert list(window.sees(i, size, padding=True)) == [p for p in touched if -before <= p < size + after]
    last = (out - 1) * window.stride + window.reach
    assert window.overhang(size) == max(0, last - (before + size + after))


@calm
@given(st.lists(any_window, min_size=1, max_size=4), st.integers(10, 40), st.data())
def test_receptive_field_is_where_the_gradient_goes(windows, size, data):
    """The independent truth: the pixels of the input that one output number has a gradient for."""
    try:
        sizes = shapes.chain(size, windows)
    except ShapeError:
        return
    position = data.draw(st.integers(0, sizes[-1] - 1))
    x = torch.ones(1, 1, size, requires_grad=True)
    y = x
    for window, before in zip(windows, sizes, strict=False):
        y = F.conv1d(
            F.pad(y, window.pads(before)),
            torch.ones(1, 1, window.kernel),
            stride=window.stride,
            dilation=window.dilation,
        )
    (gradient,) = torch.autograd.grad(y[0, 0, position], x)
    reached = tuple(gradient[0, 0].nonzero().flatten().tolist())
    assert shapes.trace(windows, size, position)[0] == reached
    field = shapes.receptive_field(windows, size)
    assert set(reached) <= set(field.sees(position, size))
    dense = all(window.dilation == 1 and window.stride <= window.kernel for window in windows)
    # Pixels that a window leaves over at the end are seen by places behind the last, which a later padding stands for.
    whole = all(
        before + sum(window.pads(before)) == (window.out(before) - 1) * window.stride + window.reach
        for window, before in zip(windows, sizes, strict=False)
    )
    if reached and dense and whole:
        assert tuple(field.sees(position, size)) == reached
    for pixel in range(size):
        assert (position in field.seen_by(pixel, sizes[-1])) == (pixel in field.sees(position, size))


@calm
@given(st.lists(st.builds(Field, side, side, st.integers(-9, 9)), min_size=3, max_size=3))
def test_fields_are_a_monoid(fields):
    a, b, c = fields
    assert a.then(b).then(c) == a.then(b.then(c))
    assert Field().then(a) == a == a.then(Field())


def test_parallel_branches_join_to_what_either_sees():
    conv = Field.of(Window(3, padding=1))
    assert Field() | conv.then(conv) == Field(5, 1, -2)
    assert Field.of(Window(5, padding=2)) | conv | Field() == Field(5, 1, -2)
    with pytest.raises(ShapeError, match="strides 2 and 1 cannot be joined"):
        Field.of(Window(3, 2)) | conv


def test_published_receptive_fields():
    """Araujo et al. 2019, table of known fields: AlexNet 195 (to conv5 and its pool), VGG-16 212."""
    conv, pool = Window(3, padding=1), Window(2, 2)
    vgg16 = [conv, conv, pool] * 2 + [conv, conv, conv, pool] * 3
    assert shapes.receptive_field(vgg16).size == 212
    big = Window(3, 2)
    alexnet = [Window(11, 4, 2), big, Window(5, padding=2), big, conv, conv, conv, big]
    assert (shapes.receptive_field(alexnet).size, shapes.receptive_field(alexnet).jump) == (195, 32)


def test_the_center_of_a_field_is_in_its_middle():
    assert Field(7, 2, -3).center(0) == 0.0
    assert Field(2, 2, 0).center(3) == 6.5


@pytest.mark.parametrize(("groups", "bias"), [(1, True), (2, False), (6, True)])
def test_counts_are_those_of_torch(groups, bias):
    conv = torch.nn.Conv2d(6, 12, (3, 2), groups=groups, bias=bias)
    counted = shapes.conv_parameters(6, 12, (3, 2), groups=groups, bias=bias)
    assert counted.weights == conv.weight.numel()
    assert counted.total == sum(p.numel() for p in conv.parameters())
    line = torch.nn.Linear(7, 5, bias=bias)
    assert shapes.linear_parameters(7, 5, bias=bias).total == sum(p.numel() for p in line.parameters())
    assert shapes.norm_parameters(8).total == sum(p.numel() for p in torch.nn.BatchNorm2d(8).parameters())


def test_multiply_adds_are_counted_by_a_convolution_of_ones():
    """Every product is 1 * 1, so the sum of the output is how many there were."""
    y = F.conv2d(torch.ones(1, 4, 9, 11), torch.ones(6, 2, 3, 3), stride=2, groups=2)
    assert shapes.conv_macs(4, 6, (3, 3), out=y.shape[2:], groups=2) == y.sum()
    assert shapes.linear_macs(7, 5) == F.linear(torch.ones(1, 7), torch.ones(5, 7)).sum()


def test_memory_is_that_of_the_tensor():
    x = torch.zeros(3, 5, 7)
    assert shapes.numbers(x.shape) == x.numel()
    assert shapes.memory(x.shape) == x.nbytes
    assert shapes.memory(x.shape, bytes_each=2) == x.half().nbytes


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1.00K"), (999_499, "999K"), (999_500, "1.00M"), (25_557_032, "25.6M")],
)
def test_short_has_three_digits(count, text):
    assert shapes.short(count) == text


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Window(0), ShapeError, r"The kernel is a whole number from 1 on; received 0\."),
        (lambda: Window(3, 0), ShapeError, r"The stride is a whole number from 1 on; received 0\."),
        (lambda: Window(3, dilation=1.5), ShapeError, r"The dilation is .* received 1\.5\."),
        (lambda: Window(3, padding=-1), ShapeError, r"whole number from 0 on, .* received -1\."),
        (lambda: Window(3, padding=(1, 2, 3)), ShapeError, r"received \(1, 2, 3\)\."),
        (lambda: Window(3, padding="sane"), UnknownName, r"no padding called 'sane'\. Did you mean same"),
        (
            lambda: Window(3, padding="same", ceil=True),
            ShapeError,
            r"Rounding up goes with padding in numbers",
        ),
        (lambda: Window(5).out(4), ShapeError, r"A window of 5 does not fit into 4; the least .* is 5\."),
        (
            lambda: Window(4, padding=(1, 0), dilation=2).out(3),
            ShapeError,
            r"A window of 7 \(kernel 4, dilation 2\) does not fit into 3 with padding 1 \+ 0; .* is 6\.",
        ),
        (
            lambda: shapes.output_shape((9, 2), shapes.windows(2, 3)),
            ShapeError,
            r"Along the width: A window of 3",
        ),
        (
            lambda: shapes.windows(2, (3, 3, 3)),
            ShapeError,
            r"The kernel is one for all axes or one for each of 2",
        ),
        (
            lambda: shapes.windows(1, 3, padding=(1, 2)),
            ShapeError,
            r"is written \(\(before, after\),\)\); received",
        ),
        (lambda: shapes.conv_parameters(6, 9, (3, 3), groups=2), ShapeError, r"what works is 1, 3\."),
        (lambda: shapes.trace([Window(3)], 5, 3), ShapeError, r"positions 0 to 2; received 3\."),
        (lambda: Field.of(Window(3, 2, "same-tf")), ShapeError, r"depends on the input size"),
    ],
)
def test_an_error_says_which_sizes_met_and_what_works(make, error, says):
    with pytest.raises(error, match=says):
        make()
