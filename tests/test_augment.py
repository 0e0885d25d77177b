"""Augmentation against definitions in loops, and random numbers that depend on their coordinates alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from svertka.data.augment import Augment
from svertka.data.random import mix, uniform


def pictures(n=12, h=9, w=7, c=3, seed=0):
    return torch.randint(0, 256, (n, h, w, c), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def splitmix(seed, epoch, sample, stream):
    """The same number in plain Python integers."""
    mask = (1 << 64) - 1
    h = (sample ^ (mix(seed, epoch, stream) << 1)) & mask
    h = (h + 0x9E3779B97F4A7C15) & mask
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & mask
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & mask
    h ^= h >> 31
    return (h >> 40) / (1 << 24)


@given(st.integers(0, 2**31 - 1), st.integers(0, 500), st.integers(0, 50), st.lists(st.integers(0, 2**40), min_size=1, max_size=9))
def test_uniform_equals_its_definition_in_integers(seed, epoch, stream, samples):
    ours = uniform(seed, epoch, torch.tensor(samples), stream)
    assert ours.tolist() == [splitmix(seed, epoch, s, stream) for s in samples]


def test_uniform_is_uniform_and_streams_are_independent():
    samples = torch.arange(20_000)
    a, b = uniform(1, 2, samples, 3).numpy(), uniform(1, 2, samples, 4).numpy()
    assert stats.kstest(a, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert abs(np.corrcoef(a[:-1], a[1:])[0, 1]) < 0.03


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(12)), st.integers(1, 11))
def test_batch_and_order_change_nothing(order, cut):
    x, samples = pictures(), torch.arange(12) * 31
    how = Augment(flip=True, shift=0.3, rotate=20, scale=0.2, erase=0.5, untouched=0.2)
    whole = how(x, samples, seed=5, epoch=1)
    order = torch.tensor(order)
    parts = torch.cat([how(x[i], samples[i], seed=5, epoch=1) for i in (order[:cut], order[cut:])])
    assert torch.equal(parts, whole[order])


def test_shift_and_flip_equal_loops():
    x, samples = pictures(), torch.arange(12)
    y = Augment(flip=True, upend=True, shift=0.3)(x, samples, seed=1, epoch=2)
    for n in range(12):
        mirror, upend = splitmix(1, 2, n, 1) < 0.5, splitmix(1, 2, n, 9) < 0.5
        down = round(float((np.float32(splitmix(1, 2, n, 2)) * 2 - 1) * np.float32(0.3) * 9))
        right = round(float((np.float32(splitmix(1, 2, n, 3)) * 2 - 1) * np.float32(0.3) * 7))
        for i in range(9):
            for j in range(7):
                row, col = min(max(i - down, 0), 8), min(max(j - right, 0), 6)
                assert torch.equal(y[n, i, j], x[n, 8 - row if upend else row, 6 - col if mirror else col])


def test_resampling_agrees_with_the_gather_where_both_apply():
    x, samples = pictures(), torch.arange(12)
    moved = Augment(flip=True, upend=True, shift=0.3)(x, samples, seed=1, epoch=2)
    resampled = Augment(flip=True, upend=True, shift=0.3, rotate=1e-7)(x, samples, seed=1, epoch=2)
    assert (moved.int() - resampled.int()).abs().max() <= 1


def test_a_quarter_turn_turns():
    x = pictures(n=400, h=8, w=8)
    samples = torch.arange(400)
    how = Augment(rotate=90)
    angle = (uniform(0, 0, samples, 4) * 2 - 1) * 90
    nearest = int(angle.argmax())  # the sample that is turned by nearly 90 degrees
    assert angle[nearest] > 89
    ours = how(x, samples, seed=0, epoch=0)[nearest].float()
    assert (ours - torch.rot90(x[nearest].float(), 1)).abs().mean() < (ours - torch.rot90(x[nearest].float(), -1)).abs().mean() / 4


def test_the_stated_share_stays_untouched():
    x, samples = pictures(n=2000, h=5, w=5), torch.arange(2000)
    y = Augment(shift=0.5, flip=True, untouched=0.25)(x, samples, seed=0, epoch=0)
    same = (y == x).flatten(1).all(1).float().mean().item()
    assert 0.25 < same < 0.25 + 0.75 * (0.5 / 5) + 0.05  # the rest keeps its place by chance now and then


def test_erased_squares_hold_the_mean():
    x, samples = pictures(n=50, h=20, w=20), torch.arange(50)
    y = Augment(erase=0.6)(x, samples, seed=0, epoch=0)
    hole = (y != x).any(-1)
    assert 0 < hole.float().mean() < 0.36
    mean = x.float().mean((1, 2)).to(torch.uint8)
    for n in range(50):
        assert (y[n][hole[n]] == mean[n]).all()


@pytest.mark.parametrize("how", [Augment(), Augment(untouched=1.0, shift=0.5, flip=True, rotate=30)])
def test_nothing_changes_where_nothing_is_asked(how):
    x = pictures()
    assert (how(x, torch.arange(12), seed=0, epoch=0).int() - x.int()).abs().max() <= 0
