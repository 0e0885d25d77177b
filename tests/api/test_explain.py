"""`svertka explain` as a person or a script meets it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import svertka
from svertka.errors import UnknownName, UsageError
from svertka.explanation import METHODS
from svertka.kinds.image import Preprocess
from svertka.models import Model, describe
from svertka.records import ExplanationsMade, Unreadable
from svertka.zoo import make


@pytest.fixture
def model(tmp_path):
    """A saved model of three classes, untrained, for color pictures of 24 x 24."""
    torch.manual_seed(0)
    line = "conv3-6 relu maxpool2 conv3-8 relu gap fc"
    net = make(line, (3, 24, 24), 3)
    made = Model(net, ("кот", "dog", "cow"), Preprocess(24, 24, 3, "crop"), describe(net, line, (3, 24, 24)), 2.0)
    return made.save(tmp_path / "model")


@pytest.fixture
def pictures(tmp_path):
    folder, g = tmp_path / "мои", np.random.default_rng(0)
    folder.mkdir()
    for name, size in (("a.png", (30, 50, 3)), ("b.jpg", (90, 40, 3)), ("c.png", (24, 24))):
        Image.fromarray(g.integers(0, 255, size, dtype=np.uint8)).save(folder / name)
    return folder


def test_each_picture_is_drawn_beside_its_heat(sv, model, pictures, tmp_path):
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in pictures.iterdir()}
    status, out, _ = sv("explain", model, pictures, "--json")
    assert status == 0
    rows = json.loads(out)["explanations"]
    assert [set(row) for row in rows] == [{"path", "class", "drawn", "heats"}] * 3
    assert [tuple(row["heats"][0]) for row in rows] == [("method", "layer", "score")] * 3
    assert {row["heats"][0]["method"] for row in rows} == {"grad-cam"}
    told = json.loads(sv("predict", model, pictures, "--json")[1])["predictions"]
    for row, prediction in zip(rows, told, strict=True):
        assert (row["path"], row["class"]) == (prediction["path"], prediction["label"])
        assert row["heats"][0]["score"] == pytest.approx(prediction["probability"], abs=1e-5)
        with Image.open(tmp_path / row["drawn"]) as page:
            assert page.format == "PNG"
            assert page.width > page.height / 2
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in pictures.iterdir()} == before


def test_nothing_is_overwritten(sv, model, pictures, tmp_path):
    sv("explain", model, pictures / "a.png", "--out", "here")
    first = (tmp_path / "here/a.png").read_bytes()
    status, out, _ = sv("explain", model, pictures / "a.png", "--out", "here", "--method", "saliency")
    assert status == 0
    assert "here/a-2.png" in out
    assert (tmp_path / "here/a.png").read_bytes() == first


def test_progress_counts_every_explanation_and_ends_at_all(model, pictures):
    (pictures / "broken.png").write_bytes(b"none")
    events = []
    svertka.explain(model, [pictures], method="saliency,eigen-cam", rival=True, watch=events.append)
    assert {type(event) for event in events} == {ExplanationsMade}
    done, totals = zip(*((event.done, event.total) for event in events), strict=True)
    assert set(totals) == {4 * 2 * 2}
    assert list(done) == sorted(done)
    assert done[-1] == 16


def test_all_methods_one_class_the_rival_and_the_checks(model, pictures, tmp_path):
    found = svertka.explain(
        model, [pictures / "a.png"], method="all", target="dog", samples=3, rival=True, out=tmp_path / "all"
    )[0]
    assert [h.method for h in found.heats] == list(METHODS)
    assert found.label == "dog"
    assert found.rival[0] in ("кот", "cow")
    assert {h.target for h in found.heats} == {1}
    assert len(found.rival[1]) == len(METHODS)
    assert found.drawn.is_file()
    told = svertka.explain(model, [pictures / "a.png"], method=["occlusion", "saliency"], check=True)[0].to_dict()
    assert told["drawn"] is None
    for row in told["heats"]:
        assert 0 <= row["deletion"] <= 1
        assert 0 <= row["insertion"] <= 1
        assert -1 <= row["similarity"] <= 1
        assert row["blind"] in (True, False)


def test_arrays_bytes_and_unreadable_files(sv, model, pictures):
    data = (pictures / "a.png").read_bytes()
    array = np.asarray(Image.open(pictures / "a.png"))
    (pictures / "broken.png").write_bytes(data[:100])
    own, bytes_, pixels, broken, missing = svertka.explain(
        model, [pictures / "a.png", data, array, pictures / "broken.png", pictures / "none.png"]
    )
    assert own.path.endswith("a.png")
    assert (bytes_.path, pixels.path) == ("picture 2", "picture 3")
    np.testing.assert_array_equal(own.heats[0].values, bytes_.heats[0].values)
    np.testing.assert_array_equal(own.heats[0].values, pixels.heats[0].values)
    assert isinstance(broken, Unreadable)
    assert "no such file" in missing.reason
    status, out, _ = sv("explain", model, pictures / "broken.png", "--json")
    assert status == 1
    assert json.loads(out)["explanations"][0]["error"]


def test_what_does_not_exist_is_said_with_the_choices(sv, model, pictures):
    for words, sentence in (
        (("--layer", "stages.9"), "no layer called 'stages.9'"),
        (("--layer", "head"), "gives 3, no maps"),
        (("--class", "horse"), "no class called 'horse'. Known: кот, dog, cow."),
        (("--method", "gradcam"), "Did you mean grad-cam"),
        (("--method", ","), "Name a method: grad-cam,"),
    ):
        status, out, err = sv("explain", model, pictures / "a.png", *words)
        assert (status, out) == (2, "")
        assert sentence in err
    assert sv("explain", "nowhere", pictures)[0] == 1
    (pictures / "taken").write_text("a file")
    status, _, err = sv("explain", model, pictures / "a.png", "--out", pictures / "taken")
    assert status == 1
    assert "cannot be written" in err
    with pytest.raises(UnknownName):
        svertka.explain(model, [pictures / "a.png"], target=7)
    with pytest.raises(UsageError):
        svertka.explain(model, [pictures / "a.png"], method=[])


@pytest.mark.shared
def test_real_weights_look_at_the_insect(shared, tmp_path, monkeypatch):
    """Of real photographs more heat lies in the middle, where the insect is, than on the border."""
    import zipfile

    weights = shared / "weights/squeezenet1_0_imagenet_deepcomp.npz"
    with zipfile.ZipFile(shared / "data/hymenoptera.zip") as archive:
        names = sorted(n for n in archive.namelist() if "val/" in n and n.endswith(".jpg"))[::30]
        pictures = [archive.read(n) for n in names]
    found = svertka.explain("squeezenet1_0", pictures, weights=weights)
    heat = np.mean([f.heats[0].values for f in found], axis=0)
    middle = heat[3:-3, 3:-3].mean()
    assert found[0].heats[0].layer == "stages.2"
    assert middle > heat.mean()


def test_the_training_pictures_that_are_most_alike_are_shown(sv, tmp_path):
    g = np.random.default_rng(1)
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for k in range(8):
            pixels = g.integers(level - 30, level + 30, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{k}.png")
    assert sv("train", "data", "--out", "run", "--epochs", "2", "--set", "batch_size=4")[0] == 0
    status, out, err = sv("explain", "run", "data/dark/0.png", "--near", 3, "--json")
    assert status == 0, err
    (row,) = json.loads(out)["explanations"]
    assert len(row["near"]) == 3
    assert row["near"][0]["similarity"] >= row["near"][1]["similarity"]
    assert {n["class"] for n in row["near"]} == {"dark"}
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "data/dark/0.png")
    status, _, err = sv("explain", "run", "data/dark/1.png", "--near", 3)
    assert status == 1
    assert "has changed since" in err
