"""What all pages of ours share: the mark by which they are known, their templates, and how they come into place."""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import sys
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from svertka.common.atomic_write import write_bytes
from svertka.errors import RunError
from svertka.reporting import format
from svertka.reporting.charts import palette
from svertka.reporting.i18n.translate import decimal, language, number, say_markup, translated
from svertka.runs import layout

MARK = '<meta name="generator" content="svertka">'  # by which a page of ours is known, and may be replaced


OPTIONS: dict[str, Any] = {
    "autoescape": True,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "optimized": False,  # what a filter makes of a constant depends on the language, so it is not made beforehand
}


class _Compiled(BytecodeCache):
    """Templates as code, where Python keeps our modules as code: compiling all anew takes 0.15 s, half of a report."""

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """The file of a template: TEMPLATE.html.cpython-311.pyc in __pycache__, or where PYTHONPYCACHEPREFIX says."""
        return importlib.util.cache_from_source(f"{filename or name}.py")

    def load_bytecode(self, bucket: Bucket) -> None:
        """What was compiled from this very text by this very compiler, if anything."""
        head = _head(bucket)
        with contextlib.suppress(OSError, ValueError, EOFError, TypeError):  # not there, or damaged
            data = Path(bucket.key).read_bytes()
            if data.startswith(head):
                bucket.code = marshal.loads(data[len(head) :])  # as trustworthy as the modules beside it

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, where Python would."""
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(OSError):  # installed where this user may not write
            Path(bucket.key).parent.mkdir(parents=True, exist_ok=True)
            write_bytes(bucket.key, _head(bucket) + marshal.dumps(bucket.code))


def _head(bucket: Bucket) -> bytes:
    compiler = f"{jinja2.__version__} {sorted(OPTIONS.items())} {bucket.checksum}\n"
    return importlib.util.MAGIC_NUMBER + compiler.encode()


def render(page: str, **values: Any) -> str:
    """A page as text, in the language of the surrounding `speaking` block: pages/PAGE.html with these values."""
    template = environment().get_template(f"pages/{page}.html")
    return template.render(mark=MARK, palette=palette, lang=language(), **values)


def environment() -> Environment:
    """The templates of this folder; whatever is put into them is escaped."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        bytecode_cache=_Compiled(),
        undefined=StrictUndefined,
        **OPTIONS,
    )
    made.filters |= {
        "number": number,
        "decimal": decimal,
        "duration": format.duration,
        "size": format.size,
        "shorten": format.shorten,
        "chance": format.chance,
        "translated": translated,
    }
    made.globals |= {"say": say_markup}
    return made


def place_of(folder: Path, out: Path | None) -> Path:
    """Where the page of a folder goes: `out`, where it is named (a folder receives a report.html), or into itself."""
    place = out if out is not None else folder
    return place / layout.REPORT if place.is_dir() or out is None else place


def replace_page(page: Path, html: str) -> None:
    """The old report, or no file, becomes the new one at once; a killed process leaves the old one."""
    # a path that is no text on this system holds lone surrogates, which UTF-8 has no bytes for
    data = html.encode("utf-8", errors="backslashreplace")
    try:
        if page.exists() and MARK.encode() not in page.read_bytes()[:4096]:
            raise RunError(f"{page} exists and is no report of svertka; it stays as it is, so name another file.")
        write_bytes(page, data)
    except OSError as why:
        raise RunError(f"{page} cannot be written: {why.strerror or why}.") from why
