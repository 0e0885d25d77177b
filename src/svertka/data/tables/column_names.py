"""What a column of a table may mean, and the names by which it is known."""

from __future__ import annotations

# meaning -> names, the best first
ROLES: dict[str, tuple[str, ...]] = {
    "path": (
        "path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "picture", "img",
        "bytes", "image_bytes",
    ),
    "label": ("cls", "label", "class", "target", "class_name", "category", "labels", "txt"),
    "part": ("split", "part", "set", "subset", "partition"),
    "group": ("group", "group_id"),
}  # fmt: skip
