"""Where cached things live: decoded pictures, downloaded weights, measured plans. Never inside the user's data."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(kind: str = "") -> Path:
    """The folder for one kind of cached things, which may not exist yet; SVERTKA_CACHE overrides the usual place."""
    named = os.environ.get("SVERTKA_CACHE")
    if named:
        root = Path(named)
    else:
        import platformdirs

        root = Path(platformdirs.user_cache_dir("svertka", appauthor=False))
    return root / kind if kind else root
