"""Records are for whoever reads them: TensorBoard, any tracker, live or from the file of a finished run."""

import json
import re
from pathlib import Path

import pytest

import svertka
from svertka.runs import tensorboard as board_module
from svertka.runs.layout import TENSORBOARD
from svertka.runs.run_folder import Run
from svertka.runs.tensorboard import TensorBoard

PAGE = (Path(__file__).parents[2] / "docs/logging.md").read_text(encoding="utf-8")
QUICK = {"epochs": 2, "batch_size": 256, "net": "conv3-8 relu maxpool2 flatten fc"}


def example(words):
    """The first listing of the page that holds these words."""
    return next(code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if words in code)


class Client:
    """A service that takes parameters once and numbers with their step, as MLflow and W&B do."""

    def __init__(self):
        self.told, self.numbers = [], []

    def parameters(self, values):
        self.told.append(values)

    def metrics(self, numbers, step):
        self.numbers.append((step, numbers))


def test_the_tracker_of_the_page_hears_the_same_live_and_afterwards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(example("def tracker"), names)
    live, later = Client(), Client()
    done = svertka.train(
        "digits", out="runs/flowers-1", readers=[names["tracker"](live.parameters, live.metrics)], **QUICK
    )
    names |= {"parameters": later.parameters, "metrics": later.metrics}
    exec(example("read = tracker"), names)
    assert live.told == later.told
    assert live.numbers == later.numbers
    assert live.told[0]["epochs"] == 2
    assert [step for step, _ in live.numbers] == [1, 2, None]
    assert live.numbers[-1][1] == {"final_accuracy": done.summary["validation"]["accuracy"]}


def test_readers_are_closed_however_a_run_ends(tmp_path):
    class Reader:
        closed = 0

        def __call__(self, record):
            if record["kind"] == "epoch":
                raise OSError("the service is gone")

        def close(self):
            self.closed += 1

    reader = Reader()
    with pytest.raises(OSError, match="the service is gone"):
        svertka.train("digits", out=tmp_path / "run", readers=[reader], **QUICK)
    assert reader.closed == 1


def test_a_reader_sees_what_the_file_holds(tmp_path):
    seen = []
    run = Run(tmp_path)
    with run.read_along([seen.append]):
        run.log({"kind": "note", "text": "один"})
        run.log({"kind": "step", "step": 3})
    run.log({"kind": "note", "text": "unheard"})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert seen == lines[:2]


def events(run):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reading.EventAccumulator(str(run / TENSORBOARD))
    found.Reload()
    return found


@pytest.mark.filterwarnings("ignore")  # of TensorBoard's own
def test_tensorboard_holds_the_numbers_of_the_log(sv, tmp_path):
    pytest.importorskip("tensorboard")
    status, _, err = sv(
        "train",
        "digits",
        "--out",
        "run",
        "--epochs",
        "2",
        "--set",
        "batch_size=256",
        "--net",
        QUICK["net"],
        "--tensorboard",
    )
    assert status == 0, err
    log = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    found = events(tmp_path / "run")
    epochs = [r for r in log if r["kind"] == "epoch"]
    for tag, key in (("epoch/training_loss", "loss"), ("epoch/validation_accuracy", "validation_accuracy")):
        assert [e.step for e in found.Scalars(tag)] == [1, 2]
        assert [e.value for e in found.Scalars(tag)] == pytest.approx([r[key] for r in epochs])
    assert len(found.Scalars("step/loss")) == len([r for r in log if r["kind"] == "step"])
    result = next(r for r in log if r["kind"] == "result")
    assert found.Scalars("result/validation_accuracy")[0].value == pytest.approx(result["validation"]["accuracy"])
    assert "_hparams_/session_start_info" in found.summary_metadata
    (tmp_path / "again").mkdir()
    (tmp_path / "again/log.jsonl").write_text((tmp_path / "run/log.jsonl").read_text())
    board = TensorBoard(tmp_path / "again")
    for record in log:
        board(record)
    board.close()
    again = events(tmp_path / "again")
    assert [e.value for e in again.Scalars("epoch/training_loss")] == [
        e.value for e in found.Scalars("epoch/training_loss")
    ]


def test_without_tensorboard_one_sentence_names_the_extra(sv, tmp_path, monkeypatch):
    monkeypatch.setattr(board_module.importlib.util, "find_spec", lambda name: None)
    status, out, err = sv("train", "digits", "--out", "run", "--tensorboard")
    assert (status, out) == (2, "")
    assert "svertka[tensorboard]" in err
    assert not (tmp_path / "run").exists()
