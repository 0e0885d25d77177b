"""Laying the map out by neighbors: groups stay together, the caption tells, and it is done only where it is quick."""

import make_run
import numpy as np
import pytest

from svertka.analysis import tsne
from svertka.analysis.training_report import laid_out as _laid_out
from svertka.reporting import write_report
from svertka.runs.results import read_results


def axes(each=20, groups=3, k=12):
    g = np.random.default_rng(0)
    labels = np.arange(groups).repeat(each)
    return (8 * np.eye(groups, k)[labels] + g.normal(size=(len(labels), k))).astype(np.float32), labels


def test_neighbors_stay_neighbors_and_the_same_gives_the_same():
    x, labels = axes()
    places = tsne.laid_out(x)
    assert places.shape == (60, 2)
    assert places.dtype == np.float32
    near = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(60)
    assert (labels[near.argmin(1)] == labels).all()
    np.testing.assert_array_equal(tsne.laid_out(x), places)


def test_many_pictures_and_hardly_any_stay_on_their_axes():
    assert tsne.seconds(tsne.MOST) < 3
    assert tsne.seconds(tsne.MOST + 1) == tsne.seconds(tsne.LEAST - 1) == float("inf")


@pytest.mark.parametrize(("seconds", "word"), [(30.0, "t-SNE"), (0.01, "principal components")])
def test_the_caption_says_how_it_is_laid_out(seconds, word, tmp_path):
    run = make_run.with_map(make_run.invented(tmp_path / "run", files=120, scored=40, classes=3))
    with np.load(run / "map.npz") as found:
        arrays = {name: found[name] for name in found.files}
    g = np.random.default_rng(0)
    np.savez(run / "map.npz", **arrays, axes=g.normal(size=(len(arrays["index"]), 6)).astype(np.float32))
    made = _laid_out(read_results(run), seconds=seconds)
    assert ("near" in read_results(run).map) == (word == "t-SNE")
    text = write_report(made).read_text(encoding="utf-8")
    assert word in text
    russian = write_report(made, lang="ru").read_text(encoding="utf-8")
    assert ("t-SNE" in russian) == (word == "t-SNE")
