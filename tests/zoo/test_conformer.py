"""Conformer against its formulas in loops, its parameters against table 1 of the paper."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from svertka import zoo
from svertka.errors import ShapeError, UsageError
from svertka.zoo.series.conformer import PLANS, Attention, Block, Convolution, Plan, shift, sinusoids

TINY = Plan(blocks=2, width=8, heads=2, kernel=4)


def tiny(classes=3, channels=1, mels=10, plan=TINY):
    from svertka.zoo.series.conformer import conformer

    return conformer(plan, classes=classes, channels=channels, mels=mels)


def attention_by_definition(part, x):
    """Transformer-XL's equation of section 3.3, one score at a time: x (frames, c) -> (frames, c)."""
    frames, width = x.shape
    d = width // part.heads
    x = part.norm(x)
    q, k, v = part.query(x), part.key(x), part.value(x)
    heads = []
    for h in range(part.heads):
        own = slice(h * d, (h + 1) * d)
        rows = []
        for i in range(frames):
            scores = []
            for j in range(frames):
                wave = torch.zeros(width, dtype=x.dtype)
                for c in range(width):
                    angle = (i - j) / 10000 ** (2 * (c // 2) / width)
                    wave[c] = math.cos(angle) if c % 2 else math.sin(angle)
                r = part.distance.weight @ wave
                content = (q[i, own] + part.content_bias[h, 0]) @ k[j, own]
                distance = (q[i, own] + part.distance_bias[h, 0]) @ r[own]
                scores.append((content + distance) / math.sqrt(d))
            share = torch.softmax(torch.stack(scores), 0)
            rows.append(sum(share[j] * v[j, own] for j in range(frames)))
        heads.append(torch.stack(rows))
    return part.out(torch.cat(heads, dim=1))


@settings(max_examples=8, deadline=None)
@given(frames=st.integers(1, 6), heads=st.sampled_from([1, 2]), seed=st.integers(0, 99))
def test_attention_is_its_definition_forwards_and_backwards(frames, heads, seed):
    torch.manual_seed(seed)
    part = Attention(4, heads, dropout=0.0).double()
    for p in part.parameters():
        p.data += 0.5 * torch.randn_like(p)
    x = torch.randn(1, frames, 4, dtype=torch.float64, requires_grad=True)
    ours, truth = part(x), attention_by_definition(part, x[0])[None]
    torch.testing.assert_close(ours, truth)
    uneven = torch.randn_like(ours)
    got = torch.autograd.grad((ours * uneven).sum(), [x, *part.parameters()])
    want = torch.autograd.grad((truth * uneven).sum(), [x, *part.parameters()])
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, rtol=1e-6, atol=1e-9)


@settings(deadline=None)
@given(frames=st.integers(1, 7))
def test_shift_puts_distance_i_minus_j_at_query_i_and_key_j(frames):
    distance = torch.arange(frames - 1, -frames, -1).expand(2, frames, -1)
    place = torch.arange(frames)
    assert torch.equal(shift(distance), (place[:, None] - place).expand(2, -1, -1))


def test_sinusoids_keep_their_exactness_in_half_precision():
    like = torch.empty(1, 3000, 8)
    half = sinusoids(like.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), sinusoids(like), atol=4e-3, rtol=0)


def test_the_convolution_module_is_figure_2():
    torch.manual_seed(0)
    part = Convolution(6, kernel=4, dropout=0.0).double().eval()
    part.batch_norm.running_mean.normal_()
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    y = part.norm(x) @ part.widen.weight[:, :, 0].T + part.widen.bias
    y = y[..., :6] * torch.sigmoid(y[..., 6:])  # the gate
    looked = torch.zeros_like(y)
    for t in range(5):
        for k in range(4):
            if 0 <= t + k - 1 < 5:  # one frame behind, two ahead
                looked[:, t] += y[:, t + k - 1] * part.depthwise.weight[:, 0, k]
    y = part.batch_norm((looked + part.depthwise.bias).mT).mT
    y = y * torch.sigmoid(y) @ part.narrow.weight[:, :, 0].T + part.narrow.bias
    torch.testing.assert_close(part(x), y)


def test_a_block_is_equation_1():
    torch.manual_seed(0)
    block = Block(TINY, dropout=0.0).double().eval()
    x = torch.randn(2, 7, 8, dtype=torch.float64)
    y = x + 0.5 * block.before(x)
    y = y + block.attention(y)
    y = y + block.convolution(y)
    y = block.norm(y + 0.5 * block.after(y))
    torch.testing.assert_close(block(x.mT).mT, y)


def decoder(width_encoder, width, vocabulary=1024, embedding=256, joint=384):
    """Parameters of an LSTM transducer's other half: embedding, one LSTM layer, joint network, softmax.

    Table 1 says one layer of `width` cells, and the vocabulary is of 1k word pieces. The paper does not print
    the widths of embedding and joint; 256 and 384, the same for all sizes, give all three of its totals.
    """
    embed = vocabulary * embedding
    lstm = 4 * width * (embedding + width + 2)  # four gates, two biases each
    join = (width_encoder + 1) * joint + (width + 1) * joint + (joint + 1) * vocabulary
    return embed + lstm + join


@pytest.mark.parametrize(
    ("name", "encoder", "cells", "published"),
    [
        ("conformer_s", 8_734_032, 320, 10.3),
        ("conformer_m", 27_397_376, 640, 30.7),
        ("conformer_l", 115_382_784, 640, 118.8),
    ],
)
def test_parameters_are_those_of_table_1(name, encoder, cells, published):
    plan, net = PLANS[name], zoo.empty_net(name, classes=10)
    c = plan.width
    block = (
        2 * (8 * c * c + 7 * c)         # two feed-forward modules, each with its norm
        + (5 * c * c + 8 * c)           # norm, q k v and out with biases, distances without, u and v
        + (3 * c * c + 40 * c)          # norm, gate, 32 taps, batch norm, out
        + 2 * c                         # the norm at the end
    )  # fmt: skip
    stem = 10 * c + (9 * c * c + c) + (20 * c * c + c) + (c * c + c)
    assert stem + plan.blocks * block == encoder
    assert sum(p.numel() for p in [*net.stem.parameters(), *net.stages.parameters()]) == encoder
    assert sum(p.numel() for p in net.parameters()) == encoder + 10 * (c + 1)
    assert round((encoder + decoder(c, cells)) / 1e6, 1) == published


def test_the_decoder_of_the_arithmetic_is_the_one_of_torch():
    parts = nn.ModuleList(
        [
            nn.Embedding(1024, 256),
            nn.LSTM(256, 320),
            nn.Linear(144, 384),
            nn.Linear(320, 384),
            nn.Linear(384, 1024),
        ]
    )
    assert sum(p.numel() for p in parts.parameters()) == decoder(144, 320)


@settings(max_examples=10, deadline=None)
@given(
    channels=st.integers(1, 3),
    mels=st.integers(1, 12),
    frames=st.integers(1, 30),
    classes=st.integers(1, 4),
)
def test_any_mels_frames_channels_and_classes(channels, mels, frames, classes):
    net = tiny(classes, channels, mels).eval()
    x = torch.randn(2, channels, mels, frames)
    assert net.features(x).shape == (2, 8, math.ceil(math.ceil(frames / 2) / 2))
    y = net(x)
    assert y.shape == (2, classes)
    torch.testing.assert_close(net(x[:1]), y[:1])
    if channels == 1:
        torch.testing.assert_close(net(x[:, 0]), y)


def test_the_other_mels_are_told():
    with pytest.raises(ShapeError, match="built for inputs of 10xany, not 12x20"):
        tiny()(torch.randn(1, 1, 12, 20))
    with pytest.raises(ShapeError, match=r"for 10 mels takes .* received \(1, 1, 12, 20\)"):
        tiny()(torch.randn(1, 12, 20))
    with pytest.raises(UsageError, match="1 or more, not 0"):
        tiny(mels=0)
    assert zoo.net("conformer_s", mels=40, classes=2).stem.mels == 40
    assert zoo.make("conformer_s", (1, 64, 100), 2).stem.mels == 64


def test_every_parameter_learns_and_the_network_fits_a_batch():
    torch.manual_seed(0)
    net = tiny(classes=2)
    x, y = torch.randn(8, 10, 16), torch.arange(8) % 2
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    step = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(40):
        loss = nn.functional.cross_entropy(net(x), y)
        step.zero_grad()
        loss.backward()
        step.step()
    assert not [k for k, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert loss < 0.05


def test_the_small_one_of_the_paper_runs():
    net = zoo.net("conformer_s", classes=4).eval()
    with torch.inference_mode():
        assert net(torch.randn(1, 80, 60)).shape == (1, 4)
