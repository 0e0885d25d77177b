"""Whatever ends the interpreter, it ends cleanly: no abort, no crash, whichever thread was at work then."""

import subprocess
import sys

import pytest
from make_pictures import shapes

TIMES = 4  # what was wrong came up in one of six runs (2 of 12) or more often
EMPTY = """
import svertka
svertka.train("empty")
"""
WATCHED = """
import sys, svertka
from svertka.records import Step, Epoch
def watch(*event):
    if isinstance(event[-1], (Step, Epoch)):
        raise {error}
svertka.train("data", out="run{number}", epochs=50, net="conv3-8 relu maxpool2 flatten fc", weights="none", watch=watch)
"""
LOADER = """
import numpy as np, svertka
from svertka.data.loading.prefetch import ahead
import torch
def work():
    while True:
        yield torch.randn(400, 400) @ torch.randn(400, 400)
batches = ahead(work())
next(batches)
raise ValueError("mine")
"""


def ends(program, status, where, times=TIMES):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program.replace("{number}", str(number))],
            cwd=where,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(times)
    ]
    ended = [(process.communicate(timeout=240)[1], process.returncode) for process in started]
    for err, code in ended:
        assert code == status, err
        assert "Fatal" not in err
        assert "terminate called" not in err


@pytest.fixture
def where(tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / "cache"))
    for name in ("a", "b"):
        (tmp_path / "empty" / name).mkdir(parents=True)
    shapes(tmp_path / "data", each=30)
    return tmp_path


def test_an_error_while_a_thread_loads_a_library(where):
    ends(EMPTY, 1, where)


@pytest.mark.parametrize(("error", "status"), [("ValueError('mine')", 1), ("SystemExit(3)", 3)])
def test_an_error_of_the_users_own_while_batches_are_made(where, error, status):
    ends(WATCHED.replace("{error}", error), status, where, times=2)


def test_an_error_while_a_thread_computes(where):
    ends(LOADER, 1, where)
