"""The page's numbers of slices, calibration, answering only when sure, and confusion, again from the run folder."""

import html
import json
import re

import numpy as np
import pytest
from scipy.stats import binomtest

import svertka
from svertka.data import Manifest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short training of the digits, and what its page says: (folder, {section: text}), cells between bars."""
    folder = tmp_path_factory.mktemp("numbers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SVERTKA_CACHE", str(folder / "cache"))
        path = svertka.train("digits", out=folder / "run", net="conv5-8 relu pool2 flatten fc", epochs=2).path
    page = (path / "report.html").read_text(encoding="utf-8")
    sections = re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.DOTALL)
    return path, {name: html.unescape(re.sub(r"<[^>]*>", "|", body)) for name, body in sections}


@pytest.fixture(scope="module")
def judged(run):
    """The validation pictures: (probabilities (n, 10), labels (n,))."""
    with np.load(run[0] / "predictions.npz") as arrays:
        shares, index = arrays["validation_probability"], arrays["validation_index"]
    return shares, Manifest.load(run[0] / "manifest.json").labels[index]


def percent(share, n):
    """As the page writes a share of n cases."""
    digits = 0 if n < 100 else 1 if n < 5000 else 2
    if share in (0, 1):
        return f"{share:.0%}".replace("%", "\u202f%")
    return f"{min(max(100 * share, 10.0**-digits), 100 - 10.0**-digits):.{digits}f}\u202f%"


def test_the_reliability_of_every_bin(run, judged):
    shares, labels = judged
    sure, right = shares.max(1).astype(np.float64), shares.argmax(1) == labels
    text, gap = run[1]["calibration"], 0.0
    for k in range(15):
        inside = (sure > k / 15) & (sure <= (k + 1) / 15)
        n = int(inside.sum())
        if not n:
            continue
        gap += abs(right[inside].mean() - sure[inside].mean()) * n / len(labels)
        bounds = binomtest(int(right[inside].sum()), n).proportion_ci(method="wilson")
        digits = 0 if n < 100 else 1
        low, high = f"{100 * bounds.low:.{digits}f}", f"{100 * bounds.high:.{digits}f}"
        assert f"|{percent(sure[inside].mean(), n)}|" in text
        assert f"|{percent(right[inside].mean(), n)}|" in text
        assert f"|{low}\u2009–\u2009{high}\u202f%|" in text
    assert f"lie {100 * gap:.1f} points apart" in text


def test_what_answering_only_when_sure_gives(run, judged):
    shares, labels = judged
    sure, right = np.sort(shares.max(1))[::-1], (shares.argmax(1) == labels)[np.argsort(-shares.max(1), kind="stable")]
    rows = re.findall(r"\|([\d.]+)\u202f%\|+([\d.]+)\|+([\d.]+)\u202f%\|+([\d.]+)\u202f%\|", run[1]["calibration"])
    assert len(rows) >= 4
    for answered, threshold, accuracy, _ in rows:
        n = int((sure >= float(threshold) - 5e-4).sum())
        assert 100 * n / len(labels) == pytest.approx(float(answered), abs=0.4)
        assert 100 * right[:n].mean() == pytest.approx(float(accuracy), abs=0.4)


def test_recall_precision_and_f1_of_every_class(run, judged):
    shares, labels = judged
    guess = shares.argmax(1)
    for c in range(10):
        hits, support = int(((guess == c) & (labels == c)).sum()), int((labels == c).sum())
        recall, precision = hits / support, hits / max(1, int((guess == c).sum()))
        f1 = 2 * recall * precision / max(1e-12, recall + precision)
        for share in (recall, precision, f1):
            assert f"|{percent(share, support)}|" in run[1]["classes"]


def test_doubted_labels_and_times_are_those_of_the_files(run):
    failing = json.loads((run[0] / "failing.json").read_text(encoding="utf-8"))
    metrics = json.loads((run[0] / "metrics.json").read_text(encoding="utf-8"))
    assert f"{failing['slices']['looked_at']:,} kind" in run[1]["failing"]
    count = failing["suspects"]["count"]
    assert (f"{count} label" in run[1]["failing"]) == bool(count)
    parts, whole = metrics["time"], sum(metrics["time"].values())
    shown = re.findall(r"\|([\d.]+)\u202f%\|", run[1]["forecast"])
    assert len(shown) == len(parts)
    for share, seconds in zip(shown, parts.values(), strict=True):
        assert float(share) == pytest.approx(100 * seconds / whole, abs=0.51)
    assert f"{metrics['parameters']:,}" in run[1]["network"]
