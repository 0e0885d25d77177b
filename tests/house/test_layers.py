"""The house plan is a test: imports point downward only, and siblings do not import each other."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import svertka

ROOT = Path(svertka.__file__).parent
LAYERS = [
    "errors",
    "common records shapes",
    "cache kinds blocks ops",
    "optimizers notation",
    "data evaluation hardware",
    "zoo audit runs",
    "models summary reporting",
    "training explanation",
    "transfer analysis",
    "pipeline",
    "api keras",
    "cli",
    "__main__",
]
RANK = {part: rank for rank, row in enumerate(LAYERS) for part in row.split()}


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    parts: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module] if node.module != "svertka" else [f"svertka.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        else:
            continue
        parts |= {name.split(".")[1] for name in names if name.startswith("svertka.")}
    return parts - {"__version__"}


def test_every_part_has_its_place():
    found = {part_of(p) for p in ROOT.rglob("*.py")} - {"__init__"}
    assert found <= set(RANK), f"not in the house plan: {sorted(found - set(RANK))}"


def test_imports_only_point_down():
    wrong = [
        f"{path.relative_to(ROOT)} imports {there}"
        for path in ROOT.rglob("*.py")
        if path != ROOT / "__init__.py"
        for there in imported_parts(path)
        if there != part_of(path) and not RANK[there] < RANK[part_of(path)]
    ]
    assert not wrong, wrong


def test_no_files_import_each_other_in_a_circle():
    """Imports within functions and those for type checkers count too: they tie two files together all the same."""
    files = {}
    for path in ROOT.rglob("*.py"):
        files[".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")] = path
    imported = {}
    for name, path in files.items():
        nodes = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom)]
        whole = {n.module for n in nodes} | {f"{n.module}.{alias.name}" for n in nodes for alias in n.names}
        faces = {n.module for n in nodes if all(f"{n.module}.{alias.name}" in files for alias in n.names)}
        imported[name] = (whole - faces) & files.keys() - {name}
    try:
        list(TopologicalSorter(imported).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_importing_svertka_imports_nothing_heavy():
    code = "import sys, svertka; print([m for m in ('torch', 'numpy', 'PIL', 'sklearn', 'rich') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
