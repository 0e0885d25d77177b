"""What every network of the registry promises, whatever its family. There is no list of exceptions."""

import pytest
import torch
from torch import nn

from svertka import zoo
from svertka.blocks import Net
from svertka.errors import ShapeError
from svertka.zoo.convert import load_state

NAMES = list(zoo.variants())
CLASSES = 7


@pytest.fixture(scope="module", params=NAMES)
def made(request):
    """A fresh network with seven classes; built once for all tests of its name."""
    torch.manual_seed(0)
    return zoo.net(request.param, classes=CLASSES)


def batch(name, rows=2, side=None, channels=None, device="cpu"):
    row = zoo.variant(name)
    size = [side or row.least] * row.dims
    return torch.randn(rows, channels or row.channels, *size, device=device)


def hollow(name, **options):
    """A network without storage: it computes shapes and nothing else, at once and at any size."""
    return zoo.empty_net(name, **{"classes": CLASSES, **options}).eval()


def test_logits_at_the_least_size(made):
    x = batch(made.name, rows=3)
    with torch.inference_mode():
        logits = made.eval()(x)
        assert logits.shape == (3, CLASSES)
        assert logits.isfinite().all()
        # a row does not see its neighbours
        torch.testing.assert_close(made(x[:1]), logits[:1], rtol=1e-3, atol=1e-5)
        if x.ndim == 4:
            last = x.contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(made(last), logits, rtol=1e-3, atol=1e-5)


def test_every_parameter_learns(made):
    made.train()
    sum(logits.square().mean() for logits in made.outputs(batch(made.name, rows=4))).backward()
    assert [name for name, p in made.named_parameters() if p.grad is None] == []
    assert [name for name, p in made.named_parameters() if not p.grad.isfinite().all()] == []
    made.zero_grad()


def test_outputs_begin_with_the_logits(made):
    made.eval()
    x = batch(made.name)
    with torch.inference_mode():
        assert len(made.outputs(x)) == 1
        assert torch.equal(made.outputs(x)[0], made(x))


def test_state_dict_goes_around(made):
    copy = zoo.empty_net(made.name, classes=CLASSES).eval()
    assert load_state(copy, made.state_dict()) == ()
    assert not any(t.is_meta for t in (*copy.parameters(), *copy.buffers()))
    x = batch(made.name)
    with torch.inference_mode():
        assert torch.equal(copy(x), made.eval()(x))


@pytest.mark.parametrize("name", NAMES)
def test_silhouette(name):
    net = hollow(name)
    assert isinstance(net, Net)
    assert isinstance(net.stages, nn.Sequential)
    assert len(net.stages) > 0
    assert [part for part, _ in net.named_children()][:4] == ["stem", "stages", "pool", "head"]

    x = batch(name, device="meta")
    maps = net.features(x)
    assert maps.shape == net.stages(net.stem(x)).shape
    width = net.embed(x).shape[1]
    assert net.embed(x).shape == (2, width)
    first = next(m for m in net.head.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d))
    assert width == getattr(first, "in_features", None) or first.in_channels

    net.head = nn.Linear(width, 5, device="meta")  # as transfer does
    assert net(x).shape == (2, 5)


@pytest.mark.parametrize("name", NAMES)
def test_any_classes_channels_and_sizes(name):
    row = zoo.variant(name)
    assert row.least <= row.size
    assert hollow(name, classes=None)(batch(name, device="meta")).shape == (2, row.classes)
    for channels in (1, 3, 6):
        net = hollow(name, classes=2, channels=channels)
        for side in (row.least, row.least + 1, row.size, row.size + 5):
            assert net(batch(name, side=side, channels=channels, device="meta")).shape == (2, 2)
    if row.dims == 2:
        oblong = torch.empty(2, row.channels, row.size, row.size + 32, device="meta")
        assert hollow(name)(oblong).shape == (2, CLASSES)


@pytest.mark.parametrize("name", [n for n in NAMES if zoo.variant(n).least > 1])
def test_a_smaller_input_is_refused_with_the_least_size(name):
    net, least = hollow(name), zoo.variant(name).least
    x = batch(name, side=least - 1, device="meta")
    for call in (net, net.embed, net.features, net.outputs, net.train().outputs):
        with pytest.raises(ShapeError, match=rf"^{name} takes inputs of {least} or more along each side"):
            call(x)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_complete(name):
    row = zoo.variant(name)
    assert row.name == name
    assert row.source
    assert row.dims in (1, 2)
    net = hollow(name)
    assert (net.name, net.least) == (name, row.least)
