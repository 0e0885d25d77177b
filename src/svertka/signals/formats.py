"""What a file is, told from its first bytes: the kinds of pictures that are read, and words for what is none.

Pillow is asked for one named format instead of trying all in turn: that is quicker for small files, and plug-ins that
would start other programs (EPS starts Ghostscript) never see a stranger's file.
"""

from __future__ import annotations

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
    "jpg jpeg jpe jfif png apng gif webp bmp dib tif tiff avif avifs jp2 j2k jpx ico icns dds qoi sgi rgb "
    "ppm pgm pbm pnm tga pcx xbm xpm".split()
)

# (offset, bytes there, lower case) -> what to call a file that is no picture we read
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"<!doctype html", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"<svg", "a vector drawing (SVG)"),
    (0, b"<?xml", "an XML document"),
    (0, b"%pdf", "a PDF document"),
    (0, b"%!ps", "a PostScript document"),
    (0, b"pk\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf", "a 7z archive"),
    (4, b"ftyphei", "a HEIC picture, which is not read (save it as JPEG or PNG)"),
    (4, b"ftypmif1", "a HEIF picture, which is not read (save it as JPEG or PNG)"),
    (4, b"ftyp", "a video"),
    (8, b"avi ", "a video"),
    (8, b"wave", "a sound"),
    (0, b"id3", "a sound"),
    (0, b"8bps", "a Photoshop document, which is not read (save it as JPEG or PNG)"),
)


def picture_format(head: bytes) -> str | None:
    """Pillow's name of the format that the first bytes (16 are enough) announce; None where they announce none.

    >>> picture_format(b"GIF89a...")
    'GIF'
    """
    for offset, magic, name in MAGIC:
        if head.startswith(magic, offset):
            return name if name != "WEBP" or head.startswith(b"RIFF") else None
    return None


def other_kind(head: bytes) -> str:
    """Words for what the first bytes (64 are enough) of a file are that holds no picture.

    >>> other_kind(b"<html><body>404")
    'a web page'
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for offset, magic, name in _OTHERS:
        if start.startswith(magic, offset):
            return name
    controls = bytes(range(9)) + bytes(range(14, 32))
    if head and not head[:64].translate(None, controls) != head[:64]:
        return "a text"
    return "of an unknown kind"
