"""Archives that lie, are damaged, or change under the reader: a sentence each, and never a hang or a traceback."""

import bz2
import errno
import os
import random
import struct
import tarfile
import zipfile

import pytest
from make_pictures import as_tar, as_zip, fill, png
from opened import refusal

from svertka.data import open_source
from svertka.data.folders.file_tree import Tree
from svertka.data.sources.readers import fetch_all
from svertka.errors import DataError, ReadError

LIMITS = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


@pytest.mark.parametrize("place", [0, 2**40, 2**63, 2**64 - 1])
@pytest.mark.parametrize("before", [b"", b"PK\x03\x04" + bytes(100)])
def test_a_zip_whose_large_directory_is_nowhere(tmp_path, place, before):
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, place, 1)
    (tmp_path / "x.zip").write_bytes(before + locator + LIMITS)
    assert "damaged zip archive" in refusal(tmp_path / "x.zip")


@pytest.mark.parametrize("there", range(0, 24, 3))
def test_a_zip_whose_large_sizes_are_cut_short(tmp_path, there):
    """The extra field promises two numbers of 8 bytes, and the directory ends before."""
    name, extra = b"a/1.png", struct.pack("<HH", 1, 16) + bytes(there)
    member = struct.pack("<IBBHHHHHIII", 0x02014B50, 20, 3, 20, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    member += struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, 0, 0) + name + extra
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(member), 0, 0)
    (tmp_path / "x.zip").write_bytes(member + end)
    source = open_source(tmp_path / "x.zip", least_classes=1)
    with pytest.raises(ReadError, match=r"damaged here|too large"):
        source.read(0)


def test_a_zip_whose_directory_leaps_over_its_end(tmp_path):
    """A comment that claims to be longer than what follows would hide all the files behind it."""
    path = as_zip(fill(tmp_path / "d", *(f"{c}/{k}.png" for c in "ab" for k in range(5))), tmp_path / "x.zip")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"b/0.png") - 46 + 32
    data[at : at + 2] = struct.pack("<H", 9999)
    path.write_bytes(bytes(data))
    assert "damaged zip archive (its directory ends in the middle" in refusal(path)


def header(name: str, size: bytes) -> bytes:
    """A tar header with any text for its size, and the checksum that fits."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT)[:512])
    block[124:136], block[148:156] = size.ljust(12, b"\0"), b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_a_tar_that_leads_backwards_does_not_go_on_for_ever(tmp_path, monkeypatch):
    """A size below zero makes the file before it the next one (CVE-2025-8194 is this in Python's tarfile)."""
    adding, added = Tree.add, []

    def add(tree, *file):
        added.append(file)
        assert len(added) < 10
        adding(tree, *file)

    monkeypatch.setattr(Tree, "add", add)
    picture = png(1).ljust(512, b"\0")
    path = tmp_path / "x.tar"
    path.write_bytes(header("a/1.png", b"%011o" % len(png(1))) + picture + header("a/2.png", b"-0002000") + bytes(1024))
    try:
        source = open_source(path, least_classes=1)
    except DataError as why:
        assert "damaged" in str(why)  # noqa: PT017  a newer tarfile stops before it, and what is there is read
    else:
        assert [one.reason for one in source.skipped if one.path == "x.tar"]
        assert len(source) == 1


def test_a_damaged_tar_of_any_compression_is_called_damaged(tmp_path):
    noise = random.Random(0).randbytes(20_000)
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    (root / "b/2.png").write_bytes(png(2) + noise)
    for mode in ("gz", "bz2", "xz"):
        path = as_tar(root, tmp_path / f"x.tar.{mode}", f"w:{mode}")
        whole = bytearray(path.read_bytes())
        whole[len(whole) // 2 : len(whole) // 2 + 50] = bytes(50)
        path.write_bytes(bytes(whole))
        assert f"{path} is damaged or incomplete: it does not decompress" in refusal(path), mode
    path.write_bytes(bz2.compress(noise) + b"and more")
    assert "None" not in refusal(path)


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_an_archive_that_changes_after_it_was_listed_is_not_read(tmp_path, pack):
    root = fill(tmp_path / "d", "a/1.png", "b/2.png")
    path = pack(root, tmp_path / "x")
    source = open_source(path)
    assert source.read(1) == png(1)
    other = next(png(k) for k in range(2, 256) if len(png(k)) == len(png(1)))
    path.write_bytes(path.read_bytes().replace(png(1), other))  # as long as before, and a sound picture
    os.utime(path, ns=(0, 0))
    for found in fetch_all(source.reader, source.paths, source.rows):
        assert isinstance(found, ReadError)
        assert found.reason == "its archive has changed since it was listed"
    with pytest.raises(ReadError, match="has changed since it was listed"):
        source.reader.head("a/1.png", source.rows[0])


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_a_disk_that_fails_costs_the_pictures_and_not_the_program(tmp_path, monkeypatch, pack):
    source = open_source(pack(fill(tmp_path / "d", "a/1.png", "b/2.png"), tmp_path / "x"))

    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("svertka.data.sources.readers.os.pread", fails)
    for found in fetch_all(source.reader, source.paths, source.rows):
        assert isinstance(found, ReadError)
        assert "cannot be read here (Input/output error)" in found.reason


def test_a_zip_of_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w"):
        pass
    assert "is empty" in refusal(tmp_path / "x.zip")


def test_names_that_no_file_can_have(tmp_path):
    for name in ("x" * 300, f"{'x' * 300}.csv#label=a", f"{tmp_path}/{'y' * 300}/z.zip"):
        assert "cannot be looked at (File name too long)" in refusal(name)
    (tmp_path / "list.txt").write_text("x" * 300 + "\n")
    assert "names xxx" in refusal(tmp_path / "list.txt")
