"""What commands share: tables that programs can read, strict JSON."""

import io
import json
import sys
from typing import get_args

import pytest

from svertka.cli.options import print_json
from svertka.cli.progress import _Lines, _Live
from svertka.cli.results import print_predictions
from svertka.records import (
    CorruptionsTried,
    Epoch,
    Event,
    ExplanationsMade,
    FeaturesExtracted,
    FilesDecoded,
    ForecastMade,
    Interval,
    Note,
    PlanChosen,
    Prediction,
    Rung,
    Step,
    TrialDone,
    plain,
)


def test_a_row_that_goes_into_a_pipe_is_one_line(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    path = "/".join(["a-folder-with-a-long-name"] * 6) + "/picture.jpg"
    print_predictions([Prediction(path, "daisy", 0.75, (("daisy", 0.75), ("rose", 0.25)))])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].split() == [path, "75.0%", "daisy", "rose", "25.0%"]


def test_the_bar_of_steps_follows_their_number():
    with _Live() as live:
        for step, steps in ((1, 10), (2, 20)):  # --minutes allow more passes than they seemed to
            live(Step(step, steps, 1, 0.5, 0.1, 8, 1.0))
        learning = live.bar.tasks[live.tasks["learning"]]
        assert (learning.completed, learning.total) == (2, 20)
        for done, total in ((5, 5), (1, 7)):  # a second data set is read
            live(FilesDecoded(done, total))
        reading = live.bar.tasks[live.tasks["reading"]]
        assert (reading.completed, reading.total, reading.visible) == (1, 7, True)


EVENTS = [
    (Note("Rare."), "Rare."),
    (FilesDecoded(5, 5), "read 5 of 5 files"),
    (FeaturesExtracted("resnet18", 5, 5), "resnet18 looked at 5 of 5 pictures"),
    (ExplanationsMade(2, 2), "2 of 2 explanations"),
    (CorruptionsTried(1, 9), "tried 1 of 9 kinds of change"),
    (PlanChosen("cpu", "channels_last", "float32", 2, "measured"), "plan: cpu, channels-last, float32, 2 threads (mea"),
    (ForecastMade(400.0, None, 3_250_000), "forecast: 6.7 min in all, 3.2 MB on disk"),
    (Step(1, 10, 1, 0.5, 0.1, 8, 1.0), "step 1 of 10  loss 0.500"),
    (Epoch(1, 2, 0.5, 0.75, 0.5, 0.75, 0.1, 8, 1.0, True), "epoch 1 of 2   loss 0.500   training  75.00%   valid"),
    (Rung("linear head", "resnet18", "l2", Interval(0.5, 0.1, 0.9, 4), None, 1.0, True), "linear head   validation"),
    (TrialDone("rotate=15", 0.01, -0.01, 0.03, "within noise", 2.0), "rotate=15        +1.00 points (-1.00 to +3.00)"),
]


def test_each_event_is_json_and_a_line(capsys, monkeypatch):
    monkeypatch.setattr("svertka.cli.progress.INTERVAL", -1.0)  # none is too early
    assert {type(event) for event, _ in EVENTS} == set(get_args(Event))
    kinds = [json.loads(json.dumps(plain(event)))["kind"] for event, _ in EVENTS]
    assert len(set(kinds)) == len(EVENTS)
    lines = _Lines()
    with _Live() as live:
        for event, start in EVENTS:
            live(event)
            capsys.readouterr()
            lines(event)
            assert capsys.readouterr().err.startswith(start)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "ascii"])
def test_what_stdout_cannot_write_is_escaped_as_json_does(monkeypatch, encoding):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    content = {"class": "ромашка é 😀", "path": "caf\udce9"}
    print_json(content)
    stdout.flush()
    assert json.loads(stdout.buffer.getvalue().decode(encoding)) == content


def test_json_is_strict_and_in_every_language(capsys):
    print_json({"class": "ромашка"})
    assert capsys.readouterr().out == '{"class": "ромашка"}\n'
    with pytest.raises(ValueError, match="JSON"):
        print_json({"loss": float("nan")})
