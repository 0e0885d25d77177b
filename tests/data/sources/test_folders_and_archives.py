"""Sources: what is found in folders and archives, what is left out and why, what is an error."""

import contextlib
import io
import os
import random
import re
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from make_pictures import as_tar, as_zip, fill, png
from opened import left_aside, refusal
from PIL import Image

from svertka.data import open_source, survey
from svertka.data.folders.archive_listing import _put, _tar_members
from svertka.data.folders.file_tree import Tree, hidden
from svertka.data.path_array import Paths, natural
from svertka.data.sources.readers import fetch_all
from svertka.errors import DataError, ReadError

ROOT = os.geteuid() == 0 if hasattr(os, "geteuid") else False


SPLIT = ["train/10/a.png", "train/2/b.png", "train/2/sub/c.png", "val/2/d.png", "test/10/e.png"]


# -- layouts -------------------------------------------------------------------------------------------------


def test_a_flat_folder(tmp_path):
    source = open_source(fill(tmp_path / "pets", "cats/a.png", "cats/b.jpg", "dogs/c.png"))
    assert (source.name, source.kind, source.where) == ("pets", "folder", str(tmp_path / "pets"))
    assert source.classes == ("cats", "dogs")
    assert list(source.paths) == ["cats/a.png", "cats/b.jpg", "dogs/c.png"]
    assert source.labels.tolist() == [0, 0, 1]
    assert source.labels.dtype == np.int32
    assert source.parts.tolist() == [0, 0, 0]
    assert source.parts.dtype == np.uint8
    assert source.sizes.tolist() == [len(png(i)) for i in range(3)]
    assert source.skipped == source.notes == ()
    assert source.read(2) == png(2)


def archives(root: Path, tmp_path: Path) -> dict[str, Path]:
    return {
        "folder": root,
        "zip": as_zip(root, tmp_path / "stored.zip"),
        "deflated": as_zip(root, tmp_path / "deflated.zip", compression=zipfile.ZIP_DEFLATED),
        "bzip2": as_zip(root, tmp_path / "bzip2.zip", compression=zipfile.ZIP_BZIP2),
        "lzma": as_zip(root, tmp_path / "lzma.zip", compression=zipfile.ZIP_LZMA),
        "tar": as_tar(root, tmp_path / "plain.tar"),
        "gz": as_tar(root, tmp_path / "packed.tar.gz", "w:gz"),
        "bz2": as_tar(root, tmp_path / "packed.tar.bz2", "w:bz2"),
        "xz": as_tar(root, tmp_path / "packed.tgz", "w:xz"),
    }


def test_every_kind_of_source_says_the_same(tmp_path):
    root = fill(tmp_path / "data", *SPLIT, "README.md", "train/stray.png")
    (root / "README.md").write_text("about these pictures")
    written = {p.parent for p in root.rglob("*") if p.is_file()}
    first = open_source(root)
    assert first.classes == ("2", "10")  # in natural order
    assert first.parts.tolist() == [1, 1, 1, 2, 3]
    for where in archives(root, tmp_path).values():
        source = open_source(where)
        assert source.classes == first.classes
        assert source.paths == first.paths
        np.testing.assert_array_equal(source.labels, first.labels)
        np.testing.assert_array_equal(source.parts, first.parts)
        np.testing.assert_array_equal(source.sizes, first.sizes)
        assert left_aside(source) == {
            "README.md": "no picture: it is a text",
            "train/stray.png": "it lies beside the class folders and so has no class",
        }
        assert [source.read(i) for i in range(5)] == [first.read(i) for i in range(5)]
    assert {p.parent for p in tmp_path.rglob("*") if p.is_file()} == written | {tmp_path}  # nothing unpacked beside


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val", "VALIDATION"])
def test_names_of_the_validation_folder(tmp_path, name):
    source = open_source(fill(tmp_path, "Train/a/1.png", "Train/b/2.png", f"{name}/a/3.png"))
    assert source.parts.tolist() == [1, 1, 2]


def test_folders_around_everything_are_passed_through(tmp_path):
    names = [f"set/pictures/{name}" for name in SPLIT]
    root = fill(tmp_path / "x", *names, "set/LICENSE")
    assert open_source(root).parts.tolist() == [1, 1, 1, 2, 3]
    assert open_source(as_zip(root, tmp_path / "x.zip")).classes == ("2", "10")
    assert open_source(fill(tmp_path / "y", "w/cat/1.png", "w/dog/2.png")).classes == ("cat", "dog")


def test_a_class_may_be_called_train(tmp_path):
    source = open_source(fill(tmp_path, "bus/1.png", "car/2.png", "train/3.png"))
    assert source.classes == ("bus", "car", "train")
    assert source.parts.tolist() == [0, 0, 0]


def test_names_of_any_kind(tmp_path):
    names = ["кошки/мой кот.png", "犬/a b.png", "naïve class/ü.png", "100%/#1.png"]
    root = fill(tmp_path / "d", *names)
    for where in archives(root, tmp_path).values():
        source = open_source(where)
        assert set(source.paths) == set(names)
        assert source.classes == ("100%", "naïve class", "кошки", "犬")


def test_names_that_are_no_unicode(tmp_path):
    root = os.fsencode(tmp_path)
    for name in (b"a/\xff\xfe.png", b"b/ok.png"):
        os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)  # noqa: PTH103, PTH118, PTH120
        Path(os.fsdecode(os.path.join(root, name))).write_bytes(png())  # noqa: PTH118
    source = open_source(tmp_path)
    assert source.read(0) == png()


# -- what is left out ----------------------------------------------------------------------------------------


def test_hidden_and_system_things_are_told_and_left(tmp_path):
    extra = [".git/config", "cats/.ipynb_checkpoints/a.png", "__MACOSX/cats/._a.png", "cats/._a.png"]
    extra += ["cats/Thumbs.db", "dogs/desktop.ini", "@eaDir/x.png"]
    root = fill(tmp_path / "d", "cats/a.png", "dogs/b.png", *extra)
    for where in archives(root, tmp_path).values():
        source = open_source(where)
        assert list(source.paths) == ["cats/a.png", "dogs/b.png"]
        assert left_aside(source) == {
            ".git/": "hidden or system folder",
            "@eaDir/": "hidden or system folder",
            "__MACOSX/": "hidden or system folder",
            "cats/.ipynb_checkpoints/": "hidden or system folder",
            "cats/._a.png": "hidden or system file",
            "cats/Thumbs.db": "hidden or system file",
            "dogs/desktop.ini": "hidden or system file",
        }


def test_the_content_decides_where_the_name_does_not(tmp_path):
    root = fill(tmp_path, "a/picture", "a/odd.dat", "b/1.png")
    (root / "a/notes.txt").write_text("no picture")
    (root / "a/empty").touch()
    (root / "b/clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42....")
    source = open_source(root)
    assert list(source.paths) == ["a/odd.dat", "a/picture", "b/1.png"]
    assert left_aside(source) == {
        "a/notes.txt": "no picture: it is a text",
        "a/empty": "no picture: it is empty",
        "b/clip.mp4": "no picture: it is a video",
    }


def test_many_others_are_counted_and_not_named(tmp_path):
    root = fill(tmp_path, "a/1.png", "b/2.png")
    for i in range(300):
        (root / f"a/{i}.txt").write_text("box")
    reasons = [one.reason for one in open_source(root).skipped]
    assert reasons == ["50 files: no picture: it is a text", "250 files: no picture (.txt)"]


def test_folders_without_pictures_make_no_class(tmp_path):
    root = fill(tmp_path, "a/1.png", "b/2.png", "annotations/x.xml", "void/")
    (root / "annotations/x.xml").write_text("<?xml?>")
    source = open_source(root)
    assert source.classes == ("a", "b")
    assert left_aside(source)["annotations/"] == "a folder without pictures makes no class"


def test_links_are_followed_but_not_in_circles(tmp_path):
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    outside = fill(tmp_path / "elsewhere", "3.png")
    (root / "c").symlink_to(outside, target_is_directory=True)
    (root / "a/again.png").symlink_to(root / "b/2.png")
    (root / "a/up").symlink_to(root, target_is_directory=True)
    (root / "a/nowhere.png").symlink_to(tmp_path / "gone.png")
    (root / "b/self").symlink_to("self")
    source = open_source(root)
    assert list(source.paths) == ["a/1.png", "a/again.png", "b/2.png", "c/3.png"]
    assert left_aside(source) == {
        "a/up/": "a link that leads back to a folder above it",
        "a/nowhere.png": "a link that leads nowhere",
        "b/self": "a link that leads nowhere",
    }


def test_links_across_do_not_explode(tmp_path):
    root = fill(tmp_path, *(f"{name}/1.png" for name in "abcdefgh"))
    for one in "abcdefgh":
        for other in "abcdefgh":
            (root / one / f"to-{other}").symlink_to(root / other, target_is_directory=True)
    assert len(open_source(root)) <= 8 * 9


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this system")
def test_a_pipe_does_not_hang(tmp_path):
    root = fill(tmp_path, "a/1.png", "b/2.png")
    os.mkfifo(root / "a/pipe.png")
    assert left_aside(open_source(root)) == {"a/pipe.png": "neither a file nor a folder"}


def test_a_read_only_folder_works(tmp_path):
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    places = [root, *root.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        source = open_source(root)
        assert [source.read(i) for i in range(2)] == [png(0), png(1)]
    finally:
        for place in places:
            place.chmod(0o755)


def test_classes_that_differ_by_case_are_noted(tmp_path):
    source = open_source(fill(tmp_path, "Cat/1.png", "cat/2.png", "dog/3.png"))
    assert len(source.classes) == 3
    assert source.notes == (
        "The classes 'Cat' and 'cat' differ only by case; if they are one class, join their folders.",
    )


# -- archives ------------------------------------------------------------------------------------------------


def zip_of(target: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return target


GOOD = (("a/1.png", png(1)), ("b/2.png", png(2)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_odd_members_of_a_zip_are_left_out(tmp_path):
    link = zipfile.ZipInfo("a/link.png")
    link.create_system = 3
    link.external_attr = 0o120777 << 16
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (*GOOD, ("../out.png", png()), ("/abs.png", png()), ("C:/x.png", png())):
            archive.writestr(name, data)
        archive.writestr("a/1.png", png(9))
        archive.writestr(link, "../../etc/passwd")
        archive.writestr("b/bz.png", png(3), compress_type=zipfile.ZIP_BZIP2)
        archive.writestr("b/zstd.png", png())
    data = bytearray(path.read_bytes())
    at = data.rindex(b"b/2.png") - 46 + 8  # the flags of one member, in the directory
    data[at] |= 1
    at = data.rindex(b"b/zstd.png") - 46 + 10  # its method
    data[at] = 93
    path.write_bytes(bytes(data))
    source = open_source(path)
    assert list(source.paths) == ["a/1.png", "b/bz.png"]
    assert [source.read(i) for i in range(2)] == [png(1), png(3)]
    outside = "its name points outside the archive"
    assert left_aside(source) == {
        "../out.png": outside,
        "/abs.png": outside,
        "C:/x.png": outside,
        "a/1.png": "a second file of that name in the archive",
        "a/link.png": "a link inside an archive is not followed",
        "b/2.png": "encrypted",
        "b/zstd.png": "compressed by a method (number 93) that is not read",
    }


def test_odd_members_of_a_tar_are_left_out(tmp_path):
    with tarfile.open(tmp_path / "odd.tar", "w") as archive:
        for name, data in (*GOOD, ("../out.png", png()), ("/abs.png", png())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"a/{kind.decode()}.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    source = open_source(tmp_path / "odd.tar")
    assert list(source.paths) == ["a/1.png", "b/2.png"]
    assert len(source.skipped) == 5


NAME = st.text(st.characters(categories=["L", "N"], include_characters=" .-"), min_size=1, max_size=40)


@given(
    st.lists(st.tuples(st.lists(NAME, min_size=1, max_size=8), st.integers(0, 2000)), min_size=1, max_size=6),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.sampled_from([tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.CONTTYPE]),
    st.booleans(),
)
@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
def test_members_of_a_tar_are_those_that_tarfile_finds(tmp_path_factory, files, form, kind, shared_headers):
    path = tmp_path_factory.mktemp("tar") / "x.tar"
    headers = {"comment": "for all"} if shared_headers and form == tarfile.PAX_FORMAT else None
    with tarfile.open(path, "w", format=form, pax_headers=headers) as archive:
        for i, (parts, size) in enumerate(files):
            member = tarfile.TarInfo("/".join([*parts, f"{i}.png"]))
            member.size, member.mtime = size, i + 0.5 * (i % 2)
            member.type = kind if i == 1 else tarfile.REGTYPE
            if member.type in (tarfile.SYMTYPE, tarfile.DIRTYPE):
                member.size = 0
            with contextlib.suppress(ValueError):  # ustar has room for names of 256 bytes only
                archive.addfile(member, io.BytesIO(bytes([i]) * size))
    with tarfile.open(path) as archive:
        truth = [(m.name, m.offset_data, m.size, m.isreg()) for m in archive if not m.isdir()]
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        found = [(name, at, size, not reason) for name, reason, at, size in _tar_members(file, archive)]
    assert found == truth


def test_a_zip_behind_other_bytes_is_read(tmp_path):
    path = zip_of(tmp_path / "x.zip", *GOOD)
    path.write_bytes(b"#!/bin/sh\n" * 50 + path.read_bytes())
    source = open_source(path)
    assert [source.read(i) for i in range(2)] == [png(1), png(2)]


def test_zip64_is_read(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in GOOD:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    data = path.read_bytes()
    directory = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    size = end - directory
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, size, directory)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    classic = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:end] + record + locator + classic)
    source = open_source(path)
    assert [source.read(i) for i in range(2)] == [png(1), png(2)]


def test_names_of_old_and_careless_zips(tmp_path):
    path = zip_of(tmp_path / "x.zip", ("a/1.png", png(1)), ("b\\2.png".replace("\\", "/"), png(2)))
    data = path.read_bytes().replace(b"b/2.png", b"b\\2.png").replace(b"a/1.png", b"\x84/1.png"[:7])
    path.write_bytes(data)
    assert list(open_source(path).paths) == ["b/2.png", "ä/1.png"]


def test_damage_in_a_zip_is_found_by_its_checksum(tmp_path):
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = tmp_path / f"{compression}.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in GOOD:
                archive.writestr(name, data)
        data = bytearray(path.read_bytes())
        data[30 + len("a/1.png") + 20] ^= 0xFF
        path.write_bytes(bytes(data))
        source = open_source(path)
        with pytest.raises(ReadError, match="damaged here"):
            source.read(0)
        assert source.read(1) == png(2)


def test_lzma_reaches_as_far_back_as_its_data(tmp_path):
    far = random.Random(0).randbytes(50_000)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a/1.png", png(1) + far + far)
        archive.writestr("b/2.png", png(2))
    assert open_source(tmp_path / "x.zip").read(0) == png(1) + far + far


METHODS = [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_member_is_a_reason(tmp_path, method):
    path = tmp_path / "x.zip"
    noise = random.Random(0).randbytes(5000)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a/1.png", png(1) + noise)
        archive.writestr("b/2.png", png(2))
        at = archive.getinfo("a/1.png").header_offset + 2000
    data = bytearray(path.read_bytes())
    data[at : at + 100] = bytes(100)
    path.write_bytes(bytes(data))
    source = open_source(path)
    with pytest.raises(ReadError, match="damaged here"):
        source.read(0)
    assert source.read(1) == png(2)


def test_many_members_at_once_are_those_read_alone(tmp_path):
    """Small ones that lie side by side come out of one block; large, damaged and scattered ones all the same."""
    place = tmp_path / "many.zip"
    g = np.random.default_rng(0)
    with zipfile.ZipFile(place, "w") as archive:
        for i in range(60):
            method = zipfile.ZIP_DEFLATED if i % 3 else zipfile.ZIP_STORED
            size = 40_000 if i % 17 == 5 else int(g.integers(1, 900))
            archive.writestr(f"{'ab'[i % 2]}/{i}.png", png() + g.bytes(size) + bytes(size), method)
    whole = bytearray(place.read_bytes())
    whole[len(whole) // 3] ^= 1
    place.write_bytes(bytes(whole))
    source = open_source(place)
    found = list(fetch_all(source.reader, source.paths, source.rows))
    assert len(found) == 60
    damaged = 0
    for i, data in enumerate(found):
        if isinstance(data, ReadError):
            damaged += 1
            with pytest.raises(ReadError, match=re.escape(str(data))):
                source.read(i)
        else:
            assert data == source.read(i)
    assert damaged == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_zip_bomb_is_not_inflated(tmp_path, method):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a/bomb.png", bytes(300 * 2**20 if method == zipfile.ZIP_DEFLATED else 2**24))
        archive.writestr("b/2.png", png(2))
    source = open_source(path)
    if method == zipfile.ZIP_DEFLATED:
        with pytest.raises(ReadError, match="too large for a picture"):
            source.read(0)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"a/bomb.png") - 46 + 24
    data[at : at + 4] = struct.pack("<I", 100)  # it lies about its size
    path.write_bytes(bytes(data))
    source = open_source(path)
    tracemalloc.start()
    with pytest.raises(ReadError, match="damaged here"):
        source.read(0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21  # not one byte more than it promised was unpacked


@given(st.data())
@settings(deadline=None)
def test_broken_zips_never_raise_anything_else(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("broken", numbered=True)
    whole = bytearray(zip_of(folder / "x.zip", *GOOD).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    (folder / "x.zip").write_bytes(bytes(whole[:cut] if data.draw(st.booleans()) else whole))
    try:
        source = open_source(folder / "x.zip", least_classes=1)
        for i in range(len(source)):
            source.read(i)
    except DataError as why:  # ReadError is one of them
        assert str(why).endswith((".", "?"))  # noqa: PT017  both outcomes are right


# -- errors --------------------------------------------------------------------------------------------------


def test_no_such_folder_offers_what_is_near(tmp_path):
    fill(tmp_path, "flowers/a/1.png", "trees/a/1.png")
    near = tmp_path / "flower"
    assert refusal(near) == f"There is no folder or archive {near}. Did you mean {tmp_path / 'flowers'}?"
    assert "nor the folder" in refusal(tmp_path / "no" / "such")


def test_sentences(tmp_path):
    empty = fill(tmp_path / "empty", "/")
    (tmp_path / "empty").mkdir(exist_ok=True)
    assert refusal(empty) == f"{empty} is empty; it should hold one folder of pictures for each class."
    one = fill(tmp_path / "one", "cats/1.png")
    assert "one class only ('cats')" in refusal(one)
    loose = fill(tmp_path / "loose", "1.png", "2.png")
    assert "no pictures in class folders" in refusal(loose)
    assert "1.png: it lies beside the class folders" in refusal(loose)
    other = fill(tmp_path / "other", "a/", "b/")
    for i in range(3):
        (other / f"a/{i}.wav").write_bytes(b"RIFF....WAVEfmt ")
    (other / "b/x.csv").write_text("1,2")
    assert refusal(other) == f"There are no pictures in {other}, only other files (3 .wav and 1 .csv)."
    packed = fill(tmp_path / "packed", "/")
    (tmp_path / "packed").mkdir(exist_ok=True)
    (packed / "1.tar").write_bytes(b"x")
    assert f"(1 .tar). What is packed is read when it is named, as {packed}/*.tar." in refusal(packed)
    bare = fill(tmp_path / "bare", "train/1.png", "val/2.png")
    assert "the folders 'train' and 'val' without class folders inside" in refusal(bare)
    stranger = fill(tmp_path / "stranger", "train/cat/1.png", "train/dog/2.png", "val/Cat/3.png")
    assert "validation part has the class 'Cat', which the train part lacks (it has 'cat')" in refusal(stranger)


def test_files_that_are_no_archive(tmp_path):
    for name, data, words in (
        ("x.png", png(), "it is a single picture (PNG)"),
        ("x.dat", b"hello", "it is a text"),
        ("x.txt", b"hello", "x.txt names hello, but there is no"),
        ("x.md", b"hello", "neither a folder nor an archive (.zip, .tar, .tar.gz) nor a table"),
        ("x.zip", b"hello", "no zip archive, or an incomplete one"),
        (
            "y.zip",
            zip_of(tmp_path / "y.zip", *GOOD).read_bytes()[:-30],
            "no zip archive, or an incomplete one",
        ),
        ("x.tar", b"hello" * 200, "no tar archive, or a damaged one"),
        ("x.tar.gz", b"\x1f\x8b" + b"hello" * 20, "damaged or incomplete"),
    ):
        (tmp_path / name).write_bytes(data)
        assert words in refusal(tmp_path / name), name


def test_a_tar_that_is_cut_short_or_damaged_is_told(tmp_path):
    path = as_tar(fill(tmp_path / "d", *(f"{c}/{k}.png" for c in "ab" for k in range(8))), tmp_path / "x.tar")
    whole = path.read_bytes()
    assert open_source(path).skipped == ()
    with tarfile.open(path) as archive:
        places = [member.offset for member in archive if member.isfile()]
    for length in (places[12], places[12] + 200):  # between two files, and within a header
        path.write_bytes(whole[:length])
        source = open_source(path)
        assert len(source) == 12
        assert left_aside(source) == {"x.tar": "the archive has no end: it may have been cut short"}
    path.write_bytes(whole[: places[12]] + b"x" * 512 + whole[places[12] + 512 :])
    source = open_source(path)
    assert len(source) == 12
    assert "what follows its last file here cannot be read" in left_aside(source)["x.tar"]


def test_a_truncated_compressed_tar(tmp_path):
    noise = random.Random(0).randbytes(5000)
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    (root / "b/2.png").write_bytes(png(2) + noise)
    path = as_tar(root, tmp_path / "x.tar.gz", "w:gz")
    path.write_bytes(path.read_bytes()[:3000])
    assert "damaged or incomplete" in refusal(path)
    assert not list((Path(os.environ["SVERTKA_CACHE"]) / "archives").glob(".scratch-*"))


def test_a_compressed_tar_that_is_a_bomb(tmp_path, monkeypatch):
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    (root / "b/2.png").write_bytes(bytes(2**23))
    path = as_tar(root, tmp_path / "x.tar.gz", "w:gz")
    assert len(open_source(path)) == 2  # it is not large
    monkeypatch.setattr("svertka.data.folders.decompress._LARGE", 2**20)
    path = as_tar(root, tmp_path / "y.tar.gz", "w:gz")
    assert "unpacks to more than 200 times its size" in refusal(path)
    assert not list((Path(os.environ["SVERTKA_CACHE"]) / "archives").glob(".scratch-*"))


def test_files_that_change_or_vanish_are_read_errors(tmp_path):
    root = fill(tmp_path, "a/1.png", "a/2.png", "b/3.png")
    source = open_source(root)
    (root / "a/1.png").unlink()
    (root / "a/2.png").write_bytes(png(7, (9, 9)))
    with pytest.raises(ReadError, match="vanished since"):
        source.read(0)
    with pytest.raises(ReadError, match="changed since"):
        source.read(1)
    (root / "b/3.png").unlink()
    (root / "b/3.png").mkdir()
    with pytest.raises(ReadError):
        source.read(2)


@pytest.mark.skipif(ROOT, reason="the superuser may read everything")
def test_what_may_not_be_read_is_told(tmp_path):
    root = fill(tmp_path, "a/1.png", "b/2.png", "c/3.png")
    (root / "c").chmod(0)
    (root / "a/1.png").chmod(0)
    try:
        source = open_source(root)
        assert left_aside(source)["c/"] == "the folder cannot be listed (Permission denied)"
        with pytest.raises(ReadError, match="Permission denied"):
            source.read(0)
    finally:
        (root / "c").chmod(0o755)


# -- built in, survey, columns -------------------------------------------------------------------------------


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    from svertka.kinds.image import decode

    source = open_source("digits")
    bunch = load_digits()
    assert len(source) == 1797
    assert source.classes == tuple("0123456789")
    ours = np.stack([decode(source.read(i), source.paths[i]) for i in range(len(source))])
    order = np.argsort(bunch.target, kind="stable")
    np.testing.assert_array_equal(source.labels, bunch.target[order])
    np.testing.assert_array_equal(np.rint(ours / 255 * 16), bunch.images[order])
    assert (ours.min(), ours.max()) == (0, 255)


def test_survey_reads_headers(tmp_path):
    root = fill(tmp_path, "a/1.png", "a/2.png", "b/3.png", "b/broken.png")
    Image.new("RGB", (30, 20)).save(root / "b/3.png", "JPEG")
    (root / "b/broken.png").write_bytes(b"no")
    found = survey(open_source(root))
    assert (found.n, found.color) == (3, True)
    assert found.heights.tolist() == [4, 4, 20]
    assert found.widths.tolist() == [4, 4, 30]
    assert found.formats == {"PNG": 2, "JPEG": 1}
    assert survey(open_source(root), sample=2).n <= 2
    assert not survey(open_source("digits")).color


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), max_size=30))
@settings(deadline=None)
def test_paths_are_a_sequence_of_names(names):
    paths = Paths.of(names)
    assert list(paths) == names
    assert paths == Paths.of(names)
    for start in (0, 1, 5):
        assert list(paths[start : start + 4]) == names[start : start + 4]
    assert list(paths[::-1]) == names[::-1]
    if names:
        assert paths[-1] == names[-1]
    with pytest.raises(IndexError):
        paths[len(names)]


@given(st.lists(st.text(st.sampled_from("ab 019٣²Ä")), max_size=20))
@settings(deadline=None)
def test_natural_order_is_an_order(names):
    ordered = sorted(names, key=natural)
    again = list(ordered)
    again.reverse()
    assert sorted(again, key=natural) == ordered
    numbers = [str(n) for n in range(25)]
    assert sorted(numbers, key=natural) == numbers


@given(st.text(min_size=1))
@settings(deadline=None)
def test_only_dotted_names_and_known_ones_are_hidden(name):
    assert hidden("." + name)
    assert not hidden("picture" + name)


def test_identity_changes_with_any_file(tmp_path):
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    first = open_source(root).identity()
    assert open_source(root).identity() == first
    (root / "a/1.png").rename(root / "a/3.png")
    second = open_source(root).identity()
    (root / "a/3.png").write_bytes(png(3, (5, 5)))
    third = open_source(root).identity()
    fill(root, "b/4.png")
    assert len({first, second, third, open_source(root).identity()}) == 4
    one, two = as_zip(root, tmp_path / "one.zip"), as_zip(root, tmp_path / "two.zip")
    assert open_source(one).identity() == open_source(two).identity()


def test_real_archives(shared):
    for name, files, classes in (("mnist", 70000, 10), ("hymenoptera", 398, 2), ("flowers", 500, 5)):
        source = open_source(shared / "data" / f"{name}.zip")
        assert (len(source), len(source.classes)) == (files, classes)
        with zipfile.ZipFile(shared / "data" / f"{name}.zip") as archive:
            for i in range(0, files, files // 7):
                assert source.read(i) == archive.read(source.paths[i])


NAMES = st.lists(
    st.sampled_from(["a", "b.png", "..", ".", "", ".git", "Thumbs.db", "C:", "x\\y.png", "z\0"]), min_size=1
)


@given(st.lists(st.tuples(NAMES, st.booleans())))
def test_a_folder_that_is_known_hides_nothing(members):
    trees = []
    for remember in (True, False):
        tree, told, known = Tree(struct.Struct("<q")), set(), {}
        for number, (parts, bad) in enumerate(members):
            _put(tree, "/".join(parts), "bad" if bad else "", (number,), told, known if remember else {})
        trees.append(({folder: files.names for folder, files in tree.directories.items()}, tree.skipped))
    assert trees[0] == trees[1]
