"""Shards, Parquet and addresses: the same pictures and labels as a folder holds, by every way in."""

import functools
import http.server
import io
import json
import os
import random
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from make_pictures import as_tar, fill, png
from opened import left_aside, refusal, table

from svertka.cache import cached_files
from svertka.data import begin_store, open_source, reopen_source
from svertka.errors import DataError, ReadError
from svertka.kinds.image import Preprocess


def shard(path, *samples):
    """Write members {extension: bytes or text} of samples called 000, 001, ..."""
    with tarfile.open(path, "w") as archive:
        for i, sample in enumerate(samples):
            for ending, data in sample.items():
                data = data.encode() if isinstance(data, str) else data
                member = tarfile.TarInfo(f"{i:03}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path


# -- WebDataset ----------------------------------------------------------------------------------------------


def test_a_shard_has_labels_beside_its_pictures(tmp_path):
    samples = [{"png": png(i), "cls": ["10", "2"][i % 2]} for i in range(6)]
    source = open_source(shard(tmp_path / "birds-000.tar", *samples))
    assert (source.kind, source.name, source.classes) == ("shards", "birds-000", ("2", "10"))
    assert source.labels.tolist() == [1, 0] * 3
    assert list(source.paths) == [f"{i:03}.png" for i in range(6)]
    assert [source.read(i) for i in range(6)] == [png(i) for i in range(6)]
    packed = tmp_path / "birds.tar.gz"
    with tarfile.open(tmp_path / "birds-000.tar") as plain, tarfile.open(packed, "w:gz") as archive:
        for member in plain:
            archive.addfile(member, plain.extractfile(member))
    assert list(open_source(packed).paths) == list(source.paths)


def test_labels_in_text_and_json_by_key(tmp_path):
    texts = shard(tmp_path / "t.tar", *({"jpg": png(i), "txt": f" {['owl', 'wren'][i % 2]}\n"} for i in range(4)))
    assert open_source(texts).classes == ("owl", "wren")
    told_of = [{"label": i % 2, "species": "xyz"[i % 3], "nest": f"n{i // 2}", "split": "train"} for i in range(6)]
    path = shard(tmp_path / "j.tar", *({"png": png(i), "json": json.dumps(t)} for i, t in enumerate(told_of)))
    source = open_source(path, group_by="nest")
    assert source.classes == ("0", "1")
    assert source.parts.tolist() == [1] * 6
    assert source.groups.codes.tolist() == [0, 0, 1, 1, 2, 2]
    assert open_source(f"{path}#label=species").classes == ("x", "y", "z")
    assert "has no column 'breed'; it has 'path', 'label', 'species', 'nest', 'split'" in refusal(f"{path}#label=breed")


def test_samples_that_cannot_be_used_are_told(tmp_path):
    samples = [{"png": png(0), "cls": "a"}, {"png": png(1), "cls": "b"}, {"png": png(2)}, {"cls": "a"}]
    samples += [{"png": png(3), "cls": "c" * 300}, {"thumb.png": png(4), "png": png(5), "cls": "a"}]
    source = open_source(shard(tmp_path / "x.tar", *samples))
    assert list(source.paths) == ["000.png", "001.png", "005.png"]
    assert source.read(2) == png(5)
    assert left_aside(source) == {
        "002.png": "it has no label",
        "005.thumb.png": "another member of the sample '005', of which 005.png is read",
        "004.png": "the text beside it is no class name (it begins with 'cccccccccccccccccccc')",
    }


def test_class_folders_with_notes_beside_pictures_are_no_shard(tmp_path):
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    (root / "a/1.json").write_text('{"label": "other"}')
    (root / "b/2.txt").write_text("0 0.5 0.5 0.1 0.1")
    assert open_source(as_tar(root, tmp_path / "d.tar")).classes == ("a", "b")
    alone = fill(tmp_path / "e", "a/1.png", "a/2.png", "a/3.png")
    (alone / "a/1.json").write_text('{"label": "other"}')
    assert "one class only ('a')" in refusal(as_tar(alone, tmp_path / "e.tar"))


def test_shards_train_as_the_folder_does(sv, tmp_path):
    from make_pictures import QUICK, shapes

    files = sorted(shapes(tmp_path / "data").rglob("*.png"))
    random.Random(0).shuffle(files)
    for k in range(4):
        part = "train" if k < 3 else "val"
        samples = ({"png": p.read_bytes(), "cls": p.parent.name} for p in files[k::4])
        shard(tmp_path / f"s-{part}-{k:02}.tar", *samples)
    shards = f"{tmp_path}/s-{{train-00,train-01,train-02,val-03}}.tar"
    status, out, err = sv("train", shards, "--out", "run", "--json", *QUICK)
    assert status == 0, err
    assert json.loads(out)["validation"]["n"] == 6
    assert json.loads(sv("evaluate", "run", shards, "--json")[1])["n"] == 6
    assert json.loads(sv("check", shards, "--json")[1])["classes"] == {"cross": 12, "disc": 12}


# -- Parquet -------------------------------------------------------------------------------------------------


@pytest.fixture
def parquet(tmp_path):
    """Write columns as a Parquet table; a list of (bytes, path) is what the `datasets` library makes of pictures."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    def write(name, columns, metadata=None, **options):
        made = {}
        for key, values in columns.items():
            if values and isinstance(values[0], tuple):
                values = pa.array([{"bytes": b, "path": p} for b, p in values])
            made[key] = values
        arrow = pa.table(made)
        if metadata is not None:
            arrow = arrow.replace_schema_metadata({"huggingface": json.dumps(metadata)})
        write_table(arrow, tmp_path / name, **options)
        return tmp_path / name

    return write


def test_a_parquet_table_of_paths_is_read_as_csv_is(parquet, tmp_path):
    fill(tmp_path, *(f"img/{i}.png" for i in range(6)))
    rows = [[f"img/{i}.png", "ab"[i % 2], "train", i // 3] for i in range(6)]
    columns = dict(zip(("path", "label", "split", "nest"), map(list, zip(*rows, strict=True)), strict=True))
    ours = open_source(parquet("t.parquet", columns), group_by="nest")
    truth = open_source(table(tmp_path / "t.csv", list(columns), *rows), group_by="nest")
    for name in ("labels", "parts", "sizes"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(truth, name))
    assert ours.paths == truth.paths
    assert ours.classes == truth.classes
    assert ours.groups.codes.tolist() == truth.groups.codes.tolist()
    assert ours.identity() == truth.identity()


@pytest.mark.parametrize("named", [True, False])
def test_a_parquet_table_of_bytes(parquet, named):
    data = [png(i) for i in range(50)]
    pictures = [(d, f"{i}.png" if i % 3 else None) for i, d in enumerate(data)] if named else data
    labels = [i % 3 - (i == 49) * 2 for i in range(50)]  # the last is -1: no label
    features = {"label": {"names": ["wren", "owl", "10"], "_type": "ClassLabel"}}
    path = parquet(
        "birds.parquet", {"image": pictures, "label": labels}, {"info": {"features": features}}, row_group_size=20
    )
    source = open_source(path)
    assert source.classes == ("10", "owl", "wren")
    assert len(source) == 49
    assert [source.classes[k] for k in source.labels[:4]] == ["wren", "owl", "10", "wren"]
    assert source.paths[1] == ("0000001/1.png" if named else "0000001")
    order = [*range(49), *np.random.default_rng(0).permutation(49).tolist()]
    assert [source.read(i) for i in order] == [data[i] for i in order]
    store = begin_store(source, Preprocess(4, 4, 1)).finish()
    assert store.readable.all()
    assert [int(p.max()) for p in store.pixels] == list(range(49))
    assert [one.reason for one in source.skipped] == ["it has no label"]


def test_numbers_are_names_and_fractions_are_none(parquet):
    data = [png(i) for i in range(4)]
    assert open_source(parquet("t.parquet", {"bytes": data, "target": [10, 2, 2, 10]})).classes == ("2", "10")
    gap = {"bytes": data, "target": [1.0, 2.0, None, 1.0]}
    assert open_source(parquet("t.parquet", gap)).classes == ("1", "2")
    half = {"bytes": data, "target": [1.0, 2.5, 2.0, 1.0]}
    assert "holds 2.5; a class has a name or a whole number" in refusal(parquet("t.parquet", half))
    nested = {"bytes": data, "target": [[1], [2], [1], [2]]}
    assert "is no text or number, but list" in refusal(parquet("t.parquet", nested))
    assert "no column that is known to hold classes" in refusal(parquet("t.parquet", {"bytes": data}))


def test_parquet_tables_that_are_damaged_change_or_vanish(parquet):
    data = [png(i) for i in range(10)]
    path = parquet("t.parquet", {"image": [*data[:-1], b""], "label": list("ababababab")}, compression="none")
    source = open_source(path)
    with pytest.raises(ReadError, match="the row holds no bytes"):
        source.read(9)
    whole = path.read_bytes()
    changed = open_source(path)
    path.write_bytes(whole + b" ")
    with pytest.raises(ReadError, match="has changed since"):
        changed.read(0)
    path.write_bytes(whole[:100] + bytes(60) + whole[160:])
    for place in (path,):
        try:
            source = open_source(place)
            for i in range(len(source)):
                try:
                    source.read(i)
                except ReadError as why:
                    assert why.reason  # noqa: PT017
        except Exception as why:
            assert type(why).__name__ == "DataError", why  # noqa: PT017
    path.write_bytes(whole[:-20])
    assert "is no Parquet table, or a damaged one" in refusal(path)
    path.write_bytes(whole)
    gone = open_source(path)
    path.unlink()
    with pytest.raises(ReadError, match="has vanished since"):
        gone.read(0)


# -- addresses -----------------------------------------------------------------------------------------------


def put(address, data):
    import fsspec

    with fsspec.open(address, "wb") as file:
        file.write(data)


def test_archives_tables_and_shards_at_an_address(tmp_path, parquet):
    pytest.importorskip("fsspec")
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    put("memory://bucket/d.tar.gz", as_tar(root, tmp_path / "d.tar.gz", "w:gz").read_bytes())
    source = open_source("memory://bucket/d.tar.gz")
    assert (source.name, source.where, source.classes) == ("d", "memory://bucket/d.tar.gz", ("a", "b"))
    assert source.read(1) == png(1)
    for k in range(3):
        samples = [{"png": png(10 * k + i), "cls": "ab"[i % 2]} for i in range(4)]
        put(f"memory://bucket/s-{k:02}.tar", shard(tmp_path / "s.tar", *samples).read_bytes())
    shards = open_source("memory://bucket/s-{00..02}.tar")
    assert len(shards) == 12
    assert shards.paths[5] == "s-01.tar/001.png"
    assert shards.read(5) == png(11)
    assert open_source("memory://bucket/s-*.tar").paths == shards.paths
    assert reopen_source(shards.to_dict()).identity() == shards.identity()
    assert begin_store(shards, Preprocess(4, 4, 1)).finish().readable.all()
    table_of_bytes = parquet("t.parquet", {"image": [png(0), png(1)], "species": ["x", "y"]})
    put("memory://bucket/t.parquet", table_of_bytes.read_bytes())
    assert open_source("memory://bucket/t.parquet#label=species").classes == ("x", "y")
    put("memory://bucket/t.csv", b"path,label\n1.png,a\n2.png,b\n")
    assert "names files beside it, which would be fetched one by one" in refusal("memory://bucket/t.csv")
    fill(tmp_path / "img", "1.png", "2.png")
    assert len(open_source(f"memory://bucket/t.csv#root={tmp_path}/img")) == 2


def test_addresses_where_nothing_is(tmp_path, monkeypatch):
    pytest.importorskip("fsspec")
    assert refusal("memory://nowhere/x.tar") == "There is nothing at memory://nowhere/x.tar."
    assert "nothing that memory://nowhere/*.tar matches" in refusal("memory://nowhere/*.tar")
    assert "cannot be fetched" in refusal("nonsense://x/y.tar")
    put("memory://there/in/x.tar", b"")
    assert "is a folder; name the archives in it" in refusal("memory://there/in")
    assert "There is no folder or archive" in refusal("s3:bucket")
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", "999")
    put("memory://bucket/full.tar", b"x" * 1000)
    told = refusal("memory://bucket/full.tar")
    assert "memory://bucket/full.tar: copies take 1.0 kB in the cache folder" in told
    assert "--cache-limit" in told
    assert "--size" not in told


def used(cache):
    return sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())


def test_copies_are_bounded_by_the_limit_of_the_cache_and_the_oldest_leaves(tmp_path, monkeypatch):
    pytest.importorskip("fsspec")
    pytest.importorskip("fcntl")
    cache = tmp_path / "cache"
    monkeypatch.setenv("SVERTKA_CACHE", str(cache))
    address = "memory://bucket/{}.tar".format
    for k in range(3):
        samples = [{"png": png(20 * k + i), "cls": "ab"[i % 2]} for i in range(100)]
        put(address(k), shard(tmp_path / "s.tar", *samples).read_bytes())
    size = (tmp_path / "s.tar").stat().st_size
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", str(5 * size // 2))
    for k in range(3):  # each as a process of its own would have it: its copy is no longer in use when it has ended
        assert open_source(address(k)).read(0) == png(20 * k)
        assert used(cache) <= 5 * size // 2
        (target,) = [t for t in cached_files._used if t.parent == cache / "remote"]
        cached_files._used.pop(target).close()
        os.utime(target / "lock", (1000.0 + k, 1000.0 + k))
    there = sorted((folder / "lock").stat().st_mtime for folder in (cache / "remote").iterdir())
    assert there == [1001.0, 1002.0]
    again = open_source(address(0))  # fetched again: the same source, so its store is the same
    assert again.identity() == open_source(address(0)).identity()
    assert used(cache) <= 5 * size // 2
    with pytest.raises(DataError, match=r"copies take .* --cache-limit"):
        open_source([address(k) for k in range(3)])  # all three at once do not fit


def test_an_unpacked_archive_counts_too(tmp_path, monkeypatch):
    pytest.importorskip("fcntl")
    cache = tmp_path / "cache"
    monkeypatch.setenv("SVERTKA_CACHE", str(cache))
    root = fill(tmp_path / "d", *(f"a/{k}.png" for k in range(40)), *(f"b/{k}.png" for k in range(40)))
    packed, plain = as_tar(root, tmp_path / "d.tar.gz", "w:gz"), as_tar(root, tmp_path / "d.tar")
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", str(plain.stat().st_size - 1))
    assert "unpacked it takes more than" in refusal(packed)
    assert used(cache) == 0
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", str(plain.stat().st_size + 100))
    source = open_source(packed)
    assert source.read(0)
    assert used(cache) <= plain.stat().st_size + 100


def test_what_has_changed_at_an_address_is_fetched_again(tmp_path):
    pytest.importorskip("fsspec")
    for value in (1, 2):
        samples = [{"png": png(value), "cls": "a"}, {"png": png(value + 10), "cls": "b"}]
        put("memory://bucket/changing.tar", shard(tmp_path / "s.tar", *samples).read_bytes())
        assert open_source("memory://bucket/changing.tar").read(0) == png(value)


def test_an_archive_on_a_web_server(tmp_path):
    pytest.importorskip("aiohttp")
    as_tar(fill(tmp_path / "d", "a/1.png", "b/2.png"), tmp_path / "d.tar")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        source = open_source(f"http://127.0.0.1:{server.server_port}/d.tar")
        assert source.classes == ("a", "b")
        assert source.read(0) == png(0)
        assert "There is nothing at http" in refusal(f"http://127.0.0.1:{server.server_port}/e.tar")
    finally:
        server.shutdown()
        server.server_close()
    assert Path(tmp_path / "d.tar").is_file()
