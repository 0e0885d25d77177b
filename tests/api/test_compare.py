"""Runs held against each other: the same pictures by their bytes, planted differences, and what cannot be compared."""

import json

import numpy as np
import pytest
from make_run import write_run

from svertka.api.compare import compare
from svertka.errors import DataError, RunError, UsageError
from svertka.evaluation import difference
from svertka.reporting.pages.compare import page

CLASSES = ("ant", "bee", "cat")


def run_of(folder, guesses, labels, *, order=None, classes=CLASSES, part=2, train=30, **more):
    """A run whose validation pictures (digests follow the place before `order`) get these guesses."""
    n = len(labels)
    order = np.arange(n) if order is None else order
    shares = np.full((n, len(classes)), 0.1)
    shares[np.arange(n), guesses] = 0.8
    everything = np.concatenate([labels, np.zeros(train, int)])
    index = np.arange(n)
    write_run(
        folder, classes=classes, paths=[f"{folder.name}/{k}.png" for k in range(n + train)], labels=everything[
            np.concatenate([order, np.arange(n, n + train)])
        ],
        parts=np.repeat([part, 1], [n, train]), scored={"validation": (index, shares[order])}, **more,
    )  # fmt: skip
    place = folder / "manifest.json"
    told = json.loads(place.read_text())
    own = [f"{k:032x}" for k in np.concatenate([order, np.arange(n, n + train)]).tolist()]
    place.write_text(json.dumps(told | {"digests": own}))
    return folder


def made_up(n=200, seed=0, skill=0.8):
    g = np.random.default_rng(seed)
    labels = g.integers(0, 3, n)
    return labels, np.where(g.random(n) < skill, labels, (labels + 1) % 3)


def test_the_same_pictures_are_found_by_their_bytes_in_any_order(tmp_path):
    labels, one = made_up()
    other = one.copy()
    wrong = np.flatnonzero(one != labels)
    other[wrong[:12]] = labels[wrong[:12]]
    a = run_of(tmp_path / "a", one, labels)
    b = run_of(tmp_path / "b", other, labels, order=np.random.default_rng(1).permutation(200))
    found = compare([a, b])
    pair = found.pairs[0]
    assert (found.part, found.n, found.left_out) == ("validation", 200, 0)
    assert (pair.found.gained, pair.found.lost) == (12, 0)
    assert pair.found == difference(one == labels, other == labels)
    assert "is better than" in pair.sentence()
    assert {row["path"] for row in pair.changed} == {f"a/{k}.png" for k in wrong[:12]}
    assert all(row["gained"] and row["other"] == row["label"] for row in pair.changed)
    assert sum(d.gained for d in pair.classes.values()) == 12
    assert sum(d.n for d in pair.classes.values()) == 200
    back = compare([b, a]).pairs[0]
    assert (back.found.gained, back.found.lost, back.found.value) == (0, 12, -pair.found.value)
    json.dumps(found.to_dict(), allow_nan=False)


def test_two_identical_models_do_not_differ_and_three_runs_make_three_pairs(tmp_path):
    labels, one = made_up()
    runs = [run_of(tmp_path / name, one, labels) for name in "abc"]
    found = compare(runs)
    assert len(found.pairs) == 3
    assert all(p.found.p == 1 and "no difference" in p.sentence() for p in found.pairs)


def test_equal_skill_is_no_difference_in_95_percent_of_resamplings(tmp_path):
    """The planted truth: models of the same skill, drawn anew; the runs are real folders every time."""
    proven = 0
    for seed in range(40):
        labels, one = made_up(150, 2 * seed)
        other = made_up(150, 2 * seed + 1)[1]
        g = np.random.default_rng(seed)
        other = np.where(g.random(150) < 0.8, labels, (labels + 1) % 3)
        a = run_of(tmp_path / f"a{seed}", one, labels, train=3)
        b = run_of(tmp_path / f"b{seed}", other, labels, train=3)
        proven += compare([a, b]).pairs[0].found.proven
    assert proven <= 4  # 5 % of 40 is 2; more than 4 would come in 5 of 100 such tests


def test_pictures_that_one_run_learned_from_judge_none(tmp_path):
    labels, one = made_up()
    a = run_of(tmp_path / "a", one, labels)
    b = run_of(tmp_path / "b", one, labels)
    told = json.loads((b / "manifest.json").read_text())
    told["digests"][-5:] = told["digests"][:5]  # five of its training pictures judge the other
    (b / "manifest.json").write_text(json.dumps(told))
    found = compare([a, b])
    assert (found.n, found.left_out) == (195, 5)


def test_runs_that_cannot_be_compared_say_why(tmp_path):
    labels, one = made_up(40)
    a = run_of(tmp_path / "a", one, labels)
    other = run_of(tmp_path / "other", one, labels)
    told = json.loads((other / "manifest.json").read_text())
    told["digests"] = [f"{k + 10**6:032x}" for k in range(len(told["digests"]))]
    (other / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match="other data"):
        compare([a, other])
    named = run_of(tmp_path / "named", one, labels, classes=("ant", "bee", "cow"))
    with pytest.raises(DataError, match="'cat' is a class of"):
        compare([a, named])
    with pytest.raises(UsageError, match="two run folders"):
        compare([a])
    with pytest.raises(UsageError, match="named twice"):
        compare([a, a])
    with pytest.raises(RunError, match="no run folder"):
        compare([a, tmp_path / "nowhere"])
    with pytest.raises(RunError, match="no predictions for test"):
        compare([a, other], part="test")
    with pytest.raises(UsageError, match="no part called"):
        compare([a, other], part="tests")
    (other / "predictions.npz").write_bytes(b"PK nonsense")
    with pytest.raises(RunError, match="damaged"):
        compare([a, other])
    (other / "predictions.npz").unlink()
    with pytest.raises(RunError, match="not finished"):
        compare([a, other])


def test_the_command_prints_one_object_or_sentences_and_writes_a_page_with_pictures(sv, tmp_path):
    net = "conv3-4 relu pool2 flatten fc"
    assert sv("train", "digits", "--out", "a", "--net", net, "--epochs", "1")[0] == 0
    assert sv("train", "digits", "--out", "b", "--net", net, "--epochs", "5", "--manifest", "a")[0] == 0
    status, out, err = sv("compare", "a", "b", "--json", "--html", "page.html")
    assert status == 0, err
    told = json.loads(out)
    assert [r["run"] for r in told["runs"]] == ["a", "b"]
    metrics = [json.loads((tmp_path / r / "metrics.json").read_text())["validation"]["accuracy"] for r in "ab"]
    assert [r["accuracy"] for r in told["runs"]] == pytest.approx(metrics)
    assert told["pairs"][0]["difference"] == pytest.approx(metrics[1] - metrics[0])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<img") == min(60, told["pairs"][0]["gained"] + told["pairs"][0]["lost"])
    status, out, _ = sv("compare", "a", "b")
    assert told["pairs"][0]["sentence"] in out
    (tmp_path / "mine.html").write_text("mine")
    status, _, err = sv("compare", "a", "b", "--html", "mine.html")
    assert (status, (tmp_path / "mine.html").read_text()) == (1, "mine")


def test_a_tiny_p_is_never_shown_as_zero():
    counts = {"n": 70, "gained": 12, "lost": 0, "difference": 0.17, "low": 0.09, "high": 0.27, "proven": True}
    pair = {"one": "a", "other": "b", "sentence": "b is better.", "changed": [], **counts, "p": 0.0005}
    pair["per_class"] = {"ants": {**counts, "p": 0.00049}, "bees": {**counts, "p": 0.0042}}
    runs = [{"run": r, "accuracy": 0.5, "low": 0.4, "high": 0.6} for r in "ab"]
    shown = page({"part": "test", "n": 70, "left_out": 0, "runs": runs, "pairs": [pair], "tests": ""}, {})
    assert "&lt; 0.001</td>" in shown
    assert "0.0042</td>" in shown
    assert "0.000</td>" not in shown
