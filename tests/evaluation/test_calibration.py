"""Calibration, its noise floor, and abstaining, on models whose truth is known by construction."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from svertka.errors import UsageError
from svertka.evaluation import evaluate
from svertka.evaluation.calibration import calibrated
from svertka.evaluation.selective_prediction import Point, curve, from_rows, threshold_for, to_rows
from svertka.evaluation.temperature_scaling import fit_temperature, softmax


def honest(n, seed, c=6, sharp=3.0):
    """Probabilities, and labels drawn from them: calibrated by construction."""
    g = np.random.default_rng(seed)
    logits = sharp * g.normal(size=(n, c))
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return p, (p.cumsum(1) > g.random((n, 1))).argmax(1)


def sharpened(p, power):
    q = p**power
    return q / q.sum(1, keepdims=True)


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_a_model_calibrated_by_construction_shows_an_error_near_its_noise_floor(n):
    found = [calibrated(*honest(n, seed)) for seed in range(60)]
    ratio = np.mean([f.ece for f in found]) / np.mean([f.noise for f in found])
    assert 0.9 < ratio < 1.1
    assert np.mean([f.ece > f.limit for f in found]) <= 0.15  # 5 % by right; 60 draws may show some more
    assert np.mean([f.rms for f in found]) < np.mean([f.ece for f in found])
    assert "no more than chance" in calibrated(*honest(n, 1000)).sentence() or n != 1000


def test_a_model_that_claims_too_much_or_too_little_is_told_so():
    p, y = honest(3000, 7)
    boastful, timid = calibrated(sharpened(p, 3), y), calibrated(sharpened(p, 0.5), y)
    assert boastful.ece > 3 * boastful.limit
    assert "surer than it is right" in boastful.sentence()
    assert "right more often than it is sure" in timid.sentence()
    assert boastful.surer > 0 > timid.surer
    assert boastful.rms == pytest.approx(boastful.ece, rel=0.5)


def test_the_debiased_figure_is_kumars_sum_in_loops():
    p, y = honest(400, 3)
    found, total = calibrated(sharpened(p, 2), y), 0.0
    q = sharpened(p, 2)
    for b in range(15):
        inside = [i for i in range(400) if b / 15 < q[i].max() <= (b + 1) / 15]
        if len(inside) > 1:
            accuracy = np.mean([q[i].argmax() == y[i] for i in inside])
            gap = accuracy - np.mean([q[i].max() for i in inside])
            total += len(inside) / 400 * (gap**2 - accuracy * (1 - accuracy) / (len(inside) - 1))
    assert found.rms == pytest.approx(max(total, 0) ** 0.5)


def test_bins_hold_all_pictures_and_their_intervals():
    p, y = honest(500, 2)
    bins = calibrated(p, y).bins
    assert sum(b.n for b in bins) == 500
    for b in bins:
        assert (b.accuracy is None) == (b.n == 0)
        if b.n:
            assert b.low < b.confidence <= b.high
            assert b.least <= b.accuracy <= b.most
    assert calibrated(p[:1], y[:1]).ece >= 0  # one picture only


# -- abstaining ------------------------------------------------------------------------------------


def test_the_curve_counts_what_is_answered():
    p, y = honest(731, 5)
    points = curve(p, y)
    sure, right = p.max(1), p.argmax(1) == y
    assert len(points) <= 100
    assert points[-1].coverage == 1
    assert points[-1].accuracy == pytest.approx(right.mean())
    for point in points:
        answered = sure >= point.threshold
        assert point.coverage == pytest.approx(answered.mean())
        assert point.accuracy == pytest.approx(right[answered].mean())
    assert [p.coverage for p in points] == sorted(p.coverage for p in points)
    assert from_rows(to_rows(points)) == points


def test_equal_confidences_are_answered_together():
    p = np.tile([[0.9, 0.1]], (10, 1))
    points = curve(p, np.array([0] * 9 + [1]))
    assert [(q.coverage, q.accuracy) for q in points] == [(1.0, 0.9)]


def test_the_promised_accuracy_is_kept_on_new_pictures():
    """Thresholds from one draw of 2,000 pictures, judged on another: kept in at least 95 % of the cases."""
    kept = []
    for seed in range(120):
        point = threshold_for(curve(*honest(2000, seed, sharp=6)), 0.95)
        p, y = honest(20_000, 10_000 + seed, sharp=6)
        answered = p.max(1) >= point.threshold
        kept.append((p.argmax(1) == y)[answered].mean() >= 0.95)
    assert np.mean(kept) >= 0.95


def test_the_threshold_answers_as_much_as_it_may():
    points = (Point(0.9, 0.5, 1.0, 0.98), Point(0.6, 0.8, 0.99, 0.96), Point(0.2, 1.0, 0.9, 0.85))
    assert threshold_for(points, 0.95).threshold == 0.6
    assert threshold_for(points, 0.97).threshold == 0.9
    with pytest.raises(UsageError, match=r"at most 0\.98, on 50% of them"):
        threshold_for(points, 0.99)
    for wrong in (0, 1, 99):
        with pytest.raises(UsageError, match="between 0 and 1"):
            threshold_for(points, wrong)


def test_predict_reject_says_unsure_and_keeps_its_word(sv, tmp_path):
    import csv
    import json

    status, _, err = sv("train", "digits", "--out", "run", "--net", "conv5-4 relu pool2 flatten fc", "--epochs", "3")
    assert status == 0, err
    facts = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert facts["abstaining"][-1][1] == 1.0
    from PIL import Image

    with np.load(tmp_path / "run" / "examples.npz") as found:
        for k, pixels in enumerate(found["pixels"]):
            Image.fromarray(pixels[:, :, 0]).save(tmp_path / f"{k}.png")
    files = sorted(tmp_path.glob("*.png"))
    wanted = round(max(row[3] for row in facts["abstaining"]) - 0.001, 4)
    status, out, err = sv("predict", "run", *files, "--reject", wanted, "--json", "--csv", "out.csv")
    assert status == 0, err
    assert "answer is unsure" in err
    threshold = next(r[0] for r in reversed(facts["abstaining"]) if r[3] >= wanted)
    rows = json.loads(out)["predictions"]
    unsure = [r for r in rows if r["label"] is None]
    assert unsure
    assert len(unsure) < len(rows)
    for row in rows:
        assert (row["label"] is None) == (row["probability"] < threshold) == row.get("unsure", False)
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [w["error"] == "unsure" and not w["label"] for w in written] == [r["label"] is None for r in rows]
    assert "unsure" in sv("predict", "run", *files, "--reject", wanted)[1]
    status, out, err = sv("predict", "run", files[0], "--reject", 0.99999)
    assert (status, out) == (2, "")
    assert "cannot promise" in err

    facts.pop("abstaining")  # a run of before: its predictions still tell
    (tmp_path / "run" / "model" / "model.json").write_text(json.dumps(facts))
    assert json.loads(sv("predict", "run", *files, "--reject", wanted, "--json")[1])["predictions"] == rows
    (tmp_path / "run" / "predictions.npz").unlink()
    status, _, err = sv("predict", "run", files[0], "--reject", 0.9)
    assert status == 1
    assert "holds no validation results" in err


def test_an_evaluation_holds_it_all():
    p, y = honest(300, 1)
    told = evaluate(p, y, list("abcdef")).to_dict()
    assert told["ece"] == told["calibration"]["ece"]
    assert sum(b["n"] for b in told["calibration"]["bins"]) == 300
    assert told["abstaining"][-1]["coverage"] == 1
    assert told["top"]["2"]["accuracy"] >= told["accuracy"]
    assert told["balanced"]["low"] < told["balanced_accuracy"] < told["balanced"]["high"]
    assert set(told["macro"]) == {"precision", "recall", "f1"}


# -- temperature ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "scale"), [(0, 0.3), (1, 1.0), (2, 4.0)])
def test_the_temperature_is_that_of_a_general_search(seed, scale):
    p, labels = honest(500, seed)
    logits = scale * np.log(p)

    def loss(log_t):
        return -np.log(softmax(logits, np.exp(log_t)).astype(float)[np.arange(500), labels]).mean()

    theirs = np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x)
    assert fit_temperature(logits, labels) == pytest.approx(theirs, rel=2e-3)
    assert theirs == pytest.approx(scale, rel=0.15)  # honest by construction, then blown up


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_answers_that_are_all_right_are_no_certainty(n):
    """Ten right answers of ten bear out 11 in 12 by the rule of succession, and not 100 %."""
    g = np.random.default_rng(n)
    labels = g.integers(0, 5, n)
    logits = g.normal(size=(n, 5)) + 12 * np.eye(5)[labels]
    shares = softmax(logits, fit_temperature(logits, labels))
    assert shares.max(1).mean() == pytest.approx((n + 1) / (n + 2), abs=1e-3)
    assert (shares.argmax(1) == labels).all()
