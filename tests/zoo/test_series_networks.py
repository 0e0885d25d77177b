"""The networks for series against the definitions in their papers, with any channels, classes and lengths."""

import io
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from svertka import zoo
from svertka.blocks import Net, with_netvlad

NAMES = ("fcn1d", "resnet1d", "inceptiontime")


def convolve(x, weight):
    """Sums over a window that keeps the length, an even one with one sample more ahead: x (c, length)."""
    out, _, kernel = weight.shape
    length = x.shape[1]
    y = torch.zeros(out, length, dtype=x.dtype)
    for t in range(length):
        for k in range(kernel):
            s = t + k - (kernel - 1) // 2
            if 0 <= s < length:
                y[:, t] += weight[:, :, k] @ x[:, s]
    return y


def normed(y, norm):
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (y - norm.running_mean[:, None]) * scale[:, None] + norm.bias[:, None]


def lively(name, **sizes):
    """A network in evaluation mode whose norms are no identities."""
    torch.manual_seed(0)
    net = zoo.net(name, **sizes).double().eval()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm1d):
            for t in (m.weight.data, m.running_var):
                t.uniform_(0.5, 1.5)
            for t in (m.bias.data, m.running_mean):
                t.normal_()
    return net


def unit(part, x):
    """Pad, convolution, norm."""
    return normed(convolve(x, part[1].weight), part[2])


def fcn_by_definition(net, x):
    for part in (net.stem, *net.stages):
        x = unit(part, x).relu()
    return x


def resnet_by_definition(net, x):
    for block in net.stages:
        y = unit(block.body[0], x).relu()
        y = unit(block.body[2], y).relu()
        y = unit(block.body[4], y)
        skip = normed(x, block.skip) if isinstance(block.skip, nn.BatchNorm1d) else unit(block.skip, x)
        x = (y + skip).relu()
    return x


def inception_by_definition(net, x):
    for block in net.stages:
        y = x
        for part in block.body:
            narrow = y if isinstance(part.bottleneck, nn.Identity) else convolve(y, part.bottleneck.weight)
            peak = torch.stack([y[:, max(0, t - 1) : t + 2].amax(1) for t in range(y.shape[1])], dim=1)
            views = [convolve(narrow, look[1].weight) for look in part.windows]
            y = normed(torch.cat([*views, convolve(peak, part.peak[1].weight)]), part.norm).relu()
        x = (y + normed(convolve(x, block.skip[0].weight), block.skip[1])).relu()
    return x


BY_DEFINITION = {
    "fcn1d": fcn_by_definition, "resnet1d": resnet_by_definition, "inceptiontime": inception_by_definition,
}  # fmt: skip


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_its_definition(name, channels):
    net = lively(name, channels=channels, classes=3)
    x = torch.randn(1, channels, 7, dtype=torch.float64)
    with torch.no_grad():
        maps = BY_DEFINITION[name](net, x[0])
        torch.testing.assert_close(net.features(x)[0], maps)
        torch.testing.assert_close(net(x)[0], net.head.weight @ maps.mean(1) + net.head.bias)


def norm(width):
    return 2 * width


def of_fcn(channels):
    return channels * 128 * 8 + 128 * 256 * 5 + 256 * 128 * 3 + norm(128 + 256 + 128)


def of_resnet(channels):
    def block(w_in, w):
        return w_in * w * 8 + w * w * 5 + w * w * 3 + norm(3 * w) + norm(w) + (w_in * w if w_in != w else 0)

    return block(channels, 64) + block(64, 128) + block(128, 128)


def of_inception(channels):
    def module(w_in):
        narrow = 32 if w_in > 1 else 1
        return (w_in * 32 if w_in > 1 else 0) + narrow * 32 * (40 + 20 + 10) + w_in * 32 + norm(128)

    def skip(w_in):
        return w_in * 128 + norm(128)

    return module(channels) + 5 * module(128) + skip(channels) + skip(128)


COUNTS = {"fcn1d": of_fcn, "resnet1d": of_resnet, "inceptiontime": of_inception}


@pytest.mark.parametrize(("name", "count"), list(COUNTS.items()))
@pytest.mark.parametrize(("channels", "classes"), [(1, 2), (6, 4)])
def test_parameters(name, count, channels, classes):
    net = zoo.net(name, channels=channels, classes=classes)
    assert sum(p.numel() for p in net.parameters()) == count(channels) + 129 * classes


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    channels=st.integers(1, 4),
    classes=st.integers(1, 5),
    length=st.integers(1, 60),
)
def test_any_channels_classes_and_length(name, channels, classes, length):
    net = zoo.net(name, channels=channels, classes=classes).eval()
    x = torch.randn(3, channels, length)
    assert net.features(x).shape == (3, 128, length)
    y = net(x)
    assert y.shape == (3, classes)
    torch.testing.assert_close(net(x[:1]), y[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name):
    net = zoo.net(name)
    assert isinstance(net, Net)
    assert zoo.variant(name).dims == 1
    net(torch.randn(4, 1, 20)).square().sum().backward()
    assert not [k for k, p in net.named_parameters() if p.grad is None]


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_netvlad(name):
    net = with_netvlad(zoo.net(name, channels=2), clusters=4, classes=3)
    assert net(torch.randn(2, 2, 30)).shape == (2, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_learns_gunpoint(shared, name):
    """50 real series, hands that draw a gun or only point: 60 passes tell most of 150 others apart."""
    parts = {}
    with zipfile.ZipFile(shared / "data" / "ucr.zip") as archive:
        for part in ("TRAIN", "TEST"):
            rows = np.loadtxt(io.BytesIO(archive.read(f"GunPoint/GunPoint_{part}.txt")))
            x, y = torch.tensor(rows[:, 1:]).float()[:, None], torch.tensor(rows[:, 0]).long() - 1
            parts[part] = (x, y)
    torch.manual_seed(0)
    net = zoo.net(name)
    step = torch.optim.AdamW(net.parameters(), lr=2e-3)
    x, y = parts["TRAIN"]
    for _ in range(60):
        for batch in torch.randperm(len(x)).split(10):
            loss = nn.functional.cross_entropy(net(x[batch]), y[batch])
            step.zero_grad()
            loss.backward()
            step.step()
    x, y = parts["TEST"]
    with torch.inference_mode():
        assert (net.eval()(x).argmax(1) == y).float().mean() > 0.85
