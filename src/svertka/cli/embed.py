"""`svertka embed`: what a network sees in pictures, as numbers in a file, or as the pictures most like one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from svertka.cli.options import Json, ModelArg, print_json, say, say_left_out
from svertka.common.startup import at_ease
from svertka.errors import UsageError


def embed(
    model: ModelArg,
    files: Annotated[list[str], typer.Argument(help="Pictures, or folders of pictures.")],
    out: Annotated[Path | None, typer.Option(help="Where to write: a new .npz, or .parquet with pyarrow.")] = None,
    like: Annotated[Path | None, typer.Option(metavar="PICTURE", help="Name the pictures most like this one.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many of them.")] = 5,
    as_json: Json = False,
) -> None:
    """Write what a network sees in pictures, one vector each, or name those most like another."""
    if out is None and like is None:
        raise UsageError("--out names a file for the vectors, --like a picture whose likes are looked for: give one.")
    with at_ease():
        from svertka.api.embed import embed as run
        from svertka.api.predict import open_model

    opened = open_model(model)
    query = run(opened, [like]).vectors[0] if like is not None else None  # first: it may be no picture
    found = run(opened, files, out=out)
    say_left_out(files)
    alike = found.similar(query, count, besides=like) if query is not None else []
    bad = [{"path": u.path, "error": u.reason} for u in found.unreadable]
    if as_json:
        payload = {"out": out and str(out), "pictures": len(found.paths), "width": found.vectors.shape[1]}
        rows = [{"path": path, "cosine": round(cosine, 6)} for path, cosine in alike]
        print_json({**payload, **({"similar": rows} if like is not None else {}), "unreadable": bad})
        return
    if out is not None:
        print(f"{len(found.paths):,} vectors of {found.vectors.shape[1]:,} numbers are in {out}.")
    for path, cosine in alike:
        print(f"{cosine:.4f}  {path}")
    for row in bad:
        say(f"{row['path']} cannot be read: {row['error']}")
