"""`svertka embed`: vectors in a file, and the pictures most like another."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from make_backbones import backbone, photos

import svertka
from svertka.errors import DataError, UsageError
from svertka.kinds import image

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def data(tmp_path):
    return photos(tmp_path / "data", each=3)


def seen(folder):
    """What the head of the network sees of each picture, one at a time and without any haste."""
    b = backbone()
    paths = sorted(str(path) for path in folder.rglob("*.png"))
    pixels = (image.read(Path(path).read_bytes(), b.preprocess, path) for path in paths)
    with torch.no_grad():
        return paths, [b.net.embed(b.preprocess.normalize(p[None]))[0].numpy() for p in pixels]


def test_the_file_holds_what_the_head_sees(sv, saved, data):
    status, out, _ = sv("embed", saved, data / "red", data / "blue", "--out", "f.npz", "--json")
    assert (status, json.loads(out)) == (0, {"out": "f.npz", "pictures": 6, "width": 64, "unreadable": []})
    truth = dict(zip(*seen(data), strict=True))
    with np.load("f.npz", allow_pickle=False) as found:
        assert found["vectors"].dtype == np.float32
        assert set(found["paths"]) == set(truth)
        for path, vector in zip(found["paths"], found["vectors"], strict=True):
            np.testing.assert_allclose(vector, truth[str(path)], rtol=1e-3, atol=1e-4)


def test_parquet_holds_paths_and_vectors(saved, data, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    found = svertka.embed(saved, [data], out=tmp_path / "f.parquet")
    table = parquet.read_table(tmp_path / "f.parquet").to_pydict()
    assert table["path"] == list(found.paths)
    np.testing.assert_array_equal(np.array(table["vector"], np.float32), found.vectors)


def test_parquet_without_its_library_is_a_sentence(saved, data, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match="pip install pyarrow"):
        svertka.embed(saved, [data], out=tmp_path / "f.parquet")
    assert not (tmp_path / "f.parquet").exists()


def test_likes_are_found_by_definition_and_the_picture_itself_is_none(sv, saved, data):
    asked = data / "red" / "1.png"
    status, out, _ = sv("embed", saved, data, "--like", asked, "--count", "3", "--json")
    assert status == 0
    paths, vectors = seen(data)
    query = vectors[paths.index(str(asked))]
    cosines = {
        path: sum(a * b for a, b in zip(query, v, strict=True)) / (np.linalg.norm(query) * np.linalg.norm(v))
        for path, v in zip(paths, vectors, strict=True)
        if path != str(asked)
    }
    told = json.loads(out)
    assert told["out"] is None
    assert [row["path"] for row in told["similar"]] == sorted(cosines, key=lambda path: -cosines[path])[:3]
    for row in told["similar"]:
        assert row["cosine"] == pytest.approx(cosines[row["path"]], abs=1e-4)
    lines = sv("embed", saved, data, "--like", asked, "--count", "3")[1].splitlines()
    assert [line.split("  ")[1] for line in lines] == [row["path"] for row in told["similar"]]
    assert sv("embed", saved, data, "--like", asked, "--out", "f.npz")[0] == 0
    with np.load("f.npz", allow_pickle=False) as kept:
        assert len(kept["paths"]) == 6  # the picture that was asked about is one of the files


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((), 2, "give one"),
        (("--like", "gone.png"), 1, "gone.png: no such file"),
        (("--like", "f.txt"), 1, "f.txt: "),
        (("--out", "g.txt"), 2, "ending in .npz or .parquet"),
        (("--out", "there.npz"), 2, "never overwritten"),
        (("--like", "data/red/0.png", "--count", "0"), 2, "count"),
    ],
)
def test_what_cannot_be_is_a_sentence(words, status, told, sv, saved, data, tmp_path):
    (tmp_path / "f.txt").write_text("no picture")
    (tmp_path / "there.npz").write_bytes(b"mine")
    got, _, err = sv("embed", saved, "data", *words)
    assert (got, told in err) == (status, True), err
    assert (tmp_path / "there.npz").read_bytes() == b"mine"


def test_one_unreadable_file_is_named_and_the_others_are_seen(saved, data):
    (data / "red" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = svertka.embed(saved, [data / "red", data / "gone.png"])
    assert len(found.paths) == 3
    assert [u.path.rpartition("/")[2] for u in found.unreadable] == ["bad.png", "gone.png"]
    with pytest.raises(DataError, match=r"1 file named, and none .* such as .*gone\.png: no such file"):
        svertka.embed(saved, [data / "gone.png"])
