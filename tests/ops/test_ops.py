"""Every operation: its forms agree in value and gradient, over awkward shapes; its mistakes are sentences."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svertka import ops
from svertka.errors import ShapeError, UnknownName, UsageError

calm = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

# ----------------------------------------------------------------------------------------------- the proof


@pytest.mark.parametrize("name", ops.OPERATIONS)
def test_the_forms_of_every_operation_agree(name):
    agreement = ops.prove(name)
    operation = ops.OPERATIONS[name]
    assert agreement.cases == len(operation.cases) >= 2
    assert {"definition", "torch"} <= set(agreement.forms) <= set(ops.FORMS)
    assert ("matrix" in agreement.forms) != bool(operation.why)  # a form is there, or the reason why it is not


def test_the_proof_finds_a_wrong_value():
    with pytest.raises(ops.Disagreement, match=r"right = wrong: right and wrong differ by 0\.001 in value"):
        ops.agree({"right": lambda x: x, "wrong": lambda x: x + 1e-3}, torch.ones(2))


def test_the_proof_finds_a_wrong_gradient():
    with pytest.raises(ops.Disagreement, match="in gradient of tensor 2"):
        ops.agree({"right": torch.mul, "wrong": lambda x, y: x * y.detach()}, torch.ones(3), torch.ones(3))


def test_the_proof_finds_mixed_up_places_wrong_shapes_and_what_is_no_number():
    x = torch.arange(4.0)
    with pytest.raises(ops.Disagreement, match="in value"):
        ops.agree({"right": lambda x: x, "wrong": lambda x: x.flip(0)}, x)
    with pytest.raises(ops.Disagreement, match="tensors of shapes"):
        ops.agree({"right": lambda x: x, "wrong": lambda x: x[None]}, x)
    with pytest.raises(ops.Disagreement, match="differ by nan in value"):
        ops.agree({"right": lambda x: x, "wrong": lambda x: x * math.nan}, x)


def test_the_proof_says_what_it_proved_and_leaves_the_random_generator_alone():
    before = torch.get_rng_state()
    text = str(ops.prove("dropout", torch.ones(4, 5), p=0.3))
    assert text.startswith("dropout: definition, matrix and torch agree in 1 case; largest difference ")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_proof_on_numbers_of_ones_own():
    assert ops.prove("conv2d", torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2, 2), stride=2).cases == 1


# ------------------------------------------------------------------------------------- over awkward shapes


@st.composite
def convolutions(draw):
    """A call of convolution that fits: groups, strides beyond the kernel, dilation, uneven padding."""
    axes = draw(st.sampled_from([1, 2]))
    groups, seen, made = draw(st.sampled_from([(1, 1, 2), (1, 3, 1), (2, 1, 1), (2, 2, 1), (3, 1, 2)]))
    kernel = draw(st.lists(st.integers(1, 4), min_size=axes, max_size=axes))
    dilation = draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes))
    stride = draw(st.lists(st.integers(1, 5), min_size=axes, max_size=axes))
    ends = st.integers(0, 3)
    one = st.one_of(st.sampled_from(["valid", "same", "same-tf"]), ends, st.tuples(ends, ends))
    padding = draw(st.lists(one, min_size=axes, max_size=axes))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    least = [
        r if p == "valid" else max(1, r - sum(p)) if isinstance(p, tuple) else r
        for r, p in zip(reach, padding, strict=True)
    ]
    size = [draw(st.integers(m, max(m, 9 if axes == 1 else 6))) for m in least]
    shapes = [(draw(st.integers(1, 2)), groups * seen, *size), (groups * made, seen, *kernel)]
    if draw(st.booleans()):
        shapes.append((groups * made,))
    return shapes, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


@calm
@given(convolutions(), st.integers(0, 9))
def test_convolution_is_one_operation_in_three_forms(call, seed):
    shapes, options = call
    random = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(shape, generator=random) for shape in shapes]
    assert set(ops.prove(f"conv{len(shapes[0]) - 2}d", *tensors, **options).forms) == set(ops.FORMS)


@st.composite
def poolings(draw):
    axes = draw(st.sampled_from([1, 2]))
    size = draw(st.lists(st.integers(1, 4), min_size=axes, max_size=axes))
    stride = draw(st.one_of(st.none(), st.lists(st.integers(1, 6), min_size=axes, max_size=axes)))
    ceil = draw(st.booleans())
    ends = [st.integers(0, k - 1) for k in size]
    padding = [draw(st.one_of(end, st.tuples(end, end))) for end in ends]
    if not ceil and draw(st.booleans()):
        padding = draw(st.sampled_from(["same", "same-tf", "valid"]))
    sides = [draw(st.integers(k, 9)) for k in size]
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *sides)
    return shape, {"size": size, "stride": stride, "padding": padding, "ceil": ceil}


@calm
@given(poolings(), st.sampled_from(["max", "min", "sum", "avg"]), st.booleans(), st.integers(0, 9))
def test_pooling_is_one_operation_in_three_forms(call, kind, count_padding, seed):
    shape, options = call
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    if kind == "avg":
        options = {**options, "count_padding": count_padding}
    assert set(ops.prove(f"{kind}pool{len(shape) - 2}d", x, **options).forms) == set(ops.FORMS)


@calm
@given(st.integers(1, 4), st.integers(1, 3), st.lists(st.integers(1, 3), max_size=2), st.integers(0, 9))
def test_the_others_agree_on_any_shape(n, c, size, seed):
    x = torch.randn(n, c, *size, generator=torch.Generator().manual_seed(seed))
    for name in ("relu", "leaky_relu", "sigmoid", "tanh", "softmax", "dropout"):
        ops.prove(name, x)
    ops.prove("batchnorm", x, mean=torch.arange(c) / 2, variance=torch.arange(1, c + 1) / 3)
    if n * math.prod(size) > 1:
        ops.prove("batchnorm", x, torch.rand(c), torch.rand(c))


# -------------------------------------------------------------------------- against torch, called directly


@pytest.mark.parametrize("form", ops.FORMS)
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 2), ((1, 3), (2, 0), (2, 1), 4)]
)
def test_convolution_is_that_of_torch(form, stride, padding, dilation, groups):
    x, weight, bias = torch.randn(2, 4, 8, 7), torch.randn(8, 4 // groups, 3, 2), torch.randn(8)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    ours = ops.conv2d.form(form)(x, weight, bias, **options)
    torch.testing.assert_close(ours, F.conv2d(x, weight, bias, **options), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_is_that_of_torch_for_even_kernels_too(kernel):
    x, weight = torch.randn(1, 1, 6, 7), torch.randn(1, 1, kernel, kernel)
    torch.testing.assert_close(
        ops.conv2d.definition(x, weight, padding="same"),
        F.conv2d(x, weight, padding="same"),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("form", ops.FORMS)
@pytest.mark.parametrize(
    ("size", "stride", "padding", "ceil"),
    [(2, None, 0, False), (3, 2, 1, False), (3, 2, 0, True), (3, 2, 1, True)],
)
def test_pooling_is_that_of_torch(form, size, stride, padding, ceil):
    x = torch.randn(2, 3, 7, 8)
    options = {"stride": stride, "padding": padding, "ceil": ceil}
    torch.testing.assert_close(
        ops.maxpool2d.form(form)(x, size, **options), F.max_pool2d(x, size, stride, padding, ceil_mode=ceil)
    )
    for counted in (True, False):
        torch.testing.assert_close(
            ops.avgpool2d.form(form)(x, size, **options, count_padding=counted),
            F.avg_pool2d(x, size, stride, padding, ceil_mode=ceil, count_include_pad=counted),
        )


def test_dropout_drops_what_the_library_drops():
    x = torch.arange(1.0, 31).reshape(5, 6)
    results = []
    for form in ops.FORMS:
        torch.manual_seed(7)
        results.append(ops.dropout.form(form)(x, 0.4))
    torch.manual_seed(7)
    expected = F.dropout(x, 0.4)
    assert 0 < (expected == 0).sum() < 30
    for result in results:
        torch.testing.assert_close(result, expected)
    assert all(torch.equal(ops.dropout.form(form)(x, 0.4, training=False), x) for form in ops.FORMS)


def test_running_statistics_are_those_of_the_library():
    layer = torch.nn.BatchNorm2d(3)
    mean, variance = torch.zeros(3), torch.ones(3)
    for _ in range(3):
        x = torch.randn(4, 3, 2, 5) * 2 + 1
        layer(x)
        mean, variance = ops.running(mean, variance, x)
    torch.testing.assert_close(mean, layer.running_mean)
    torch.testing.assert_close(variance, layer.running_var)
    torch.testing.assert_close(ops.batchnorm(x, mean=mean, variance=variance), layer.eval()(x))


def test_after_training_batch_norm_folds_into_the_convolution_before_it():
    x, weight = torch.randn(2, 3, 6, 6), torch.randn(4, 3, 3, 3)
    scale, shift, mean, variance = torch.rand(4), torch.randn(4), torch.randn(4), torch.rand(4) + 0.5
    two = ops.batchnorm(ops.conv2d(x, weight), scale, shift, mean=mean, variance=variance)
    factor = scale / torch.sqrt(variance + 1e-5)
    one = ops.conv2d(x, weight * factor[:, None, None, None], shift - mean * factor)
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-5)


# -------------------------------------------------------------------------------------- what padding means


def test_padding_is_never_the_maximum_nor_the_minimum():
    x = -torch.ones(1, 1, 3, 3)
    for form in ops.FORMS:
        assert (ops.maxpool2d.form(form)(x, 3, stride=1, padding="same") == -1).all()
        assert (ops.minpool2d.form(form)(-x, 3, stride=1, padding="same") == 1).all()


def test_average_counts_the_padding_as_pytorch_or_leaves_it_as_keras():
    x = torch.ones(1, 1, 4)
    for form in ops.FORMS:
        average = ops.avgpool1d.form(form)
        torch.testing.assert_close(average(x, 2, padding=((1, 1),)), torch.tensor([[[0.5, 1.0, 0.5]]]))
        assert (average(x, 2, padding=((1, 1),), count_padding=False) == 1).all()
        assert (average(x, 3, ceil=True) == 1).all()  # what hangs over the end never counts


def test_of_equal_largest_numbers_the_first_gets_the_gradient():
    for form in ops.FORMS:
        x = torch.tensor([[[1.0, 3.0, 3.0, 3.0]]], requires_grad=True)
        ops.maxpool1d.form(form)(x, 4).sum().backward()
        assert x.grad.tolist() == [[[0, 1, 0, 0]]]


def test_a_matrix_form_moves_no_memory_format():
    x = torch.randn(2, 4, 6, 6).to(memory_format=torch.channels_last)
    weight = torch.randn(3, 4, 3, 3)
    torch.testing.assert_close(ops.conv2d.matrix(x, weight), ops.conv2d(x.contiguous(), weight), rtol=1e-4, atol=1e-5)


# --------------------------------------------------------------------------------------------- the kernels


def test_every_kernel_sums_to_what_it_should():
    for name, row in ops.KERNELS.items():
        total = row.tensor(torch.float64).sum().item()
        if row.does.startswith(("horizontal", "vertical", "edges", "the same")):
            assert total == 0, name  # nothing to find in an even gray
        elif name not in {"cross", "curve"}:
            assert math.isclose(total, 1), name  # as bright as before
    assert ops.box(4).sum() == 1
    assert math.isclose(ops.gauss(1.7).sum(), 1, rel_tol=1e-6)
    assert ops.gauss(1.7).shape == (13, 13)


@pytest.mark.parametrize("family", ["prewitt", "sobel", "scharr"])
def test_edge_kernels_find_their_direction_and_only_that(family):
    down = torch.arange(5.0)[:, None].expand(5, 5)[None, None]  # brighter line by line: horizontal edges
    across = down.mT
    horizontal, vertical = ops.kernel(f"{family}-horizontal"), ops.kernel(f"{family}-vertical")
    assert torch.equal(horizontal, vertical.T)
    assert (ops.filtered(down, horizontal, padding="valid") > 0).all()
    assert (ops.filtered(across, horizontal, padding="valid") == 0).all()
    assert (ops.filtered(across, vertical, padding="valid") > 0).all()


def test_kernels_that_are_made_of_others():
    torch.testing.assert_close(ops.kernel("sharpen"), ops.kernel("identity") - ops.kernel("laplace"))
    torch.testing.assert_close(ops.kernel("box"), ops.box(3))
    line = torch.tensor([1.0, 2.0, 1.0])
    torch.testing.assert_close(ops.kernel("gauss"), torch.outer(line, line) / 16)
    torch.testing.assert_close(ops.kernel("sobel-vertical"), torch.outer(line, torch.tensor([-1.0, 0.0, 1.0])))


def test_filtered_takes_each_channel_for_itself():
    x = torch.randn(2, 3, 6, 5)
    y = ops.filtered(x, ops.kernel("laplace"))
    assert y.shape == x.shape
    torch.testing.assert_close(y[:, 1:2], ops.filtered(x[:, 1:2], ops.kernel("laplace")))


# ------------------------------------------------------------------------------------------------ mistakes

PICTURE = torch.zeros(1, 3, 5, 5)


@pytest.mark.parametrize("form", ops.FORMS)
@pytest.mark.parametrize(
    ("name", "args", "options", "error", "says"),
    [
        (
            "conv2d",
            (torch.zeros(5, 5), torch.zeros(3, 3)),
            {},
            ShapeError,
            r"takes \(n, channels, height, width\); .*\(5, 5\)",
        ),
        (
            "conv1d",
            (PICTURE, torch.zeros(1, 3, 3, 3)),
            {},
            ShapeError,
            r"conv1d takes \(n, channels, length\)",
        ),
        ("conv2d", (PICTURE, torch.zeros(3, 3)), {}, ShapeError, r"takes a weight of 4, .* \(3, 3\)"),
        (
            "conv2d",
            (PICTURE, torch.zeros(4, 2, 3, 3)),
            {},
            ShapeError,
            r"looks at 3, and the weight .* is for 2",
        ),
        (
            "conv2d",
            (PICTURE, torch.zeros(4, 1, 3, 3)),
            {"groups": 3},
            ShapeError,
            r"3 groups do not divide 3 channels and 4",
        ),
        (
            "conv2d",
            (PICTURE, torch.zeros(2, 3, 3, 3), torch.zeros(3)),
            {},
            ShapeError,
            r"There are 2 filters, .* \(3,\)",
        ),
        (
            "conv2d",
            (PICTURE, torch.zeros(2, 3, 3, 6)),
            {},
            ShapeError,
            r"Along the width: .* 6 does not fit into 5",
        ),
        (
            "conv2d",
            (PICTURE, torch.zeros(2, 3, 3, 3)),
            {"padding": "sme"},
            UnknownName,
            r"no padding called 'sme'",
        ),
        ("maxpool2d", (PICTURE, 2), {"padding": 2}, ShapeError, r"nothing but padding .* at most 1 works"),
        ("avgpool2d", (PICTURE, 6), {}, ShapeError, r"Along the height: A window of 6"),
        ("sumpool1d", (PICTURE, 2), {}, ShapeError, r"sumpool1d takes"),
        ("globalavgpool", (torch.zeros(2, 3),), {}, ShapeError, r"received \(2, 3\)"),
        ("linear", (torch.zeros(2, 3), torch.zeros(4, 2)), {}, ShapeError, r"received \(2, 3\) and \(4, 2\)"),
        (
            "linear",
            (torch.zeros(2, 3), torch.zeros(4, 3), torch.zeros(3)),
            {},
            ShapeError,
            r"There are 4 outputs",
        ),
        ("dropout", (PICTURE, 1.0), {}, UsageError, r"0 <= p < 1; received 1\.0"),
        (
            "batchnorm",
            (PICTURE, torch.ones(2)),
            {},
            ShapeError,
            r"one weight for each of 3 channels; .* \(2,\)",
        ),
        ("batchnorm", (PICTURE,), {"mean": torch.zeros(3)}, UsageError, r"together .* or neither"),
        ("batchnorm", (torch.zeros(1, 3),), {}, ShapeError, r"at least two numbers; received shape \(1, 3\)"),
    ],
)
def test_a_mistake_is_one_sentence_and_the_same_in_every_form(form, name, args, options, error, says):
    with pytest.raises(error, match=says):
        ops.OPERATIONS[name].form(form)(*args, **options)


def test_other_mistakes():
    with pytest.raises(ShapeError, match="has no axis 4"):
        ops.softmax(PICTURE, axis=4)
    with pytest.raises(UsageError, match=r"relu has no matrix form: relu\(-1\) is not"):
        ops.relu.matrix(PICTURE)
    with pytest.raises(UnknownName, match=r"no operation called 'conv3d'\. Did you mean conv"):
        ops.prove("conv3d")
    with pytest.raises(UnknownName, match="no form called 'loops'"):
        ops.relu.form("loops")
    with pytest.raises(UnknownName, match=r"no kernel called 'sobol-vertical'\. Did you mean sobel-vertical"):
        ops.kernel("sobol-vertical")
    with pytest.raises(ShapeError, match="side of 1 or more; received 0"):
        ops.box(0)
    with pytest.raises(ShapeError, match="sigma above 0"):
        ops.gauss(0.0)


def test_an_operation_introduces_itself():
    assert repr(ops.relu) == "<relu: definition, torch>"
    assert str(ops.maxpool1d) == (
        "maxpool1d(x, size, stride=None, padding='valid', *, ceil=False)\n"
        "y[n, c, k] = max over t of x[n, c, k * stride + t]\n"
        "forms: definition, matrix, torch"
    )
    assert str(ops.sigmoid).endswith("no matrix form: sigmoid(0) is one half, and a matrix leaves zero at zero")


def test_an_operation_itself_can_be_proved():
    assert ops.prove(ops.conv2d) == ops.prove("conv2d")
