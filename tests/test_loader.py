"""Batches: every picture once, in an order that only (seed, epoch) decide, the same from any starting point."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from svertka.data.augment import Augment
from svertka.data.loader import Loader
from svertka.signals import Preprocess

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


@given(st.integers(1, 12), st.integers(0, 5))
def test_starting_in_the_middle_gives_the_same_rest(batch, start):
    how = Augment(flip=True, shift=0.2)
    whole = list(loader(batch, augment=how).epoch(4))
    rest = list(loader(batch, augment=how).epoch(4, start=start))
    assert len(rest) == len(whole[start:])
    assert all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in zip(rest, whole[start:], strict=True))


def test_epochs_differ_and_seeds_differ():
    orders = {tuple(loader(seed=s).order(e).tolist()) for s in (1, 2) for e in (0, 1)}
    assert len(orders) == 4


def test_x_is_the_normalised_picture_in_channels_last():
    for x, y, index in loader(seed=None):
        expected = (PIXELS[index.numpy()].astype(np.float64) / 255 - [0.4, 0.5, 0.6]) / [0.2, 0.25, 0.3]
        assert np.allclose(x.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert y.tolist() == LABELS[index.numpy()].tolist()


def test_full_leaves_out_another_rest_each_epoch():
    some = loader(batch=10, full=True)
    assert len(some) == 3
    left = [set(range(2, 39)) - set(torch.cat([b.index for b in some.epoch(e)]).tolist()) for e in range(3)]
    assert all(len(rest) == 7 for rest in left)
    assert left[0] != left[1]


def test_measuring_never_varies_pictures():
    plain = [b.x for b in loader(seed=None)]
    varied = [b.x for b in loader(seed=None, augment=Augment(flip=True, shift=0.5))]
    assert all(torch.equal(a, b) for a, b in zip(plain, varied, strict=True))
