"""The choice of augmentations: planted truths are found, noise is not mistaken for gain, time is kept."""

import json

import numpy as np
import pytest
from make_pictures import photos_twice
from PIL import Image
from scipy import ndimage, stats
from sklearn.datasets import load_digits

from svertka.api.tune import tune
from svertka.errors import DataError, ShapeError, UnknownName, UsageError
from svertka.evaluation.errors.label_invariance import changes
from svertka.evaluation.forward_selection import Selection
from svertka.evaluation.paired_test import paired
from svertka.records import TrialDone
from svertka.training.recipe import parse_setting


class Clock:
    """Time that passes only when somebody trains."""

    now = 0.0

    def __call__(self):
        return self.now


def world(effects, n=500, noise=0.02, cost=1.0):
    """An attempt whose accuracy is known: 0.7 and the effects of the settings, and which pictures are easy."""
    clock = Clock()
    easy = np.random.default_rng(0).random(n)

    def attempt(settings, seed):
        clock.now += cost
        g = np.random.default_rng([seed, 7])
        p = 0.7 + sum(effects.get((k, v), effects.get(k, 0.0)) for k, v in settings.items())
        return easy < p + g.normal(0, 0.004) + g.normal(0, noise, n)

    return attempt, clock


def test_what_helps_is_kept_and_a_stronger_one_only_where_it_helps_more():
    attempt, clock = world(
        {("rotate", 15.0): 0.06, ("rotate", 45.0): 0.12, ("rotate", 180.0): 0.02, "flip_horizontal": -0.1, "noise": 0.0}
    )
    chosen = Selection(attempt, 4, 1e9, clock)
    trials = list(chosen.run({"flip_horizontal": (True,), "rotate": (15.0, 45.0, 180.0), "noise": (0.05,)}))
    assert chosen.kept == {"rotate": 45.0}
    assert [(t.name, t.kept) for t in trials] == [
        ("flip_horizontal", False), ("rotate", True), ("rotate", True), ("rotate", False), ("noise", False),
    ]  # fmt: skip
    assert trials[0].verdict == "harms"
    assert trials[0].gain.seeds == 2  # two bad seeds are enough
    assert chosen.together.low > 0
    assert chosen.together.low < 0.12 < chosen.together.high + 0.02


def test_without_any_effect_hardly_anything_is_kept():
    kept = 0
    for world_number in range(60):
        g = np.random.default_rng(world_number)
        chosen = Selection(lambda settings, seed, g=g: g.random(300) < 0.8, 4, 1e9)
        list(chosen.run({"flip_horizontal": (True,)}))
        kept += bool(chosen.kept)
    assert kept <= 4  # the interval promises one in forty


def test_time_that_is_up_leaves_candidates_untried():
    attempt, clock = world({"rotate": 0.1}, cost=10.0)
    chosen = Selection(attempt, 4, 150.0, clock)
    list(chosen.run({"rotate": (15.0,), "flip_horizontal": (True,), "flip_vertical": (True,)}))
    assert chosen.kept == {"rotate": 15.0}
    assert chosen.untried == ["flip_horizontal", "flip_vertical"]
    assert clock.now <= 170


def test_the_interval_covers_the_truth_as_often_as_it_says():
    g, covered = np.random.default_rng(1), 0
    for _ in range(300):
        pictures, seeds = g.normal(0, 0.3, 200), g.normal(0, 0.01, (4, 1))
        before = g.random((4, 200)) < 0.7
        after = g.random((4, 200)) < 0.75 + seeds + 0 * pictures
        gain = paired(before, after)
        covered += gain.low <= 0.05 <= gain.high
    assert covered / 300 > 0.93


def test_one_picture_each_reduces_to_students_interval():
    g = np.random.default_rng(2)
    before, after = g.random((5, 400)) < 0.6, g.random((5, 400)) < 0.6
    gain = paired(before, after)
    d = after.astype(float) - before
    low, high = stats.t.interval(0.95, 4, d.mean(), d.mean(1).std(ddof=1) / 5**0.5)
    assert gain.value == pytest.approx(d.mean())
    assert gain.high - gain.low >= 0.7 * (high - low)  # pictures count too, and bring degrees of freedom
    with pytest.raises(ShapeError, match="two of each"):
        paired(before[:1], after[:1])


def pointing(g, n, left):
    """Arrows as (n, 9, 9, 1): a bright bar with a brighter end at one side."""
    pixels = np.zeros((n, 9, 9, 1), np.uint8)
    for k in range(n):
        row = g.integers(2, 7)
        pixels[k, row, 1:8] = 100
        pixels[k, row - 1 : row + 2, 1 if left else 7] = 255
    return pixels


def test_a_flip_that_swaps_two_classes_is_found_and_a_class_that_attracts_everything_is_not():
    g = np.random.default_rng(0)
    bars = np.zeros((30, 9, 9, 1), np.uint8)
    bars[:, :, 4] = 200
    pixels = np.concatenate([pointing(g, 30, True), pointing(g, 30, False), bars])
    labels = np.repeat([0, 1, 2], 30)

    def predict(x):
        ends = x[:, :, 1].max((1, 2)).astype(int) - x[:, :, 7].max((1, 2))
        return np.where(ends > 0, 0, np.where(ends < 0, 1, 2))  # whatever has no end at a side is class 2

    found = changes(predict, pixels, np.arange(90), labels, ["left", "right", "bar"])
    assert [(c.view, c.of, c.taken_for) for c in found] == [
        ("mirrored left to right", "left", "right"), ("turned by half", "left", "right"),
    ]  # fmt: skip
    assert found[0].share == found[0].back == 1.0
    assert "'left' mirrored left to right is taken for 'right' in 100% of 30" in found[0].sentence()


def turned_digits(folder, most=40, each=(30, 20)):
    """Upright digits to learn from, and digits turned by up to `most` degrees to be judged by."""
    digits, g = load_digits(), np.random.default_rng(0)
    for label in range(10):
        there = digits.images[digits.target == label]
        for part, first, n in (("train", 0, each[0]), ("val", each[0], each[1])):
            (folder / part / str(label)).mkdir(parents=True)
            for k, picture in enumerate(there[first : first + n]):
                angle = 0 if part == "train" else g.uniform(-most, most)
                big = ndimage.zoom(picture, 1.5, order=1)
                made = ndimage.rotate(big, angle, reshape=False, order=1, mode="nearest")
                Image.fromarray((made * 15.9).clip(0, 255).astype(np.uint8)).save(
                    folder / part / str(label) / f"{k}.png"
                )
    return folder


QUICK = {
    "net": "conv3-16 bn relu maxpool2 conv3-32 bn relu maxpool2 flatten fc",
    "epochs": 12,
    "batch_size": 32,
    "learning_rate": 0.05,
}


def test_tune_keeps_rotation_where_it_helps_and_rejects_flips(tmp_path):
    events = []
    data = turned_digits(tmp_path / "data")
    found = tune(data, seeds=3, only=["rotate", "flip_horizontal"], minutes=20, watch=events.append, **QUICK)
    assert found.selection.kept.get("rotate") is not None
    assert "flip_horizontal" not in found.selection.kept
    assert found.selection.together.low > 0
    assert found.pictures == found.available == 300
    assert any(isinstance(event, TrialDone) for event in events)
    answer = json.loads(json.dumps(found.to_dict()))
    settings = dict(parse_setting(s) for s in answer["set"].removeprefix("--set ").split(" --set "))
    assert settings["rotate"] == found.selection.kept["rotate"]
    assert settings["flip_horizontal"] is False
    assert answer["base"]["n"] == 200


@pytest.mark.slow
def test_tune_rejects_flips_on_mnist(shared):
    found = tune(shared / "data" / "mnist.zip", only=["flip_horizontal", "flip_vertical"], minutes=5, seeds=3)
    assert not found.selection.kept
    assert all(trial.gain.value < 0 for trial in found.selection.trials)
    assert ("6", "9") in {(c.of, c.taken_for) for c in found.changes if c.view == "turned by half"}


def test_copies_of_what_was_learned_judge_nothing(tmp_path, monkeypatch):
    photos_twice(tmp_path / "set", each=12)
    cut = []

    def seen(bench, store, manifest, *_, **__):
        parts = (manifest.indices("train"), manifest.indices("validation"))
        cut.extend({manifest.paths[i][:4] for i in part} for part in parts)
        raise DataError("enough")

    monkeypatch.setattr("svertka.api.tune._Bench.__init__", seen)
    with pytest.raises(DataError, match="enough"):
        tune(tmp_path / "set", only=["rotate"], size=64, validation=0.4)
    learned, judging = cut
    assert len(learned) + len(judging) == 24
    assert not learned & judging


def test_wrong_usage_is_one_sentence(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean rotate"):
        tune("digits", only=["rotat"])
    with pytest.raises(UsageError, match="at least 2"):
        tune("digits", seeds=1)
    with pytest.raises(UsageError, match="above 0"):
        tune("digits", minutes=0)
