"""What commands share: tables that programs can read, strict JSON."""

import io
import json
import sys

import pytest

from svertka.cli.options import print_json
from svertka.cli.progress import _Live
from svertka.cli.results import print_predictions
from svertka.records import Prediction, Step


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
            live("step", Step(step, steps, 1, 0.5, 0.1, 8, 1.0))
        assert (live.bar.tasks[live.learning].completed, live.bar.tasks[live.learning].total) == (2, 20)
        for done, total in ((5, 5), (1, 7)):  # a second data set is read
            live("read", (done, total))
        reading = live.bar.tasks[live.reading]
        assert (reading.completed, reading.total, reading.visible) == (1, 7, True)


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
