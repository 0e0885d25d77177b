"""`evaluate` on data that a model was not made for: one picture, other sizes and colors, nothing, no weights."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def run(sv, tmp_path):
    g = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 180)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for k in range(15):
            noise = g.integers(-40, 40, (12, 12)) + level
            Image.fromarray(noise.astype(np.uint8)).save(tmp_path / "data" / name / f"{k}.png")
    words = ("--net", "conv3-4 relu gap fc", "--epochs", "2", "--set", "batch_size=8")
    assert sv("train", "data", "--out", "run", *words)[0] == 0
    return tmp_path / "run"


def test_one_picture_of_another_size_and_color_is_scored(run, sv, tmp_path):
    (tmp_path / "one" / "light").mkdir(parents=True)
    Image.new("RGB", (333, 50), (200, 190, 180)).save(tmp_path / "one" / "light" / "x.jpg")
    status, out, err = sv("evaluate", "run", "one", "--robust", "--json")
    assert status == 0, err
    told = json.loads(out)
    assert told["n"] == 1
    assert 0 <= told["low"] <= told["accuracy"] <= told["high"] <= 1
    assert told["resolution"]["sentence"]
    assert all(kind["falls"] is None for kind in told["robustness"]["kinds"].values())  # one picture shows nothing
    assert sv("evaluate", "run", "one")[0] == 0


def test_nothing_to_score_is_a_sentence(run, sv, tmp_path):
    (tmp_path / "empty" / "light").mkdir(parents=True)
    (tmp_path / "broken" / "light").mkdir(parents=True)
    (tmp_path / "broken" / "light" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    for name in ("empty", "broken", "nowhere"):
        status, out, err = sv("evaluate", "run", name, "--json")
        assert status == 1, name
        assert name in json.loads(out)["error"]
        assert name in err


def test_a_model_without_its_weights_is_a_sentence(run, sv):
    (run / "model" / "weights.safetensors").unlink()
    status, out, err = sv("evaluate", "run", "data", "--json")
    assert (status, list(json.loads(out))) == (1, ["error"])
    assert "weights.safetensors cannot be read" in err
