"""The pages on operations and lectures are executed, and held against what they quote."""

import doctest
import re
from pathlib import Path

import pytest

import svertka
from svertka import ops

ROOT = Path(svertka.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")
LECTURES = (DOCS / "lectures.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", OPERATIONS, re.DOTALL | re.MULTILINE)


def test_every_example_of_the_page_on_operations_runs():
    session = "\n".join(block for block in BLOCKS if ">>>" in block)
    test = doctest.DocTestParser().get_doctest(session, {}, "operations.md", "operations.md", 0)
    said = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert len(test.examples) > 40
    assert not said, "".join(said)


def test_every_excerpt_is_in_the_code_word_for_word():
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "ops").glob("*.py"))
    excerpts = [block for block in BLOCKS if ">>>" not in block]
    assert len(excerpts) == 2
    for excerpt in excerpts:
        assert excerpt in code


def test_every_operation_and_every_kernel_is_on_the_page():
    for name in [*ops.OPERATIONS, *ops.KERNELS]:
        assert f"`{re.sub(r'(?<=pool)[12]d$', '', name)}`" in OPERATIONS, name


def test_every_slip_names_a_test_and_every_test_of_a_slip_is_named():
    tests = Path(__file__).with_name("test_ops_lectures.py").read_text(encoding="utf-8")
    written = set(re.findall(r"^def (test_slip_\w+)\(", tests, re.MULTILINE))
    named = set(re.findall(r"`(test_(?:slip|lecture|the)_\w+)`", LECTURES))
    assert {name for name in named if name.startswith("test_slip")} == written
    assert not [name for name in named if f"def {name}(" not in tests]


@pytest.mark.parametrize("number", range(5))
def test_every_quotation_is_in_its_lecture(number, shared):
    lecture = (shared / "lectures" / f"lecture_{number:03}.txt").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^### In lecture {number:03}\n(.*?)(?=^###|\Z)", LECTURES, re.DOTALL | re.MULTILINE)
    quotations = re.findall("«(.*?)»", section)
    assert quotations
    for quotation in quotations:
        assert quotation in lecture


def test_everything_of_ops_and_shapes_that_the_pages_name_is_there():
    for part, name in re.findall(r"`(?:svertka\.)?(ops|shapes)\.(\w+)", OPERATIONS + LECTURES):
        __import__(f"svertka.{part}.{name}") if (ROOT / part / f"{name}.py").exists() else None
        assert hasattr(getattr(svertka, part), name), f"{part}.{name}"
