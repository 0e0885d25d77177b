"""Laying the map out by neighbours: groups stay together, the caption tells, and it is done only where it is quick."""

import numpy as np
import pytest

import make_run
from svertka.reporting import write_report
from svertka.reporting.folder import read_run
from svertka.verbs import layout
from svertka.verbs.report import _laid_out


def axes(each=20, groups=3, k=12):
    g = np.random.default_rng(0)
    labels = np.arange(groups).repeat(each)
    return (8 * np.eye(groups, k)[labels] + g.normal(size=(len(labels), k))).astype(np.float32), labels


def test_neighbours_stay_neighbours_and_the_same_gives_the_same():
    x, labels = axes()
    places = layout.laid_out(x)
    assert places.shape == (60, 2)
    assert places.dtype == np.float32
    near = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(60)
    assert (labels[near.argmin(1)] == labels).all()
    np.testing.assert_array_equal(layout.laid_out(x), places)


def test_many_pictures_and_hardly_any_stay_on_their_axes():
    assert layout.seconds(layout.MOST) < 3
    assert layout.seconds(layout.MOST + 1) == layout.seconds(layout.LEAST - 1) == float("inf")


@pytest.mark.parametrize(("seconds", "word"), [(30.0, "t-SNE"), (0.01, "principal components")])
def test_the_caption_says_how_it_is_laid_out(seconds, word, tmp_path):
    run = make_run.with_map(make_run.invented(tmp_path / "run", files=120, scored=40, classes=3))
    with np.load(run / "map.npz") as found:
        arrays = {name: found[name] for name in found.files}
    g = np.random.default_rng(0)
    np.savez(run / "map.npz", **arrays, axes=g.normal(size=(len(arrays["index"]), 6)).astype(np.float32))
    made = _laid_out(read_run(run), seconds=seconds)
    assert ("near" in read_run(run).map) == (word == "t-SNE")
    text = write_report(made).read_text(encoding="utf-8")
    assert word in text
    russian = write_report(made, lang="ru").read_text(encoding="utf-8")
    assert ("t-SNE" in russian) == (word == "t-SNE")
