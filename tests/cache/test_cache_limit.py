"""The cache: within its limit, shared by processes that start together, JPEG where pixels do not fit."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from make_pictures import photo

from svertka import resume, train
from svertka.cache.folders import parse_bytes
from svertka.cache.locks import LOCK, hold, remove
from svertka.cache.quota import COUNTING, make_room, room
from svertka.data import Loader, begin_store, open_source
from svertka.data.loading.prefetch import ahead
from svertka.data.store import builder as building
from svertka.data.store.compressed_pixels import Packed
from svertka.errors import DataError, UsageError
from svertka.kinds.image import Preprocess
from svertka.records import Step

COLOR = Preprocess(64, 64, 3, "crop")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "stores"


@pytest.fixture
def photos(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(8):
            photo(i + 100 * (name == "b"), (90, 70)).save(tmp_path / "photos" / name / f"{i}.png")
    (tmp_path / "photos/b/bad.png").write_bytes(b"no picture")
    return tmp_path / "photos"


def build(root, cache, preprocess=COLOR):
    job = begin_store(open_source(root), preprocess, cache, workers=1)
    store = job.finish()
    for thread in list(building._publications.values()):
        thread.join()
    return job, store


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1000", 1000), ("20GB", 20 * 10**9), ("1.5 MiB", 3 * 2**19), ("7k", 7000), (" 2 TiB ", 2**41), ("3b", 3)],
)
def test_amounts(text, amount):
    assert parse_bytes(text) == amount


@pytest.mark.parametrize("text", ["", "much", "-1", "5 parsecs", "1e9", "GB", "1i"])
def test_what_is_no_amount_is_told(text):
    with pytest.raises(UsageError, match="such as 20GB"):
        parse_bytes(text)


def test_the_option_is_checked(sv):
    status, _, err = sv("check", "digits", "--cache-limit", "lots")
    assert status == 2
    assert "20GB" in err


# -- what leaves ------------------------------------------------------------------------------------------------------


def test_the_oldest_unused_store_leaves_first(photos, cache, monkeypatch):
    stores = []
    for side in (60, 61, 62):
        build(photos, cache, Preprocess(side, side, 3))
        stores.append(max((p for p in cache.iterdir()), key=lambda p: p.stat().st_ctime_ns))
        os.utime(stores[-1] / LOCK, (1000.0 + side, 1000.0 + side))
    assert len({*stores}) == 3
    os.utime(stores[0] / LOCK)  # used again meanwhile
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", str(size(cache) + 30_000))
    build(photos, cache, Preprocess(63, 63, 3))
    assert [store.exists() for store in stores] == [True, False, True]
    assert size(cache) <= int(os.environ["SVERTKA_CACHE_LIMIT"])


def test_a_store_in_use_stays(photos, cache, monkeypatch):
    kept = build(photos, cache, Preprocess(60, 60, 3))[1]
    (folder,) = cache.iterdir()
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", str(size(cache) + 1000))
    with pytest.raises(DataError, match=r"need .* MB .*--cache-limit.*--size"):
        build(photos, cache, Preprocess(200, 200, 3))
    assert folder.exists()
    pixels = kept.pixels
    del kept
    assert hold(folder / LOCK) is None  # the pixels alone keep it
    del pixels
    lock = hold(folder / LOCK)
    assert lock is not None
    lock.close()
    build(photos, cache, Preprocess(61, 61, 3))
    assert not folder.exists()


def test_who_counts_the_cache_costs_nobody_a_store(photos, cache):
    """Whoever looks for room locks what is unused for a moment: a store that is opened just then is no damaged one."""
    build(photos, cache)
    (folder,) = cache.iterdir()
    counted = hold(folder / LOCK)
    assert counted is not None
    threading.Timer(0.5, counted.close).start()
    job, store = build(photos, cache)
    assert not job.fresh
    assert store.readable.sum() == 16


def test_a_store_that_is_being_removed_is_not_waited_for(photos, cache):
    build(photos, cache)
    (folder,) = cache.iterdir()
    leaving = hold(folder / LOCK)
    begun = time.monotonic()
    threading.Timer(0.3, remove, (folder,)).start()
    job, _ = build(photos, cache)
    assert job.fresh
    assert time.monotonic() - begun < 30
    leaving.close()


def test_one_counts_the_cache_at_a_time(photos, cache, monkeypatch):
    """Two at once would each take what the other has locked for used."""
    for side in (60, 61):
        build(photos, cache, Preprocess(side, side, 3))
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", str(size(cache)))
    whole = room(cache)
    assert whole == size(cache)
    other = hold(cache / COUNTING)
    locked = [hold(folder / LOCK) for folder in cache.iterdir() if folder.is_dir()]
    found = []
    asker = threading.Thread(target=lambda: found.append(room(cache)))
    asker.start()
    asker.join(0.3)
    assert not found
    for lock in locked:
        lock.close()
    other.path.unlink()
    other.close()
    asker.join(30)
    assert found == [whole]
    make_room(cache, whole)
    assert list(cache.iterdir()) == []


def test_a_lock_that_may_not_be_made_is_told_by_its_own_reason(tmp_path, monkeypatch):
    real = os.open

    def refused(path, flags, *mode):
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *mode)

    (tmp_path / "there").touch()
    monkeypatch.setattr("svertka.cache.locks.os.open", refused)
    with pytest.raises(PermissionError):
        hold(tmp_path / "new")
    assert hold(tmp_path / "there", shared=True) is not None


# -- JPEG -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def little(photos, cache, monkeypatch):
    """Room for JPEGs, not for pixels."""
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", str(17 * 64 * 64 * 3 * 3 // 4))
    return photos


def test_pixels_that_do_not_fit_are_kept_as_jpeg(little, cache, monkeypatch):
    job, store = build(little, cache)
    assert job.fresh
    assert isinstance(store.pixels, Packed)
    assert list(store.reasons) == [16]
    assert size(cache) <= int(os.environ["SVERTKA_CACHE_LIMIT"])
    monkeypatch.delenv("SVERTKA_CACHE_LIMIT")
    _, whole = build(little, cache.with_name("whole"))
    assert isinstance(whole.pixels, np.ndarray)
    assert store.pixels.shape == whole.pixels.shape
    error = store.pixels[np.arange(16)].astype(int) - whole.pixels[:16]
    assert abs(error).mean() < 5  # of 255, in pictures full of noise
    np.testing.assert_array_equal(store.facts, whole.facts)
    np.testing.assert_array_equal(store.digests, whole.digests)
    assert not store.pixels[16].any()


def test_it_is_read_like_an_array(little, cache):
    pixels = build(little, cache)[1].pixels
    every = pixels[:]
    assert every.shape == (17, 64, 64, 3)
    for key in (3, -2, np.int64(5), slice(2, 9, 3), [4, 1, 1], np.array([[0, 1], [2, 3]]), np.arange(17) % 2 == 0,
                (3, slice(None, None, 4)), (slice(0, 2), slice(5, 9), 0), (np.array([7, 7]), 1, 2)):  # fmt: skip
        np.testing.assert_array_equal(pixels[key], every[key])
    with pytest.raises(IndexError):
        pixels[17]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pixels))[:], every)


def test_batches_are_the_same_each_time_and_from_the_middle(little, cache):
    _, store = build(little, cache)
    labels = np.arange(17) % 2

    def loader(pixels):
        return Loader(pixels, labels, np.arange(16), COLOR, batch=5, seed=1)

    first = list(loader(store.pixels).epoch(2))
    again = list(loader(build(little, cache)[1].pixels).epoch(2))
    plain = list(loader(store.pixels[:]).epoch(2))
    rest = list(loader(store.pixels).epoch(2, start=2))
    for others in (again, plain):
        assert all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in zip(first, others, strict=True))
    assert all(torch.equal(a.x, b.x) for a, b in zip(first[2:], rest, strict=True))


def test_a_flipped_bit_is_found(little, cache):
    _, store = build(little, cache)
    (folder,) = cache.iterdir()
    data = bytearray((folder / "pixels.bin").read_bytes())
    data[1000] ^= 1
    (folder / "pixels.bin").write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged; delete that folder"):
        store.pixels[:]
    job, again = build(little, cache)
    assert job.fresh
    assert again.pixels[:].shape == (17, 64, 64, 3)


def test_it_works_on_when_the_cache_is_deleted(little, cache):
    _, store = build(little, cache)
    before = store.pixels[:]
    shutil.rmtree(cache)
    np.testing.assert_array_equal(store.pixels[:], before)


def test_training_and_resuming_on_jpeg(little, sv, cache, monkeypatch):
    """A whole run with too little room; stopped in the middle of a pass it ends with the same weights."""
    monkeypatch.setenv("SVERTKA_CACHE", str(cache.parent))
    options = ("--net", "conv3-4 relu gap fc", "--size", "64", "--epochs", "2", "--set", "batch_size=4",
               "--weights", "none", "--json", "-q")  # fmt: skip
    status, _, err = sv("train", little, "--out", "one", "--cache-limit", str(17 * 64 * 64 * 3 * 3 // 4), *options)
    assert status == 0, err
    (store,) = cache.iterdir()
    assert (store / "pixels.bin").stat().st_size < 17 * 64 * 64 * 3

    def stop(event):
        if isinstance(event, Step) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    settings = {"net": "conv3-4 relu gap fc", "size": 64, "epochs": 2, "batch_size": 4, "weights": "none"}
    assert train(little, out="two", watch=stop, **settings).stopped
    log = [json.loads(line) for line in Path("two", "log.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in log if r["kind"] == "epoch"] == [1]
    assert not resume("two").stopped
    one, two = (Path(name, "model", "weights.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    assert sv("evaluate", "one", little, "--json")[0] == 0


# -- two processes ----------------------------------------------------------------------------------------------------

PROGRAM = """
import sys, time
from pathlib import Path
from svertka.data import begin_store, open_source
from svertka.data.store import worker_process
from svertka.kinds.image import Preprocess
worker_process._PROGRAM = (
    "import sys, json, time; sys.path[:] = json.loads(sys.argv[1]); "
    "import svertka.data.store.decode_worker as worker; from svertka.kinds.image.kind import ImageKind as K; "
    "whole = K.read_sized\\n"
    f"def slowly(*these): time.sleep({sys.argv[3]}); return whole(*these)\\n"
    "K.read_sized = slowly; worker.main()"
)
job = begin_store(open_source(sys.argv[1]), Preprocess(64, 64, 3, "crop"), Path(sys.argv[2]), workers=1)
print("begun", job.fresh, flush=True)
store = job.finish()
print(job.fresh, int(store.pixels[:].sum()), flush=True)
"""


def start(root, cache, pause: float) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, str(root), str(cache), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


pytest.importorskip("fcntl")


def test_one_builds_and_the_other_waits(photos, cache):
    with start(photos, cache, 0.1) as builder:
        assert builder.stdout.readline() == "begun True\n"
        with start(photos, cache, 0.0) as waiter:
            assert waiter.stdout.readline() == "begun False\n"
            assert len(list(cache.glob(".scratch*"))) <= 1
            built, waited = builder.stdout.readline().split(), waiter.stdout.readline().split()
    assert (built[0], waited[0]) == ("True", "False")
    assert built[1] == waited[1]
    assert len(list(cache.iterdir())) == 1


def test_who_waits_for_one_that_is_killed_builds(photos, cache):
    with start(photos, cache, 30.0) as builder:
        assert builder.stdout.readline() == "begun True\n"
        with start(photos, cache, 0.0) as waiter:
            assert waiter.stdout.readline() == "begun False\n"
            builder.send_signal(signal.SIGKILL)
            assert waiter.stdout.readline().split()[0] == "True"
    job, _ = build(photos, cache)
    assert not job.fresh


def test_a_cache_that_may_only_be_read_is_used(photos, cache):
    build(photos, cache)
    places = [cache, *cache.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        job, store = build(photos, cache)
    finally:
        for place in places:
            place.chmod(0o755)
    assert not job.fresh
    assert store.readable.sum() == 16


# -- work ahead -------------------------------------------------------------------------------------------------------


def test_ahead_gives_the_same_things_and_their_trouble():
    assert list(ahead(iter(range(100)))) == list(range(100))

    def broken():
        yield 1
        raise DataError("gone")

    things = ahead(broken())
    assert next(things) == 1
    with pytest.raises(DataError, match="gone"):
        next(things)


def test_ahead_stops_when_nobody_asks():
    made = []
    things = ahead((made.append(i) or i for i in range(10**6)), most=2)
    assert next(things) == 0
    things.close()
    time.sleep(0.3)
    count = len(made)
    time.sleep(0.3)
    assert len(made) == count < 10
