"""The tree in docs/architecture.md is the tree that is there."""

import re
from pathlib import Path

import svertka

PACKAGE = Path(svertka.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")
EACH = "*/"  # a line for all folders of its place
MOST = 16  # Python files in a folder, beside its __init__
LONGER = {
    "kinds/image": "all that knows of pictures lies in one folder",
    "zoo/image": "a file a family",
}


def drawn():
    """The folders of the diagram: path below the package -> what its line says."""
    block = PAGE.partition("```\nsvertka/\n")[2].partition("```")[0]
    found, place = {}, []
    for line in block.splitlines():
        name, _, text = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        place = [*place[: depth - 1], name.rstrip("/")]
        if name.endswith("/"):
            found["/".join(place)] = text.strip()
    return found


def folders():
    paths = (p.relative_to(PACKAGE) for p in PACKAGE.rglob("*") if p.is_dir() and p.name != "__pycache__")
    return {path.as_posix() for path in paths}


def test_every_folder_has_a_line_and_every_line_a_folder():
    lines = drawn()
    assert len(lines) > 30
    groups = {path.removesuffix("/*") for path in lines if path.endswith("/*")}
    there = {path for path in folders() if str(Path(path).parent) not in groups}
    named = {path for path in lines if not path.endswith("/*")}
    assert there - named == set(), "write a line for each in docs/architecture.md"
    assert named - there == set(), "docs/architecture.md names folders that are not there"
    assert groups <= folders()


def test_every_line_says_something():
    assert [path for path, text in drawn().items() if len(text) < 8] == []


def test_no_folder_is_too_full_to_be_read():
    full = {}
    for folder in folders():
        files = [p for p in (PACKAGE / folder).glob("*.py") if p.name != "__init__.py"]
        if len(files) > MOST and folder not in LONGER:
            full[folder] = len(files)
    assert full == {}


def test_every_file_that_a_page_names_is_there():
    """`rooms/files.py` are looked for in the package and in the project; a bare `file.py` anywhere in the package."""
    root = Path(__file__).parents[2]
    names = {path.name for path in PACKAGE.rglob("*.py")} | {path.name for path in root.glob("*/*.py")}
    lost = []
    for page in (root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").glob("*.md")):
        if page.name == "extending.md":  # which tells of files that are to be written
            continue
        for name in re.findall(r"(?<![\w/.-])((?:[\w-]+/)*\w+\.py)\b(?!/)", page.read_text(encoding="utf-8")):
            if not ((PACKAGE / name).is_file() or (root / name).is_file() or ("/" not in name and name in names)):
                lost.append(f"{page.name}: {name}")
    assert lost == []
