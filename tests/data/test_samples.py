"""One sample in any form, or many: the same answer in every form, and a sentence for what is none."""

import io
import json

import numpy as np
import pytest
import torch
from make_pictures import as_tar, as_zip, fill
from PIL import Image

import svertka as sv
from svertka.data.samples import open_samples
from svertka.errors import DataError, UsageError
from svertka.models import Model
from svertka.records import Unreadable


@pytest.fixture
def model(saved):
    return Model.load(saved)


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def forms(path):
    """A picture in every form that is one."""
    pixels, data = np.asarray(Image.open(path)), path.read_bytes()
    written = io.BytesIO()
    Image.open(path).save(written, "PNG")  # stands at its end
    return {
        "str": str(path),
        "path": path,
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "BytesIO": io.BytesIO(data),
        "BytesIO at its end": written,
        "pillow": Image.fromarray(pixels),
        "array": pixels,
        "floats": pixels / 255,
        "tensor": torch.from_numpy(pixels.copy()),
        "RGBA": np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]),
    }


def test_one_sample_in_every_form_is_one_and_has_the_same_answer_alone_and_among_others(model, picture):
    (expected,) = model.predict([str(picture)])
    for name in forms(picture):
        for given in (forms(picture)[name], [forms(picture)[name]], iter([forms(picture)[name]])):
            (found,) = sv.predict(model, given)
            assert found.ranking == expected.ranking, name
        (found,) = model.predict(forms(picture)[name])
        assert found.ranking == expected.ranking, name
        assert sv.embed(model, forms(picture)[name]).vectors.shape[0] == 1, name
        (seen,) = sv.explain(model, forms(picture)[name], method="saliency")
        assert seen.label == expected.label, name


def test_open_files_and_pictures_that_pillow_has_only_opened_are_one(model, picture):
    expected = [a.ranking for a in sv.predict(model, picture)]
    with picture.open("rb") as file, Image.open(picture) as image:
        assert [a.ranking for a in sv.predict(model, file)] == expected
        assert [a.ranking for a in sv.predict(model, image)] == expected
        assert [a.path for a in sv.predict(model, [file, image])] == [str(picture), "picture 2"]


def test_all_forms_together_are_many(model, picture):
    answers = sv.predict(model, list(forms(picture).values()))
    assert len(answers) == len(forms(picture))
    assert len({a.ranking for a in answers}) == 1


def test_an_array_of_four_axes_is_many(model, picture):
    many = np.stack([np.asarray(Image.open(picture))] * 3)
    for given in (many, many / 255, torch.from_numpy(many), [many], many[..., :1]):
        assert [a.path for a in sv.predict(model, given)] == ["picture 1", "picture 2", "picture 3"]
    assert sv.predict(model, many[:0]) == []


def test_names_in_an_array_are_paths(model, picture):
    for given in (np.array([str(picture)] * 2), np.array([picture, picture], object), (p for p in [picture, picture])):
        assert [a.path for a in sv.predict(model, given)] == [str(picture)] * 2


def test_a_folder_an_archive_and_a_table_stand_for_their_pictures(model, tmp_path, monkeypatch):
    root = fill(tmp_path / "d", *(f"{c}/{k}.png" for c in "ab" for k in range(3)))
    flat = fill(tmp_path / "flat", *(f"{k}.png" for k in range(3)))
    as_zip(root, tmp_path / "d.zip")
    as_tar(flat, tmp_path / "flat.tar")
    (tmp_path / "t.csv").write_text("path,label\nd/a/0.png,a\nd/b/1.png,b\n")
    expected = [a.ranking for a in sv.predict(model, root)]
    assert len(expected) == 6
    for place in (str(root), root, [root], tmp_path / "d.zip", str(tmp_path / "d.zip")):
        assert [a.ranking for a in sv.predict(model, place)] == expected
    answers = sv.predict(model, tmp_path / "d.zip")
    assert answers[0].path == f"{tmp_path / 'd.zip'}/a/0.png"
    assert [a.ranking for a in sv.predict(model, tmp_path / "flat.tar")] == [a.ranking for a in sv.predict(model, flat)]
    assert len(sv.predict(model, tmp_path / "t.csv")) == 2
    assert len(sv.predict(model, [root, tmp_path / "flat.tar", root / "a/0.png"])) == 10


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (7, "type int"),
        (None, "type NoneType"),
        ({"a.png": 1}, "type dict"),
        ([7], "picture 1 is of type int"),
        ([[0, 1], [1, 0]], "picture 1 is of type list"),
        (["a.png", None], "picture 2 is of type NoneType"),
        (np.zeros((28, 28, 3)) + 7, "from 7 to 7"),
        ([np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint16)], "picture 2 has shape (28, 28), uint16"),
        (np.zeros((5, 28, 28), np.uint8), "(5, 28, 28)"),
        (torch.zeros(2, 3, 28, 28), "permute(0, 2, 3, 1)"),
        (np.float32(0.5), "type float32"),
        (io.StringIO("text"), "mode 'rb'"),
        (object(), "type object"),
    ],
)
def test_what_is_no_sample_is_one_sentence_before_anything_is_computed(model, monkeypatch, given, words):
    monkeypatch.setattr(Model, "probabilities", None)
    for verb in (sv.predict, sv.explain, sv.embed, Model.predict):
        with pytest.raises(UsageError) as found:
            verb(model, given)
        assert words in str(found.value), verb


def test_files_that_cannot_be_read_are_told_apart_by_type(model, tmp_path, picture):
    closed = io.BytesIO()
    closed.close()
    for given in ("nowhere.png", tmp_path / "nowhere.png", b"", b"no picture", io.BytesIO(b"text"), "a\0b", ""):
        (answer,) = sv.predict(model, given)
        assert isinstance(answer, Unreadable), given
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.txt").write_text("words")
    with pytest.raises(DataError, match="no pictures"):
        list(open_samples(tmp_path / "none", model.preprocess))


def test_the_command_takes_archives_too(sv_command, saved, tmp_path):
    fill(tmp_path / "d", "0.png", "1.png")
    as_zip(tmp_path / "d", tmp_path / "d.zip")
    status, out, err = sv_command("predict", saved, "d.zip", "--json")
    assert status == 0, err
    assert [row["path"] for row in json.loads(out)["predictions"]] == ["d.zip/0.png", "d.zip/1.png"]


@pytest.fixture
def sv_command(request):
    return request.getfixturevalue("sv")
