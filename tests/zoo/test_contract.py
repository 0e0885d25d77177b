"""What every network of the registry promises, whatever its family. There is no list of exceptions."""

import pytest
import torch
from torch import nn

from svertka import zoo
from svertka.blocks import Net
from svertka.errors import ShapeError
from svertka.zoo.weights.rename_tensors import load_state

CLASSES = 7


@pytest.fixture(scope="module", params=list(zoo.variants()))
def row(request):
    return zoo.variant(request.param)


@pytest.fixture(scope="module")
def fresh(row):
    """A new network with seven classes, built for the least size where it is built for any."""
    torch.manual_seed(0)
    return zoo.net(row.name, classes=CLASSES, **row.fitted(least(row)))


@pytest.fixture(scope="module")
def hollow(row):
    """The same without storage: it computes shapes and nothing else, in no time."""
    return zoo.empty_net(row.name, classes=CLASSES, **row.fitted(least(row))).eval()


def least(row):
    return [row.least] * row.dims


def batch(row, n=2, **options):
    return torch.randn(n, row.channels, *least(row), **options)


def test_logits(row, fresh):
    x = batch(row, n=3)
    with torch.inference_mode():
        logits = fresh.eval()(x)
        assert logits.shape == (3, CLASSES)
        assert logits.isfinite().all()
        # a row does not see its neighbors
        torch.testing.assert_close(fresh(x[:1]), logits[:1], rtol=1e-3, atol=1e-5)
        # nor does the layout in memory matter
        if row.dims == 2:
            last = x.contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(fresh(last), logits, rtol=1e-3, atol=1e-5)
        # without training there are no other outputs
        (only,) = fresh.outputs(x)
        torch.testing.assert_close(only, logits, rtol=1e-3, atol=1e-5)


def test_every_parameter_learns(row, fresh):
    outputs = fresh.train().outputs(batch(row, n=4))
    assert {tuple(logits.shape) for logits in outputs} == {(4, CLASSES)}
    sum(logits.square().mean() for logits in outputs).backward()
    assert [name for name, p in fresh.named_parameters() if p.grad is None] == []
    assert [name for name, p in fresh.named_parameters() if not p.grad.isfinite().all()] == []
    fresh.zero_grad()


def test_state_goes_into_an_empty_network(row, fresh):
    copy = zoo.empty_net(row.name, classes=CLASSES, **row.fitted(least(row))).eval()
    assert load_state(copy, fresh.state_dict()) == ()
    assert not any(tensor.is_meta for tensor in (*copy.parameters(), *copy.buffers()))
    x = batch(row, n=1)
    with torch.inference_mode():
        assert torch.equal(copy(x), fresh.eval()(x))


def test_silhouette(row, hollow, monkeypatch):
    assert isinstance(hollow, Net)
    assert (hollow.name, hollow.least) == (row.name, row.least)
    assert [part for part, _ in hollow.named_children()][:4] == ["stem", "stages", "pool", "head"]
    assert isinstance(hollow.stages, nn.Sequential)
    assert len(hollow.stages) > 0

    x = batch(row, device="meta")
    assert hollow.features(x).shape == hollow.stages(hollow.stem(x)).shape
    width = hollow.embed(x).shape[1]
    first = next(m for m in hollow.head.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d))
    assert width == (first.in_features if isinstance(first, nn.Linear) else first.in_channels)

    monkeypatch.setitem(hollow._modules, "head", nn.Linear(width, 5, device="meta"))  # as transfer does
    assert hollow(x).shape == (2, 5)


def test_other_classes_channels_and_sizes(row, hollow):
    assert row.source
    assert 1 <= row.least <= row.size
    size = [row.size] * row.dims
    for channels in (1, 6):
        net = zoo.empty_net(row.name, channels=channels, **row.fitted(size)).eval()
        assert net(torch.empty(2, channels, *size, device="meta")).shape == (2, row.classes)

    free = [row.size + 37, row.least + 1][: row.dims]
    bound = [fixed or side for side, fixed in zip(free, hollow.built_for or [None] * row.dims, strict=True)]
    assert hollow(torch.empty(2, row.channels, *bound, device="meta")).shape == (2, CLASSES)
    if bound != free:
        with pytest.raises(ShapeError, match=rf"^{row.name} was built for inputs of .*, not {free[0]}x{free[1]}"):
            hollow(torch.empty(2, row.channels, *free, device="meta"))


def test_a_smaller_input_is_refused_with_the_least_size(row, hollow):
    x = torch.empty(2, row.channels, *[row.least - 1] * row.dims, device="meta")
    said = rf"^{row.name} takes inputs of {row.least} or more along each side, not {row.least - 1}"
    for call in (hollow, hollow.embed, hollow.features, hollow.outputs):
        with pytest.raises(ShapeError, match=said):
            call(x)
    with pytest.raises(ShapeError, match=said):
        hollow.train().outputs(x)
    hollow.eval()
