"""What a file is, told from its first bytes: the kinds of pictures that are read, and words for what is none.

Pillow is asked for one named format instead of trying all in turn: that is quicker for small files, and
plug-ins that would start other programs (EPS starts Ghostscript) never see a stranger's file.
"""

from __future__ import annotations

import functools
import importlib

# (offset, bytes there) -> Pillow's name of the format
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WEBP"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"icns", "ICNS"),
    (0, b"DDS ", "DDS"),
    (0, b"qoif", "QOI"),
    (0, b"\x01\xda", "SGI"),
    *((0, b"P%d%c" % (kind, blank), "PPM") for kind in range(1, 7) for blank in b"\n\r\t #"),
)

# Formats whose first bytes say too little: tried only where nothing above fits.
FAINT: tuple[str, ...] = ("PPM", "TGA", "PCX", "XBM", "XPM", "DIB")

# The extensions under which a file is taken for a picture before anyone has looked inside.
EXTENSIONS: frozenset[str] = frozenset(
    ["jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "webp", "bmp", "dib", "tif", "tiff", "avif", "avifs",
     "jp2", "j2k", "jpx", "ico", "icns", "dds", "qoi", "sgi", "rgb", "ppm", "pgm", "pbm", "pnm", "tga", "pcx",
     "xbm", "xpm"]
)  # fmt: skip

# Raw pictures of cameras: many of them begin as a TIFF does, which holds a thumbnail of the picture.
RAW = "it is a raw picture of a camera, which is not read; save it as JPEG or PNG"
RAW_EXTENSIONS: frozenset[str] = frozenset(
    ["nef", "nrw", "cr2", "cr3", "crw", "arw", "srf", "sr2", "dng", "orf", "rw2", "raf", "pef", "srw", "3fr", "iiq"]
)

_HEIC = "it is a HEIC picture, which is not read without pillow-heif (pip install 'svertka[photos]'); save it as JPEG"
_JXL = "it is a JPEG XL picture, which is not read without pillow-jxl-plugin (pip install 'svertka[photos]')"

# (offset, bytes there, lower case) -> what to say of a file that is no picture we read
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"<!doctype html", "it is a web page"),
    (0, b"<html", "it is a web page"),
    (0, b"<svg", "it is a vector drawing (SVG)"),
    (0, b"<?xml", "it is an XML document"),
    (0, b"%pdf", "it is a PDF document"),
    (0, b"%!ps", "it is a PostScript document"),
    (0, b"pk\x03\x04", "it is a zip archive"),
    (0, b"\x1f\x8b", "it is a gzip archive"),
    (0, b"rar!", "it is a RAR archive"),
    (0, b"7z\xbc\xaf", "it is a 7z archive"),
    (4, b"ftyphei", _HEIC),
    (4, b"ftypmif1", _HEIC),
    (4, b"ftypmsf1", _HEIC),
    (4, b"ftypcrx", RAW),
    (0, b"fujifilmccd-raw", RAW),
    (0, b"iiro", RAW),
    (0, b"iiu\x00", RAW),
    (0, b"\xff\x0a", _JXL),
    (4, b"jxl \r\n\x87\n", _JXL),
    (128, b"dicm", "it is a DICOM picture, which is not read; save it as PNG"),
    (0, b"simple  =", "it is a FITS picture, which is not read; save it as PNG"),
    (0, b"\x93numpy", "it is an array of NumPy, not a picture"),
    (4, b"ftyp", "it is a video"),
    (8, b"cr\x02\x00", RAW),
    (8, b"avi ", "it is a video"),
    (8, b"wave", "it is a sound"),
    (0, b"id3", "it is a sound"),
    (0, b"8bps", "it is a Photoshop document, which is not read; save it as JPEG or PNG"),
)
_CONTROLS = bytes(range(9)) + bytes(range(14, 32))  # bytes that no text has


# Formats that Pillow reads with the help of another package, where it is installed: (offset, bytes there, name).
_OPTIONAL: tuple[tuple[int, bytes, str], ...] = (
    *((4, b"ftyp" + brand, "HEIF") for brand in (b"heic", b"heix", b"heim", b"heis", b"mif1")),
    (0, b"\xff\x0a", "JXL"),
    (4, b"JXL \r\n\x87\n", "JXL"),
)


def picture_format(head: bytes) -> str | None:
    """Pillow's name of the format that the first bytes (16 are enough) announce, or None.

    >>> picture_format(b"GIF89a...")
    'GIF'
    """
    for offset, magic, name in MAGIC:
        if head.startswith(magic, offset) and (name != "WEBP" or head.startswith(b"RIFF")):
            return name if name != "TIFF" or head[8:10] != b"CR" else None  # a raw picture of a Canon
    return next((name for offset, magic, name in _OPTIONAL if head.startswith(magic, offset) and _added(name)), None)


@functools.cache
def _added(name: str) -> bool:
    """Whether the package that adds a format to Pillow is there; it is asked to."""
    try:
        if name == "HEIF":
            importlib.import_module("pillow_heif").register_heif_opener()
        else:
            importlib.import_module("pillow_jxl")
    except ImportError:
        return False  # other_kind tells what is missing
    return True


def other_kind(head: bytes) -> str:
    """What a file is that is no picture, from its first bytes (64 are enough).

    >>> other_kind(b"<html><body>404")
    'it is a web page'
    """
    if not head:
        return "it is empty"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for offset, magic, words in _OTHERS:
        if start.startswith(magic, offset):
            return words
    is_text = head.translate(None, _CONTROLS) == head and "\ufffd" not in head.decode(errors="replace")[:-3]
    return "it is a text" if is_text else "it is no picture of a known format"
