"""The notation: reading and printing, sizes, errors at the token, networks equal to those written by hand."""

import pytest
import torch
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from torch import nn

from svertka import notation
from svertka.errors import NotationError, UsageError
from svertka.notation import builder, syntax

LENET = "conv5-6v tanh avgpool2 conv5-16v tanh avgpool2 flatten fc120 tanh fc84 tanh fc"
ALEXNET = (
    "conv11-64s4p2 relu pool3s2 conv5-192 relu pool3s2 conv3-384 relu conv3-256 relu conv3-256 relu pool3s2 "
    "flatten dropout fc4096 relu dropout fc4096 relu fc"
)


def resnet(*depths, block="res(conv3-{w}{s} bn relu conv3-{w} bn) relu"):
    rows = [
        block.format(w=64 * 2**i, s="s2" * (i > 0)) + f" {depth - 1}*({block.format(w=64 * 2**i, s='')})"
        for i, depth in enumerate(depths)
    ]
    return "conv7-64s2 bn relu pool3s2p1 " + " ".join(rows) + " gap fc"


def parameters(net):
    return sum(p.numel() for p in net.parameters())


# --- text <-> tree

numbers = st.integers(1, 9)
sides = st.one_of(st.tuples(numbers), st.tuples(numbers, numbers))
pads = st.one_of(st.sampled_from(["same", "valid"]), st.tuples(st.integers(0, 4)))
decimals = st.floats(0, 0.999, allow_subnormal=False)
leaves = st.one_of(
    st.builds(syntax.Conv, sides, numbers, sides, pads, sides, numbers),
    st.builds(syntax.Depthwise, sides, sides, pads, sides),
    st.builds(syntax.Pool, st.sampled_from(["max", "avg", "min", "sum"]), sides, sides, pads, st.booleans()),
    st.builds(syntax.GlobalPool, st.sampled_from(["avg", "max"])),
    st.builds(syntax.Linear, st.none() | numbers),
    st.builds(syntax.LocalNorm, numbers),
    st.builds(syntax.Dropout, decimals),
    st.builds(syntax.Activation, st.sampled_from(["relu", "tanh", "softmax", "relu6", "hardswish"])),
    st.builds(syntax.Activation, st.just("lrelu"), decimals),
    st.sampled_from([syntax.BatchNorm(), syntax.Flatten(), syntax.Identity()]),
)


def groups(layers):
    row = st.lists(layers, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(syntax.Residual, row, st.just(()) | row),
        st.builds(syntax.Concat, st.lists(row, min_size=1, max_size=3).map(tuple)),
        st.builds(syntax.Repeat, st.integers(1, 5), row),
    )


layers = st.recursive(leaves, groups, max_leaves=8)


@given(st.builds(syntax.Network, st.lists(layers, min_size=1, max_size=4).map(tuple)))
@settings(max_examples=150, deadline=None)
def test_what_is_printed_reads_back_as_the_same_tree(network):
    line = str(network)
    assert notation.parse(line) == network
    assert str(notation.parse(line)) == line


@given(st.text(alphabet="convpl3-64s2()|* resat.xg", max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_tree_or_an_error_that_points_into_it(text):
    try:
        notation.parse(text)
    except NotationError as error:
        place = (0, error.start, error.end, len(text))
    else:
        place = ()
    assert list(place) == sorted(place)


def test_every_word_has_an_example_that_parses_to_itself():
    for word in notation.WORDS.values():
        assert str(notation.parse(word.example)) == word.example
        for alias in word.aliases:
            assert str(notation.parse(word.example.replace(word.name, alias.upper(), 1))) == word.example


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("CONV3-64 ReLU\n POOL2", "conv3-64 relu pool2"),
        ("conv3-64s1d1g1same maxpool2s2valid", "conv3-64 pool2"),
        ("conv3-8p2s3d2v"[:-1], "conv3-8s3p2d2"),
        (
            "pool3s1p1 avgpool3s2c dropout0.50 lrelu0.01 leakyrelu.2",
            "pool3s1p1 avgpool3s2c dropout lrelu lrelu0.2",
        ),
        ("2 * relu ((tanh)) 3*(bn)", "2*relu tanh 3*bn"),
        ("res( relu|id )", "res(relu | id)"),
    ],
)
def test_spelling_is_made_canonical(text, canonical):
    assert str(notation.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "token", "says"),
    [
        ("", "", "is empty"),
        ("conv3-8 rleu fc", "rleu", "Did you mean relu?"),
        ("conv3-8 poool2 fc", "poool2", "Did you mean pool2?"),
        ("конв3-8", "конв3-8", "The words are"),
        ("conv relu", "conv", "lacks the kernel size"),
        ("conv3 relu", "conv3", "lacks the number of filters; write it like conv3-64"),
        ("relu pool", "pool", "lacks the size of the window"),
        ("conv3-0", "conv3-0", "must be at least 1"),
        ("conv3-64q", "q", "does not read from 'q' on"),
        ("conv3-64s2s2", "conv3-64s2s2", "its stride twice"),
        ("pool2g3", "pool2g3", "cannot have groups"),
        ("fc12345678", "fc12345678", "more than 7 digits"),
        ("dropout1.0", "dropout1.0", "below 1"),
        ("res(relu fc", "(", "never closed"),
        ("3*(cat(relu | tanh)", "(", "never closed"),
        ("relu) fc", ")", "never opened"),
        ("relu | fc", "|", "outside"),
        ("res(relu | id | id)", "|", "one too many"),
        ("cat(relu | )", ")", "no layer here"),
        ("res fc", "res", "layers in brackets"),
        ("0*relu", "0*", "between 1 and"),
        ("relu 3*", "3*", "needs layers"),
        ("999*(999*relu)", "999*", "more than 10,000 layers"),
        ("(" * 60 + "relu" + ")" * 60, "(", "deeper than 50"),
    ],
)
def test_what_cannot_be_read_is_said_at_the_token(text, token, says):
    with pytest.raises(NotationError) as caught:
        notation.parse(text)
    assert says in str(caught.value)
    assert text[caught.value.start : caught.value.end] == token


def test_the_pointer_is_two_lines_even_where_the_text_is_many():
    with pytest.raises(NotationError) as caught:
        notation.parse("conv3-8\n  rleu\tfc")
    assert caught.value.pointer() == "conv3-8   rleu fc\n          ^^^^"


# --- sizes


@pytest.mark.parametrize(
    ("text", "input", "token", "says"),
    [
        (
            "conv5-6v pool2 conv5-9v pool2 conv5-2v gap fc",
            (1, 28, 28),
            "conv5-2v",
            "needs at least 5 pixels, but the maps are 4x4 here",
        ),
        ("pool2 pool2 flatten fc", (1, 3), "pool2", "needs at least 2 samples"),
        (
            "conv3-8 fc",
            (1, 8, 8),
            "fc",
            "takes a vector, but here are maps of 8x8x8; put flatten or gap before it",
        ),
        ("flatten conv3-8 fc", (1, 8, 8), "conv3-8", "takes maps, but here is a vector of 64 numbers"),
        ("conv3-8 relu", (1, 8, 8), "relu", "ends in maps of 8x8x8"),
        ("conv3-8 flatten", (1, 8, 8), "flatten", "ends in 512 numbers, but there are 10 classes"),
        ("flatten fc1000", (1, 8, 8), "fc1000", "ends in 1000 numbers, but there are 10 classes"),
        ("flatten fc softmax", (1, 8, 8), "softmax", "logits"),
        ("conv3-8 conv3-9g3 gap fc", (1, 8, 8), "conv3-9g3", "3 groups do not divide 8 channels"),
        (
            "cat(conv3-8 | relu conv3-8v) gap fc",
            (1, 8, 8),
            "relu conv3-8v",
            "gives 8x6x6, but the first one 8x8x8",
        ),
        ("res(conv3-8v) gap fc", (1, 8, 8), "res(conv3-8v)", "adds its input, 1x8x8, to its result, 8x6x6"),
        ("res(conv3-8 | conv1-4) gap fc", (1, 8, 8), "conv1-4", "skip gives 4x8x8, but the body gives 8x8x8"),
        ("conv1x7-8 gap fc", (1, 80), "conv1x7-8", "does not suit an input with one axis"),
        ("pool3p2 gap fc", (1, 8, 8), "pool3p2", "takes at most 1"),
        ("flatten fc9999999 fc", (3, 224, 224), "fc9999999", "1,505,279,849,472 weights"),
        ("3*(pool2) gap fc", (1, 4, 4), "pool2", "the maps are 1x1 here"),
    ],
)
def test_what_does_not_fit_is_said_at_the_token_with_the_sizes(text, input, token, says):
    with pytest.raises(NotationError) as caught:
        notation.build(text, input, 10)
    assert says in str(caught.value)
    assert text[caught.value.start : caught.value.end] == token


def test_a_tree_made_by_hand_has_errors_that_point_into_its_line():
    network = syntax.Network((syntax.Flatten(), syntax.Pool("max", (2,), (2,))))
    with pytest.raises(NotationError) as caught:
        notation.place(network, (1, 8, 8))
    assert caught.value.pointer() == "flatten pool2\n        ^^^^^"


@pytest.mark.parametrize(("input", "classes"), [((8, 8, 8, 8), 10), ((0, 8), 10), ((1, 8, 8), 0)])
def test_an_input_or_a_class_count_that_is_none(input, classes):
    with pytest.raises(UsageError):
        notation.build("flatten fc", input, classes)


def test_bare_fc_needs_the_classes():
    with pytest.raises(NotationError, match="number of classes is not known"):
        notation.build("flatten fc", (1, 8, 8))
    assert notation.build("flatten fc7", (1, 8, 8))(torch.zeros(2, 1, 8, 8)).shape == (2, 7)


kernels = st.builds(
    "conv{}-{}{}{}{}".format, st.integers(1, 4), numbers, st.sampled_from(["", "s2", "s3"]),
    st.sampled_from(["", "v", "p1", "p0"]), st.sampled_from(["", "d2"]),
)  # fmt: skip
pools = st.builds(
    "{}pool{}{}{}".format, st.sampled_from(["max", "avg", "min", "sum"]), st.integers(1, 4),
    st.sampled_from(["", "s1", "s2"]), st.sampled_from(["", "same", "c"]),
)  # fmt: skip
blocks = st.one_of(
    kernels,
    pools,
    st.sampled_from(["relu", "bn", "dw3", "dw2s2", "lrelu", "sigmoid", "lrn3", "dropout", "softmax"]),
)
lines = st.lists(
    st.one_of(blocks, st.lists(blocks, min_size=1, max_size=3).map(lambda row: f"res({' '.join(row)})"),
              st.lists(blocks, min_size=1, max_size=2).map(lambda row: f"cat(id | {' '.join(row)})"),
              blocks.map("2*{}".format)), min_size=1, max_size=5,
).map(" ".join)  # fmt: skip


@given(lines, st.sampled_from([(2, 13, 12), (3, 17)]), st.sampled_from(["gap", "flatten", "gmp"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_the_network_has_the_shapes_that_were_foretold(line, input, turn):
    text = f"{line} {turn} fc"
    try:
        placed = notation.place(notation.parse(text), input, 3)
    except NotationError:
        reject()
    net = notation.build(text, input, 3)
    x = torch.randn(2, *input)
    with torch.no_grad():
        maps = net.eval().features(x)
        y = net(x)
        for module in net.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
        torch.testing.assert_close(net(x), y)  # what was overwritten in place was read by nobody else
        assert net.embed(x).shape[1:] == placed[-1].input
    assert tuple(maps.shape[1:]) == placed[-2].input
    y = net.train()(torch.randn(4, *input))
    assert y.shape == (4, 3)
    y.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


# --- networks


def test_lenet_has_its_published_parameters():
    assert parameters(notation.build(LENET, (1, 32, 32), 10)) == 61_706


def test_alexnet_and_resnets_have_their_published_parameters():
    with torch.device("meta"):
        assert parameters(notation.build(ALEXNET, (3, 224, 224), 1000)) == 61_100_840
        assert parameters(notation.build(resnet(2, 2, 2, 2), (3, 224, 224), 1000)) == 11_689_512
        assert parameters(notation.build(resnet(3, 4, 6, 3), (3, 224, 224), 1000)) == 21_797_672


def test_it_computes_what_the_same_network_written_by_hand_computes():
    text = "conv3-4 relu pool2 res(conv3-4v relu conv3-4p2) cat(conv1-2 | dw3 | id) avgpool3s2p1 gap fc5"
    ours = notation.build(text, (3, 12, 12), 5)
    w = list(ours.parameters())
    x = torch.randn(2, 3, 12, 12)
    f = nn.functional
    y = f.max_pool2d(f.conv2d(x, w[0], w[1], padding=1).relu(), 2)
    y = y + f.conv2d(f.conv2d(y, w[2], w[3]).relu(), w[4], w[5], padding=2)
    y = torch.cat([f.conv2d(y, w[6], w[7]), f.conv2d(y, w[8], w[9], padding=1, groups=4), y], 1)
    y = f.linear(f.avg_pool2d(y, 3, 2, 1).mean((2, 3)), w[10], w[11])
    torch.testing.assert_close(ours(x), y)


@pytest.mark.parametrize("axes", [1, 2])
def test_min_and_sum_pooling_by_their_definition(axes):
    x = torch.randn(2, 3, *(8, 9)[:axes], requires_grad=True)
    windows = x
    for axis in range(axes):
        windows = windows.unfold(2 + axis, 3, 2)
    windows = windows.flatten(2 + axes)
    for kind, truth in (("min", windows.amin(-1)), ("sum", windows.sum(-1))):
        pool = notation.build(f"conv1-3 {kind}pool3s2 gap fc", tuple(x.shape[1:]), 2).stages[0][1]
        torch.testing.assert_close(pool(x), truth)
        (ours,) = torch.autograd.grad(pool(x).sin().sum(), x, retain_graph=True)
        (theirs,) = torch.autograd.grad(truth.sin().sum(), x, retain_graph=True)
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("kind", "outside"), [("max", -1e9), ("min", 1e9)])
def test_uneven_padding_never_wins_a_pooling(kind, outside):
    net = notation.build(f"conv1-1 {kind}pool2s1same flatten fc", (1, 4, 4), 2)
    pool = net.stages[0][1]
    x = torch.full((1, 1, 4, 4), outside / 1e9 * 5)
    torch.testing.assert_close(pool(x), x)


def test_the_parts_of_a_network():
    vgg = notation.build("2*(conv3-4 relu) pool2 2*(conv3-8 relu) pool2 flatten fc16 relu dropout fc", (3, 16, 16), 5)
    assert [type(m).__name__ for m in vgg.stem] == ["Conv2d", "ReLU"]
    assert [[type(m).__name__ for m in stage] for stage in vgg.stages] == [
        ["Conv2d", "ReLU", "MaxPool2d"],
        ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"],
    ]
    assert isinstance(vgg.pool, nn.Flatten)
    assert [type(m).__name__ for m in vgg.head] == ["Linear", "ReLU", "Dropout", "Linear"]
    with torch.device("meta"):
        res = notation.build(resnet(2, 2, 2, 2), (3, 64, 64), 5)
    assert len(res.stages) == 4
    single = notation.build("conv3-4 relu gap fc", (3, 16, 16), 5)
    assert isinstance(single.stem, nn.Identity)
    assert len(single.stages) == 1
    assert notation.build("flatten fc", (3, 4, 4), 5).features(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4, 4)


def test_an_activation_overwrites_nothing_that_is_still_needed():
    net = notation.build("res(relu conv3-2) cat(relu | id) lrelu flatten fc", (2, 4, 4), 3)
    x = torch.randn(2, 2, 4, 4)
    before = x.clone()
    net(x).sum().backward()
    assert torch.equal(x, before)
    assert [m.inplace for m in net.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU)] == [False, False, True]


def test_a_fresh_residual_block_passes_its_input_on():
    net = notation.build("conv3-4 bn res(conv3-4 bn relu conv3-4 bn) gap fc", (3, 8, 8), 2)
    x = torch.randn(5, 4, 8, 8)
    torch.testing.assert_close(net.stages[0][0](x), x)


def test_weights_start_by_the_activation_that_follows():
    torch.manual_seed(0)
    he, glorot = (
        notation.build(f"conv3-64 relu conv3-256 {word} flatten fc", (3, 8, 8), 10).stages[0][0].weight
        for word in ("relu", "tanh")
    )
    fan_in, fan_out = 64 * 9, 256 * 9
    assert he.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.02)
    assert glorot.std().item() == pytest.approx((2 / (fan_in + fan_out)) ** 0.5, rel=0.02)
    assert glorot.abs().max() <= (6 / (fan_in + fan_out)) ** 0.5


def test_the_same_seed_gives_the_same_weights():
    nets = []
    for _ in range(2):
        torch.manual_seed(3)
        nets.append(notation.build(LENET, (1, 32, 32), 10).state_dict())
    assert all(torch.equal(nets[0][key], nets[1][key]) for key in nets[0])


def test_channels_last_gives_the_same():
    net = notation.build("conv3-8 bn relu pool2 res(conv3-8 relu) conv3-8s2 minpool2 flatten fc", (3, 16, 16), 4).eval()
    x = torch.randn(2, 3, 16, 16)
    last = net(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, net(x))


def test_the_cut_behind_pooling_and_at_strides():
    placed = notation.place(notation.parse("conv3-4 conv3-4 pool2 bn conv3-8 conv3-8s2 relu gap fc"), (1, 16, 16), 2)
    stem, stages = builder.split(placed[:-2])
    assert [[str(p.node) for p in part] for part in (stem, *stages)] == [
        ["conv3-4"],
        ["conv3-4", "pool2", "bn"],
        ["conv3-8"],
        ["conv3-8s2", "relu"],
    ]
