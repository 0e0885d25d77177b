"""Pictures: every odd file comes out as a person would see it, or is turned down with a reason."""

import contextlib
import csv
import io
import subprocess
import sys
import threading
import time
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from svertka.errors import ReadError, RecipeError
from svertka.kinds.image import Preprocess, decode, fit, formats, header, read
from svertka.kinds.image.formats import EXTENSIONS, FAINT, MAGIC
from svertka.kinds.image.jpeg_segments import scan_start


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(height=40, width=60, seed=0) -> Image.Image:
    """A smooth colorful picture with an orientation of its own."""
    y, x = np.mgrid[0:height, 0:width]
    shift = 40 * seed
    planes = [255 * x / width, 255 * y / height, 127 + 100 * np.sin((x + 2 * y + shift) / 9)]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))


# -- formats and modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA", "QOI", "DIB"])
def test_lossless_formats_give_the_pixels_back(kind):
    image = picture()
    np.testing.assert_array_equal(decode(encoded(image, kind), "x"), np.asarray(image))


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "JPEG2000"])
def test_lossy_formats_come_near(kind):
    image = picture()
    assert np.abs(decode(encoded(image, kind), "x").astype(int) - np.asarray(image)).mean() < 12


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}, {"quality": 30}])
def test_jpeg_has_the_pixels_of_pillow(gray, options):
    image = picture(123, 77).convert("L" if gray else "RGB")
    data = encoded(image, "JPEG", **options)
    theirs = np.asarray(Image.open(io.BytesIO(data)))
    ours = decode(data, "x")
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_gray_stays_gray():
    image = picture().convert("L")
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP"):
        data = encoded(image, kind)
        assert decode(data, "x").ndim == 2, kind
        assert header(data, "x").gray, kind
    assert decode(encoded(image.convert("1"), "PNG"), "x").ndim == 2


def test_sixteen_bits_are_scaled_and_not_cut_off():
    gray = np.asarray(picture().convert("L"))
    for kind in ("PNG", "TIFF"):
        data = encoded(Image.fromarray(gray.astype(np.uint16) * 257), kind)
        np.testing.assert_array_equal(decode(data, "x"), gray)
    pgm = b"P5 %d %d 65535\n" % gray.shape[::-1] + (gray.astype(">u2") * np.array(257, ">u2")).astype(">u2").tobytes()
    np.testing.assert_array_equal(decode(pgm, "x"), gray)


def test_floating_point_is_stretched():
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    flat = np.arange(256).reshape(16, 16)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(ramp), "TIFF"), "x"), flat)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(ramp * 900 - 80), "TIFF"), "x"), flat)


def test_transparency_lies_on_white():
    color = np.zeros((8, 8, 4), np.uint8)
    color[..., 0] = 200
    color[:, :4, 3] = 255  # the left half opaque, the right half clear
    color[0, 0, 3] = 51  # a fifth
    data = encoded(Image.fromarray(color), "PNG")
    ours = decode(data, "x")
    assert (ours[1:, :4] == (200, 0, 0)).all()
    assert (ours[:, 4:] == 255).all()
    assert ours[0, 0].tolist() == [244, 204, 204]  # a fifth of the color, four fifths of white
    gray = encoded(Image.fromarray(color).convert("LA"), "PNG")
    assert (decode(gray, "x")[:, 4:] == 255).all()
    assert decode(gray, "x").ndim == 2
    palette = Image.fromarray(color[..., :3]).quantize(4)
    indexed = encoded(palette, "PNG", transparency=palette.getpixel((0, 0)))
    assert (decode(indexed, "x") == 255).all()


def test_only_the_first_frame_counts():
    frames = [picture(seed=s) for s in range(3)]
    first = np.asarray(frames[0])
    for kind in ("PNG", "TIFF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(decode(data, "x"), first)
    gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.abs(decode(gif, "x").astype(int) - first).mean() < 12


def test_cmyk_is_shown_in_its_colors():
    data = encoded(picture().convert("CMYK"), "JPEG", quality=95)
    assert np.abs(decode(data, "x").astype(int) - np.asarray(picture())).mean() < 6


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_is_undone_as_pillow_does(kind, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(picture(), kind, exif=exif)
    theirs = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    ours = decode(data, "x")
    assert ours.flags.c_contiguous
    np.testing.assert_array_equal(ours, theirs)
    told = header(data, "x")
    assert (told.height, told.width) == theirs.shape[:2]
    assert told.format == kind


@pytest.mark.parametrize("turn", [1, 6])
def test_large_jpegs_are_decoded_reduced(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    whole = picture(800, 1200)
    for image in (whole, whole.convert("CMYK")):
        data = encoded(image, "JPEG", exif=exif, quality=95)
        ours = decode(data, "x", least=(90, 100))
        full = decode(data, "x")
        assert ours.shape[0] >= 90
        assert ours.shape[1] >= 100
        assert ours.size < full.size / 16
        expected = Image.fromarray(full).resize(ours.shape[1::-1], Image.Resampling.BOX)
        assert np.abs(ours.astype(int) - np.asarray(expected)).mean() < 3
    assert decode(encoded(picture(), "JPEG"), "x", least=(500, 500)).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("least", "size"), [(5, (5, 8)), (6, (10, 15)), (20, (20, 30)), (21, (40, 60))], ids=["1/8", "1/4", "1/2", "1"]
)
def test_a_jpeg_is_decoded_reduced_where_that_saves_time(least, size):
    assert decode(encoded(picture(), "JPEG"), "x", least=(least, least)).shape[:2] == size


@given(st.lists(st.binary(max_size=40), max_size=4), st.booleans())
@settings(deadline=None)
def test_the_first_scan_is_found_behind_segments_that_hold_anything(comments, progressive):
    data = encoded(picture(), "JPEG", progressive=progressive)
    start = data.index(b"\xff\xda") + 2
    start += int.from_bytes(data[start : start + 2], "big")
    assert scan_start(data) == start
    fake = [b"\xff\xda\0\x08\xff\xc2" + comment for comment in comments]
    more = b"".join(b"\xff\xfe" + (2 + len(one)).to_bytes(2, "big") + one for one in fake)
    assert scan_start(data[:2] + more + data[2:]) == start + len(more)
    np.testing.assert_array_equal(decode(data[:2] + more + data[2:], "x"), decode(data, "x"))


@given(st.binary(max_size=200), st.integers(0, 600))
def test_where_no_scan_is_to_be_told_all_is_looked_through(noise, place):
    for data in (noise, b"\xff\xd8" + noise, JPEG[:place] + noise):
        assert min(2, len(data)) <= scan_start(data) <= len(data)
    assert scan_start(b"\xff\xd8\xff\xe0\0\0" + noise) == 6 + len(noise)  # a length that not even counts itself


def test_large_pictures_are_converted_in_strips(monkeypatch):
    image = picture(90, 33).convert("RGBA")
    image.putalpha(picture(90, 33).convert("L"))
    data = encoded(image, "PNG")
    whole = decode(data, "x")
    monkeypatch.setattr("svertka.kinds.image.color_modes._STRIP", 300)
    np.testing.assert_array_equal(decode(data, "x"), whole)


# -- files that are no good ----------------------------------------------------------------------------------

PNG = encoded(picture(), "PNG")
JPEG = encoded(picture(), "JPEG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>404</html>", "it is a web page"),
        (b"\xef\xbb\xbf\n<html>", "it is a web page"),
        (b"hello, I am a text", "it is a text"),
        (b"%PDF-1.7 ...", "it is a PDF document"),
        (b"\0\0\0\x18ftypheic....", formats._HEIC),
        (bytes(range(200, 255)), "it is no picture of a known format"),
        (PNG[: len(PNG) // 2], "the picture is cut short"),
        (JPEG[: len(JPEG) // 2], "the picture is cut short"),
        (PNG[:20], "the picture is cut short"),
        (PNG[:12] + b"JUNK" + PNG[16:], "the PNG picture has a damaged header"),
        (JPEG[:20], "the JPEG picture has a damaged header"),
    ],
)
def test_bad_files_are_turned_down_in_words(data, reason, monkeypatch):
    monkeypatch.setattr(formats, "_added", lambda name: False)  # as where no other package is installed
    with pytest.raises(ReadError) as caught:
        decode(data, "cat.jpg")
    assert str(caught.value) == f"cat.jpg: {reason}."
    assert (caught.value.path, caught.value.reason) == ("cat.jpg", reason)


def bomb(width: int, height: int, depth: int = 1) -> bytes:
    """A PNG of few bytes that claims many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, 0, 0, 0, 0])
    row = bytes(1 + width * depth // 8)
    packer = zlib.compressobj()
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(12000, 12000), (30000, 20000)])
def test_bombs_are_refused_from_their_header(width, height):
    data = bomb(width, height)
    for look in (decode, header):
        with pytest.raises(ReadError, match="too large to decode safely"):
            look(data, "bomb.png")


def test_a_jpeg_of_too_many_passes_is_refused():
    data = encoded(picture(), "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    with pytest.raises(ReadError, match="passes"):
        decode(data[:scan] + data[scan:-2] * 60, "x")


@given(st.binary(max_size=200), st.integers(0, len(JPEG) - 1), st.integers(0, 255), st.booleans())
@settings(max_examples=150, deadline=None)
def test_nothing_but_read_errors_comes_out(noise, place, value, as_png):
    good = PNG if as_png else JPEG
    place %= len(good)
    for data in (
        noise,
        good[:4] + noise,
        good[:place] + noise,
        good[:place] + bytes([value]) + good[place + 1 :],
    ):
        with contextlib.suppress(ReadError):
            pixels = decode(data, "x")
            assert pixels.dtype == np.uint8
            assert pixels.ndim in (2, 3)


def test_pillow_is_quiet_in_any_thread(shared):
    archive = zipfile.ZipFile(shared / "data" / "awkward.zip")
    data = archive.read("pillow/hopper_bad_exif.jpg")  # Pillow warns about it
    problems: list[BaseException] = []

    def work():
        try:
            for _ in range(20):
                decode(data, "x")
        except BaseException as why:
            problems.append(why)

    before = list(warnings.filters)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert warnings.filters == before


def test_every_format_can_be_opened():
    Image.init()
    assert {name for *_, name in MAGIC} | set(FAINT) <= set(Image.OPEN)
    assert "EPS" not in {name for *_, name in MAGIC} | set(FAINT)  # it would start Ghostscript
    assert {"." + e for e in EXTENSIONS} <= set(Image.registered_extensions()) | {".jpx", ".avifs", ".rgb"}


# The mean of 16-bit files, which Pillow's convert("RGB") cuts off to white.
DEEP = {"gen/gray16_photo.png": 112.6, "pillow/uint16_1_4660.tif": 4660 / 257, "pillow/i_trns.png": None}


def mean_on_white(data: bytes) -> float:
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    return float(np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image))[..., :3].mean())


def test_every_awkward_file(shared):
    archive = zipfile.ZipFile(shared / "data" / "awkward.zip")
    listed = csv.DictReader(io.StringIO(archive.read("manifest.csv").decode()))
    there = set(archive.namelist())
    rows = {row["file"]: row for row in listed if row["file"] in there}
    assert len(rows) == 45
    decodes = {name for name, row in rows.items() if row["pillow_result"] == "ok"}
    for name, row in rows.items():
        data = archive.read(name)
        began = time.perf_counter()
        if name not in decodes:
            with pytest.raises(ReadError) as caught:
                decode(data, name)
            assert caught.value.reason
        else:
            pixels = decode(data, name)
            if name in DEEP:
                expected = DEEP[name]
            elif not row["warnings"] and Image.open(io.BytesIO(data)).has_transparency_data:
                expected = mean_on_white(data)
            else:
                expected = float(row["mean_after_convert_rgb"])
            if expected is not None:
                assert abs(pixels.mean() - expected) < 1.5, (name, pixels.mean(), expected)
        assert time.perf_counter() - began < 5, name


def test_awkward_files_take_little_memory(shared):
    """In a process of its own, whose greatest resident memory Linux tells (getrusage would count the parent's too)."""
    code = """
import sys, zipfile
from svertka.errors import ReadError
from svertka.kinds.image import decode
archive = zipfile.ZipFile(sys.argv[1])
for name in archive.namelist():
    try: decode(archive.read(name), name)
    except ReadError: pass
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""
    file = str(shared / "data" / "awkward.zip")
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert int(done.stdout) < 500 * 1024


@pytest.mark.slow
def test_the_largest_picture_takes_less_than_half_a_gigabyte(tmp_path):
    file = tmp_path / "large.png"
    Image.new("RGBA", (8000, 7500), (200, 0, 0, 128)).save(file, compress_level=1)
    code = """
import sys
from svertka.kinds.image import decode
assert decode(open(sys.argv[1], "rb").read(), "x").shape == (7500, 8000, 3)
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500 * 1024


# -- Preprocess ----------------------------------------------------------------------------------------------


def test_preprocess_is_checked_at_birth():
    for wrong in (
        {"height": 0},
        {"width": 2.5},
        {"channels": 2},
        {"fit": "squash"},
        {"mean": (0.5,)},
        {"std": (1.0, 0.0, 1.0)},
        {"mean": (float("nan"),) * 3},
    ):
        with pytest.raises(RecipeError, match=next(iter(wrong))):
            Preprocess(**{"height": 8, "width": 8, "channels": 3, **wrong})


def test_preprocess_goes_into_json_and_back():
    import json

    one = Preprocess(32, 48, 3, "crop", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert one.shape == (3, 32, 48)
    assert Preprocess.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    with pytest.raises(RecipeError, match="color"):
        Preprocess.from_dict({**one.to_dict(), "color": True})


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
@given(st.integers(1, 70), st.integers(1, 70), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_size_fits(how, channels, height, width, gray):
    pixels = np.full((height, width) if gray else (height, width, 3), 77, np.uint8)
    out = fit(pixels, Preprocess(20, 30, channels, how, (0.0,) * channels))
    assert out.shape == (20, 30, channels)
    assert set(np.unique(out)) <= ({77} if how != "pad" else {0, 77})


def test_crop_takes_the_middle_and_pad_keeps_all():
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 200  # the middle third
    crop = fit(pixels, Preprocess(20, 20, 3, "crop"))
    np.testing.assert_array_equal(crop, pixels[:, 20:40])
    pad = fit(pixels, Preprocess(60, 60, 3, "pad", (0.2, 0.4, 0.6)))
    np.testing.assert_array_equal(pad[20:40], pixels)
    assert (pad[:20] == (51, 102, 153)).all()
    assert (pad[40:] == (51, 102, 153)).all()


def test_the_right_size_is_not_resampled():
    image = picture(28, 28)
    np.testing.assert_array_equal(read(encoded(image, "PNG"), Preprocess(28, 28, 3), "x"), np.asarray(image))
    gray = image.convert("L")
    np.testing.assert_array_equal(read(encoded(gray, "PNG"), Preprocess(28, 28, 1), "x")[..., 0], np.asarray(gray))
    np.testing.assert_array_equal(read(encoded(image, "PNG"), Preprocess(28, 28, 1), "x")[..., 0], np.asarray(gray))
    for channel in range(3):
        three = read(encoded(gray, "PNG"), Preprocess(28, 28, 3), "x")
        np.testing.assert_array_equal(three[..., channel], np.asarray(gray))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 9, 7), (3, 300, 300)])
def test_normalize_is_the_definition(channels, shape):
    import torch

    rng = np.random.default_rng(0)
    mean, std = rng.uniform(0, 1, channels), rng.uniform(0.1, 1, channels)
    preprocess = Preprocess(shape[1], shape[2], channels, mean=tuple(mean), std=tuple(std))
    pixels = rng.integers(0, 256, (*shape, channels), np.uint8)
    expected = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    pixels.flags.writeable = False  # as those of a store
    ours = preprocess.normalize(pixels)
    assert ours.dtype == torch.float32
    assert ours.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=0, atol=2e-5)
    buffer = torch.full_like(ours, 9.0)
    assert preprocess.normalize(torch.from_numpy(pixels.copy()), out=buffer) is buffer
    assert torch.equal(buffer, ours)


def test_decoding_imports_no_torch():
    code = "import sys, svertka.kinds.image.reader, svertka.data.store.builder; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


@pytest.mark.parametrize(
    "large",
    [
        chunk(b"zTXt", b"x\0\0" + zlib.compress(b"a" * 5_000_000)),
        chunk(b"tEXt", b"x\0" + b"a" * 70_000_000),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(b"a" * 5_000_000)),
    ],
)
def test_a_png_with_large_metadata_is_read(large):
    image = picture()
    data = encoded(image, "PNG")
    np.testing.assert_array_equal(decode(data[:33] + large + data[33:], "x"), decode(data, "x"))


def tiff(bands, bits):
    """An uncompressed TIFF of 4 x 4 pixels, of its plainest form (TIFF 6.0)."""
    tags = {256: 4, 257: 4, 258: bits, 259: 1, 262: 1, 273: 8, 277: bands, 278: 4, 279: 16 * bands * bits // 8}
    pixels = bytes(tags[279])
    directory = b"".join(
        tag.to_bytes(2, "little") + b"\3\0\1\0\0\0" + value.to_bytes(4, "little") for tag, value in tags.items()
    )
    head = b"II*\0" + (8 + len(pixels)).to_bytes(4, "little")
    return head + pixels + len(tags).to_bytes(2, "little") + directory + bytes(4)


@pytest.mark.parametrize(("bands", "bits"), [(5, 8), (12, 8), (7, 16)])
def test_a_tiff_of_many_bands_is_called_that(bands, bits):
    with pytest.raises(ReadError, match=f"it is a TIFF of {bands} bands of {bits} bits, which is not read"):
        decode(tiff(bands, bits), "x.tif")
