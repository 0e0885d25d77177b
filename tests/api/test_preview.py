"""`preview` and `tune` as commands, and balance in a run: files, sentences, JSON."""

import io
import json

import numpy as np
import pytest
from make_pictures import QUICK, shapes
from PIL import Image

from svertka.api.preview import preview
from svertka.common import restored
from svertka.reporting.charts.contact_sheet import draw_sheet


def test_preview_draws_originals_beside_what_training_sees(sv, tmp_path):
    data = shapes(tmp_path / "данные", classes=("круг", "крест x"), side=16)
    status, out, _ = sv(
        "preview",
        data,
        "--out",
        "sheet.png",
        "--json",
        "--set",
        "flip_vertical=yes",
        "--set",
        "shift=0",
        "--pictures",
        4,
    )
    assert status == 0
    answer = json.loads(out)
    assert answer["augmentation"] == "flip_vertical=yes"
    assert len(answer["shown"]) == 4
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    tile = 128
    row = sheet[40 : 40 + tile]  # the first row of pictures lies below the titles
    source = np.asarray(Image.open(data / answer["shown"][0])).repeat(8, 0).repeat(8, 1)
    starts = [x for x in range(row.shape[1] - tile) if np.array_equal(row[:, x : x + tile, 0], source)]
    upended = [x for x in range(row.shape[1] - tile) if np.array_equal(row[:, x : x + tile, 0], source[::-1])]
    assert starts[0] < min(upended)  # the original comes first
    assert len(starts) + len(upended) == 8


def test_preview_never_overwrites_and_numbers_its_own(sv, tmp_path):
    data = shapes(tmp_path / "data")
    assert sv("preview", data)[1].strip() == "data-preview.png"
    assert sv("preview", data)[1].strip() == "data-preview-2.png"
    before = (tmp_path / "data-preview.png").read_bytes()
    status, _, err = sv("preview", data, "--out", "data-preview.png")
    assert status == 2
    assert "never overwritten" in err
    assert (tmp_path / "data-preview.png").read_bytes() == before
    status, _, err = sv("preview", data, "--pictures", 0)
    assert status == 2
    assert "1 to 64" in err


def test_preview_passes_over_what_cannot_be_read(tmp_path):
    data = shapes(tmp_path / "data", each=3)
    (data / "disc" / "0.png").write_bytes(b"no picture")
    found = preview(data, out=tmp_path / "a.png", pictures=6)
    assert len(found.shown) == 5
    assert not any(path.endswith("disc/0.png") for path in found.shown)


def test_mixing_shows_in_the_preview(tmp_path):
    data = shapes(tmp_path / "data")
    found = preview(data, out=tmp_path / "a.png", cutmix=1.0, pictures=2)
    assert found.augmentation.endswith("cutmix=1")


def test_long_names_are_cut_and_long_lines_wrapped():
    rows = [np.zeros((2, 5, 9, 3), np.uint8)]
    short, long = (draw_sheet(rows, ["x" * k], ["a", "b"], ["word " * k]) for k in (1, 200))
    heights = [Image.open(io.BytesIO(png)).height for png in (short, long)]
    assert heights[1] > heights[0]


@pytest.mark.parametrize("balance", ["weights", "sample"])
def test_balance_is_told_and_repeats_itself(sv, tmp_path, balance):
    data = shapes(tmp_path / "data", classes=("disc",), each=30)
    shapes(tmp_path / "data2", classes=("x", "cross"), each=5)
    (tmp_path / "data2" / "cross").rename(data / "cross")
    hashes = []
    for run in "ab":
        assert sv("train", data, "--out", run, "--balance", balance, *QUICK)[0] == 0
        hashes.append(json.loads((tmp_path / run / "model" / "model.json").read_text())["weights"]["sha256"])
    assert hashes[0] == hashes[1]
    notes = json.loads((tmp_path / "a" / "metrics.json").read_text(), object_hook=restored)["notes"]
    assert any(f"balance={balance}" in note and "equally frequent" in note for note in notes)
    assert json.loads((tmp_path / "a" / "recipe.json").read_text())["recipe"]["balance"] == balance
    assert sv("train", data, "--out", "c", *QUICK)[0] == 0
    plain = json.loads((tmp_path / "c" / "metrics.json").read_text(), object_hook=restored)["notes"]
    assert any("--balance weights" in note for note in plain)


def test_mixed_training_resumes_and_repeats(sv, tmp_path):
    data = shapes(tmp_path / "data")
    more = ("--set", "mixup=0.4", "--set", "cutmix=1", "--set", "rotate=20", "--set", "noise=0.1")
    hashes = []
    for run in "ab":
        assert sv("train", data, "--out", run, *QUICK, *more)[0] == 0
        hashes.append(json.loads((tmp_path / run / "model" / "model.json").read_text())["weights"]["sha256"])
    assert hashes[0] == hashes[1]


def test_tune_prints_one_object_or_a_table(sv, tmp_path):
    data = shapes(tmp_path / "data", each=20, side=12)
    words = (
        "tune",
        data,
        "--try",
        "flip_horizontal",
        "--seeds",
        2,
        "--epochs",
        1,
        "--net",
        "conv3-4 relu gap fc",
        "--set",
        "batch_size=8",
    )
    status, out, err = sv(*words, "--json")
    assert status == 0
    answer = json.loads(out)
    assert set(answer) >= {
        "base",
        "trials",
        "kept",
        "untried",
        "together",
        "settings",
        "set",
        "changes_meaning",
        "seconds",
    }
    assert [t["name"] for t in answer["trials"]] == ["flip_horizontal"]
    assert {"value", "gain", "low", "high", "kept", "verdict"} - {"gain"} <= set(answer["trials"][0])
    assert "flip_horizontal=yes" in err
    status, out, _ = sv(*words, "--quiet")
    assert "svertka train ... --set flip_horizontal=" in out
    status, _, err = sv("tune", data, "--try", "flipp")
    assert status == 2
    assert "Did you mean flip" in err
