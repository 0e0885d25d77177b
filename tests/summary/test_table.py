"""The layer table against the lecture, published figures, and receptive fields that gradients measure."""

import copy
import io
import json

import pytest
import torch
from torch import Tensor, nn

from svertka import notation
from svertka.errors import NotationError, ShapeError, UnknownName, UsageError
from svertka.summary import receptive_field, table, table_of
from svertka.summary.layer_words import word_of

VGG16 = (
    "2*(conv3-64 relu) pool2 2*(conv3-128 relu) pool2 3*(conv3-256 relu) pool2 3*(conv3-512 relu) pool2 "
    "3*(conv3-512 relu) pool2 flatten fc4096 relu dropout fc4096 relu dropout fc1000"
)

# Lecture 003 as it stands there: layer, [height x width x channels], memory in its rounding, weights.
LECTURE = """
INPUT      224x224x3    150K   0
CONV3-64   224x224x64   3.2M   1,728
CONV3-64   224x224x64   3.2M   36,864
POOL2      112x112x64   800K   0
CONV3-128  112x112x128  1.6M   73,728
CONV3-128  112x112x128  1.6M   147,456
POOL2      56x56x128    400K   0
CONV3-256  56x56x256    800K   294,912
CONV3-256  56x56x256    800K   589,824
CONV3-256  56x56x256    800K   589,824
POOL2      28x28x256    200K   0
CONV3-512  28x28x512    400K   1,179,648
CONV3-512  28x28x512    400K   2,359,296
CONV3-512  28x28x512    400K   2,359,296
POOL2      14x14x512    100K   0
CONV3-512  14x14x512    100K   2,359,296
CONV3-512  14x14x512    100K   2,359,296
CONV3-512  14x14x512    100K   2,359,296
POOL2      7x7x512      25K    0
FC         1x1x4096     4096   102,760,448
FC         1x1x4096     4096   16,777,216
FC         1x1x1000     1000   4,096,000
""".strip().splitlines()


def rounded(text: str) -> float:
    return float(text.rstrip("KM")) * {"K": 1e3, "M": 1e6}.get(text[-1], 1)


def test_vgg16_is_the_table_of_lecture_003_row_by_row():
    found = table_of(VGG16)
    kept = ("input", "conv", "pool", "fc")  # the lecture does not list activations
    rows = [row for row in found.layers if row.word.startswith(kept)]
    for row, line in zip(rows, LECTURE, strict=True):
        word, shape, memory, weights = line.split()
        height, width, channels = map(int, shape.split("x"))
        assert row.word.startswith(word.lower())
        assert row.output == ((channels, height, width) if word != "FC" else (channels,))
        assert row.memory == height * width * channels
        assert row.memory == pytest.approx(rounded(memory), rel=0.01)
        assert row.weights == int(weights.replace(",", ""))
    assert found.totals.parameters == 138_357_544  # "138M"
    assert sum(row.weights for row in rows) + sum(row.biases for row in rows) == found.totals.parameters


def test_vgg16_of_the_zoo_is_the_same_table():
    kinds = ("Conv2d", "MaxPool2d", "Linear")
    ours, zoos = (
        [(row.word, row.output, row.memory, row.weights, row.macs) for row in table_of(net).layers if row.type in kinds]
        for net in (VGG16, "vgg16")
    )
    assert ours == zoos


def test_the_lectures_own_rows_do_not_sum_to_its_total_of_24M():
    totals = table_of(VGG16).totals
    assert totals.memory == sum(row.memory for row in table_of(VGG16).layers) == 15_237_608
    assert sum(rounded(line.split()[2]) for line in LECTURE) == pytest.approx(totals.memory, rel=0.005)
    assert totals.forward_bytes == 4 * totals.memory
    assert totals.training_bytes == 2 * totals.forward_bytes


def test_published_multiply_adds_and_receptive_fields():
    vgg = table_of(VGG16)
    assert vgg.totals.macs == 15_470_264_320  # timm: 15.47 G
    fields = {row.name: row.receptive_field for row in vgg.layers}
    assert fields["stages.4.6"] == 212  # Araujo et al. 2019, table of VGG-16
    assert fields["head.0"] == 224
    block = "res(conv3-{w}{s} bn relu conv3-{w} bn) relu res(conv3-{w} bn relu conv3-{w} bn) relu"
    rows = " ".join(block.format(w=64 * 2**i, s="s2" * (i > 0)) for i in range(4))
    resnet18 = table_of(f"conv7-64s2 bn relu pool3s2p1 {rows} gap fc", classes=1000)
    assert resnet18.totals.macs == 1_814_073_344  # timm: 1.82 G
    assert resnet18.totals.parameters == 11_689_512
    assert max(row.receptive_field for row in resnet18.layers) == 435  # Araujo et al. 2019: ResNet-18


def measured(net: nn.Module, input: tuple[int, ...]) -> list[int]:
    """The truth: how far apart the input numbers are that move the middle output; no weight hides any."""
    net = copy.deepcopy(net).double().eval()
    for p in net.parameters():
        nn.init.uniform_(p, 0.1, 1)
    x = torch.rand(1, *input, dtype=torch.float64, requires_grad=True)
    y = net(x)
    middle = y[(0, 0, *(size // 2 for size in y.shape[2:]))]
    (slope,) = torch.autograd.grad(middle, x)
    moved = slope[0].abs().sum(0)
    found = []
    for axis in range(moved.dim()):
        line = moved.movedim(axis, 0).flatten(1).sum(1).nonzero().flatten()
        found.append(int(line[-1] - line[0]) + 1)
    return found


class Gate(nn.Module):
    """Squeeze and excite: the gate sees everything."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y * self.gate(y.mean((2, 3)))[:, :, None, None]


class ChannelsLast(nn.Module):
    """ConvNeXt's way: the norm and the matrix product stand on the channels, at each place by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise, self.norm, self.widen = (
            nn.Conv2d(2, 2, 5, padding=2, groups=2),
            nn.LayerNorm(2),
            nn.Linear(2, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        return x + self.widen(self.norm(y)).permute(0, 3, 1, 2)


class Shuffle(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)[:, :, ::2]


class Tokens(nn.Module):
    """Maps as a row of tokens, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.mix = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.mix(self.conv(x).flatten(2).transpose(1, 2))  # (n, h*w, 2)
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


class Patches(nn.Module):
    """Rows of a picture as a sequence: one axis is folded into the channels and mixed by a matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.slide = nn.Linear(2 * 33, 4), nn.Conv1d(4, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.transpose(1, 2).flatten(2)  # (n, h, c*w)
        return self.slide(self.mix(rows).transpose(1, 2))[..., None]  # (n, 2, h, 1)


class Unit(nn.Module):
    """Vectors of length one, over the dimensions that are named."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x / torch.linalg.vector_norm(x, dim=self.dims, keepdim=True)


def line(text: str) -> nn.Module:
    net = notation.build(text + " gap fc", (2, 33, 33), 3)
    return nn.Sequential(net.stem, net.stages)


@pytest.mark.parametrize(
    "net",
    [
        line("conv3-4 conv5-4s2 avgpool2 conv3-4d2"),
        line("conv1x5-4 sigmoid avgpool3s2p1 dw3 conv3x1-2"),
        line("res(conv3-2 sigmoid conv5-2) sigmoid cat(conv1-2 | conv7-2 | avgpool3s1p1 conv3-2) conv3-2s2"),
        line("res(conv3-4s2p0 | conv1-4 avgpool5s2p1) conv2-3 conv2-3s2 sumpool2same"),
        Gate(),
        nn.Sequential(ChannelsLast(), ChannelsLast()),
        nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), Unit(1), nn.Conv2d(2, 2, 3)),
        nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), Unit(2, 3)),
        nn.Sequential(Tokens(), nn.Conv2d(2, 2, (5, 3))),
        nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Hardswish()),
        nn.Sequential(nn.Conv2d(2, 4, 3), Shuffle(), nn.Conv2d(4, 2, 3)),
        nn.Sequential(nn.Conv2d(2, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Upsample(5, mode="nearest"))[:2],
        nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), Patches()),
        nn.Sequential(nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(2, 2, 3), nn.AdaptiveAvgPool2d((17, 16))),
    ],
    ids=lambda net: type(net).__name__,
)
def test_the_receptive_field_is_what_gradients_measure(net):
    found = table(net, (2, 33, 33)).layers[-1].receptive_field
    pair = list(found) if isinstance(found, tuple) else [found, found]
    assert pair == measured(net, (2, 33, 33))


def test_what_is_not_known_is_left_open():
    net = nn.Sequential(
        nn.Conv2d(2, 2, 3), nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3), nn.Flatten(), nn.LazyLinear(3)
    )
    net(torch.zeros(1, 2, 8, 8))
    assert [row.receptive_field for row in table(net, (2, 8, 8)).layers] == [1, 3, None, None, None, 8]


def test_places_out_of_order_are_left_open():
    class Shuffled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.view(1, 2, 4, 2, 8).transpose(2, 3).reshape(1, 2, 8, 8)

    found = table(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), Shuffled(), nn.Conv2d(2, 2, 3)), (2, 8, 8))
    assert [row.receptive_field for row in found.layers][1::2] == [3, None]


def test_attention_is_counted_and_sees_everything():
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, x, x, need_weights=False)[0]

    t, d = 10, 8
    found = table(nn.Sequential(nn.Conv1d(d, d, 3, padding=1), Flip(), Encoder()), (d, t))
    attention = found.layers[-1]
    assert attention.macs == 4 * t * d * d + 2 * t * t * d  # four projections; scores and sums over all heads
    assert (attention.weights, attention.biases) == (4 * d * d, 4 * d)
    assert [row.receptive_field for row in found.layers] == [1, 3, 3, 10]


class Flip(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def test_a_shared_layer_is_counted_once_and_runs_twice():
    shared = nn.Conv2d(4, 4, 3, padding=1)
    found = table(nn.Sequential(shared, nn.ReLU(), shared), (4, 8, 8))
    assert [row.weights for row in found.layers] == [0, 144, 0, 0]
    assert [row.receptive_field for row in found.layers] == [1, 3, 3, 5]
    assert found.totals.macs == 2 * 144 * 64
    assert found.totals.parameters == 148


def test_parameters_that_take_no_part_are_named():
    class WithAuxiliary(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Conv2d(3, 4, 3))
            self.auxiliary = nn.Linear(10, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self[0](x)

    totals = table(WithAuxiliary(), (3, 8, 8)).totals
    assert (totals.parameters, totals.idle) == (112 + 110, 110)


def test_the_module_stays_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Sequential(nn.ReLU(inplace=True)))
    net[1].eval()
    net[0].weight.requires_grad_(False)
    before = copy.deepcopy(net.state_dict())
    modes = [m.training for m in net.modules()]
    table(net, (3, 8, 8))
    assert [m.training for m in net.modules()] == modes
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert all(
        torch.equal(before[key], value) and value.device.type == "cpu" for key, value in net.state_dict().items()
    )
    assert not net[0].weight.requires_grad
    assert all(p.grad is None for p in net.parameters())


def test_operations_that_need_numbers_run_for_real():
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x) * (2.0 if x.sum().item() > 0 else 1.0)

    assert table(Picky(), (1, 8, 8)).layers[1].macs == 18 * 36


@pytest.mark.parametrize(
    ("net", "input", "error", "says"),
    [
        (nn.Bilinear(3, 3, 2), (3,), UsageError, "needs 2 inputs (input1, input2)"),
        (nn.Conv2d(3, 4, 5), (3, 4, 4), ShapeError, "Conv2d cannot take an input of 3x4x4"),
        (nn.Conv2d(3, 4, 5), (1, 8, 8), ShapeError, "cannot take an input of 1x8x8"),
        (nn.Conv2d(3, 4, 5), (), UsageError, "received nothing"),
        (nn.Conv2d(3, 4, 5), (3, 0, 8), UsageError, "received 3x0x8"),
    ],
)
def test_what_cannot_be_tabulated_is_said(net, input, error, says):
    with pytest.raises(error) as caught:
        table(net, input)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_table_of_names_lines_and_modules():
    with pytest.raises(UnknownName):
        table_of("resnet5O")
    with pytest.raises(NotationError):
        table_of("conv3-8 rleu fc")
    assert table_of("conv3-8 gap fc").layers[-1].output == (1000,)
    assert table_of("conv3-8 gap fc12").layers[-1].output == (12,)
    assert table_of("lenet").input == (1, 28, 28)
    assert table_of("vgg16", classes=5, input=(1, 64, 64)).layers[-1].output == (5,)
    assert table_of("conv3-8 gap fc", input=(1, 100), classes=4).layers[-1].output == (4,)
    assert table_of(nn.Conv2d(3, 2, 1)).layers[-1].output == (2, 224, 224)


@pytest.mark.parametrize(
    ("module", "word"),
    [
        (nn.Conv2d(3, 64, 3), "conv3-64v"),
        (nn.Conv2d(3, 64, 3, padding=1), "conv3-64"),
        (nn.Conv2d(3, 64, 1), "conv1-64"),
        (nn.Conv2d(8, 8, (1, 7), padding="same", groups=2), "conv1x7-8g2"),
        (nn.Conv1d(8, 8, 9, stride=2, padding=4, groups=8), "dw9s2"),
        (nn.Conv2d(3, 6, 2, padding=1, dilation=3), "conv2-6p1d3"),
        (nn.Conv2d(3, 6, 2, stride=2), "conv2-6s2v"),
        (nn.ConvTranspose2d(3, 6, 2), "upconv2-6"),
        (nn.MaxPool2d(3, 2, 1, ceil_mode=True), "pool3s2p1c"),
        (nn.AdaptiveAvgPool2d((1, 1)), "gap"),
        (nn.AdaptiveAvgPool2d(7), "avgpool to 7"),
        (nn.LeakyReLU(0.2), "lrelu0.2"),
        (nn.Dropout(0.2), "dropout0.2"),
    ],
)
def test_torch_layers_in_the_words_of_the_notation(module, word):
    assert word_of(module) == word


def test_words_of_a_built_network_are_its_line():
    text = "conv5-6v tanh avgpool2 conv4-8s2 bn relu minpool2 sumpool2s1 flatten fc120 lrelu0.2 dropout fc9"
    words = [row.word for row in table_of(text, input=(1, 64, 64)).layers[1:]]
    assert " ".join(words) == text.replace("conv4-8s2", "constantpad2d conv4-8s2v")


def test_the_surface_for_programs():
    found = table_of("conv3-8 relu gap fc", input=(3, 32, 24)).to_dict()
    again = json.loads(json.dumps(found))
    assert again == found
    row = found["layers"][1]
    assert row == {
        "name": "stages.0.0", "type": "Conv2d", "word": "conv3-8", "output": [8, 32, 24], "memory": 6144,
        "weights": 216, "biases": 8, "macs": 216 * 32 * 24, "receptive_field": 3,
    }  # fmt: skip
    assert {"parameters", "memory", "macs"} <= found["totals"].keys()
    assert found["layers"][-1]["receptive_field"] == [32, 24]


def test_for_people():
    from rich.console import Console

    found = table_of("conv3-8 relu 2*res(conv3-8 bn) pool2 gap fc", input=(3, 32, 32))
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(found.to_rich())
    text = console.export_text()
    page = table(nn.Sequential(nn.Conv2d(3, 8, 3)), (3, 32, 32), name="<b>&").to_html()
    assert all(piece in text for piece in ("conv3-8", "8x32x32", "multiply-adds", f"{found.totals.parameters:,}"))
    assert "&lt;b&gt;&amp;" in page
    assert "<b>" not in page
    assert "http" not in page  # nothing is fetched from elsewhere
    assert "conv3-8v" in page


def test_every_rule_of_sight_is_an_operation_of_torch():
    missing = [name for name in receptive_field.RULES if not hasattr(torch.ops.aten, name)]
    assert not missing


def test_what_another_hook_raises_comes_out_as_it_was():
    class Enough(Exception):
        """Of a hook that is not the table's."""

    def stop(*_):
        raise Enough

    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    net.register_forward_pre_hook(stop)
    with pytest.raises(Enough):
        table(net, (1, 28, 28))


def test_an_input_of_other_dimensions_is_refused_in_words():
    with pytest.raises(ShapeError, match=r"lenet takes inputs such as 1x28x28; received 1x28\."):
        table_of("lenet", (1, 28))
