"""What commands share: tables that programs can read, strict JSON."""

import pytest

from svertka.cli.results import print_predictions
from svertka.cli.shared import print_json
from svertka.records import Prediction


def test_a_row_that_goes_into_a_pipe_is_one_line(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    path = "/".join(["a-folder-with-a-long-name"] * 6) + "/picture.jpg"
    print_predictions([Prediction(path, "daisy", 0.75, (("daisy", 0.75), ("rose", 0.25)))])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].split() == [path, "75.0%", "daisy", "rose", "25.0%"]


def test_json_is_strict_and_in_every_language(capsys):
    print_json({"class": "ромашка"})
    assert capsys.readouterr().out == '{"class": "ромашка"}\n'
    with pytest.raises(ValueError, match="JSON"):
        print_json({"loss": float("nan")})
