"""map.npz: the frozen network's view of the pictures, small and quick however many there are."""

import time
from types import SimpleNamespace

import make_run
import numpy as np
import pytest
import torch
from make_backbones import SIDE, photos
from sklearn.decomposition import PCA

import svertka
from svertka.analysis import tsne
from svertka.analysis.training_report import MOST as SECONDS
from svertka.analysis.training_report import laid_out as _laid_out
from svertka.data import Manifest
from svertka.pipeline.ladder import embedding_map
from svertka.pipeline.ladder.embedding_map import principal, write_map
from svertka.runs.results import read_results

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.mark.parametrize(("n", "d"), [(30, 5), (8, 40)])
def test_the_map_is_that_of_scikit_learn(n, d):
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(n)) * torch.linspace(0.2, 3, d)
    points, known = principal(x, 2).numpy(), PCA(2, svd_solver="full").fit_transform(x.numpy())
    np.testing.assert_allclose(np.abs(points), np.abs(known), atol=1e-3)
    assert (points[np.abs(points).argmax(0), [0, 1]] > 0).all()


def test_a_run_keeps_a_map_and_the_pictures_most_like_its_mistakes(saved, tmp_path):
    data = photos(tmp_path / "data" / "train", each=6).parent
    photos(data / "val", each=2)
    (data / "val" / "red" / "0.png").rename(data / "val" / "blue" / "wrong.png")
    (data / "val" / "blue" / "wrong.png").write_bytes((data / "train" / "red" / "3.png").read_bytes())
    svertka.train(data, weights=str(saved), out=tmp_path / "run")
    manifest = Manifest.load(tmp_path / "run" / "manifest.json")
    with np.load(tmp_path / "run" / "map.npz", allow_pickle=False) as found:
        assert found["points"].shape == (len(found["index"]), 2)
        asked = [str(manifest.paths[i]) for i in found["asked"]]
        row = next(k for k, path in enumerate(asked) if path.endswith("wrong.png"))
        assert str(manifest.paths[found["similar"][row, 0]]).endswith("red/3.png")
        assert found["cosine"][row, 0] == pytest.approx(1, abs=1e-5)
        assert found["pixels"].shape[:2] == (*found["cosine"].shape[:1], 1 + found["cosine"].shape[1])
        np.testing.assert_array_equal(found["pixels"][row, 0], found["pixels"][row, 1])


def crowd(run, features, labels):
    """A training with so many pictures that nobody ever decoded, and what two networks have seen of them."""
    n = len(labels)
    index = {"train": np.flatnonzero(np.arange(n) % 10 > 0), "validation": np.flatnonzero(np.arange(n) % 10 == 0)}
    data = SimpleNamespace(
        manifest=SimpleNamespace(indices=lambda part: index[part]),
        store=SimpleNamespace(pixels=np.broadcast_to(np.uint8(9), (n, SIDE, SIDE, 3))),
        count=lambda part: len(index.get(part, ())),
        labels=lambda part: labels[index[part]],
    )
    seen = {part: [torch.from_numpy(x[rows]) for x in features] for part, rows in index.items()}
    return SimpleNamespace(run=SimpleNamespace(path=run), data=data), seen, index


def test_likes_are_those_of_the_definition_over_networks_side_by_side(tmp_path):
    g = np.random.default_rng(0)
    features = [g.normal(size=(90, d)).astype(np.float32) for d in (5, 8)]
    labels = g.integers(0, 3, 90)
    context, seen, index = crowd(tmp_path, features, labels)
    shares = g.dirichlet(np.ones(3), size=9)
    write_map(context, seen, shares)
    whole = np.concatenate(features, 1)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    with np.load(tmp_path / "map.npz", allow_pickle=False) as found:
        assert found["index"].tolist() == [*index["train"], *index["validation"]]
        for asked, similar, cosine in zip(found["asked"], found["similar"], found["cosine"], strict=True):
            alike = {i: float(whole[asked] @ whole[i]) for i in index["train"]}
            want = sorted(alike, key=lambda i: -alike[i])[: embedding_map.NEAR]
            assert similar.tolist() == want
            np.testing.assert_allclose(cosine, [alike[i] for i in want], atol=1e-5)
        rows = whole[found["index"]]
        known = PCA(2, svd_solver="full").fit_transform(rows)
        np.testing.assert_allclose(np.abs(found["points"]), np.abs(known), atol=1e-4)


def test_a_map_of_very_many_pictures_is_small_and_made_at_once(tmp_path):
    g, n = np.random.default_rng(0), 100_000
    features = [g.normal(size=(n, d)).astype(np.float32) for d in (60, 68)]
    labels = g.integers(0, 3, n)
    context, seen, _ = crowd(tmp_path, features, labels)
    begun = time.process_time()
    write_map(context, seen, g.dirichlet(np.ones(3), size=n // 10))
    assert time.process_time() - begun < 3
    with np.load(tmp_path / "map.npz", allow_pickle=False) as found:
        assert embedding_map.MOST / 2 < len(found["index"]) <= embedding_map.MOST
        assert len(found["axes"]) == len(found["index"])
        parts = found["index"] % 10
        assert np.isclose((parts == 0).mean(), 0.1, atol=0.01)  # of both parts as many as they have
        assert tsne.seconds(len(found["axes"])) == float("inf")


def test_a_report_never_lays_a_large_map_out(tmp_path, monkeypatch):
    run = make_run.with_map(make_run.invented(tmp_path / "run", files=2000, scored=600, classes=3))
    with np.load(run / "map.npz") as found:
        arrays = {name: found[name] for name in found.files}
    count = len(arrays["index"])
    assert count > tsne.MOST
    axes = np.random.default_rng(0).normal(size=(count, 50)).astype(np.float32)
    np.savez(run / "map.npz", **arrays, axes=axes)

    def never(axes):
        raise AssertionError(f"{len(axes)} pictures would take minutes")

    monkeypatch.setattr(tsne, "laid_out", never)
    assert "near" not in _laid_out(read_results(run), seconds=SECONDS).map


def test_the_largest_map_that_is_laid_out_keeps_its_time():
    axes = np.random.default_rng(0).normal(size=(tsne.MOST, embedding_map.AXES)).astype(np.float32)
    tsne.laid_out(axes[:40])  # imports
    begun = time.process_time()
    tsne.laid_out(axes)
    assert time.process_time() - begun < 2 * tsne.seconds(tsne.MOST)  # on a busy machine caches are shared
    assert tsne.seconds(tsne.MOST) < SECONDS / 5
