"""A decode worker that is killed while `svertka train` reads: another takes its place, and nothing is lost."""

import json
import os
import signal

import pytest
from make_pictures import QUICK, shapes

from svertka.common import restored
from svertka.data.store import builder
from svertka.data.store.worker_process import Worker

PLAN = ("--plan", "layout=channels_last,precision=float32")  # another cache is another measurement


@pytest.mark.parametrize("kills", [1, 3])
def test_training_goes_on_to_the_same_weights(sv, tmp_path, monkeypatch, kills):
    data = shapes(tmp_path / "data", each=30)
    assert sv("train", data, "--out", "whole", *QUICK, *PLAN)[0] == 0
    killed = []

    class Mortal(Worker):
        def __init__(self, *these):
            super().__init__(*these)
            if len(killed) < kills:
                killed.append(self.pid)
                os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / "cache"))  # decode anew
    monkeypatch.setattr(builder, "Worker", Mortal)
    status, _, err = sv("train", data, "--out", "killed", "--json", *QUICK, *PLAN)
    assert status == 0, err
    assert len(killed) == kills
    hashes = [json.loads((tmp_path / r / "model/model.json").read_text())["weights"] for r in ("whole", "killed")]
    metrics = json.loads((tmp_path / "killed/metrics.json").read_text(), object_hook=restored)
    given_up = metrics["unreadable"]  # a file is, when a second worker dies over it
    assert len(given_up) < kills
    assert all("signal 9" in row["reason"] for row in given_up)
    if kills == 1:
        assert hashes[0] == hashes[1]


def test_workers_that_cannot_start_end_with_a_sentence(sv, tmp_path, monkeypatch):
    data = shapes(tmp_path / "data")
    monkeypatch.setattr("svertka.data.store.worker_process._PROGRAM", "import os; os.kill(os.getpid(), 9)")
    status, _, err = sv("train", data, "--out", "run", *QUICK)
    assert status == 1
    assert "A process that decodes pictures cannot be started (signal 9)" in err
    assert not (tmp_path / "run").exists()
