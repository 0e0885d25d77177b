"""Names of old archives are read as words, and whatever is left out is counted by file and told."""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from make_pictures import as_tar, fill, png
from opened import left_aside, refusal
from PIL import Image

from svertka.data import open_source, picture_files
from svertka.data.folders.text_encoding import guess_encoding
from svertka.data.folders.unlabeled_files import files_and_left_out, left_out_in_words
from svertka.errors import DataError
from svertka.kinds.image import decoder, formats


def plain_zip(path: Path, names: list[bytes], extras: list[bytes]) -> Path:
    """The bytes of a zip, member by member (APPNOTE 4.3): stored, names as given, no flags."""
    body, directory = b"", b""
    for i, (name, extra) in enumerate(zip(names, extras, strict=True)):
        data = png(i)
        facts = struct.pack(
            "<HHHHHIIIHH", 20, 0, 0, 0, 0, zlib.crc32(data), len(data), len(data), len(name), len(extra)
        )
        directory += (
            b"PK\1\2" + struct.pack("<H", 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name + extra
        )
        body += b"PK\3\4" + facts + name + extra + data
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, len(names), len(names), len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
    return path


NAMES = ["кошки/1.png", "кошки/2.png", "собаки/1.png"]


@pytest.mark.parametrize("encoding", ["cp866", "cp1251"])
def test_names_of_old_archives_are_guessed_and_told(tmp_path, encoding):
    path = plain_zip(tmp_path / "d.zip", [name.encode(encoding) for name in NAMES], [b""] * 3)
    source = open_source(path)
    assert source.classes == ("кошки", "собаки")
    assert f"they are read as {encoding}, such as 'кошки/1.png'" in source.notes[0]
    assert [source.read(i) for i in range(3)] == [png(i) for i in range(3)]
    assert open_source(f"{path}#encoding={encoding}").notes == ()
    assert open_source(f"{path}#encoding=latin-1").classes != source.classes
    assert "no encoding called 'x'" in refusal(f"{path}#encoding=x")


@pytest.mark.parametrize(
    ("names", "encoding"), [(["Käse/1.png", "Öl/2.png"], "cp437"), (["ねこ/1.png", "いぬ/2.png"], "cp932")]
)
def test_names_of_other_systems(tmp_path, names, encoding):
    source = open_source(plain_zip(tmp_path / "d.zip", [name.encode(encoding) for name in names], [b"", b""]))
    assert set(source.paths) == set(names)


def test_the_name_in_unicode_beside_the_old_one_counts_where_it_belongs_to_it(tmp_path):
    raw = [name.encode("cp866") for name in NAMES]
    fields = [b"\1" + struct.pack("<I", zlib.crc32(old)) + new.encode() for old, new in zip(raw, NAMES, strict=True)]
    extras = [struct.pack("<HH", 0x7075, len(field)) + field for field in fields]
    source = open_source(plain_zip(tmp_path / "d.zip", raw, extras))
    assert source.classes == ("кошки", "собаки")
    assert source.notes == ()
    stale = [struct.pack("<HH", 0x7075, len(field)) + b"\1\0\0\0\0" + field[5:] for field in fields]
    assert "are read as cp866" in open_source(plain_zip(tmp_path / "s.zip", raw, stale)).notes[0]


@pytest.mark.parametrize("word", ["кошки", "Собаки", "цветы и КОТЫ", "Größe", "señal", "żółw", "γάτα"])
@pytest.mark.parametrize("encoding", ["cp866", "cp1251", "cp437", "cp1252", "cp1250", "cp1253"])
def test_words_are_read_as_they_were_written(word, encoding):
    try:
        raw = word.encode(encoding)
    except UnicodeEncodeError:
        return
    assert raw.decode(guess_encoding([raw])) == word


# -- what is left out
# --------------------------------------------------------------------------------------------------


def test_files_are_counted_and_not_entries(tmp_path):
    root = fill(tmp_path, "a/1.png", "b/2.png")
    for i in range(300):
        (root / f"a/{i}.txt").write_text("box")
    assert sum(one.files for one in open_source(root).skipped) == 300
    found, left = files_and_left_out(root)
    assert found == [root / "a/1.png", root / "b/2.png"]
    assert left_out_in_words(left).startswith("300 other files were left aside, such as a/: 50 files: no picture")


def test_prediction_finds_what_training_finds(tmp_path):
    names = ["a/1.png", "a/2", "a/3.mpo", "b/4.jpg_large", "b/5.PNG", "b/c/6.dat"]
    root = fill(tmp_path, *names)
    (root / "b/notes.md").write_text("x")
    assert [str(path.relative_to(root)) for path in picture_files(root)] == names
    assert sorted(open_source(root).paths) == sorted(names)
    (tmp_path / "none").mkdir()
    (tmp_path / "none/x.md").write_text("x")
    with pytest.raises(DataError, match=r"no pictures in .* \(x.md: no picture: it is a text\)"):
        picture_files(tmp_path / "none")


def test_run_folders_are_no_classes(tmp_path):
    root = fill(tmp_path, "a/1.png", "b/2.png", "runs/x/model/1.png", "runs/x/2.png", "runs/y/1.png")
    for run in "xy":
        for name in ("recipe.json", "log.jsonl"):
            (root / "runs" / run / name).write_text(json.dumps({}))
    fill(root, "explained/1.png", "explained/.svertka")
    source = open_source(root)
    assert source.classes == ("a", "b")
    assert "explained/" in left_aside(source)
    assert left_aside(source)["runs/x/"] == "a folder that svertka has made, not data"
    assert "a folder that svertka has made, not data" in refusal(root / "runs/x")


def test_members_of_a_shard_that_share_their_name_are_told(tmp_path):
    root = fill(tmp_path / "s", "1.jpg", "1.left.jpg", "2.jpg", "2.right.png")
    for key, name in (("1", "cat"), ("2", "dog")):
        (root / f"{key}.cls").write_text(name)
    source = open_source(as_tar(root, tmp_path / "s.tar"))
    assert list(source.paths) == ["1.jpg", "2.jpg"]
    assert left_aside(source) == {
        "1.left.jpg": "another member of the sample '1', of which 1.jpg is read",
        "2.right.png": "another member of the sample '2', of which 2.jpg is read",
    }


KINDS = {
    "nef": b"MM\0*" + bytes(60),
    "cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(60),
    "dcm": bytes(128) + b"DICM" + bytes(60),
    "raf": b"FUJIFILMCCD-RAW " + bytes(60),
    "npy": b"\x93NUMPY\1\0" + bytes(60),
    "fits": b"SIMPLE  =                    T" + bytes(60),
}


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_other_programs_are_named(tmp_path, kind):
    root = fill(tmp_path, "a/1.png", "b/2.png", "c/")
    for i in range(25):
        (root / f"c/{i}.{kind}").write_bytes(KINDS[kind])
    source = open_source(root)
    assert any("The class 'c' is lost" in note and f"25 .{kind}" in note for note in source.notes)
    assert any(
        "raw picture" in u.reason or "DICOM" in u.reason or "array" in u.reason or "FITS" in u.reason
        for u in source.skipped
    )


@pytest.mark.parametrize(("package", "name", "kind"), [("pillow_heif", "HEIF", "heic"), ("pillow_jxl", "JXL", "jxl")])
def test_heic_and_jpeg_xl_are_read_by_another_package_where_it_is(tmp_path, monkeypatch, package, name, kind):
    module = pytest.importorskip(package)
    if name == "HEIF":
        module.register_heif_opener()
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 40, 40)).save(file, name)
    data = file.getvalue()
    pixels = decoder.decode(data, "x")
    assert pixels.shape == (24, 32, 3)
    assert abs(pixels.astype(int) - (200, 40, 40)).max() < 12
    root = fill(tmp_path, "a/1.png")
    (root / "b").mkdir()
    (root / f"b/1.{kind}").write_bytes(data)
    assert open_source(root).classes == ("a", "b")
    monkeypatch.setattr(formats, "_added", lambda name: False)
    assert "pip install 'svertka[photos]'" in left_aside(open_source(root, 1))[f"b/1.{kind}"]


def test_an_archive_within_an_archive_is_told_what_would_work(tmp_path):
    inner = plain_zip(tmp_path / "inner.zip", [b"a/1.png", b"b/2.png"], [b"", b""])
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "x/inner.zip")
    assert f"Unpack {tmp_path / 'outer.zip'}" in refusal(tmp_path / "outer.zip")
    (tmp_path / "outer").mkdir()
    with zipfile.ZipFile(tmp_path / "outer.zip") as archive:
        archive.extractall(tmp_path / "outer")
    assert open_source(tmp_path / "outer/x/inner.zip").classes == ("a", "b")
