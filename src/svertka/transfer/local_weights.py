"""Which weights a training starts from, found without torch, so that pictures are being decoded meanwhile.

`auto` never fetches: it takes what lies in the folders of weights. The smallest files are the quickest networks; which
of them serve these pictures and this time is settled when they are open (affording.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from svertka.cache.folders import cache_folder
from svertka.common.messages import message
from svertka.errors import UsageError
from svertka.training.recipe import Recipe

SUFFIXES = (".safetensors", ".npz", ".pth", ".pt", ".th")
SIDE, ZOOM = 224, 0.875  # the input of nearly all of ImageNet's networks, cut from the middle of 256 pixels
GLYPH = 40  # pictures up to this side are no photos
MOST = 2  # networks that `auto` looks through: two that learned differently see more together than each alone
OPENED = 6  # files that it chooses from, the smallest: opening all would take longer than looking through some
LARGEST = 256 * 2**20  # bytes of one of them: more take too long to open without a word from the user


def folders() -> list[Path]:
    """Where files of weights lie: the cache, and what SVERTKA_WEIGHTS and SVERTKA_DATA name."""
    found = [cache_folder("weights")]
    if named := os.environ.get("SVERTKA_WEIGHTS"):
        found.append(Path(named))
    if named := os.environ.get("SVERTKA_DATA"):
        found.append(Path(named) / "weights")
    return found


def at_hand() -> tuple[Path, ...]:
    """The files that `auto` may start from, the smallest first; none where there are none."""
    files: dict[str, tuple[int, Path]] = {}
    for folder in folders():
        try:
            for path in folder.iterdir():
                if path.suffix.lower() in SUFFIXES and path.is_file():
                    files.setdefault(path.name, (path.stat().st_size, path))
        except OSError:
            continue  # no such folder, or one that may not be read
    return tuple(path for size, path in sorted(files.values()) if size <= LARGEST)


def wanted(recipe: Recipe, side: int) -> tuple[str, ...]:
    """What training starts from: what the recipe names (several between commas), or what is at hand for photos.

    Args:
        recipe: `weights` none says no; `auto` (None) gives way to any choice about learning from scratch.
        side: of the pictures, in pixels; 0 for samples of another kind.

    Raises:
        UsageError: there is nothing between two commas.
    """
    if recipe.weights == "none":
        return ()
    if recipe.weights is not None and not side:
        raise UsageError(f"--weights {recipe.weights}: there are published weights for pictures alone.")
    if recipe.weights is not None:
        parts = tuple(part.strip() for part in recipe.weights.split(","))
        if not all(parts):
            raise UsageError(f"--weights takes names and files between commas; received {recipe.weights!r}.")
        return (recipe.weights,) if Path(recipe.weights).exists() else parts
    return tuple(map(str, at_hand())) if sought(recipe, side) else ()


def sought(recipe: Recipe, side: int) -> bool:
    """Whether `auto` looks for weights: for photos, where nothing was asked for that only a fresh network has."""
    asked = (recipe.net, recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.optimizer, recipe.freeze)
    return recipe.weights is None and side > GLYPH and all(one is None for one in asked)


def missing_sentence() -> str:
    """What `auto` would have used, and where to put it."""
    return message(
        "weights.missing",
        "Training starts from scratch, as no ImageNet weights of use are on this machine: mobilenet_v2.tv would serve; "
        "`svertka weights mobilenet_v2.tv` fetches them, or put mobilenet_v2-b0353104.pth into {folder}.",
        folder=str(folders()[0]),
    )
