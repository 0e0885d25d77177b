"""Explanations against what must hold: theory, planted truth, and a network that is given back as it was."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import svertka.explanation as explanation
from svertka import zoo
from svertka.blocks import Net
from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.explanation import METHODS, Method, attributions, heats
from svertka.explanation.frozen_network import frozen_network
from svertka.explanation.methods import cam
from svertka.explanation.methods.perturbation import random_masks
from svertka.explanation.request import Ask

ALL = list(METHODS)
FEW = {"samples": 6}


def tiny(classes=3, width=6, bias=True, act=nn.ReLU):
    """Two stages with places, global average, linear head."""
    return Net(
        stem=nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=bias), nn.BatchNorm2d(width), act(inplace=True)),
        stages=nn.Sequential(
            nn.Sequential(nn.Conv2d(width, width, 3, 2, 1), act(inplace=True)),
            nn.Sequential(nn.Conv2d(width, 2 * width, 3, padding=1), act(inplace=True)),
        ),
        pool=nn.AdaptiveAvgPool2d(1),
        head=nn.Linear(2 * width, classes),
    )


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def ask_of(net, x, target, **more):
    return Ask(net.eval(), x, torch.tensor(target), **more)


# ---- theory


def test_grad_cam_is_cam_behind_a_global_average_and_a_linear_head():
    net, x = tiny(), torch.randn(4, 3, 16, 16)
    found = heats(net, x, "grad-cam", target=2)
    maps = net.eval().features(x).detach()  # (n, c, h, w)
    cams = torch.einsum("c,nchw->nhw", net.head.weight[2].detach(), maps).relu()  # Zhou et al. 2016, equation 2
    for heat, own in zip(found, cams.numpy(), strict=True):
        np.testing.assert_allclose(heat.values, own / own.max() if own.max() > 0 else own, rtol=1e-4, atol=1e-5)
        assert (heat.layer, heat.target, heat.method) == ("stages.1", 2, "grad-cam")


def test_grad_cam_and_its_kin_equal_their_definitions_in_loops():
    net, x = tiny().eval(), torch.randn(1, 3, 10, 10)
    net.pool, net.head = nn.Flatten(), nn.Linear(12 * 25, 3)  # so that every place has a gradient of its own
    maps = net.features(x).detach().requires_grad_()
    (g,) = torch.autograd.grad(net.head(net.pool(maps).flatten(1))[0, 1], maps)
    a, g = maps[0].detach().double(), g[0].double()
    c, h, w = a.shape
    plain, plus, layer = (torch.zeros(h, w).double() for _ in range(3))
    for k in range(c):
        weight = 0.0
        for i in range(h):
            for j in range(w):
                below = 2 * g[k, i, j] ** 2 + a[k].sum() * g[k, i, j] ** 3
                weight += (g[k, i, j] ** 2 / below if below != 0 else 0.0) * max(g[k, i, j], 0)
                layer[i, j] += max(g[k, i, j], 0) * a[k, i, j]
        plus += weight * a[k]
        plain += sum(g[k, i, j] for i in range(h) for j in range(w)) / (h * w) * a[k]
    ask = ask_of(net, x, [1], layer="stages.1")
    torch.testing.assert_close(cam.grad_cam(ask)[0].double(), plain.relu(), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(cam.grad_cam_plus(ask)[0].double(), plus.relu(), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(cam.layer_cam(ask)[0].double(), layer.relu(), rtol=1e-4, atol=1e-7)


def test_eigen_cam_is_the_first_principal_direction():
    net, x = tiny().eval(), torch.randn(1, 3, 10, 10)
    rows = net.features(x).detach()[0].flatten(1).T.double().numpy()  # (h*w, c)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    along = rows @ vectors[:, np.argmax(values)]
    along = np.maximum(along * np.sign(along.sum()), 0).reshape(5, 5)
    np.testing.assert_allclose(heats(net, x, "eigen-cam")[0].values, along / along.max(), rtol=1e-4, atol=1e-5)


def test_score_cam_equals_its_algorithm_one_channel_at_a_time():
    net, x = tiny(width=3).eval(), torch.randn(1, 3, 12, 12)
    maps = net.features(x).detach()[0]  # (c, h, w)
    scores = []
    for one in maps:
        up = F.interpolate(one[None, None], (12, 12), mode="bilinear", align_corners=False)
        flat = (one.max() - one.min()).clamp(min=1e-12)
        scores.append(net(x * (up - one.min()) / flat)[0, 0].detach())
    own = (torch.softmax(torch.stack(scores), 0)[:, None, None] * maps).sum(0).relu().numpy()
    found = heats(net, x, "score-cam", target=0, batch=4)[0].values
    np.testing.assert_allclose(found, own / own.max(), rtol=1e-3, atol=1e-4)


def test_integrated_gradients_sum_to_the_difference_of_scores():
    net, x = tiny(act=lambda inplace: nn.Tanh()).double(), torch.randn(2, 3, 8, 8).double()
    parts = attributions(ask_of(net, x, [0, 1], samples=200))
    difference = net(x) - net(torch.zeros_like(x))
    torch.testing.assert_close(parts.flatten(1).sum(1), difference[[0, 1], [0, 1]].detach(), rtol=1e-3, atol=1e-5)


def test_saliency_is_the_slope_of_the_score():
    net, x = tiny(act=lambda inplace: nn.Tanh()).double().eval(), torch.randn(1, 3, 6, 6).double()
    slopes = torch.zeros(3, 6, 6).double()
    for place in np.ndindex(3, 6, 6):
        step = torch.zeros_like(x)
        step[(0, *place)] = 1e-5
        slopes[place] = ((net(x + step) - net(x - step))[0, 1] / 2e-5).item()
    found = METHODS["saliency"].look(ask_of(net, x, [1]))[0]
    torch.testing.assert_close(found, slopes.abs().amax(0), rtol=1e-5, atol=1e-8)


def test_guided_back_propagation_is_what_the_rule_says_written_out():
    net, x = tiny().eval(), torch.randn(1, 3, 8, 8)
    plain = copy.deepcopy(net)

    def rule(_module, _given, went_out):
        return (went_out[0].clamp(min=0),) if isinstance(went_out, tuple) else went_out.clamp(min=0)

    class Relu(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a.clamp(min=0)

        @staticmethod
        def backward(ctx, g):
            (a,) = ctx.saved_tensors
            return g.clamp(min=0) * (a > 0)

    class Guided(nn.Module):
        def forward(self, a):
            return Relu.apply(a)

    for part in (plain.stem, *plain.stages):
        part[-1] = Guided()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(plain(leaf)[0, 2], leaf)
    torch.testing.assert_close(METHODS["guided-backprop"].look(ask_of(net, x, [2]))[0], gradient[0].abs().amax(0))


def test_rise_masks_keep_half_and_lie_between_0_and_1():
    masks = torch.cat([*random_masks(400, (30, 20), torch.Generator().manual_seed(1), 64)])
    assert masks.shape == (400, 30, 20)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert abs(masks.mean() - 0.5) < 0.03
    # neighbors are alike, far places are not: a mask hides regions
    near, far = (np.corrcoef(masks[:, 10, 5], masks[:, 10, 5 + d])[0, 1] for d in (1, 14))
    assert near > 0.6 > 0.3 > abs(far)


# ---- planted truth


class Marker(nn.Module):
    """The score of class 1 is the mean of one small square, and nothing else."""

    def forward(self, x):
        seen = x[:, :, 4:8, 20:24].mean((1, 2, 3))
        return torch.stack([-seen, seen], 1)


@pytest.mark.parametrize("name", ["occlusion", "rise", "saliency", "smoothgrad", "integrated-gradients"])
def test_what_a_network_looks_at_is_found(name):
    x = torch.ones(1, 3, 28, 28)
    samples = None if name == "occlusion" else 600 if name == "rise" else 8
    values = heats(Marker(), x, name, target=1, samples=samples)[0].values
    y, x = np.unravel_index(values.argmax(), values.shape)
    assert 1 <= y < 11
    assert 17 <= x < 27
    inside = np.zeros((28, 28), bool)
    inside[0:12, 16:28] = True
    assert values[inside].mean() > (1.5 if name == "rise" else 3) * values[~inside].mean()


@pytest.fixture(scope="module")
def squared():
    """Noise pictures; those of class 1 carry a red square at a random place, and a network that learned them."""
    g = torch.Generator().manual_seed(3)
    x, y = torch.randn(256, 3, 24, 24, generator=g) * 0.5, torch.arange(256) % 2
    places = torch.randint(0, 18, (256, 2), generator=g).tolist()
    for picture, label, (top, left) in zip(x, y, places, strict=True):
        if label:
            picture[:, top : top + 6, left : left + 6] = torch.tensor([2.5, -1.5, -1.5])[:, None, None]
    torch.manual_seed(5)
    net = tiny(classes=2, width=8)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for step in range(60):
        some = slice(step % 4 * 64, step % 4 * 64 + 64)
        loss = F.cross_entropy(net(x[some]), y[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    assert (net(x).argmax(1) == y).float().mean() > 0.97
    index = [i for i in range(256) if y[i]][:12]
    return net, x[index], [places[i] for i in index]


@pytest.mark.parametrize("name", ["grad-cam", "layer-cam", "score-cam", "occlusion", "integrated-gradients"])
def test_the_mass_lies_on_the_square_that_makes_the_class(squared, name):
    net, x, places = squared
    shares = []
    for heat, (top, left) in zip(heats(net, x, name, target=1), places, strict=True):
        values = cam.stretched(torch.from_numpy(heat.values)[None], (24, 24))[0].numpy()
        around = np.zeros((24, 24), bool)  # the square and a patch width around: 5 % to 25 % of the picture
        around[max(0, top - 3) : top + 9, max(0, left - 3) : left + 9] = True
        shares.append(values[around].sum() / values.sum())
    assert np.median(shares) > 0.7


def test_deletion_and_insertion_prefer_the_true_map(squared):
    net, x, places = squared
    good = heats(net, x[:1], "occlusion", target=1)[0]
    values = np.zeros((24, 24), np.float32)
    values[:6, :6] = 1 if places[0][0] > 10 or places[0][1] > 10 else 0
    values[-6:, -6:] = 1 - values[0, 0]
    bad = explanation.Heat(values, "made up", "input", 1, 1.0)
    assert explanation.deletion(net, x[:1], good).area < explanation.deletion(net, x[:1], bad).area - 0.1
    curve = explanation.deletion(net, x[:1], good, steps=4)
    with torch.no_grad():  # both ends are the picture and the flat color
        ends = torch.softmax(net(torch.stack([x[0], torch.zeros_like(x[0])])), 1)[:, 1].numpy()
    np.testing.assert_allclose(curve.probabilities[[0, -1]], ends, atol=1e-5)
    assert len(curve.shares) == 5


class Texture(nn.Module):
    """The score of class 1 is how much one small square varies: a blurred picture has none."""

    def forward(self, x):
        seen = 20 * x[:, :, 4:8, 16:20].var((1, 2, 3)) - 10
        return torch.stack([-seen, seen], 1)


def test_insertion_rises_soon_with_the_true_map():
    x, areas = torch.randn(1, 3, 24, 24), []
    for top, left in ((4, 16), (16, 4)):
        values = np.zeros((24, 24), np.float32)
        values[top : top + 4, left : left + 4] = 1
        heat = explanation.Heat(values, "made up", "input", 1, 1.0)
        areas.append(explanation.insertion(Texture(), x, heat).area)
    assert areas[0] > 0.9
    assert areas[1] < areas[0] - 0.2


def test_an_edge_detector_is_marked_and_grad_cam_is_not(squared):
    net, x, _ = squared
    edges = Method("edges", lambda ask: ask.x.diff(dim=2, prepend=ask.x[:, :, :1]).abs().sum(1), False, "")
    found = explanation.randomization(net, x[:4], edges)
    assert found.blind
    assert found.similarity == pytest.approx(1)
    true = explanation.randomization(net, x[:4], "integrated-gradients")
    assert true.similarity < found.similarity
    assert not explanation.randomization(net, x[:4], "occlusion").blind


def test_rank_correlation_is_that_of_scipy():
    scipy = pytest.importorskip("scipy.stats")
    g = np.random.default_rng(0)
    a, b = g.integers(0, 5, (6, 7)).astype(float), g.normal(size=(6, 7))
    assert explanation.rank_correlation(a, b) == pytest.approx(scipy.spearmanr(a.ravel(), b.ravel()).statistic)
    assert explanation.rank_correlation(a, np.ones_like(a)) == 0


# ---- given back


def state(net):
    """All that a borrower could change."""
    hooks = [
        (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks), m.training, list(vars(m)))
        for m in net.modules()
    ]
    numbers = [t.clone() for t in net.state_dict().values()]
    weights = [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in net.parameters()]
    return hooks, numbers, weights


def same(a, b):
    pairs = [
        *zip(a[1], b[1], strict=True),
        *((x[1], y[1]) for x, y in zip(a[2], b[2], strict=True) if x[1] is not None),
    ]
    return a[0] == b[0] and [w[0] for w in a[2]] == [w[0] for w in b[2]] and all(torch.equal(x, y) for x, y in pairs)


def used():
    """A network in the middle of other work: some parts frozen, some in evaluation, gradients there."""
    net = tiny().train()
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    net.stem.eval()
    for p in net.stages[0].parameters():
        p.requires_grad_(False)
    return net


@pytest.mark.parametrize("name", ALL)
def test_the_network_is_given_back_as_it_was(name):
    net, x = used(), torch.randn(2, 3, 12, 12)
    before, given, grad = state(net), x.clone(), torch.is_grad_enabled()
    heats(net, x, name, **FEW)
    assert same(before, state(net))
    assert torch.equal(x, given)
    assert torch.is_grad_enabled() == grad


class Failing(nn.Module):
    """Fails at its n-th call."""

    def __init__(self):
        super().__init__()
        self.left = 10**9

    def forward(self, x):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("out of memory")
        return x


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("calls", [0, 2])
def test_even_after_an_error(name, calls):
    net = used()
    net.pool = nn.Sequential(net.pool, Failing())
    before = state(net)
    net.pool[1].left = calls
    with pytest.raises(ShapeError, match="out of memory"):
        heats(net, torch.randn(2, 3, 12, 12), name, **FEW, batch=1)
    net.pool[1].left = 10**9
    assert same(before, state(net))


@pytest.mark.parametrize("name", ALL)
def test_frozen_networks_and_callers_without_gradients_get_the_same_map(name):
    net, x = tiny(), torch.randn(2, 3, 12, 12)
    free = heats(net, x, name, **FEW)
    frozen = copy.deepcopy(net).requires_grad_(False)
    with torch.no_grad():
        first = heats(frozen, x, name, **FEW)
    with torch.inference_mode():
        second = heats(frozen, x.clone(), name, **FEW)
    for a, b, c in zip(free, first, second, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.values, c.values)


def test_averaged_and_compiled_networks():
    net, x = tiny(), torch.randn(1, 3, 12, 12)
    own = heats(net, x)[0].values
    np.testing.assert_array_equal(heats(torch.optim.swa_utils.AveragedModel(net), x)[0].values, own)
    calls = []

    def backend(graph, _inputs):
        calls.append(1)
        return graph.forward

    compiled = torch.compile(net.eval(), backend=backend)
    np.testing.assert_array_equal(heats(compiled, x)[0].values, own)
    net.compile(backend=backend)  # in place
    np.testing.assert_allclose(heats(net, x)[0].values, own, rtol=1e-5, atol=1e-6)
    assert not calls  # its hooks ran: nothing compiled took part
    net(x)
    assert calls  # and it compiles as before


# ---- every family by the silhouette alone

FIRSTS = {}
for _row in zoo.variants().values():
    FIRSTS.setdefault(_row.build.__module__, _row.name)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v3_small", "resnet20", *FIRSTS.values()])
def test_every_family_is_explained_by_the_silhouette_alone(name):
    row = zoo.variant(name)
    side = max(row.least, 32)
    options = {"size": side} if "size" in row.options() else {}
    net = zoo.net(name, classes=4, **options)
    x = torch.randn(1, row.channels, *[side] * row.dims)
    for how in ("grad-cam", "eigen-cam", "saliency", "guided-backprop"):
        (heat,) = heats(net, x, how, target=1)
        assert heat.values.max() <= 1
        assert heat.values.min() >= 0
        assert heat.values.size > 1
        if how != "grad-cam":  # all its places may speak against a class
            assert heat.values.max() == 1
    assert net.training


def test_the_last_stage_that_has_places_is_chosen():
    net = zoo.net("vgg11", classes=2)
    assert heats(net, torch.randn(1, 3, 64, 64))[0].layer == "stages.3"
    assert heats(net, torch.randn(1, 3, 32, 32))[0].layer == "stages.2"
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    assert heats(plain, torch.randn(1, 3, 9, 9))[0].layer == "1"
    assert heats(net, torch.randn(1, 3, 64, 64), layer="stages.1")[0].values.shape == (8, 8)


# ---- bad input


def test_what_does_not_exist_is_refused_with_the_choices():
    net, x = tiny(), torch.randn(1, 3, 12, 12)
    with pytest.raises(UnknownName, match=r"no layer called 'stages.7'.*The main ones are stages.0, stages.1"):
        heats(net, x, layer="stages.7")
    with pytest.raises(UnknownName, match=r"no method called 'gradcam'. Did you mean grad-cam"):
        heats(net, x, "gradcam")
    with pytest.raises(UnknownName, match=r"no class called '3'. This network has the classes 0 to 2"):
        heats(net, x, target=3)
    with pytest.raises(UsageError, match="head gives 3, no maps"):
        heats(net, x, layer="head")
    with pytest.raises(ShapeError, match="cannot take an input of 5x12x12"):
        heats(net, torch.randn(1, 5, 12, 12))
    with pytest.raises(ShapeError, match="A batch is"):
        heats(net, torch.randn(12, 12))
    with pytest.raises(UsageError, match="samples is 1 or more"):
        heats(net, x, "rise", samples=0)
    with pytest.raises(UsageError, match="No layer of this network keeps more than one place"):
        heats(nn.Sequential(nn.Flatten(), nn.Linear(432, 2)), x)


def test_a_batch_is_explained_as_each_alone():
    net, x = tiny(), torch.randn(5, 3, 12, 12)
    for name in ("grad-cam", "grad-cam++", "occlusion", "rise", "smoothgrad", "integrated-gradients"):
        together = heats(net, x, name, batch=2, **FEW)
        for k in (0, 4):
            (alone,) = heats(net, x[k : k + 1], name, **FEW)
            np.testing.assert_allclose(together[k].values, alone.values, rtol=1e-3, atol=1e-4)
            assert together[k].target == alone.target


def test_borrowing_alone():
    net = used()
    before = state(net)
    lent: list[bool] = []

    def work():
        with frozen_network(net) as inner:
            lent.extend([*(m.training for m in inner.modules()), *(p.requires_grad for p in inner.parameters())])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert lent
    assert not any(lent)
    assert same(before, state(net))
