"""Pairs of close points: those of the definition, all pairs, and few of a crowd on one spot."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from svertka.data.splitting import radius_search
from svertka.data.splitting.holdout import linked
from svertka.data.splitting.radius_search import close_pairs


def by_definition(points, radius, most, asked):
    """All distances, one by one."""
    deep = points.astype(np.float64)
    found = set()
    for i in np.flatnonzero(asked).tolist():
        distance = np.sqrt(np.square(deep - deep[i]).sum(1))
        distance[i] = np.inf
        order = np.argsort(distance, kind="stable")[:most]
        found |= {(min(i, j), max(i, j)) for j in order.tolist() if distance[j] < radius}
    return np.array(sorted(found), np.int64).reshape(-1, 2)


@given(
    st.integers(2, 300), st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.1, 0.4]),
    st.sampled_from([0, 128]), st.sampled_from([16, 2**16]),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_they_are_those_of_the_definition(n, d, seed, radius, few, held):
    g = np.random.default_rng(seed)
    points = g.random((n, d)).astype(np.float16)
    asked = g.random(n) < 0.5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(radius_search, "_LEAF", 8)
        patch.setattr(radius_search, "_FEW", few)
        patch.setattr(radius_search, "_AT_ONCE", held)
        found = close_pairs(points, radius, n, asked)
        everyone = close_pairs(points, radius, n)
    np.testing.assert_array_equal(found, by_definition(points, radius, n, asked))
    np.testing.assert_array_equal(everyone, by_definition(points, radius, n, np.ones(n, bool)))


def test_the_nearest_are_kept():
    points = np.random.default_rng(0).random((400, 2))  # float64: no two distances are equal
    found = close_pairs(points, 0.2, 3)
    np.testing.assert_array_equal(found, by_definition(points, 0.2, 3, np.ones(400, bool)))


def test_of_a_crowd_few_are_beside_their_nearest():
    spot, others = np.full((3000, 8), 0.3), np.random.default_rng(0).random((500, 8))
    points = np.concatenate([spot, others, others + 1e-3]).astype(np.float16)
    asked = np.zeros(len(points), bool)
    asked[[5, 3005, 3100]] = True
    pairs = close_pairs(points, 0.05, 4, asked)
    assert {(3005, 3505), (3100, 3600)} <= set(map(tuple, pairs.tolist()))
    beside = pairs[(pairs == 5).any(1)]
    assert 3 <= len(beside) <= 4  # it may be one of its own nearest
    assert beside.max() < 3000


def test_a_crowd_on_one_spot_hangs_together_and_takes_no_time():
    n = 12_000
    points = np.concatenate([np.full((n, 8), 0.3), np.random.default_rng(0).random((1000, 8))]).astype(np.float16)
    begun = time.process_time()
    pairs = close_pairs(points, 0.05, 8)
    assert time.process_time() - begun < 20  # 1 s on a machine of one's own; all pairs would take minutes
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    assert len(np.unique(connected_components(graph, directed=False)[1][:n])) == 1
    assert len(pairs) <= 9 * len(points)


@given(st.integers(1, 60), st.integers(0, 80), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_linked_files_are_scipys_components(n, m, seed):
    links = np.random.default_rng(seed).integers(0, n, (m, 2))
    graph = coo_matrix((np.ones(m), (links[:, 0], links[:, 1])), shape=(n, n))
    family = connected_components(graph, directed=False)[1]
    first = [int(np.flatnonzero(family == family[i])[0]) for i in range(n)]
    assert linked(n, links).tolist() == first


def test_a_long_chain_is_one_family():
    order = np.random.default_rng(0).permutation(20_000)
    assert not linked(len(order), np.stack([order[1:], order[:-1]], 1)).any()
