"""What a user imports has its types and its docstring in an editor, though it is fetched only when it is used."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import svertka

ROOT = Path(__file__).parents[2]
FACES = ["svertka", "svertka.data", "svertka.kinds.image", "svertka.notation"]
NAMES = [*(f"sv.{name}" for name in svertka.__all__ if name != "__version__"), "sv.data.dataset", "sv.data.open_source"]


def face(package):
    """The `if TYPE_CHECKING: ... else: ...` of a package."""
    tree = ast.parse(Path(importlib.import_module(package).__file__).read_text(encoding="utf-8"))
    return next(node for node in tree.body if isinstance(node, ast.If))


@pytest.mark.parametrize("package", FACES)
def test_names_for_editors_are_those_that_are_fetched(package):
    both = face(package)
    imports = [node for node in both.body if isinstance(node, ast.ImportFrom)]
    shown = {(node.module, alias.name) for node in imports for alias in node.names}
    call = both.orelse[0].value
    homes = ast.literal_eval(call.args[1])
    fetched = {(module, name) for module, names in homes.items() for name in names}
    fetched |= {(package, name) for name in (ast.literal_eval(call.args[2]) if len(call.args) > 2 else ())}
    assert shown == fetched


@pytest.mark.parametrize("package", FACES)
def test_every_name_of_a_face_is_there_and_listed(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


def test_a_type_checker_knows_what_a_user_imports(tmp_path):
    script, names = tmp_path / "user.py", [*NAMES, "run"]
    questions = "".join(f"reveal_type({name})\n" for name in names)
    script.write_text(f"import svertka as sv\nrun = sv.train('digits')\n{questions}")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", script],
        cwd=ROOT, capture_output=True, text=True, check=False, env={"MYPYPATH": str(ROOT / "src"), "PATH": ""},
    )  # fmt: skip
    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert len(revealed) == len(names), done.stdout + done.stderr
    assert not [(name, found) for name, found in zip(names, revealed, strict=True) if found == "Any"]
    assert "error" not in done.stdout, done.stdout
    assert revealed[-1].startswith("svertka."), revealed[-1]
