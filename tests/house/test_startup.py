"""What a command imports: each of these would cost it tenths of a second."""

import gc
import json
import subprocess
import sys

import make_run
import numpy as np
import pytest
from PIL import Image

from svertka.common import startup
from svertka.reporting.i18n.translate import speaking
from svertka.reporting.report import page_of
from svertka.runs.results import read_results

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


def test_at_ease_leaves_the_collector_as_it_was():
    assert gc.isenabled()
    with startup.at_ease():
        assert not gc.isenabled()
        with startup.at_ease():  # within another
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    with pytest.raises(ImportError), startup.at_ease():
        raise ImportError
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen  # this process is not ours


def test_torch_is_the_same_after_its_library_was_loaded_ahead():
    program = """
import importlib.util, sys, threading
from svertka.common import startup
startup.ahead()
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
loaded = open("/proc/self/maps").read() if sys.platform == "linux" else ""
assert "torch" not in sys.modules
expected = startup._library()
assert expected is None or str(expected.resolve()) in loaded, expected
import torch
print(torch.ones(3) @ torch.ones(3), torch.get_num_threads(), torch.__config__.parallel_info().count("OpenMP"))
startup.ahead()
"""
    plain = program[program.index("import torch\n") :].replace("startup.ahead()", "")
    ahead, usual = (
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
        for text in (program, plain)
    )
    assert ahead == usual


def test_a_page_is_the_same_from_templates_compiled_before(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    run = read_results(make_run.invented(tmp_path / "run"))

    def pages(place):
        monkeypatch.setattr(sys, "pycache_prefix", str(place))
        made = []
        for lang in ("ru", "en"):
            with speaking(lang):
                made.append(page_of(run))
        return made

    first = pages(tmp_path / "kept")
    kept = list((tmp_path / "kept").rglob("*.html.*.pyc"))
    assert len(kept) > 10
    assert pages(tmp_path / "kept") == first
    for path in kept:  # cut short, and of another text
        path.write_bytes(path.read_bytes()[:-5] if len(path.name) % 2 else b"another\n")
    assert pages(tmp_path / "kept") == first
    (tmp_path / "file").write_text("no folder")
    assert pages(tmp_path / "file") == first
    assert first[0] != first[1]


def test_an_empty_network_and_its_filling_import_no_compiler():
    program = f"""
import json, sys
from svertka import zoo
from svertka.zoo.weights.rename_tensors import load_state
for name in zoo.variants():
    zoo.empty_net(name)
net = zoo.empty_net("squeezenet1_1", classes=3)
left = load_state(net, zoo.net("squeezenet1_1", classes=5).state_dict(), drop_head=True)
assert left and not any(p.is_meta for p in net.parameters()) and all(p.requires_grad for p in net.parameters())
print(json.dumps([name for name in {DEAR} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
