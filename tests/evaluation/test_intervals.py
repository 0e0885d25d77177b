"""Intervals by formula, against scipy, published worked examples, and how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from svertka.errors import DataError, ShapeError
from svertka.evaluation.intervals import f1_interval, mean_interval, wilson
from svertka.evaluation.mcnemar import difference, mcnemar, resolution


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_two_sided_binomial_test(gained, lost):
    if gained + lost:
        assert mcnemar(gained, lost) == pytest.approx(binomtest(gained, gained + lost, 0.5).pvalue, abs=1e-12)
    else:
        assert mcnemar(0, 0) == 1.0


def answers(both, first, second, neither):
    """Right or not, for two models: both right, only the first, only the second, none."""
    one = np.repeat([True, True, False, False], [both, first, second, neither])
    two = np.repeat([True, False, True, False], [both, first, second, neither])
    return one, two


def test_the_interval_of_a_paired_difference_is_newcombes():
    """Newcombe 1998, table II, method 10, first column: cells 36, 12, 2, 0 give 0.0569 to 0.3404."""
    cells = e, f, g, h = 36, 12, 2, 0
    low, high = 0.0569, 0.3404
    one, two = answers(e, f, g, h)
    found = difference(two, one)
    assert (found.gained, found.lost) == (f, g)
    assert found.value == pytest.approx((f - g) / sum(cells))
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)
    turned = difference(one, two)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_the_interval_of_a_paired_difference_covers_as_often_as_it_says():
    g = np.random.default_rng(0)
    shares, n, inside = np.array([0.8, 0.08, 0.05, 0.07]), 150, 0
    for _ in range(600):
        found = difference(*answers(*g.multinomial(n, shares)))
        inside += found.low <= shares[2] - shares[1] <= found.high
    assert 0.92 < inside / 600 < 0.985


def test_equal_models_are_called_different_in_one_case_of_twenty_at_most():
    """The planted truth of `compare`: two models of the same quality, judged again and again."""
    g = np.random.default_rng(1)
    proven = [difference(g.random(300) < 0.9, g.random(300) < 0.9).proven for _ in range(1000)]
    assert np.mean(proven) <= 0.05
    same = g.random(500) < 0.9
    assert difference(same, same).p == 1.0
    assert difference(same, same).low <= 0 <= difference(same, same).high


def test_a_real_difference_is_proven():
    g = np.random.default_rng(2)
    assert difference(g.random(2000) < 0.85, g.random(2000) < 0.93).proven


def test_differences_refuse_what_cannot_be_compared():
    with pytest.raises(ShapeError, match="same pictures"):
        difference(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(DataError, match="no picture"):
        difference(np.ones(0, bool), np.ones(0, bool))


@settings(max_examples=60)
@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_smallest_difference_is_found_by_trying_all(kn):
    right, n = kn
    wrong = n - right
    tossed = max(wrong, 6)  # 2 / 2**6 is the first below 0.05
    least = next(
        d for d in range(tossed + 1) if (tossed + d) % 2 == 0 and mcnemar((tossed + d) // 2, (tossed - d) // 2) < 0.05
    )
    found = resolution(right, n)
    assert (found.pictures, found.value) == (least, least / n)
    assert found.blind == (mcnemar(wrong, 0) >= 0.05)


def test_few_pictures_are_said_to_be_few_and_enough_are_passed_over():
    assert "28 of them" not in (resolution(80, 100).sentence() or "")
    assert "at least 10 more or fewer" in resolution(80, 100).sentence()
    assert "always right" in resolution(358, 360).sentence()
    assert resolution(9_000, 10_000).sentence() is None


def test_f1_has_the_interval_of_its_jaccard_share():
    found = f1_interval(40, 50, 60)  # F1 = 80 / 110; 40 of the 70 pictures that are one or the other are both
    assert found.value == pytest.approx(80 / 110)
    share = wilson(40, 70)
    assert (found.low, found.high) == pytest.approx(
        (2 * share.low / (1 + share.low), 2 * share.high / (1 + share.high))
    )
    assert f1_interval(0, 0, 0).n == 0


@pytest.mark.parametrize("recalls", [(0.98, 0.9, 0.99, 0.8), (1.0, 1.0, 0.95)])
def test_means_over_classes_cover_the_truth_as_often_as_they_say(recalls):
    g = np.random.default_rng(3)
    sizes = [60, 25, 200, 40][: len(recalls)]
    inside = []
    for _ in range(500):
        parts = [wilson(int(g.binomial(n, p)), n) for n, p in zip(sizes, recalls, strict=True)]
        found = mean_interval(parts)
        inside.append(found.low <= np.mean(recalls) <= found.high)
    assert np.mean(inside) > 0.92


def test_the_interval_of_macro_f1_covers_its_truth():
    g = np.random.default_rng(4)
    cells = np.array([[0.25, 0.03, 0.02], [0.02, 0.3, 0.01], [0.01, 0.06, 0.3]])

    def f1s(counts):
        hits, support, named = counts.diagonal(), counts.sum(1), counts.sum(0)
        return hits, support, named

    hits, support, named = f1s(cells)
    truth = np.mean(2 * hits / (support + named))
    inside = []
    for _ in range(400):
        counts = g.multinomial(200, cells.ravel()).reshape(3, 3)
        parts = [f1_interval(*map(int, row)) for row in zip(*f1s(counts), strict=True)]
        found = mean_interval(parts, doubled=True)
        inside.append(found.low <= truth <= found.high)
    assert np.mean(inside) > 0.94


def test_a_mean_of_nothing_knows_nothing():
    assert (mean_interval([]).low, mean_interval([]).high, mean_interval([]).n) == (0.0, 1.0, 0)
