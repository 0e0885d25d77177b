"""Repeated trainings: folds in which every picture judges once, means with intervals that hold, and the command."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svertka.common import restored
from svertka.data.splitting.k_fold import folds
from svertka.errors import DataError, RecipeError
from svertka.evaluation.repeats import of_folds, of_seeds


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 6), st.integers(2, 5), st.integers(0, 1000))
def test_folds_are_even_and_never_part_a_group(k, c, seed):
    g = np.random.default_rng(seed)
    n = 40 * c
    labels = np.repeat(np.arange(c), 40)
    group = np.arange(n)
    pairs = g.choice(n // 2, 5, replace=False) * 2  # some files belong to the next one, of the same class
    group[pairs + 1] = group[pairs]
    digests = g.integers(0, 256, (n, 16), dtype=np.uint8)
    fold = folds(labels, digests, k, seed, group)
    assert (fold[pairs] == fold[pairs + 1]).all()
    for label in range(c):
        counts = np.bincount(fold[labels == label], minlength=k)
        assert counts.max() - counts.min() <= 1 + len(pairs)
    single = folds(labels, digests, k, seed)
    for label in range(c):
        counts = np.bincount(single[labels == label], minlength=k)
        assert counts.max() - counts.min() <= 1
    assert (single == folds(labels, digests, k, seed)).all()
    order = g.permutation(n)
    assert (folds(labels[order], digests[order], k, seed) == single[order]).all()  # blind to the order of files


def test_folds_that_cannot_be_dealt_are_refused():
    digests = np.random.default_rng(0).integers(0, 256, (6, 16), dtype=np.uint8)
    with pytest.raises(RecipeError, match="one class has 3 only"):
        folds(np.repeat([0, 1], 3), digests, 4, 0)
    with pytest.raises(RecipeError, match="2 or more"):
        folds(np.repeat([0, 1], 3), digests, 1, 0)


def test_the_interval_over_seeds_holds_the_expected_accuracy():
    """Pictures of different difficulty and seeds of different luck: the truth is the mean over both."""
    g, inside = np.random.default_rng(0), 0
    for _ in range(300):
        hard = g.beta(8, 1.5, 120)
        luck = g.normal(0, 0.02, 4)
        right = g.random((4, 120)) < np.clip(hard + luck[:, None], 0, 1)
        found = of_seeds(right)
        inside += found.low <= 8 / 9.5 <= found.high
    assert inside / 300 > 0.92


def test_what_repeats_say():
    right = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    found = of_seeds(right)
    assert (found.mean, found.least, found.most, found.runs, found.n) == (0.625, 0.5, 0.75, 2, 4)
    assert found.deviation == pytest.approx(np.std([0.75, 0.5], ddof=1))
    same = of_seeds(np.ones((3, 50), bool))
    assert same.low < 0.95  # nothing varies, yet fifty pictures promise no more
    folded = of_folds([right[0], right[1]], [12, 12])
    assert (folded.mean, folded.n) == (0.625, 8)
    assert folded.low < 0.625 < folded.high
    assert of_folds([right[0]], [3]).deviation is None
    with pytest.raises(DataError, match="no finished"):
        of_folds([], [])


NET = ("--net", "conv3-4 relu pool2 flatten fc", "--epochs", "1", "--set", "batch_size=32")


def test_seeds_share_a_split_and_their_mean_is_told(sv, tmp_path):
    status, out, err = sv("train", "digits", "--repeat", "2", "--out", "many", "--json", *NET)
    assert status == 0, err
    told = json.loads(out)
    each = [run["validation"]["accuracy"] for run in told["runs"]]
    assert told["validation"]["accuracy"] == pytest.approx(np.mean(each))
    assert told["validation"]["deviation"] == pytest.approx(np.std(each, ddof=1))
    assert told == json.loads((tmp_path / "many" / "repeats.json").read_text(), object_hook=restored)
    parts = [json.loads((tmp_path / "many" / k / "manifest.json").read_text())["parts"] for k in "12"]
    assert parts[0] == parts[1]
    seeds = [json.loads((tmp_path / "many" / k / "recipe.json").read_text())["recipe"]["seed"] for k in "12"]
    assert seeds == [0, 1]
    assert "2 seeds" in (tmp_path / "many" / "report.html").read_text()
    assert (tmp_path / "many" / "1" / "report.html").is_file()


def test_every_picture_judges_once_in_folds(sv, tmp_path):
    status, out, err = sv("train", "digits", "--folds", "2", "--out", "many", "--plan", "threads=1", "--json", *NET)
    assert status == 0, err
    told = json.loads(out)
    with np.load(tmp_path / "many" / "predictions.npz") as found:
        index, shares = found["index"], found["probability"]
    manifest = json.loads((tmp_path / "many" / "1" / "manifest.json").read_text())
    assert index.tolist() == list(range(len(manifest["labels"])))
    accuracy = (shares.argmax(1) == np.array(manifest["labels"])).mean()
    assert told["validation"]["accuracy"] == pytest.approx(accuracy)
    failing = json.loads((tmp_path / "many" / "failing.json").read_text())
    assert (failing["part"], failing["n"]) == ("out of fold", len(index))
    status, out, _ = sv("compare", "many/1", "many/2")
    assert status == 1  # what judges one, the other learned from


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--repeat", "1"), "2 to 1,000"),
        (("--repeat", "2", "--folds", "2"), "either"),
        (("--folds", "2", "--manifest", "x"), "splits of its own"),
    ],
)
def test_wrong_usage_of_repeats(sv, words, says, tmp_path):
    status, out, err = sv("train", "digits", *words, "--out", "many")
    assert (status, out) == (2, "")
    assert says in err
    assert not (tmp_path / "many").exists()
