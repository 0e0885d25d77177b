"""Batches: every picture once, in an order that only (seed, epoch) decide, the same from any starting point."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svertka.data import Augment, Loader
from svertka.data.loading import loader as loading
from svertka.data.loading.batch_buffers import Buffers
from svertka.data.loading.loader import _sizes
from svertka.kinds.image import Preprocess

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(40) % 3
PREPROCESS = Preprocess(6, 5, 3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


def loader(batch=7, seed=3, index=None, **options):
    index = np.arange(2, 39) if index is None else index
    return Loader(PIXELS, LABELS, index, PREPROCESS, batch=batch, seed=seed, **options)


@given(st.integers(1, 50), st.integers(0, 9))
def test_every_picture_comes_once_an_epoch(batch, epoch):
    seen = torch.cat([b.index for b in loader(batch).epoch(epoch)])
    assert sorted(seen.tolist()) == list(range(2, 39))


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(0, 5))
def test_starting_in_the_middle_gives_the_same_rest(batch, start):
    how = Augment(flip_horizontal=True, shift=0.2)
    whole = list(loader(batch, augment=how).epoch(4))
    rest = list(loader(batch, augment=how).epoch(4, start=start))
    assert len(rest) == len(whole[start:])
    assert all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in zip(rest, whole[start:], strict=True))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 12), st.integers(0, 5), st.integers(1, 4000))
def test_batches_that_are_varied_together_are_the_same_as_one_by_one(batch, start, together):
    how = Augment(flip_horizontal=True, shift=0.2, mixup=0.3)
    alone = list(loader(batch, augment=how).epoch(4, start=start))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "AT_ONCE", together)
        others = list(loader(batch, augment=how).epoch(4, start=start))
    assert all(torch.equal(p, q) for a, b in zip(alone, others, strict=True) for p, q in zip(a, b, strict=True))


def test_epochs_differ_and_seeds_differ():
    orders = {tuple(loader(seed=s).order(e).tolist()) for s in (1, 2) for e in (0, 1)}
    assert len(orders) == 4


def test_x_is_the_normalized_picture_in_channels_last():
    for x, y, index in loader(seed=None):
        expected = (PIXELS[index.numpy()].astype(np.float64) / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.25, 0.3]
        assert np.allclose(x.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert y.tolist() == LABELS[index.numpy()].tolist()


def test_even_batches_hold_every_picture_once_and_none_is_tiny():
    some = loader(batch=10, even=True)
    assert [len(b.y) for b in some] == [10, 9, 9, 9]
    assert sorted(torch.cat([b.index for b in some.epoch(1)]).tolist()) == list(range(2, 39))
    assert [b.index.tolist() for b in some.epoch(3, start=2)] == [b.index.tolist() for b in some.epoch(3)][2:]


@given(st.integers(0, 300), st.integers(1, 64), st.integers(1, 12))
def test_sizes_of_even_batches(pictures, batch, least):
    sizes = _sizes(pictures, batch, min(least, batch))
    assert sum(sizes) == pictures
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert min(sizes, default=least) >= min(least, batch, pictures)
    if batch >= 2 * least:
        assert max(sizes, default=0) <= batch
    assert sum(_sizes(pictures, batch, None)) == pictures


def test_measuring_never_varies_pictures():
    plain = [b.x for b in loader(seed=None)]
    varied = [b.x for b in loader(seed=None, augment=Augment(flip_horizontal=True, shift=0.5))]
    assert all(torch.equal(a, b) for a, b in zip(plain, varied, strict=True))


# --- mixing and balancing ---


@given(st.integers(1, 37), st.integers(0, 3))
@settings(deadline=None, max_examples=20)
def test_mixed_batches_do_not_depend_on_the_size_of_batches(batch, epoch):
    how = Augment(mixup=0.4, cutmix=1.0, shift=0.2, untouched=0.1)
    whole = next(loader(100, augment=how).epoch(epoch))
    parts = list(loader(batch, augment=how).epoch(epoch))
    assert torch.equal(torch.cat([b.x for b in parts]), whole.x)
    assert torch.equal(torch.cat([b.y for b in parts]), whole.y)
    assert whole.y.shape == (37, 3)
    assert torch.allclose(whole.y.sum(1), torch.ones(37))


def test_a_mixed_picture_and_its_target_have_the_same_shares():
    flat = np.repeat(np.array([0, 100, 250], np.uint8), 20).reshape(60, 1, 1, 1) * np.ones((1, 4, 4, 1), np.uint8)
    labels = np.repeat([0, 1, 2], 20)
    some = Loader(flat, labels, np.arange(60), Preprocess(4, 4, 1, mean=(0,), std=(1 / 255,)), batch=60, seed=1,
                  augment=Augment(mixup=1.0))  # fmt: skip
    x, y, _ = next(some.epoch())
    assert ((y @ torch.tensor([0.0, 100.0, 250.0])) - x[:, 0, 0, 0]).abs().max() < 0.51
    assert ((y > 0).sum(1) == 2).any()


LOPSIDED = np.array([0] * 30 + [1] * 8 + [2] * 2)


@given(st.integers(0, 20))
def test_balanced_order_draws_every_class_equally_often(epoch):
    some = Loader(PIXELS, LOPSIDED, np.arange(40), PREPROCESS, batch=7, seed=3, balanced=True)
    order = some.order(epoch)
    assert len(order) == 40
    assert np.bincount(LOPSIDED[order % 40]).tolist() == [13, 13, 14]
    assert len(set(order.tolist())) == 40  # a picture that comes again is another sample
    times = np.bincount((order % 40)[LOPSIDED[order % 40] == 2])
    assert sorted(times[times > 0]) == [7, 7]


def test_a_picture_that_comes_twice_is_varied_twice():
    some = Loader(
        PIXELS, LOPSIDED, np.arange(40), PREPROCESS, batch=40, seed=3, balanced=True, augment=Augment(shift=0.4)
    )
    x, y, index = next(some.epoch())
    assert torch.equal(y, torch.from_numpy(LOPSIDED)[index])
    again = x[index == 39]
    assert len(again) == 7
    assert len({t.numpy().tobytes() for t in again}) > 3


# --- memory of batches ---


@pytest.mark.parametrize("balanced", [False, True])
def test_gathering_while_normalizing_and_buffers_change_no_bit(monkeypatch, balanced):
    kept = [tuple(b) for b in loader(6, balanced=balanced).epoch(2)]  # normalized after they were gathered
    monkeypatch.setattr(loading, "AT_ONCE", 1)
    one_by_one = [(b.x.clone(), b.y, b.index) for b in loader(6, balanced=balanced).epoch(2)]
    assert len(kept) == len(one_by_one)
    assert all(torch.equal(p, q) for a, b in zip(kept, one_by_one, strict=True) for p, q in zip(a, b, strict=True))


def test_memory_of_a_batch_is_used_again_only_when_nobody_holds_it():
    buffers = Buffers(4 * 6 * 5 * 3)
    first = buffers.take(4, 6, 5, 3)
    place = first.data_ptr()
    row = first[1].fill_(7.0)  # a view of it is enough to keep it
    del first
    second = buffers.take(4, 6, 5, 3).fill_(1.0)
    assert second.data_ptr() != place
    assert torch.equal(row, torch.full_like(row, 7.0))
    del row
    third = buffers.take(2, 6, 5, 3)
    assert third.data_ptr() == place
    assert third.shape == (2, 3, 6, 5)
    assert third.is_contiguous(memory_format=torch.channels_last)
    assert place % 64 == 0
    with pytest.raises(ValueError, match="do not fit"):
        buffers.take(5, 6, 5, 3)


def test_what_a_graph_or_numpy_needs_is_kept(monkeypatch):
    monkeypatch.setattr(loading, "AT_ONCE", 1)
    weight = torch.ones(3, requires_grad=True)
    expected = sum(b.x.double().sum((0, 2, 3)) for b in loader(6).epoch(0))
    total, arrays = torch.zeros(()), []
    for batch in loader(6).epoch(0):
        total = total + (batch.x * weight.view(3, 1, 1)).sum()
        arrays.append(batch.x.numpy())
    total.backward()
    assert torch.allclose(weight.grad.double(), expected, atol=1e-2)
    assert np.allclose(sum(a.astype(np.float64).sum((0, 2, 3)) for a in arrays), expected)


@pytest.mark.parametrize(
    ("shape", "augment"),
    [
        ((224, 224, 3), None),
        ((231, 217, 3), None),
        ((300, 170, 1), None),
        ((64, 64, 3), Augment(flip_horizontal=True)),
        ((28, 28, 1), None),
    ],
)
def test_threads_change_no_bit(shape, augment):
    height, width, channels = shape
    pixels = np.random.default_rng(0).integers(0, 256, (37, *shape), dtype=np.uint8)
    preprocess = Preprocess(height, width, channels, mean=(0.45,) * channels, std=(0.225,) * channels)
    batches, before = {}, torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            ours = Loader(pixels, np.zeros(37), np.arange(37), preprocess, batch=13, seed=1, augment=augment)
            batches[threads] = [batch.x.clone() for batch in ours.epoch(2)]
    finally:
        torch.set_num_threads(before)
    for threads in (2, 3):
        assert all(torch.equal(a, b) for a, b in zip(batches[1], batches[threads], strict=True))
