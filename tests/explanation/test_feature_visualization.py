"""What is in a network: maps, filters, fields, exciting patches, neighbors."""

import numpy as np
import pytest
import torch
from torch import nn

from svertka import zoo
from svertka.blocks import Net
from svertka.errors import ShapeError, UnknownName, UsageError
from svertka.explanation import (
    effective_field,
    embeddings,
    exciting,
    feature_maps,
    field,
    filters,
    imagined,
    nearest,
    seen,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_feature_maps_are_what_left_the_layer_before_others_changed_it():
    net, x = zoo.net("resnet18", classes=3).eval(), torch.randn(2, 3, 32, 32)
    first = net.stages[0][0].body[0]
    norm = first.norm  # a relu in place comes behind it
    name = next(name for name, part in net.named_modules() if part is norm)
    with torch.no_grad():
        expected = norm(first.conv(net.stem(x)))
    found = feature_maps(net, x, name)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)
    assert found.min() < 0
    with pytest.raises(UnknownName, match=r"no layer called 'stages\.9'"):
        feature_maps(net, x, "stages.9")


def test_filters_are_the_weights_around_gray():
    net = nn.Sequential(nn.Conv2d(3, 5, 3))
    found = filters(net)
    assert found.shape == (5, 3, 3, 3)
    weight = net[0].weight.detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found / 127.5 - 1, weight / np.abs(weight).max(), atol=0.005)
    assert filters(nn.Sequential(nn.Conv2d(1, 2, 3))).shape == (2, 3, 3, 3)
    with pytest.raises(UsageError, match="no convolution"):
        filters(nn.Sequential(nn.Linear(3, 2)))


@pytest.mark.parametrize(("layer", "at"), [("stem", (3, 4)), ("stages.0", (0, 5)), ("stages.1", (2, 2))])
def test_no_pixel_outside_the_field_moves_the_place_and_the_corners_of_it_do(layer, at):
    net = zoo.net("resnet20", classes=3).eval()
    for part in net.modules():  # positive weights everywhere: nothing cancels, no unit is dead
        if isinstance(part, nn.Conv2d):
            part.weight.data.abs_()
        if isinstance(part, nn.BatchNorm2d):  # a fresh block begins as the identity
            part.weight.data.fill_(1)
    x = torch.rand(1, 3, 24, 24, requires_grad=True)
    left, top, right, bottom = seen(net, (3, 24, 24), layer, at)
    y = net.stem(x) if layer == "stem" else net.stages[: int(layer[-1]) + 1](net.stem(x))
    (gradient,) = torch.autograd.grad(y[(0, slice(None), *at)].sum(), x)
    moved = gradient[0].abs().sum(0) > 0
    rows, columns = (torch.nonzero(moved.any(d)).flatten() for d in (1, 0))
    assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == (left, top, right, bottom)


def test_the_effective_field_lies_in_the_theoretical_one_and_is_densest_in_its_middle():
    net = nn.Sequential(*(nn.Conv2d(3 if k == 0 else 8, 8, 3, padding=1) for k in range(4)), nn.AdaptiveAvgPool2d(1),
                        nn.Flatten())  # fmt: skip
    found = effective_field(net, torch.randn(8, 3, 21, 21), "3")
    left, top, right, bottom = seen(net, (3, 21, 21), "3", (10, 10))
    assert (left, top, right, bottom) == (6, 6, 15, 15)
    outside = found.copy()
    outside[top:bottom, left:right] = 0
    assert not outside.any()
    assert found[8:13, 8:13].mean() > 3 * found[top:bottom, left:right].mean() / 2
    with pytest.raises(ShapeError, match="has 21x21 places"):
        effective_field(net, torch.randn(1, 3, 21, 21), "3", (21, 0))


def test_a_field_over_all_places_is_none():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 4), nn.ReLU())
    assert field(net, (1, 8, 8), "3") == (None, None)
    assert seen(net, (1, 8, 8), "2", (0, 0)) == (0, 0, 8, 8)
    with pytest.raises(UnknownName):
        field(net, (1, 8, 8), "nine")


def test_the_patch_that_excites_a_detector_is_the_one_that_it_detects():
    cross = torch.tensor([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]])
    net = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net[0].weight.data.copy_(cross - cross.mean())
    x = 0.1 * torch.rand(20, 1, 16, 16)
    for picture, (y, left), strength in ((3, (2, 9), 1.0), (17, (10, 4), 0.7)):
        x[picture, 0, y : y + 3, left : left + 3] += strength * cross
    first, second, *rest = exciting(net, x.split(6), "1", 0, count=4)
    assert (first.picture, first.box) == (3, (9, 2, 12, 5))
    assert (second.picture, second.box) == (17, (4, 10, 7, 13))
    assert first.value > second.value > 2 * rest[0].value
    with pytest.raises(UsageError, match="channels 0 to 0; received 4"):
        exciting(net, [x], "1", 4)
    assert exciting(net, [], "1", 0) == []


def test_an_imagined_picture_excites_its_channel_more_than_pictures_do():
    net = zoo.net("resnet20", classes=3)
    real = torch.randn(16, 3, 16, 16)
    made = imagined(net, (3, 16, 16), "stages.0", 5, steps=40)
    assert made.shape == (3, 16, 16)
    assert np.abs(made).max() <= 2
    own = feature_maps(net, torch.from_numpy(made)[None], "stages.0")[0, 5].mean()
    assert own > feature_maps(net, real, "stages.0")[:, 5].mean((1, 2)).max()
    assert net.training
    np.testing.assert_array_equal(made, imagined(net, (3, 16, 16), "stages.0", 5, steps=40))


def test_the_nearest_of_pictures_is_the_picture_itself_and_then_its_kin():
    net = Net(nn.Conv2d(1, 4, 3), nn.Sequential(nn.ReLU()), nn.AdaptiveAvgPool2d(3), nn.Linear(36, 2))
    pool = torch.randn(30, 1, 10, 10)
    pool[21] = pool[4] + 0.05 * torch.randn(1, 10, 10)
    index, similarity = nearest(embeddings(net, [pool[4:5]]), embeddings(net, pool.split(8)), count=3)
    assert index[0, :2].tolist() == [4, 21]
    assert similarity[0, 0] == pytest.approx(1)
    assert similarity[0, 0] > similarity[0, 1] > similarity[0, 2]
    with pytest.raises(UsageError, match="no pictures"):
        embeddings(net, [])
    with pytest.raises(UsageError, match="has no embed"):
        embeddings(nn.Flatten(), [pool])
