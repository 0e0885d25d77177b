"""Classes that are taken for each other stand together, whatever order they came in."""

import re

import make_run
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svertka.evaluation.errors.confusion_groups import MOST, grouped
from svertka.reporting import write_report


def planted(sizes, seed=0, support=40, noise=0):
    """A confusion matrix whose classes err only within groups of these sizes, shuffled: (counts, group of each)."""
    g = np.random.default_rng(seed)
    group = g.permutation(np.repeat(np.arange(len(sizes)), sizes))
    counts = np.zeros((len(group), len(group)), int)
    for truth in range(len(group)):
        alike = np.flatnonzero((group == group[truth]) & (np.arange(len(group)) != truth))
        for other in alike:
            counts[truth, other] = 2 + g.integers(0, 3)
        counts[truth, truth] = support - counts[truth].sum()
    for _ in range(noise):
        counts[tuple(g.integers(0, len(group), 2))] += 1
    return counts, group


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(2, 8), min_size=2, max_size=14), st.integers(0, 99))
def test_planted_groups_are_found_whole_and_nothing_else(sizes, seed):
    counts, group = planted(sizes, seed)
    found = grouped(counts)
    assert sorted(found.order.tolist()) == list(range(len(group)))
    members = [frozenset(found.order[part].tolist()) for part in found.groups]
    assert set(members) == {frozenset(np.flatnonzero(group == k).tolist()) for k in range(len(sizes))}
    wrong = [counts[np.ix_(list(m), list(m))].sum() - counts[list(m), list(m)].sum() for m in members]
    assert wrong == sorted(wrong, reverse=True)


def test_order_survives_noise_and_large_groups_are_cut():
    counts, group = planted([6] * 15 + [30], noise=60)
    found = grouped(counts)
    assert all(part.stop - part.start <= MOST for part in found.groups)
    together = (group[found.order][1:] == group[found.order][:-1]).mean()
    assert together > 0.8  # 104 of 119 if perfect


@pytest.mark.parametrize("counts", [np.diag([3, 4, 5, 6]), np.array([[2, 1], [1, 2]]), np.zeros((5, 5), int)])
def test_without_confusion_the_order_stays(counts):
    assert grouped(counts).order.tolist() == list(range(len(counts)))
    assert grouped(counts).groups == ()


def test_the_page_of_many_classes_draws_them_in_this_order_with_tables_of_groups(tmp_path):
    run = make_run.invented(tmp_path / "run", classes=100, files=5000, scored=2000, skill=4)
    page = write_report(run).read_text(encoding="utf-8")
    with np.load(run / "predictions.npz") as arrays:
        guess = arrays["validation_probability"].argmax(1)
        truth = make_run.Manifest.load(run / "manifest.json").labels[arrays["validation_index"]]
    counts = np.zeros((100, 100), int)
    np.add.at(counts, (truth, guess), 1)
    found = grouped(counts)
    drawing = re.search(r'<svg class="matrix".*?</svg>', page, re.S)[0]
    names = re.findall('<text class="end"[^>]*>\u2068([^\u2069]*)\u2069', drawing)
    assert names == [f"class {c:03}" for c in found.order]
    cells = {(int(y) // 10, int(x) // 10) for x, y in re.findall(r"M(\d+) (\d+)h", drawing)}
    assert cells == {tuple(cell) for cell in np.argwhere(counts[np.ix_(found.order, found.order)]).tolist()}
    first = re.search(r'<table class="confusion.*?</table>', page[page.index('id="confusion"') :], re.S)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", first, re.S)[1:]
    shown = [[int(cell or 0) for cell in re.findall(r"<td[^>]*>(\d*)</td>", row)] for row in rows]
    members = found.order[found.groups[0]]
    assert shown == counts[np.ix_(members, members)].tolist()
