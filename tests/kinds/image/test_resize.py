"""Bringing pictures to size: by vector instructions or by Pillow, the same but for rounding."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svertka.kinds.image import Preprocess, fit, resize
from svertka.kinds.image.resize import resample as brought

needs_vectors = pytest.mark.skipif(resize.vectors() is None, reason="cykooz.resizer has no wheel for this machine")
KERNELS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def noise(height, width, gray=False, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width) if gray else (height, width, 3), dtype=np.uint8)


def by_pillow(pixels, height, width, kernel="bilinear", box=None, gap=None):
    return np.asarray(Image.fromarray(pixels).resize((width, height), KERNELS[kernel], box=box, reducing_gap=gap))


def farthest(one, other):
    return int(np.abs(one.astype(int) - other).max())


def hats(start, end, pixels, target):
    """The definition: how much each pixel counts for each target pixel, (target, pixels), as floats."""
    scale = (end - start) / target
    rows = np.zeros((target, pixels))
    for to in range(target):
        center = start + (to + 0.5) * scale
        for at in range(pixels):
            rows[to, at] = max(0.0, 1 - abs(at + 0.5 - center) / max(1.0, scale))
    return rows / rows.sum(1, keepdims=True)


@st.composite
def stretches(draw):
    """(pixels, start, end) of one direction, the part at least a hundredth of a pixel long."""
    pixels = draw(st.integers(1, 90))
    start = draw(st.floats(0, pixels - 0.01))
    return pixels, start, draw(st.floats(start + 0.01, pixels) if start + 0.01 < pixels else st.just(float(pixels)))


@needs_vectors
@given(stretches(), stretches(), st.integers(1, 70), st.integers(1, 70), st.booleans(), st.integers(0, 9))
@settings(deadline=None, max_examples=150)
def test_vectors_round_as_pillow_does_or_in_the_other_order(down, across, height, width, gray, seed):
    pixels = noise(down[0], across[0], gray, seed)
    box = (across[1], down[1], across[2], down[2])
    ours = brought(pixels, height, width, box=box)
    assert ours.dtype == np.uint8
    assert ours.shape == (height, width, *pixels.shape[2:])
    assert farthest(ours, by_pillow(pixels, height, width, box=box)) <= 2  # each is rounded twice, by a half at most
    assert farthest(brought(pixels, height, width), by_pillow(pixels, height, width)) <= 2
    box = (across[1], down[1], float(across[0]), float(down[0]))  # rounding must not let it end beyond the picture
    assert farthest(brought(pixels, height, width, box=box), by_pillow(pixels, height, width, box=box)) <= 2


@needs_vectors
def test_hardly_a_number_differs_by_more_than_one_level():
    differences = [
        brought(noise(301, 400, seed=k), 224, 224).astype(int) - by_pillow(noise(301, 400, seed=k), 224, 224)
        for k in range(20)
    ]
    assert np.mean(np.abs(differences) > 1) < 1e-5
    assert np.mean(np.abs(differences) == 1) < 0.25
    assert abs(np.mean(differences)) < 0.02


@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize(("height", "width"), [(7, 5), (40, 60), (13, 80), (61, 9)])
def test_bilinear_by_its_definition(vectors, height, width, monkeypatch):
    if not vectors:
        monkeypatch.setattr(resize, "vectors", lambda: None)
    pixels, box = noise(40, 30), (2.25, 0.5, 28.5, 40.0)
    exact = np.einsum("ya,abc,xb->yxc", hats(0.5, 40, 40, height), pixels, hats(2.25, 28.5, 30, width))
    assert np.abs(brought(pixels, height, width, box=box) - exact).max() < 1.5


@needs_vectors
@pytest.mark.parametrize("size", [(375, 500), (500, 333), (1500, 1000), (90, 2000)])
def test_photographs_keep_their_level(size):
    """Also where they shrink far: weights are whole numbers, and a hundred of them must not lose what each rounds."""
    coarse = Image.fromarray(noise(9, 12)).resize(size[::-1], Image.Resampling.BICUBIC)
    pixels = np.asarray(coarse)
    ours, theirs = brought(pixels, 32, 32), by_pillow(pixels, 32, 32)
    assert farthest(ours, theirs) <= 1
    assert abs(ours.mean() - theirs.mean()) < 0.3


def test_bicubic_is_pillows():
    for height, width in ((20, 30), (90, 100)):
        ours = brought(noise(44, 52), height, width, "bicubic", (1.5, 2.0, 50.0, 40.25))
        np.testing.assert_array_equal(ours, by_pillow(noise(44, 52), height, width, "bicubic", (1.5, 2.0, 50.0, 40.25)))


def test_the_largest_are_averaged_first(monkeypatch):
    pixels = noise(300, 310)
    monkeypatch.setattr(resize, "_LARGEST", pixels.size - 1)
    np.testing.assert_array_equal(brought(pixels, 20, 20), by_pillow(pixels, 20, 20, gap=3.0))


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
def test_without_vectors_pictures_fit_the_same(how, channels, monkeypatch):
    preprocess = Preprocess(33, 40, channels, how, (0.5,) * channels, zoom=0.875 if how == "crop" else 1.0)
    ours = fit(noise(70, 51), preprocess)
    monkeypatch.setattr(resize, "vectors", lambda: None)
    theirs = fit(noise(70, 51), preprocess)
    assert ours.shape == theirs.shape == (33, 40, channels)
    assert farthest(ours, theirs) <= 2


def test_memory_may_lie_as_it_likes():
    pixels = noise(60, 80)
    turned = np.ascontiguousarray(pixels.swapaxes(0, 1)).swapaxes(0, 1)
    np.testing.assert_array_equal(brought(turned, 20, 20), brought(pixels, 20, 20))


def test_threads_do_not_meet():
    pictures = [noise(50 + k, 70 - k, seed=k) for k in range(16)]
    alone = [brought(p, 24, 31) for p in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda p: brought(p, 24, 31), pictures * 3))
    assert all(np.array_equal(a, b) for a, b in zip(alone * 3, together, strict=True))


def test_only_bytes_are_pixels():
    with pytest.raises(TypeError, match="uint8; received float64"):
        brought(np.zeros((4, 4)), 2, 2)
