"""The numbers of an evaluation against scikit-learn, scipy, and formulas written out by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binomtest, norm
from sklearn import metrics as oracle

from svertka.errors import DataError, ShapeError
from svertka.evaluation import calibration, evaluate, most_confused, wilson, worst_mistakes
from svertka.records import Interval


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def made_up(n, c, seed=0, sharpness=3.0):
    """Probabilities that know something about the labels; every class occurs when n is large."""
    g = np.random.default_rng(seed)
    labels = g.integers(0, c, n)
    return softmax(g.normal(size=(n, c)) + sharpness * np.eye(c)[labels] * g.random((n, 1))), labels


def names(c):
    return [f"class {i}" for i in range(c)]


# -- Wilson ----------------------------------------------------------------------------------------


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_scipys(kn, confidence):
    k, n = kn
    ours = wilson(k, n, confidence)
    theirs = binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= ours.low <= ours.value <= ours.high <= 1
    assert ours.n == n


def test_wilson_is_where_the_score_test_just_rejects():
    """The definition: the p for which |k/n - p| is z standard errors, the errors taken at p itself."""
    k, n, z = 47, 60, norm.ppf(0.975)
    gap = lambda p: abs(k / n - p) - z * (p * (1 - p) / n) ** 0.5  # noqa: E731
    ours = wilson(k, n)
    assert ours.low == pytest.approx(brentq(gap, 1e-9, k / n))
    assert ours.high == pytest.approx(brentq(gap, k / n, 1 - 1e-9))


def test_wilson_covers_about_as_often_as_it_says():
    g = np.random.default_rng(1)
    for p in (0.5, 0.9, 0.98):
        inside = [i.low <= p <= i.high for i in (wilson(int(k), 80) for k in g.binomial(80, p, 2000))]
        assert 0.92 < np.mean(inside) < 0.98


def test_wilson_of_nothing_knows_nothing():
    assert wilson(0, 0) == Interval(0.0, 0.0, 1.0, 0)


@pytest.mark.parametrize(("k", "n", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 0.0)])
def test_wilson_refuses_what_is_no_share(k, n, confidence):
    with pytest.raises(DataError):
        wilson(k, n, confidence)


# -- evaluate --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 120), st.integers(2, 12), st.integers(0, 10_000))
def test_evaluate_agrees_with_scikit_learn(n, c, seed):
    p, y = made_up(n, c, seed)
    ours, guess, every = evaluate(p, y, names(c)), p.argmax(1), range(c)
    assert ours.accuracy.value == pytest.approx(oracle.accuracy_score(y, guess))
    assert ours.accuracy == wilson(int((guess == y).sum()), n)
    np.testing.assert_array_equal(ours.confusion, oracle.confusion_matrix(y, guess, labels=every))
    assert ours.loss == pytest.approx(oracle.log_loss(y, p, labels=every))
    seen = sorted(set(y.tolist()))
    assert ours.balanced_accuracy == pytest.approx(np.mean([(guess[y == i] == i).mean() for i in seen]))
    precision, recall, f1, support = oracle.precision_recall_fscore_support(
        y, guess, labels=every, zero_division=np.nan
    )
    for i, score in enumerate(ours.per_class.values()):
        for mine, theirs in ((score.precision, precision[i]), (score.recall, recall[i]), (score.f1, f1[i])):
            assert mine == pytest.approx(theirs) if mine is not None else np.isnan(theirs)
        assert score.support == support[i]
        assert (score.low, score.high) == pytest.approx(
            (lambda w: (w.low, w.high))(wilson(int(((guess == i) & (y == i)).sum()), int(support[i])))
        )
    if c > 5:
        assert ours.top5.value == pytest.approx(oracle.top_k_accuracy_score(y, p, k=5, labels=every))
    else:
        assert ours.top5 is None


def test_balanced_accuracy_is_scikit_learns():
    p, y = made_up(500, 7, seed=3)
    assert evaluate(p, y, names(7)).balanced_accuracy == pytest.approx(oracle.balanced_accuracy_score(y, p.argmax(1)))


def test_the_majority_baseline_is_what_a_constant_answer_scores():
    y = np.array([2, 2, 2, 0, 1])
    e = evaluate(np.eye(3)[[0, 0, 0, 0, 0]], y, ["a", "b", "c"])
    assert (e.majority, e.majority_class) == (pytest.approx(0.6), "c")


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 200), st.integers(2, 10), st.integers(0, 10_000), st.integers(2, 20))
def test_calibration_error_is_guos_sum_in_loops(n, c, seed, bins):
    p, y = made_up(n, c, seed)
    total = 0.0
    for b in range(bins):
        inside = [i for i in range(n) if b / bins < p[i].max() <= (b + 1) / bins]
        if inside:
            accuracy = sum(p[i].argmax() == y[i] for i in inside) / len(inside)
            confidence = sum(p[i].max() for i in inside) / len(inside)
            total += len(inside) / n * abs(accuracy - confidence)
    count, confidence, accuracy = calibration(p, y, bins)
    assert count.sum() == n
    assert np.nansum(count * abs(confidence - accuracy)) / n == pytest.approx(total)
    if bins == 15:
        assert evaluate(p, y, names(c)).ece == pytest.approx(total)


def test_calibration_error_of_a_calibrated_model_is_near_its_noise():
    g = np.random.default_rng(5)
    p = softmax(2 * g.normal(size=(20_000, 5)))
    y = (p.cumsum(1) > g.random((20_000, 1))).argmax(1)
    assert evaluate(p, y, names(5)).ece < 0.015
    assert evaluate(p**3 / (p**3).sum(1, keepdims=True), y, names(5)).ece > 0.1


def test_float32_probabilities_give_the_same_numbers():
    p, y = made_up(300, 10)
    small, large = evaluate(p.astype(np.float32), y, names(10)), evaluate(p, y, names(10))
    assert small.confusion == large.confusion
    assert (small.loss, small.ece) == pytest.approx((large.loss, large.ece), abs=1e-5)


def test_a_certain_mistake_leaves_the_loss_finite():
    assert np.isfinite(evaluate(np.eye(2, dtype=np.float32)[[0, 1]], np.array([0, 0]), ["a", "b"]).loss)


def test_what_is_not_defined_is_none_and_json_stays_valid():
    e = evaluate(np.array([[1.0, 0.0, 0.0]]), np.array([0]), ["a", "b", "c"])
    assert e.per_class["b"].recall is None
    assert e.per_class["b"].precision is None
    assert e.per_class["b"].f1 is None
    assert (e.per_class["b"].low, e.per_class["b"].high) == (0.0, 1.0)
    json.dumps(e.to_dict(), allow_nan=False)


def test_json_has_the_promised_surface():
    p, y = made_up(200, 8)
    d = json.loads(json.dumps(evaluate(p, y, names(8)).to_dict(), allow_nan=False))
    assert {"accuracy", "low", "high", "n", "per_class", "confusion", "ece"} <= d.keys()
    assert d["accuracy"] == pytest.approx((p.argmax(1) == y).mean())
    assert d["low"] < d["accuracy"] < d["high"]
    assert d["n"] == 200
    assert set(d["per_class"]["class 3"]) >= {"precision", "recall", "f1", "support", "low", "high"}
    assert sum(map(sum, d["confusion"])) == 200


@pytest.mark.parametrize(
    ("p", "y", "error", "says"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), DataError, "no labeled picture"),
        (np.ones((2, 3)) / 3, np.zeros(2, int), ShapeError, r"\(2, 2\)"),
        (np.ones((3, 2)) / 2, np.zeros(2, int), ShapeError, r"received \(3, 2\)"),
        (np.ones((2, 2)) / 2, np.array([0, 2]), DataError, "0 to 2"),
        (np.ones((2, 2)) / 2, np.array([-1, 0]), DataError, "-1 to 0"),
        (np.array([[3.0, -2.0]]), np.array([0]), DataError, "logits"),
        (np.array([[np.nan, 1.0]]), np.array([0]), DataError, "logits"),
        (np.array([[2.0, 2.0]]), np.array([0]), DataError, "logits"),
    ],
)
def test_evaluate_refuses_in_one_sentence(p, y, error, says):
    with pytest.raises(error, match=says):
        evaluate(p, y, ["a", "b"])


# -- mistakes --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 80), st.integers(2, 6), st.integers(0, 10_000), st.integers(0, 30))
def test_worst_mistakes_are_a_plain_sort(n, c, seed, k):
    p, y = made_up(n, c, seed, sharpness=1.0)
    wrong = [i for i in range(n) if p[i].argmax() != y[i]]
    assert worst_mistakes(p, y, k).tolist() == sorted(wrong, key=lambda i: -p[i].max())[:k]


def test_a_perfect_model_has_no_mistakes():
    assert worst_mistakes(np.eye(3), np.arange(3), 5).tolist() == []
    assert most_confused(np.eye(3, dtype=int), "abc", 5) == []


def test_most_confused_pairs_by_count_then_share():
    confusion = [[90, 5, 5], [1, 9, 0], [0, 5, 5]]
    pairs = [(m.truth, m.predicted, m.count) for m in most_confused(confusion, "abc", 4)]
    assert pairs == [("c", "b", 5), ("a", "b", 5), ("a", "c", 5), ("b", "a", 1)]
    assert most_confused(confusion, "abc", 1)[0].share == pytest.approx(0.5)
    assert confusion[0][0] == 90  # the argument is left as it was
