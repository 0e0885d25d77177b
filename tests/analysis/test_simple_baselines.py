"""What is simpler than a network, on pictures whose classes are told by color, by form, or by nothing."""

import numpy as np
import pytest

from svertka.analysis.simple_baselines import baselines_of, tiny_network
from svertka.errors import RunError
from svertka.evaluation import wilson
from svertka.evaluation.errors.color_baseline import by_color, histograms, majority


def colored(n, seed=0):
    """Noise that is reddish or bluish: the class is the color."""
    g = np.random.default_rng(seed)
    labels = g.integers(0, 2, n)
    pixels = g.integers(0, 200, (n, 12, 12, 3))
    pixels[np.arange(n), :, :, labels * 2] += 55
    return pixels.astype(np.uint8), labels


def barred(n, seed=0):
    """A gray bar, lying or standing: no color tells the class."""
    g = np.random.default_rng(seed)
    labels, pixels = g.integers(0, 2, n), np.zeros((n, 16, 16, 1), np.uint8)
    for k, at in enumerate(g.integers(3, 12, n)):
        pixels[(k, slice(at, at + 2), slice(2, 14)) if labels[k] else (k, slice(2, 14), slice(at, at + 2))] = 200
    return pixels, labels


def test_histograms_count_colors():
    pixels, _ = colored(3)
    found = histograms(pixels)
    assert found.shape == (3, 64)
    for row, picture in zip(found, pixels, strict=True):
        counts = np.zeros(64)
        for r, g, b in picture.reshape(-1, 3) // 64:
            counts[16 * r + 4 * g + b] += 1
        np.testing.assert_allclose(row**2, counts / 144, atol=1e-6)
    np.testing.assert_allclose((histograms(pixels[..., :1]) ** 2).sum(1), 1, atol=1e-5)


def test_neighbors_in_color_know_colors_and_nothing_else():
    pixels, labels = colored(300)
    train, asked = np.arange(200), np.arange(200, 300)
    assert by_color(pixels, train, asked, labels, 2).value > 0.95
    pixels, labels = barred(300)
    assert by_color(pixels, train, asked, labels, 2).value < 0.7
    assert by_color(pixels, train[:1], asked, labels, 2).n == 100  # one picture is its own crowd


def test_a_tiny_network_learns_form_and_the_same_again():
    pixels, labels = barred(400)
    train, asked = np.arange(300), np.arange(300, 400)
    found = tiny_network(pixels, labels, train, asked, 2, seconds=30)
    assert (found == labels[asked]).mean() > 0.9
    assert (found == tiny_network(pixels, labels, train, asked, 2, seconds=30)).all()


def test_the_majority_is_that_of_the_training_pictures():
    assert majority(np.array([1, 1, 0]), np.array([0, 0, 1, 2]), 3) == wilson(1, 4)


def test_baselines_stand_beside_the_model_of_a_run(sv, tmp_path):
    net = "conv3-8 relu pool2 flatten fc"
    assert sv("train", "digits", "--out", "run", "--net", net, "--epochs", "3")[0] == 0
    told = baselines_of(tmp_path / "run", seconds=2)
    assert [row["name"] for row in told["rows"]] == [
        "most frequent class", "nearest neighbors in color", "tiny network",
    ]  # fmt: skip
    assert told["part"] == "validation"
    assert told["rows"][0]["accuracy"] < 0.2 < told["model"]["accuracy"]
    (tmp_path / "run" / "predictions.npz").unlink()
    with pytest.raises(RunError, match="not finished"):
        baselines_of(tmp_path / "run")
