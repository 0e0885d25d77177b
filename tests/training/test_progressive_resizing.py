"""Progressive resizing: sizes by the step alone, pictures as Pillow shrinks them, and what is left of the work."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from striped import PREPROCESS, RECIPE, fresh, loaders

import svertka
from svertka import Recipe
from svertka.errors import UsageError
from svertka.hardware.plan import Plan
from svertka.kinds.image import Preprocess
from svertka.pipeline.build import check_net
from svertka.training import loop
from svertka.training.schedules.progressive_resizing import SIZES, cost, on_grid, resized, size_at, work

SHARES = st.floats(0.01, 0.9)


@given(SHARES, st.integers(1, 400))
def test_sizes_only_grow_and_the_end_sees_whole_pictures(grow, steps):
    sizes = [size_at(grow, step, steps) for step in range(steps)]
    assert sizes == sorted(sizes)
    assert set(sizes) <= {*SIZES, 1.0}
    smaller = sum(size < 1.0 for size in sizes)
    assert grow * steps - 1e-9 <= smaller <= grow * steps + 1


def test_without_growth_every_picture_is_whole():
    x = torch.randn(2, 3, 30, 44)
    assert all(size_at(0.0, step, 9) == 1.0 for step in range(9))
    assert resized(x, 1.0) is x


@given(st.integers(1, 700), st.sampled_from(SIZES))
def test_sides_are_multiples_of_four_and_never_larger(side, size):
    small = on_grid(side, size)
    assert 1 <= small <= side
    assert small == side or (small % 4 == 0 and abs(small - size * side) <= 4)


@pytest.mark.parametrize("size", SIZES)
def test_a_smaller_picture_is_what_pillow_makes_of_it(size):
    pixels = np.random.default_rng(0).random((28, 40), dtype=np.float32)
    x = torch.from_numpy(pixels)[None, None].to(memory_format=torch.channels_last)
    small = resized(x, size)
    expected = Image.fromarray(pixels).resize((on_grid(40, size), on_grid(28, size)), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(small[0, 0].numpy(), np.asarray(expected), atol=1e-5)
    assert small.is_contiguous(memory_format=torch.channels_last)


@given(SHARES, st.integers(1, 40), st.data())
def test_work_is_the_sum_over_the_steps_that_are_left(grow, passes, data):
    done, each = data.draw(st.integers(0, passes)), 500
    steps = passes * each
    left = sum(cost(size_at(grow, step, steps)) for step in range(done * each, steps)) / each
    assert work(grow, done, passes) == pytest.approx(left, abs=3 / each)


def test_the_network_is_given_what_was_said(monkeypatch):
    recipe, seen = RECIPE.replace(grow=0.5, epochs=4), []
    state, (train, validation) = fresh(recipe), loaders(recipe)
    outputs = state.net.outputs

    def watched(x):
        seen.append(x.shape[2])
        return outputs(x)

    monkeypatch.setattr(state.net, "outputs", watched)
    list(loop.fit(state, train, validation, recipe, Plan()))
    steps = 4 * len(train)
    assert seen == [on_grid(10, size_at(0.5, step, steps)) for step in range(steps)]
    assert set(seen) == {8, 10}


def test_a_network_of_one_size_is_refused_with_a_way_out():
    check_net(Recipe(net="small", grow=0.5), PREPROCESS, 2)
    check_net(Recipe(net="lenet"), Preprocess(28, 28, 1), 10)
    with pytest.raises(UsageError, match="16 x 16 pixels, which lenet does not take: leave grow out"):
        check_net(Recipe(net="lenet", grow=0.5), Preprocess(28, 28, 1), 10)


def test_the_report_says_it_beside_the_curves_and_not_as_a_caution(tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / "cache"))
    run = svertka.train("digits", out=tmp_path / "run", size=28, epochs=2)
    assert run.summary["validation"]["n"] > 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    head, _, rest = page.partition('<section id="')
    assert "Pictures grow from 16 over 20 to 28 pixels" not in head
    assert "Pictures grow from 16 over 20 to 28 pixels" in rest.split('id="learning"')[1].split("</section>")[0]
