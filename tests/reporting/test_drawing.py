"""The way back to the picture, the colors, the drawn files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svertka.kinds.image import Preprocess, back, fit
from svertka.kinds.image.geometry import lie
from svertka.reporting.charts import raster


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["stretch", "crop", "pad"]), st.integers(20, 90), st.integers(20, 90), st.integers(24, 48),
    st.integers(24, 48), st.sampled_from([1.0, 0.875]),
)  # fmt: skip
def test_what_is_marked_in_the_input_comes_back_to_where_it_was(how, height, width, h, w, zoom):
    preprocess = Preprocess(h, w, 1, how, mean=(0.0,), zoom=zoom)
    y, x = height // 2 - 1, width // 2 - 2  # a bright spot that every fit keeps
    picture = np.zeros((height, width), np.uint8)
    picture[y : y + 3, x : x + 3] = 255
    found = back(fit(picture, preprocess)[..., 0].astype(np.float32), preprocess, height, width)
    assert found.shape == (height, width)
    rows, columns = np.mgrid[:height, :width]
    center = (found * rows).sum() / found.sum(), (found * columns).sum() / found.sum()
    assert center == pytest.approx((y + 1, x + 1), abs=0.75)


def test_what_the_network_does_not_see_is_zero():
    crop = Preprocess(10, 10, 3, "crop")
    assert back(np.ones((2, 2), np.float32), crop, 20, 60).sum() == 400
    pad = Preprocess(10, 10, 3, "pad")
    assert back(np.ones((2, 2), np.float32), pad, 20, 60).min() == 1
    assert lie(pad, 20, 60).inner == (0, 3, 10, 3)
    # only the rows of the input that the picture fills count
    values = np.zeros((10, 10), np.float32)
    values[:3] = values[6:] = 1
    assert back(values, pad, 20, 60)[10].max() == 0


def lightness(rgb):
    """CIELAB's L of sRGB."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_the_colors_grow_lighter_in_even_steps():
    steps = np.diff(lightness(raster.colors(np.linspace(0, 1, 33)[None])[0] / 255))
    assert steps.min() > 0
    assert steps.max() < 1.6 * np.median(steps)


def test_an_overlay_is_warm_where_the_heat_is_and_pale_where_nothing_was_seen():
    picture = np.full((30, 60, 3), 100, np.uint8)
    values = np.zeros((3, 3), np.float32)
    values[1, 1] = 1
    found = raster.overlay(picture, values, Preprocess(30, 30, 3, "crop")).astype(int)
    assert found[15, 30, 0] > 150  # yellow
    assert found[15, 30, 2] < 100
    assert found[15, 16, 2] > found[15, 16, 1]  # violet
    assert found[15, 3].min() > 200
    assert (found[15, 3] == found[0, 59]).all()


def test_small_pictures_are_enlarged_as_squares_and_large_ones_reduced():
    assert raster.shown(np.zeros((28, 28, 1), np.uint8)).shape == (364, 364, 3)
    assert raster.shown(np.zeros((900, 1200, 3), np.uint8)).shape == (288, 384, 3)
    assert raster.shown(np.zeros((100, 80), np.uint8)).shape == (100, 80, 3)


def test_sheets_and_grids():
    panel = raster.Panel(np.zeros((40, 60, 3), np.uint8), "a very long title that does not fit", "Кошка")
    page = raster.sheet([panel] * 5, columns=3, scale=True)
    assert page.size[0] == 3 * (60 + raster.GAP) + raster.GAP
    assert np.asarray(page).min() == 0
    found = raster.grid(np.random.default_rng(0).random((5, 7, 7)))
    assert found.shape == (2 * 42 + 2, 3 * 42 + 4, 3)
    framed = raster.boxed(np.zeros((20, 20, 3), np.uint8), (5, 5, 12, 12))
    assert (framed[5, 5:12] == (255, 196, 0)).all()
    assert not framed[8, 8].any()
    assert isinstance(page, Image.Image)
