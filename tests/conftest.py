"""What all tests share: a private cache, the real data where it is, and no surprise from threads."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, one thread each; torch reads it when imported

SHARED = Path(os.environ.get("SVERTKA_DATA", Path(__file__).parents[2] / "shared"))


@pytest.fixture(autouse=True)
def _private_cache(tmp_path_factory, monkeypatch):
    """No test reads or fills the cache of the person who runs it."""
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def shared():
    """The folder of real data and weights; a test that asks for it is skipped, with the reason, where it is not."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data are not at {SHARED} (set SVERTKA_DATA)")
    return SHARED


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """A cache of this test alone, and no weights of the machine."""
    for name in ("SVERTKA_DATA", "SVERTKA_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def saved(tmp_path):
    """The folder of a run, with a small model to start from."""
    from make_backbones import backbone

    from svertka.models import Model

    b = backbone()
    return Model(b.net, ("a", "b", "c"), b.preprocess, b.spec).save(tmp_path / "old" / "model").parent


@pytest.fixture
def sv(capsys, monkeypatch, tmp_path):
    """Run one command in this process and in a folder of its own: -> (exit status, stdout, stderr)."""
    from svertka.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["svertka", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return run
