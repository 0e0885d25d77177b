"""NetVLAD against its formulas in loops, and on networks of every rank."""

import importlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from svertka import zoo
from svertka.blocks import Net, NetVLAD, with_netvlad
from svertka.blocks.netvlad import width
from svertka.errors import ShapeError, UsageError


def by_definition(x, assign, bias, centers):
    """Equations 3 and 4 of the paper, one number at a time: x (c, places) -> (clusters * c)."""
    clusters, channels = centers.shape
    places = x.shape[1]
    unit = [x[:, i] / x[:, i].norm() for i in range(places)]
    rows = []
    for k in range(clusters):
        row = [torch.zeros((), dtype=x.dtype) for _ in range(channels)]
        for i in range(places):
            score = [torch.exp(assign[j] @ unit[i] + bias[j]) for j in range(clusters)]
            share = score[k] / sum(score)
            for j in range(channels):
                row[j] = row[j] + share * (unit[i][j] - centers[k, j])
        rows.append(torch.stack(row) / torch.stack(row).norm())  # intra-normalization
    flat = torch.cat(rows)
    return flat / flat.norm()


@settings(max_examples=12, deadline=None)
@given(
    channels=st.integers(1, 4),
    clusters=st.integers(1, 4),
    size=st.sampled_from([(1,), (3,), (2, 1), (2, 3), (1, 2, 2)]),
    seed=st.integers(0, 99),
)
def test_it_is_its_definition_forwards_and_backwards(channels, clusters, size, seed):
    torch.manual_seed(seed)
    pool = NetVLAD(channels, clusters).double()
    for p in pool.parameters():
        p.data += 0.3 * torch.randn_like(p)  # apart, as after learning
    x = torch.randn(2, channels, *size, dtype=torch.float64, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    ours = pool(x)
    uneven = torch.randn_like(ours)
    got = torch.autograd.grad((ours * uneven).sum(), [x, *pool.parameters()])
    rows = [by_definition(t.flatten(1), pool.assign, pool.bias, pool.centres) for t in twin]
    truth = torch.stack(rows)
    want = torch.autograd.grad((truth * uneven).sum(), [twin, *pool.parameters()])
    torch.testing.assert_close(ours, truth)
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, rtol=1e-6, atol=1e-9)


def test_a_vector_of_the_last_layer_works_too():
    pool = NetVLAD(5, 3)
    x = torch.randn(2, 5)
    torch.testing.assert_close(pool(x), pool(x[:, :, None]))


def test_initializing_finds_the_clusters_and_assigns_almost_hard():
    torch.manual_seed(0)
    truth = torch.eye(4, 6)
    owner = torch.arange(4).repeat(50)
    x = truth[owner] + 0.02 * torch.randn(200, 6)
    pool = NetVLAD(6, 4)
    pool.initialize(x)
    nearest = torch.cdist(truth, pool.centres.detach())
    assert nearest.min(1).values.max() < 0.05
    assert sorted(nearest.argmin(1).tolist()) == [0, 1, 2, 3]
    unit = nn.functional.normalize(x, dim=1)
    top = torch.softmax(unit @ pool.assign.T + pool.bias, 1).topk(2).values.detach()
    ratio = (top[:, 0].log() - top[:, 1].log()).mean()
    assert math.isclose(ratio, math.log(100), rel_tol=1e-3)  # appendix A of the paper


def test_initializing_needs_enough_features():
    with pytest.raises(ShapeError, match="8 clusters need at least as many different features; there are 1"):
        NetVLAD(3, 8).initialize(torch.ones(20, 3))
    with pytest.raises(ShapeError, match="features of 3 channels"):
        NetVLAD(3, 8).initialize(torch.ones(20, 4))


def test_zeros_give_no_nan():
    pool = NetVLAD(4, 2)
    x = torch.zeros(1, 4, 3, 3, requires_grad=True)
    pool(x).sum().backward()
    assert x.grad.isfinite().all()


def tiny(dims):
    conv, batch = (nn.Conv1d, nn.BatchNorm1d) if dims == 1 else (nn.Conv2d, nn.BatchNorm2d)
    stage = nn.Sequential(conv(4, 6, 3, padding=1), batch(6), nn.ReLU())
    pool = nn.AdaptiveAvgPool1d(1) if dims == 1 else nn.AdaptiveAvgPool2d(1)
    return Net(conv(3, 4, 3, padding=1), nn.Sequential(stage), pool, nn.Linear(6, 10))


@pytest.mark.parametrize("dims", [1, 2])
def test_any_network_takes_it(dims):
    torch.manual_seed(0)
    net = tiny(dims)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    x = torch.randn(5, 3, *[9] * dims)
    made = with_netvlad(net, clusters=4, classes=7, sample=x)
    assert all(torch.equal(net.state_dict()[k], v) for k, v in state.items())
    assert net.training
    assert made.stages is net.stages
    assert made(x).shape == (5, 7)
    assert net(x).shape == (5, 10)
    assert made.training
    torch.testing.assert_close(made.eval()(x[:1]), made(x)[:1])
    made.train()(x).square().sum().backward()
    assert all(p.grad is not None for p in made.parameters())


@pytest.mark.parametrize("dims", [1, 2])
def test_the_width_is_found_without_a_sample(dims):
    net = tiny(dims).double().eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    assert width(net) == 6
    made = with_netvlad(net, clusters=2, classes=3)
    assert made(torch.randn(1, 3, *[9] * dims, dtype=torch.float64)).dtype == torch.float64
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_what_it_cannot_take_it_says():
    class Odd(Net):
        def features(self, x):
            return x

    plain = tiny(2)
    with pytest.raises(UsageError, match="more than its stem and stages"):
        with_netvlad(Odd(plain.stem, plain.stages, plain.pool, plain.head), classes=2)
    with pytest.raises(UsageError, match="no convolution"):
        with_netvlad(Net(nn.Linear(2, 2), nn.Sequential(), nn.Identity(), nn.Linear(2, 2)), classes=2)
    deep = nn.Sequential(*[nn.MaxPool2d(2) for _ in range(9)])
    with pytest.raises(UsageError, match="give a sample"):
        with_netvlad(Net(nn.Conv2d(3, 4, 3), deep, nn.Flatten(), nn.Linear(4, 2)), classes=2)
    with pytest.raises(UsageError, match="at least one channel and one cluster"):
        NetVLAD(4, 0)
    with pytest.raises(ShapeError, match="built for features of 4 channels"):
        NetVLAD(4, 2)(torch.randn(1, 5, 2, 2))


def test_it_learns_places_that_averaging_cannot_tell_apart():
    """Two classes with the same mean feature: one mixes two opposite textures, the other has neither."""
    torch.manual_seed(0)
    n = 64
    sign = torch.where(torch.rand(n, 1, 4, 4) < 0.5, -1.0, 1.0)
    mixed = torch.cat([sign, torch.zeros(n, 1, 4, 4)], 1)
    plain = torch.cat([torch.zeros(n, 1, 4, 4), sign], 1)
    x = torch.cat([mixed, plain]) + 0.1 * torch.randn(2 * n, 2, 4, 4)
    y = torch.arange(2).repeat_interleave(n)
    pool, head = NetVLAD(2, 4), nn.Linear(8, 2)
    pool.initialize(x)
    step = torch.optim.Adam([*pool.parameters(), *head.parameters()], lr=0.05)
    for _ in range(40):
        loss = nn.functional.cross_entropy(head(pool(x)), y)
        step.zero_grad()
        loss.backward()
        step.step()
    assert (head(pool(x)).argmax(1) == y).float().mean() > 0.97


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_every_family_of_the_zoo_takes_it(family):
    """On torch's meta device, where a network has shapes and no numbers."""
    row = importlib.import_module(f"svertka.zoo.{family}").VARIANTS[0]
    made = with_netvlad(zoo.empty_net(row.name), clusters=2, classes=3)
    x = torch.empty(2, row.channels, *[row.size] * row.dims, device="meta")
    assert made.eval()(x).shape == (2, 3)
