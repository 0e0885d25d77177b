"""What a command imports: each of these would cost it tenths of a second."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

DEAR = ("sympy", "scipy", "sklearn", "matplotlib", "pandas", "torch._dynamo", "torch._inductor")
PROGRAM = """
import json, sys
from svertka.cli import main
sys.argv = ["svertka", *sys.argv[2:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(name for name in sys.modules if name in set(json.loads({dear!r})))), file=sys.stderr)
"""


def imported(*words, cwd):
    """Which of DEAR a command has imported when it is done."""
    program = PROGRAM.format(dear=json.dumps(DEAR))
    done = subprocess.run(
        [sys.executable, "-c", program, "svertka", *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("startup")


def test_training_and_scoring_import_nothing_dear(folder):
    assert imported("train", "digits", "--epochs", "1", "--out", "run", "--quiet", cwd=folder) == []
    assert imported("evaluate", "run", "digits", "--quiet", cwd=folder) == []
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "one.png")
    assert imported("predict", "run", "one.png", cwd=folder) == []
