"""The store: right pixels, built once, finished or absent whatever happens meanwhile."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svertka.cache.locks import Scratch, reserve, sweep
from svertka.common import restored
from svertka.data import begin_store, open_source
from svertka.data.store import builder as building
from svertka.data.store.worker_process import Worker
from svertka.errors import DataError
from svertka.kinds.image import Preprocess, read

GRAY = Preprocess(8, 8, 1)


def noise(seed: int, size: tuple[int, int] = (8, 8), mode: str = "L") -> Image.Image:
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "stores"


@pytest.fixture
def pets(tmp_path):
    """Two classes of five small pictures, one file of which is no picture."""
    root = tmp_path / "pets"
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for i in range(5):
            noise(10 * len(label) + i + (label == "dog") * 100).save(root / label / f"{i}.png")
    (root / "dog/3.png").write_bytes(b"<html>not found</html>")
    return root


def contents(cache: Path) -> list[str]:
    """What lies in the cache, once whatever is being published is."""
    for thread in list(building._publications.values()):
        thread.join()
    return sorted(p.name for p in cache.iterdir()) if cache.exists() else []


def build(root, cache, preprocess=GRAY, **options):
    job = begin_store(open_source(root), preprocess, cache, **options)
    return job, job.finish()


def test_the_store_holds_what_read_gives(pets, cache):
    source = open_source(pets)
    job, store = build(pets, cache, workers=2)
    assert job.fresh
    assert (job.done, job.total) == (10, 10)
    assert store.pixels.shape == (10, 8, 8, 1)
    assert store.pixels.dtype == np.uint8
    assert store.reasons == {8: "it is a web page"}
    assert store.readable.tolist() == [i != 8 for i in range(10)]
    assert (store.pixels[8] == 0).all()
    assert store.sizes[0].tolist() == [8, 8]
    assert store.sizes[8].tolist() == [0, 0]
    for i in range(10):
        data = source.read(i)
        assert store.digests[i].tobytes() == hashlib.blake2b(data, digest_size=16).digest()
        if i != 8:
            np.testing.assert_array_equal(store.pixels[i], read(data, GRAY, source.paths[i]))
    assert len(contents(cache)) == 1


def test_workers_and_chunks_change_nothing(tmp_path, cache, monkeypatch):
    root = tmp_path / "d"
    for i in range(150):
        place = root / f"{i % 3}" / f"{i}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        noise(i, (5 + i % 7, 9), "RGB" if i % 2 else "L").save(place)
    preprocess = Preprocess(6, 7, 3, "crop")
    _, one = build(root, cache, preprocess, workers=1)
    monkeypatch.setattr(building, "_CHUNK_FILES", 4)
    job, many = build(root, cache.with_name("other"), preprocess, workers=3)
    assert job.fresh
    np.testing.assert_array_equal(one.pixels, many.pixels)
    np.testing.assert_array_equal(one.digests, many.digests)
    np.testing.assert_array_equal(one.sizes, many.sizes)


def test_the_second_time_it_is_only_opened(pets, cache, monkeypatch):
    _, first = build(pets, cache)

    def refuse(*_):
        raise AssertionError("a worker was started")

    monkeypatch.setattr(building, "Worker", refuse)
    told = []
    job = begin_store(open_source(pets), GRAY, cache)
    second = job.finish(lambda done, total: told.append((done, total)))
    assert not job.fresh
    assert job.done == job.total == 10
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.digests, second.digests)
    assert first.reasons == second.reasons


def test_another_source_or_preprocess_is_another_store(pets, cache):
    for preprocess in (GRAY, Preprocess(8, 9, 1), Preprocess(8, 8, 3), Preprocess(8, 8, 1, "crop")):
        assert build(pets, cache, preprocess)[0].fresh
    same = Preprocess(8, 8, 1, "stretch", (0.1,), (0.2,))  # what is applied to batches does not change the store
    assert not build(pets, cache, same)[0].fresh
    assert build(pets, cache, Preprocess(8, 8, 1, "pad", (0.1,)))[0].fresh
    assert build(pets, cache, Preprocess(8, 8, 1, "pad", (0.9,)))[0].fresh
    noise(77).save(pets / "cat/new.png")
    job, store = build(pets, cache)
    assert job.fresh
    assert len(store) == 11


def test_archives_and_digits(pets, tmp_path, cache):
    _, folder = build(pets, cache)
    archive = tmp_path / "pets.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(pets.rglob("*.png")):
            target.write(file, file.relative_to(pets))
    _, packed = build(archive, cache)
    np.testing.assert_array_equal(folder.pixels, packed.pixels)
    assert packed.reasons == folder.reasons
    _, digits = build("digits", cache)
    assert digits.pixels.shape == (1797, 8, 8, 1)
    assert digits.readable.all()


def test_progress_is_told_to_the_end(pets, cache):
    told = []
    begin_store(open_source(pets), GRAY, cache).finish(lambda done, total: told.append((done, total)))
    assert told[-1] == (10, 10)
    assert told == sorted(told)


def test_beginning_does_not_wait(pets, cache):
    source = open_source(pets)
    began = time.perf_counter()
    job = begin_store(source, GRAY, cache)
    assert time.perf_counter() - began < 0.5  # 50 ms on a machine of one's own
    job.finish()


def test_a_read_only_folder_works(pets, cache):
    places = [pets, *pets.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        before = sorted(pets.rglob("*"))
        assert build(pets, cache)[1].readable.sum() == 9
        assert sorted(pets.rglob("*")) == before
    finally:
        for place in places:
            place.chmod(0o755)


# -- damage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["short", "zeros", "bit", "facts", "reasons", "columns", "gone"])
def test_a_damaged_store_is_built_again(pets, cache, harm):
    _, first = build(pets, cache)
    (name,) = contents(cache)
    folder = cache / name
    pixels = (folder / "pixels.bin").read_bytes()
    if harm == "short":
        (folder / "pixels.bin").write_bytes(pixels[:-1])
    elif harm == "zeros":
        (folder / "pixels.bin").write_bytes(bytes(len(pixels)))
    elif harm == "bit":
        (folder / "pixels.bin").write_bytes(pixels[:333] + bytes([pixels[333] ^ 4]) + pixels[334:])
    elif harm == "facts":
        (folder / "store.json").write_text("{")
    elif harm == "reasons":
        text = (folder / "store.json").read_text()
        (folder / "store.json").write_text(text.replace("web page", "web rage"))
    elif harm == "gone":
        (folder / "columns.bin").unlink()
    else:
        data = bytearray((folder / f"{harm}.bin").read_bytes())
        data[-1] ^= 1
        (folder / f"{harm}.bin").write_bytes(bytes(data))
    job, second = build(pets, cache)
    assert job.fresh
    assert second.reasons == first.reasons
    assert second.pixels.tobytes() == pixels
    assert contents(cache) == [name]
    assert not build(pets, cache)[0].fresh


def test_the_facts_are_plain_json(pets, cache):
    build(pets, cache)
    (name,) = contents(cache)
    checksum, text = (cache / name / "store.json").read_text().splitlines()
    assert len(checksum) == 32
    assert json.loads(text, object_hook=restored)["reasons"] == {"8": "it is a web page"}


# -- sudden ends ---------------------------------------------------------------------------------------------

SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
from pathlib import Path
from svertka.data import begin_store, open_source
from svertka.data.store import worker_process
from svertka.kinds.image import Preprocess
worker_process._PROGRAM = (
    "import sys, json, time; sys.path[:] = json.loads(sys.argv[1]); "
    "import svertka.data.store.decode_worker as worker; from svertka.kinds.image.kind import ImageKind as K; "
    "whole = K.read_sized\\n"
    "def slowly(*these): time.sleep(30); return whole(*these)\\n"
    "K.read_sized = slowly; worker.main()"
)
job = begin_store(open_source(sys.argv[1]), Preprocess(8, 8, 1), Path(sys.argv[2]), workers=2)
while len(job._workers) < 2:
    time.sleep(0.01)
print(*[worker.pid for worker in job._workers], flush=True)
job.finish()
"""


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_ends_leaves_no_half_store(pets, cache, monkeypatch, how):
    command = [sys.executable, "-c", SLOW, str(pets), str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        left = [name for name in contents(cache) if not name.startswith(".")]
        assert left == []
        process.send_signal(how)
        process.wait(20)
    deadline = time.monotonic() + 20
    while not all(map(gone, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(map(gone, pids))
    # Ctrl-C cleans up; a kill leaves its scratch folder, and the file by which others waited for it
    assert len(contents(cache)) == 2 * (how == signal.SIGKILL)
    monkeypatch.setattr("svertka.cache.locks._YOUNG", 0.0)
    job, store = build(pets, cache)
    assert job.fresh
    assert store.readable.sum() == 9
    (name,) = contents(cache)  # the scratch folder of the dead is swept
    assert not name.startswith(".")


def test_a_living_scratch_folder_is_not_swept(cache, monkeypatch):
    monkeypatch.setattr("svertka.cache.locks._YOUNG", 0.0)
    scratch = Scratch(cache)
    sweep(cache)
    assert scratch.path.is_dir()
    scratch.discard()
    assert contents(cache) == []


def test_cancelling_leaves_nothing(pets, cache):
    with begin_store(open_source(pets), GRAY, cache) as job:
        pass
    assert contents(cache) == []
    with pytest.raises(DataError, match="cancelled"):
        job.finish()
    with pytest.raises(ZeroDivisionError):
        begin_store(open_source(pets), GRAY, cache).finish(lambda *_: 1 / 0)
    assert contents(cache) == []


def test_a_worker_that_is_killed_is_replaced(pets, cache, monkeypatch):
    started = []

    class Mortal(Worker):
        def __init__(self, *these):
            super().__init__(*these)
            started.append(self)
            if len(started) == 1:
                os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(building, "Worker", Mortal)
    _, store = build(pets, cache, workers=1)
    assert len(started) == 2
    assert store.reasons == {8: "it is a web page"}
    assert store.readable.sum() == 9


def deadly(monkeypatch, action: str) -> None:
    """Let workers do something when they read a file whose name has a 2."""
    program = (
        "import sys, json, os, signal, time; sys.path[:] = json.loads(sys.argv[1]); "
        "import svertka.data.store.decode_worker as worker; from svertka.kinds.image.kind import ImageKind as K; "
        "whole = K.read_sized\n"
        f"def fatal(own, data, how, path):\n    if '2' in path: {action}\n    return whole(own, data, how, path)\n"
        "K.read_sized = fatal; worker.main()"
    )
    monkeypatch.setattr("svertka.data.store.worker_process._PROGRAM", program)


def test_a_file_that_kills_every_worker_is_unreadable(pets, cache, monkeypatch):
    deadly(monkeypatch, "os.kill(os.getpid(), signal.SIGSEGV)")
    _, store = build(pets, cache, workers=2)
    reason = "the decoder breaks down over it (signal 11)"
    assert store.reasons == {2: reason, 7: reason, 8: "it is a web page"}
    assert store.readable.sum() == 7


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="this system has no alarm")
def test_a_file_that_takes_too_long_is_unreadable(pets, cache, monkeypatch):
    deadly(monkeypatch, "signal.alarm(1); time.sleep(30)")
    _, store = build(pets, cache, workers=2)
    reason = "decoding it takes longer than 60 seconds"
    assert store.reasons == {2: reason, 7: reason, 8: "it is a web page"}


def test_a_mistake_of_ours_is_not_blamed_on_the_file(pets, cache, monkeypatch):
    deadly(monkeypatch, "raise KeyError('ours')")
    with pytest.raises(RuntimeError, match="KeyError: 'ours'"):
        build(pets, cache)
    assert contents(cache) == []


def test_workers_that_cannot_start_are_told(pets, cache, monkeypatch):
    monkeypatch.setattr("svertka.data.store.worker_process._PROGRAM", "raise SystemExit('no numpy here')")
    with pytest.raises(DataError, match=r"cannot be started \(no numpy here\)"):
        build(pets, cache)
    assert contents(cache) == []


def test_a_machine_that_starts_no_more_processes_is_told(pets, cache, monkeypatch):
    def full(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("svertka.data.store.worker_process.subprocess.Popen", full)
    with pytest.raises(DataError, match=r"cannot be started \(Resource temporarily unavailable\)"):
        build(pets, cache)
    assert contents(cache) == []


def test_a_source_that_vanishes_is_told(pets, cache, tmp_path):
    archive = tmp_path / "pets.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for file in sorted(pets.rglob("*.png")):
            target.write(file, file.relative_to(pets))
    source = open_source(archive)
    archive.unlink()
    with pytest.raises(DataError, match="cannot be opened"):
        begin_store(source, GRAY, cache).finish()
    folder = open_source(pets)
    (pets / "cat/1.png").unlink()
    assert begin_store(folder, GRAY, cache).finish().reasons[1] == "it has vanished since the folder was listed"


# -- two at once, full disks ---------------------------------------------------------------------------------


def test_two_builders_at_once_both_end_well(pets, cache):
    jobs = [begin_store(open_source(pets), GRAY, cache) for _ in range(2)]
    assert all(job.fresh for job in jobs)
    stores = [job.finish() for job in jobs]
    np.testing.assert_array_equal(stores[0].pixels, stores[1].pixels)
    (name,) = contents(cache)
    assert not name.startswith(".")
    assert not build(pets, cache)[0].fresh


def test_workers_may_be_stopped_from_two_threads_at_once(pets, cache):
    """The one that tends a worker stops it, and so does the one that has all answers."""
    worker = Worker(open_source(pets), GRAY, reserved(cache))
    problems: list[BaseException] = []

    def stop():
        try:
            worker.stop()
        except BaseException as why:
            problems.append(why)

    threads = [threading.Thread(target=stop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert worker.answer() is None


def reserved(cache):
    cache.mkdir(parents=True)
    (cache / "pixels.bin").touch()
    return cache / "pixels.bin"


def test_two_processes_at_once_both_end_well(pets, cache):
    code = """
import sys
from pathlib import Path
from svertka.data import begin_store, open_source
from svertka.kinds.image import Preprocess
job = begin_store(open_source(sys.argv[1]), Preprocess(8, 8, 1), Path(sys.argv[2]))
print(int(job.finish().pixels.sum()))
"""
    command = [sys.executable, "-c", code, str(pets), str(cache)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert answers[0] == answers[1]
    assert answers[0][1] == b""
    (name,) = contents(cache)
    assert not name.startswith(".")


def test_a_full_disk_is_told_before_anything_is_decoded(pets, cache, monkeypatch):
    class Usage:
        free = 100

    monkeypatch.setattr("svertka.cache.locks.shutil.disk_usage", lambda _: Usage)
    words = r"need 2\.3 kB in the cache folder .*stores, where 0\.0 kB are free.*SVERTKA_CACHE"
    with pytest.raises(DataError, match=words):
        begin_store(open_source(pets), GRAY, cache)
    assert contents(cache) == []


def test_a_disk_that_fills_up_is_told(pets, cache, monkeypatch):
    """A limit on the size of files stands in for the disk."""
    resource = pytest.importorskip("resource")

    def limited(path, size):
        path.touch()

    monkeypatch.setattr(building, "reserve", limited)
    program = (
        "import sys, json, resource, signal; sys.path[:] = json.loads(sys.argv[1]); "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
        "from svertka.data.store.decode_worker import main; main()"
    )
    monkeypatch.setattr("svertka.data.store.worker_process._PROGRAM", program)
    with pytest.raises(DataError, match=r"stores cannot be written \(File too large\).*SVERTKA_CACHE"):
        build(pets, cache)
    assert contents(cache) == []
    assert resource


def test_room_is_reserved(tmp_path):
    (tmp_path / "scratch").mkdir()
    file = tmp_path / "scratch" / "pixels.bin"
    reserve(file, 12345)
    assert file.stat().st_size == 12345
    with pytest.raises(DataError, match=r"need .* GB"):
        reserve(file, 2**60)


def test_a_cache_that_cannot_be_written_is_told(pets, tmp_path):
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(DataError, match=r"cache folder .* cannot be written \(Not a directory\).*SVERTKA_CACHE"):
        begin_store(open_source(pets), GRAY, tmp_path / "taken" / "stores")


def test_a_cache_deleted_meanwhile_is_told_or_survived(pets, cache):
    import shutil

    job = begin_store(open_source(pets), GRAY, cache)
    while job.done < job.total:
        time.sleep(0.01)
    shutil.rmtree(cache)
    with pytest.raises(DataError, match="cannot be written"):
        job.finish()
    _, store = build(pets, cache)
    contents(cache)
    shutil.rmtree(cache)
    assert store.pixels[0].any()  # whoever has it open keeps it


def test_a_job_may_be_finished_from_another_thread(pets, cache):
    job = begin_store(open_source(pets), GRAY, cache)
    stores = []
    thread = threading.Thread(target=lambda: stores.append(job.finish()))
    thread.start()
    thread.join()
    assert job.finish() is stores[0]


def test_a_hostile_archive_goes_through(shared, tmp_path, cache):
    """Every odd file at once, by real workers: no crash, no hang, a reason for each that is not decoded."""
    source = open_source(shared / "data" / "awkward.zip")
    _, store = build(shared / "data" / "awkward.zip", cache, Preprocess(64, 64, 3, "crop"))
    assert 20 < store.readable.sum() < 45
    assert len(store.reasons) == 45 - store.readable.sum()
    assert all(store.reasons.values())
    assert not any("breaks down" in reason for reason in store.reasons.values())
    for i in np.flatnonzero(store.readable).tolist():
        assert store.sizes[i].min() > 0, source.paths[i]


def test_photos_are_stored_as_they_are_read(shared, cache):
    source = open_source(shared / "data" / "hymenoptera.zip")
    preprocess = Preprocess(96, 96, 3, "crop")
    _, store = build(shared / "data" / "hymenoptera.zip", cache, preprocess)
    assert store.readable.all()
    for i in range(0, 398, 57):
        np.testing.assert_array_equal(store.pixels[i], read(source.read(i), preprocess, source.paths[i]))
        with Image.open(io.BytesIO(source.read(i))) as image:
            assert store.sizes[i].tolist() == [image.height, image.width]
