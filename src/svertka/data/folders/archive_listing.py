"""List a zip or tar archive without unpacking it.

The directory of a zip is parsed here and not by `zipfile`, which makes an object of each member: listing
70,000 members takes a third of the time and a tenth of the memory. Format: PKWARE APPNOTE 6.3.10, sections
4.3.12 to 4.3.16 and 4.5.3.
"""

from __future__ import annotations

import stat
import struct
import tarfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from svertka.data.folders.file_tree import Tree, hidden
from svertka.data.folders.text_encoding import guess_encoding, known_encoding
from svertka.data.sources.readers import ZIP_METHODS
from svertka.errors import DataError

_MEMBER = struct.Struct("<I x B 2x H H 4x III HHH 4x II")  # one entry of the central directory
_LONGEST = 46 + 3 * 0xFFFF  # bytes of one entry at most, with its name, extra fields and comment
_BLOCK = 2**20  # bytes of the directory that are read at once
_END = struct.Struct("<4s 6x H II H")
_END64 = struct.Struct("<4s 28x QQQ")
_ENCRYPTED, _UTF8 = 1, 0x800  # bits of the flags of a member
_UNICODE_PATH = b"up"  # 0x7075, the tag of the extra field with the name in UTF-8 (APPNOTE 4.6.9)
_GUESSED_FROM = 500  # names by which an encoding is guessed


def list_zip(path: Path, where: str = "", encoding: str = "") -> Tree:
    """All members of a zip archive; rows are those of `ZipReader`.

    Args:
        path: the archive.
        where: how people call it.
        encoding: of names that the archive does not mark as UTF-8; guessed where it is needed and not given.

    Raises:
        DataError: it is no zip archive, or a damaged one.
        UsageError: there is no such encoding.
    """
    tree, told, known = Tree(struct.Struct("<qqqIH")), set[str](), dict[str, str]()
    with path.open("rb") as file:
        start, length, shift = _central_directory(file, path)
        for raw, flags, method, crc, packed, size, mode, offset in _members(file, start, length, path):
            name, reason = _decoded(raw, flags), ""
            if name is None or (encoding and not flags & _UTF8):
                encoding = encoding or _guessed(tree, file, (start, length, path), where or str(path))
                name = raw.decode(known_encoding(encoding, where), "replace")
            if name.endswith("/"):
                continue
            if flags & _ENCRYPTED:
                reason = "encrypted"
            elif stat.S_ISLNK(mode):
                reason = "a link inside an archive is not followed"
            elif method not in ZIP_METHODS:
                reason = f"compressed by a method (number {method}) that is not read"
            elif max(offset, packed, size) >= 2**62:
                reason = "the archive is damaged here (a size that no file has)"
            _put(tree, name, reason, (offset + shift, packed, size, crc, method), told, known)
    return tree


def list_tar(path: Path) -> Tree:
    """All members of an uncompressed tar archive; rows are those of `TarReader`.

    Raises:
        DataError: it is no tar archive, or a damaged one.
    """
    tree, told, known = Tree(struct.Struct("<qq")), set[str](), dict[str, str]()
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for name, reason, offset, size in _tar_members(file, archive):
                _put(tree, name, reason, (offset, size), told, known)
            file.seek(archive.offset)
            end = file.read(512)  # zeros, where nothing is wrong
        if len(end) < 512:
            tree.skip(path.name, "the archive has no end: it may have been cut short")
        elif any(end):
            tree.skip(path.name, "the archive is damaged: what follows its last file here cannot be read")
    except (tarfile.TarError, OSError, EOFError, ValueError) as why:
        raise DataError(f"{path} is no tar archive, or a damaged one ({why}).") from why
    return tree


def _tar_members(file: IO[bytes], archive: tarfile.TarFile) -> Iterator[tuple[str, str, int, int]]:
    """(name, why it is left out, offset, size) of each member but directories.

    A plain header is read here, which takes a quarter of `tarfile`'s time; whatever else one meets is for `tarfile`.
    """
    archive.firstmember = None  # type: ignore[attr-defined]  # which it has read on opening
    place = 0
    while True:
        file.seek(place)
        plain = None if archive.pax_headers else _plain_header(file.read(512))  # global headers may rename members
        if plain is not None:
            name, size = plain
            yield name, "", place + 512, size
            place += 512 + -(-size // 512) * 512
            continue
        file.seek(place)
        archive.offset = place
        archive.members = []  # type: ignore[attr-defined]  # it would keep every member it has met
        member = archive.next()
        if member is None:
            return
        if archive.offset <= place:  # a size below zero: it would be read for ever
            raise tarfile.ReadError(f"the header at byte {place:,} leads backwards")
        place = archive.offset
        if member.isdir():
            continue
        reason = ""
        if member.issym() or member.islnk():
            reason = "a link inside an archive is not followed"
        elif not member.isreg() or member.issparse():
            reason = "not an ordinary file"
        yield member.name, reason, member.offset_data, member.size


def _plain_header(block: bytes) -> tuple[str, int] | None:
    """Name and size of an ordinary file with nothing special about it (POSIX 1003.1, ustar); None for all else."""
    if len(block) < 512 or block[156:157] not in (b"0", b"\0") or block[124] & 0x80:
        return None
    try:
        if int(block[148:156].strip(b" \0"), 8) != sum(block) - sum(block[148:156]) + 8 * 0x20:
            return None
        size = int(block[124:136].strip(b" \0") or b"0", 8)
    except ValueError:
        return None
    if size < 0:
        return None
    name, prefix = block[:100].partition(b"\0")[0], block[345:500].partition(b"\0")[0]
    if prefix and block[257:263] == b"ustar\0":
        name = prefix + b"/" + name
    if not name or name.endswith(b"/"):
        return None
    return name.decode("utf-8", "surrogateescape"), size


def _put(tree: Tree, name: str, reason: str, row: tuple[int, ...], told: set[str], known: dict[str, str]) -> None:
    """Put one member into the tree, or leave it out with a reason.

    Args:
        tree, name, reason, row: where to, what, and why not, where there is a reason.
        told: hidden folders that have been told of; each is told once.
        known: folders with nothing against them, as they are written and as they are meant: looked at once.
    """
    raw, _, file = name.rpartition("/")
    if raw in known and not reason and file not in ("", "..") and not hidden(file) and "\0" not in file:
        tree.add(known[raw], file, row)
        return
    if "\\" in name and "/" not in name:
        name = name.replace("\\", "/")  # made by a Windows program that ignored the standard
    parts = name.removeprefix("./").split("/")
    if name.startswith("/") or ".." in parts or "\0" in name or (len(parts[0]) == 2 and parts[0][1] == ":"):
        tree.skip(name.replace("\0", "?"), "its name points outside the archive")
        return
    parts = [part for part in parts if part not in ("", ".")]
    for depth, part in enumerate(parts, 1):
        if hidden(part):
            last = depth == len(parts)
            shown = "/".join(parts[:depth]) + ("" if last else "/")
            if shown not in told:
                told.add(shown)
                tree.skip(shown, f"hidden or system {'file' if last else 'folder'}")
            return
    if reason:
        tree.skip(name, reason)
    elif parts:
        folder = "/".join(parts[:-1])
        tree.add(folder, parts[-1], row)
        if raw and folder:
            known[raw] = folder


# -- the directory of a zip
# ---------------------------------------------------------------------------------------


def _central_directory(file: IO[bytes], path: Path) -> tuple[int, int, int]:
    """Where the directory begins, its bytes, and by how much its offsets are too small (data before the archive)."""
    length = file.seek(0, 2)
    tail_start = max(0, length - 65557)  # the end record is last, before a comment of at most 65,535 bytes
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise DataError(f"{path} is no zip archive, or an incomplete one (its end is missing).")
    _, count, size, offset, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if 0xFFFFFFFF in (size, offset) or count == 0xFFFF:
        size, offset, end = _zip64_end(file, end, size, offset)
    start = end - size
    if start < 0 or start < offset:
        raise DataError(f"{path} is a damaged zip archive (its directory is not where it should be).")
    return start, size, start - offset


def _zip64_end(file: IO[bytes], end: int, size: int, offset: int) -> tuple[int, int, int]:
    """Beyond 4 GB or 65,535 members: size and offset of the directory, and where its end record is."""
    if end < 20:
        return size, offset, end
    file.seek(end - 20)
    locator = file.read(20)
    if locator[:4] != b"PK\x06\x07":
        return size, offset, end
    told = struct.unpack_from("<Q", locator, 8)[0]
    for place in (told, end - 20 - 56):  # as told, or with data before the archive
        if not 0 <= place <= end - 56:
            continue
        file.seek(place)
        record = file.read(56)
        if record[:4] == b"PK\x06\x06":
            _, _, size64, offset64 = _END64.unpack_from(record)
            return size64, offset64, place
    return size, offset, end


def _members(
    file: IO[bytes], start: int, length: int, path: Path
) -> Iterator[tuple[bytes, int, int, int, int, int, int, int]]:
    """(name, flags, method, crc, packed, size, mode, offset) of each member; the directory is read in blocks."""
    block, at, read, unpack = b"", 0, 0, _MEMBER.unpack_from
    while True:
        if len(block) - at < _LONGEST and read < length:
            file.seek(start + read)
            more = file.read(min(_BLOCK, length - read))
            block, at, read = block[at:] + more, 0, read + len(more) if more else length
        if at == len(block):
            return
        if at + 46 > len(block):
            raise DataError(f"{path} is a damaged zip archive (its directory ends in the middle of a file's entry).")
        signature, system, flags, method, crc, packed, size, names, extras, notes, attributes, offset = unpack(
            block, at
        )
        if signature != 0x02014B50:
            place = read - len(block) + at
            raise DataError(f"{path} is a damaged zip archive (its directory makes no sense at byte {place}).")
        first = at + 46
        name = block[first : first + names]
        if not flags & _UTF8 and _UNICODE_PATH in block[first + names : first + names + extras]:
            better = _unicode_path(block[first + names : first + names + extras], name)
            name, flags = better or name, flags | _UTF8 * bool(better)
        if 0xFFFFFFFF in (packed, size, offset):
            extra = block[first + names : first + names + extras]
            size, packed, offset = _zip64_sizes(extra, size, packed, offset)
        yield name, flags, method, crc, packed, size, attributes >> 16 if system == 3 else 0, offset
        at = first + names + extras + notes


def _zip64_sizes(extra: bytes, *values: int) -> list[int]:
    """Those of (size, packed, offset) that did not fit into 32 bits, from the extra field 0x0001."""
    found = list(values)
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<HH", extra)
        if tag == 1:
            told = extra[4 : 4 + length]  # less than that where the archive is damaged
            wide = list(struct.unpack_from(f"<{len(told) // 8}Q", told))
            for i, value in enumerate(values):
                if value == 0xFFFFFFFF and wide:
                    found[i] = wide.pop(0)
        extra = extra[4 + length :]
    return found


def _unicode_path(extra: bytes, raw: bytes) -> bytes | None:
    """The name in UTF-8 that the extra field 0x7075 holds, where it belongs to this very name."""
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<HH", extra)
        field = extra[4 : 4 + length]
        if tag == 0x7075 and len(field) > 5 and struct.unpack_from("<I", field, 1)[0] == zlib.crc32(raw):
            return field[5:]
        extra = extra[4 + length :]
    return None


def _decoded(raw: bytes, flags: int) -> str | None:
    """A name as UTF-8, which the archive says it is, or which it forgot to say; None where it is something else."""
    try:
        return raw.decode("utf-8", "surrogateescape" if flags & _UTF8 else "strict")
    except UnicodeDecodeError:
        return None


def _guessed(tree: Tree, file: IO[bytes], directory: tuple[int, int, Path], where: str) -> str:
    """The encoding in which the names that are no UTF-8 look most like words; it is told."""
    odd = (raw for raw, flags, *_ in _members(file, *directory) if _decoded(raw, flags) is None)
    names = list(islice(odd, _GUESSED_FROM))
    encoding = guess_encoding(names)
    tree.notes.append(
        f"{where} does not say how its names are written: they are read as {encoding}, such as "
        f"{names[0].decode(encoding)!r}; {where}#encoding=NAME reads them otherwise."
    )
    return encoding
