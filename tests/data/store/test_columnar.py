"""Columns on the disk: what was written is read, wherever and in whatever order, and memory is given back."""

import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svertka.data import Loader
from svertka.data.folders.archive_listing import list_zip
from svertka.data.splitting.holdout import joined
from svertka.data.splitting.radius_search import close_pairs
from svertka.data.store import store
from svertka.data.store.columnar import ColumnFile, MappedFile, Passing, Statistics
from svertka.kinds.image import Preprocess
from svertka.kinds.image.statistics import FACTS

ROWS = np.dtype([("a", "<i4"), ("b", "u1", (3,)), ("c", "<f2", (5,)), ("d", "<u8")])


def rows(n, seed=0):
    g = np.random.default_rng(seed)
    found = np.zeros(n, ROWS)
    for name in ROWS.names:
        found[name] = g.integers(0, 200, found[name].shape)
    return found


@given(n=st.integers(1, 60), step=st.integers(1, 20), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_pieces_in_any_order_make_the_whole(tmp_path_factory, n, step, seed):
    kept = ColumnFile(tmp_path_factory.mktemp("c") / "columns.bin", ROWS, n)
    kept.path.write_bytes(bytes(kept.nbytes))
    whole = rows(n, seed)
    for first in np.random.default_rng(seed).permutation(np.arange(0, n, step)).tolist():
        kept.write(first, {name: whole[first : first + step][name] for name in ROWS.names})
    found = kept.mapped()
    for name in ROWS.names:
        np.testing.assert_array_equal(found[name], whole[name])
        assert found[name].dtype == ROWS[name].base
    before = kept.digest()
    kept.write(n - 1, {"b": whole["b"][-1:] + np.uint8(1)})
    assert kept.digest() != before
    found.mapped.release()
    np.testing.assert_array_equal(found["b"][-1], whole["b"][-1] + 1)  # read from the disk again


def test_facts_are_asked_as_an_array_of_them():
    whole = np.zeros(9, FACTS)
    g = np.random.default_rng(0)
    for name in FACTS.names:
        whole[name] = g.integers(0, 100, whole[name].shape)
    facts = Statistics({name: whole[name].copy() for name in FACTS.names}, FACTS)
    assert len(facts) == 9
    np.testing.assert_array_equal(facts["border"], whole["border"])
    for key in ([1, 5, 5], slice(2, 4), whole["mean"] > 50):
        np.testing.assert_array_equal(facts[key], whole[key])
    np.testing.assert_array_equal(np.asarray(facts), whole)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system tells of memory by /proc on Linux alone")
def test_an_epoch_over_a_large_store_keeps_little_of_it_in_memory(tmp_path, monkeypatch):
    n, side = 8000, 64
    path = tmp_path / "pixels.bin"
    path.write_bytes(np.random.default_rng(0).integers(0, 256, n * side * side, np.uint8).tobytes())
    monkeypatch.setattr("svertka.data.loading.loader.LOOKED_AT", 1 << 20)
    monkeypatch.setattr("svertka.data.loading.loader.AT_ONCE", 1)
    pixels = MappedFile(path, (n, side, side, 1))
    loader = Loader(
        pixels, np.arange(n) % 2, np.arange(n), Preprocess(side, side, 1), batch=2, seed=0
    )  # a place may bring 2 MB along

    def mapped() -> int:
        """Kilobytes of the file that are in this process."""
        text = Path("/proc/self/smaps").read_text().partition(str(path))[2]
        return int(text.partition("Rss:")[2].split()[0])

    most, total = 0, 0
    for k, batch in enumerate(loader):
        most, total = max(most, mapped() if k % 20 == 0 else 0), total + float(batch.x.double().sum())
    assert 0 < most < n * side * side / 1024 / 3
    assert total == pytest.approx((np.asarray(pixels) / 127.5 - 1).sum(), abs=10)  # of float32


def test_pairs_are_thinned_as_they_are_found(monkeypatch):
    points = np.random.default_rng(0).random((3000, 3))
    whole = close_pairs(points, 0.2, 4)
    monkeypatch.setattr("svertka.data.splitting.radius_search._HELD", 100)
    np.testing.assert_array_equal(close_pairs(points, 0.2, 4), whole)
    among = np.flatnonzero(np.random.default_rng(1).random(3000) < 0.5)
    np.testing.assert_array_equal(close_pairs(points, 0.2, 4, among=among), among[close_pairs(points[among], 0.2, 4)])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
@settings(deadline=None)
def test_files_that_hang_together_have_one_number(columns):
    one, other = (np.array(column) for column in zip(*columns, strict=True))
    groups = [{i} for i in range(len(one))]
    for i in range(len(one)):
        for j in range(i):
            if one[i] == one[j] or other[i] == other[j]:
                mine, yours = (next(g for g in groups if k in g) for k in (i, j))
                if mine is not yours:
                    groups.remove(yours)
                    mine |= yours
    number = joined(one, other)
    assert {frozenset(np.flatnonzero(number == k).tolist()) for k in range(number.max() + 1)} == set(
        map(frozenset, groups)
    )
    assert number[0] == 0


def test_the_directory_of_a_zip_is_read_in_blocks(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        for k in range(500):
            made.writestr(f"{'ab'[k % 2]}/{k * 7:05}.png", b"x" * k)
    whole = list_zip(tmp_path / "x.zip")
    monkeypatch.setattr("svertka.data.folders.archive_listing._BLOCK", 100)
    monkeypatch.setattr("svertka.data.folders.archive_listing._LONGEST", 400)
    pieces = list_zip(tmp_path / "x.zip")
    assert list(whole.directories) == list(pieces.directories) == ["a", "b"]
    for name, directory in whole.directories.items():
        assert directory.names == pieces.directories[name].names
        assert bytes(directory._rows) == bytes(pieces.directories[name]._rows)


def resident(path):
    """Kilobytes of a mapped file that are in this process."""
    text = Path("/proc/self/smaps").read_text().partition(str(path))[2]
    return int(text.partition("Rss:")[2].split()[0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system tells of memory by /proc on Linux alone")
def test_close_pairs_among_mapped_points_keep_few_of_them_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("svertka.data.store.columnar._STRETCH", 1 << 20)
    n, d = 1 << 17, 32
    path = tmp_path / "points.bin"
    drawn = np.random.default_rng(0).random((n, d), np.float32)
    drawn[:: 1 << 14] = drawn[5 :: 1 << 14] + np.float32(0.004)  # eight pairs lie close together
    drawn.astype(np.float16).tofile(path)
    raw = MappedFile(path, (n * d * 2,))
    points, seen, asked_of = np.asarray(raw).view(np.float16).reshape(n, d), [], iter(range(10**9))

    def release():
        if next(asked_of) % 8 == 0:  # the question takes a thousand times as long as the answer to `madvise`
            seen.append(resident(path))
        raw.release()

    passing = Passing(points, release)
    index = np.random.default_rng(1).permutation(n)[:5000]
    np.testing.assert_array_equal(passing.take(index), points[index])
    raw.release()
    seen.clear()
    asked = np.arange(n) % 512 == 0
    found = close_pairs(passing, 0.05, 2, asked)
    assert 0 < max(seen) < n * d * 2 / 1024 / 3  # a place may bring 2 MB along
    assert len(found) == 8
    np.testing.assert_array_equal(found, close_pairs(points.copy(), 0.05, 2, asked))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system tells of memory by /proc on Linux alone")
def test_opening_a_large_store_looks_at_it_piece_by_piece(tmp_path, monkeypatch):
    n, side = 6000, 64
    path = tmp_path / "pixels.bin"
    path.write_bytes(np.random.default_rng(0).integers(0, 256, n * side * side, np.uint8).tobytes())
    sums = np.array([zlib.crc32(one) for one in np.fromfile(path, np.uint8).reshape(n, -1)], np.uint32)
    monkeypatch.setattr("svertka.data.store.store._STRETCH", 100)
    seen, release = [], MappedFile.release

    def watched(self):
        seen.append(resident(path))
        release(self)

    monkeypatch.setattr(MappedFile, "release", watched)
    preprocess = Preprocess(side, side, 1)
    assert store._intact(path, {"digest": np.zeros((n, 16)), "sum": sums}, preprocess, packed=False)
    assert len(seen) == 60
    assert max(seen) < n * side * side / 1024 / 3
    sums[n - 1] ^= 1
    assert not store._intact(path, {"digest": np.zeros((n, 16)), "sum": sums}, preprocess, packed=False)
