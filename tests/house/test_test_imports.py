"""Tests use a room as its neighbors do, through its face: what they import of the inside of others is counted."""

import ast
from pathlib import Path

import svertka

PACKAGE = Path(svertka.__file__).parent
TESTS = Path(__file__).parents[1]
CEILING = 100  # pairs of a test file and an inner module of a room that is not its own; it may only fall


def inner_modules(path):
    """The modules that a test file imports from, in rooms other than its own."""
    own = path.relative_to(TESTS).parts[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("svertka."):
            place = PACKAGE.joinpath(*node.module.split(".")[1:])
            room = node.module.split(".")[1]
            if room != own and place.parent != PACKAGE and place.with_suffix(".py").is_file():
                yield node.module


def test_tests_reach_into_other_rooms_no_more_than_they_did():
    pairs = {(path, module) for path in TESTS.rglob("*.py") for module in inner_modules(path)}
    assert len(pairs) <= CEILING
    assert len(pairs) > CEILING - 10, f"only {len(pairs)} are left: lower CEILING"
