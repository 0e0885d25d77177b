"""Bad input as the commands meet it: hostile archives, pictures of rare kinds, and files that change meanwhile."""

import io
import json
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from make_pictures import QUICK, as_tar, as_zip, fill, png, shapes
from PIL import Image

from svertka.data import begin_store, open_source
from svertka.kinds.image import Preprocess, decode

GRAY = Preprocess(4, 4, 1)


def everything(folder):
    """What lies in a folder, but the cache: path -> content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "cache" not in path.parts}


def hostile_zip(path, pictures):
    """Good pictures, and every member that a zip should not have."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in pictures.rglob("*.png"):
            archive.write(file, file.relative_to(pictures))
        for name in ("../out.png", "/abs.png", "disc/../../up.png", "C:\\x.png"):
            archive.writestr(name, png())
        archive.writestr("disc/bomb.png", bytes(300 * 2**20))
        archive.writestr("disc/locked.png", png(3))
        link = zipfile.ZipInfo("disc/link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "../../../etc/passwd")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("disc/0.png", png(9))
    data = bytearray(path.read_bytes())
    data[data.rindex(b"disc/locked.png") - 46 + 8] |= 1  # encrypted, says the directory
    path.write_bytes(bytes(data))
    return {"disc/bomb.png"}, {"disc/locked.png", "disc/link.png", "disc/0.png"}


def hostile_tar(path, pictures):
    """Good pictures, and every member that a tar should not have; compressed by the name of the path."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        archive.add(pictures, ".")
        for name in ("../out.png", "/abs.png", "disc/../../up.png", "disc/0.png"):
            member = tarfile.TarInfo(name)
            member.size = len(png())
            archive.addfile(member, io.BytesIO(png()))
        for name, kind, to in (
            ("disc/soft.png", tarfile.SYMTYPE, "/etc/passwd"),
            ("disc/hard.png", tarfile.LNKTYPE, "disc/1.png"),
            ("disc/pipe.png", tarfile.FIFOTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, to
            archive.addfile(member)
    return set(), {"disc/soft.png", "disc/hard.png", "disc/pipe.png", "disc/0.png"}


@pytest.mark.parametrize(("name", "make"), [("x.zip", hostile_zip), ("x.tar", hostile_tar), ("x.tar.gz", hostile_tar)])
def test_a_hostile_archive_is_checked_and_nothing_leaves_it(sv, tmp_path, name, make):
    pictures = shapes(tmp_path / "pictures")
    unreadable, left_out = make(tmp_path / name, pictures)
    before = everything(tmp_path.parent)
    status, out, err = sv("check", name, "--json")
    found = json.loads(out)
    assert status == 0, err
    assert {one["path"] for one in found["unreadable"]} == unreadable
    skipped = {one["path"] for one in found["skipped"]}
    assert left_out | {"../out.png", "/abs.png", "disc/../../up.png"} <= skipped
    assert all(one["reason"] for one in found["skipped"])
    assert found["classes"] == {"cross": 12, "disc": 12}
    assert everything(tmp_path.parent) == before


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_what_changes_between_listing_and_decoding_is_listed_and_never_taken(tmp_path, kind):
    root = fill(tmp_path / "d", *(f"{c}/{k}.png" for c in "ab" for k in range(4)))
    place = {"folder": root, "zip": tmp_path / "d.zip", "tar": tmp_path / "d.tar"}[kind]
    pack = {"folder": lambda: None, "zip": lambda: as_zip(root, place), "tar": lambda: as_tar(root, place)}[kind]
    pack()
    source = open_source(place)
    (root / "a/1.png").write_bytes(png(99))  # as long as what was there, so that all else lies where it lay
    assert len(png(99)) == len(png(1))
    (root / "b/2.png").unlink()
    (root / "b/2.png").write_bytes(png(98))
    pack()
    if kind == "folder":
        (root / "b/3.png").unlink()
    store = begin_store(source, GRAY, tmp_path / "cache").finish()
    reasons = {source.paths[i]: why for i, why in store.reasons.items()}
    changed = {
        "folder": {
            "a/1.png": "it has changed since the folder was listed",
            "b/2.png": "it has changed since the folder was listed",
            "b/3.png": "it has vanished since the folder was listed",
        },
        "zip": dict.fromkeys(source.paths, "its archive has changed since it was listed"),
        "tar": dict.fromkeys(source.paths, "its archive has changed since it was listed"),
    }[kind]
    assert reasons == changed
    again = begin_store(open_source(place), GRAY, tmp_path / "cache").finish()  # another source: never the old store
    values = {path: int(again.pixels[i].max()) for i, path in enumerate(open_source(place).paths)}
    assert values["a/1.png"] == 99


def test_what_changes_between_check_and_train_is_read_anew(sv, tmp_path):
    root = shapes(tmp_path / "data")
    assert json.loads(sv("check", root, "--json")[1])["readable"] == 24
    (root / "disc/0.png").write_bytes(b"no picture any more")
    (root / "cross/1.png").unlink()
    status, _, err = sv("train", root, "--out", "run", "--json", *QUICK)
    assert status == 0, err
    manifest = (tmp_path / "run/manifest.json").read_text()
    assert "cross/1.png" not in manifest
    assert "disc/0.png" in err or "disc/0.png" in manifest
    assert json.loads(sv("check", root, "--json")[1])["unreadable"] == [
        {"path": "disc/0.png", "reason": "it is a text"}
    ]


def linear(value):
    """Of sRGB, IEC 61966-2-1."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def as_lab(color):
    """CIE L*a*b* under D50 of an sRGB color, by its definition, in Pillow's bytes."""
    to_xyz = np.array(  # of linear sRGB, adapted to D50 by Bradford (Lindbloom)
        [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    )
    ratio = to_xyz @ [linear(c / 255) for c in color] / [0.96422, 1.0, 0.82521]
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness, a, b = 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])
    return round(lightness * 2.55), round(a) + 128, round(b) + 128


@pytest.mark.parametrize("color", [(119, 119, 119), (200, 40, 30), (40, 160, 60), (60, 70, 190), (255, 255, 255)])
def test_lab_is_shown_in_its_colors(color):
    file = io.BytesIO()
    Image.new("LAB", (8, 8), as_lab(color)).save(file, "TIFF")
    apart = np.abs(decode(file.getvalue(), "x").reshape(-1, 3).astype(int) - color)
    assert apart.max() <= 8  # a and b are whole numbers there


def test_rare_pictures_go_through_check_together(sv, tmp_path):
    """What awkward archives hold, made here: each is decoded, or listed with a reason."""
    shapes(tmp_path / "data", each=6)
    rare = tmp_path / "data/disc"
    gray = Image.fromarray(np.linspace(0, 255, 256, dtype=np.uint8).reshape(16, 16))
    rgb = Image.merge("RGB", (gray, gray.rotate(90), gray.rotate(180)))
    rgb.convert("CMYK").save(rare / "cmyk.jpg")
    Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(rare / "deep.png")
    palette = rgb.quantize(16)
    palette.save(rare / "palette.png", transparency=3)
    rgb.convert("RGBA").save(rare / "alpha.png")
    gray.save(rare / "moving.gif", save_all=True, append_images=[gray.rotate(90)])
    turned = Image.Exif()
    turned[0x0112] = 6
    rgb.save(rare / "turned.jpg", exif=turned)
    Image.new("LAB", (16, 16), (128, 140, 150)).save(rare / "lab.tif")
    whole = (rare / "cmyk.jpg").read_bytes()
    (rare / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (rare / "empty.png").write_bytes(b"")
    (rare / "page.jpg").write_bytes(b"<!DOCTYPE html><html>404</html>")
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    (rare / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + head + bytes(60))
    status, out, err = sv("check", "data", "--json")
    assert status == 0, err
    told = {os.path.basename(one["path"]): one["reason"] for one in json.loads(out)["unreadable"]}  # noqa: PTH119
    assert set(told) == {"half.jpg", "empty.png", "page.jpg", "bomb.png"}
    assert all(told.values())
