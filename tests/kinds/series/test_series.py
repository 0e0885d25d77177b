"""Series from the file to the report: made-up ones, and two sets of the UCR archive."""

import json

import numpy as np
import pytest

import svertka as sv
from svertka.data import open_source
from svertka.errors import DataError, ReadError
from svertka.kinds.series.formats import Form, form_of, label_of, values_of
from svertka.kinds.series.preprocess import Preprocess

FAST = {"net": "fcn1d", "epochs": 6, "plan": "compile=no"}


def waves(n, seed, length=32):
    """Half of them rise at once, half slowly, with noise: labels 1 and 2, and values (n, length)."""
    g = np.random.default_rng(seed)
    labels = np.arange(n) % 2 + 1
    t = np.linspace(0, 1, length)
    values = np.where((labels == 1)[:, None], np.tanh(20 * (t - 0.4)), 2 * t - 1) + 0.1 * g.normal(size=(n, length))
    return labels, values


def write(path, labels, values, separator="\t"):
    lines = (separator.join([str(k), *(f"{v:.5f}" for v in row)]) for k, row in zip(labels, values, strict=True))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def waves_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "Waves"
    folder.mkdir()
    write(folder / "Waves_TRAIN.tsv", *waves(40, 0))
    write(folder / "Waves_TEST.tsv", *waves(30, 1))
    return folder


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.tsv", "1\t" + "\t".join("0.5" for _ in range(9)), Form("\t", 0, 0)),
        ("a.txt", "  1.0e+00  " + "  ".join("-5e-1" for _ in range(9)), Form("", 0, 0)),
        ("a.csv", "walk," + ",".join("0.5" for _ in range(9)), Form(",", 0, 0)),
        ("a.csv", "v1,v2,v3,v4,v5,v6,v7,v8,v9,class\n" + "1,2,3,4,5,6,7,8,9,x", Form(",", 9, 33)),
        ("a.ts", "#c\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n", Form(",", -1, 30)),
        ("a.csv", "path,label\na.png,cat\n", None),
        ("a.csv", "1,2,3\n", None),
        ("a.txt", "a list of\nwords and nothing that is a number at all here\n", None),
        ("a.ts", "const x: number = 1;\n", None),
        ("a.png", "1,2,3,4,5,6,7,8,9,10\n", None),
    ],
)
def test_rows_are_recognized_by_their_content(name, text, form):
    assert form_of(name, text.encode()) == form


def test_a_row_of_as_many_values_as_are_expected_has_no_class():
    head = b"1,2,3,4,5,6,7,8,9\n"
    assert form_of("a.csv", head, 9).label is None
    assert form_of("a.csv", head, 8).label == 0


def test_rows_have_a_class_and_channels():
    assert label_of(b"2.0000000e+00 1 2\n", Form("", 0, 0)) == "2"
    line = b"1,2,3:4,5,6:walk\n"
    assert label_of(line, Form(",", -1, 0)) == "walk"
    np.testing.assert_array_equal(values_of(line, Form(",", -1, 0), "a"), [[1, 4], [2, 5], [3, 6]])
    for bad, words in ((b"1,?,3:a\n", "missing"), (b"1,2:3:a\n", "different lengths"), (b"1,x:a\n", "no number")):
        with pytest.raises(ReadError, match=words):
            values_of(bad, Form(",", -1, 0), "a")


def test_another_length_is_refused_or_resampled():
    data = np.linspace(0, 1, 20, dtype=np.float32)
    from svertka.kinds import kind
    from svertka.kinds.series.formats import to_bytes

    with pytest.raises(ReadError, match="20 values, where 10 are wanted"):
        kind("series").read_sized(to_bytes(data), Preprocess(10, 1), "a")
    found = kind("series").read_sized(to_bytes(data), Preprocess(10, 1, resample=True), "a")[0]
    np.testing.assert_allclose(found[:, 0], np.linspace(0, 1, 10), atol=1e-6)


def test_a_set_has_its_parts_and_rows_have_names(waves_folder):
    source = open_source(waves_folder)
    assert (source.sample, source.kind, source.classes, len(source)) == ("series", "rows", ("1", "2"), 70)
    assert source.parts.tolist() == [3] * 30 + [1] * 40
    assert source.paths[2] == "Waves_TEST.tsv#3"
    assert np.load(__import__("io").BytesIO(source.read(2))).shape == (32, 1)


def test_the_same_set_in_another_form_is_left_aside(waves_folder, tmp_path):
    labels, values = waves(40, 0)
    for name, separator in (("W_TRAIN.tsv", "\t"), ("W_TRAIN.csv", ",")):
        write(tmp_path / name, labels, values, separator)
    source = open_source(tmp_path)
    assert (len(source), [u.path for u in source.skipped]) == (40, ["W_TRAIN.csv"])


def test_pictures_and_series_in_one_folder_are_told_apart(tmp_path, waves_folder):
    from PIL import Image

    for label in "ab":
        (tmp_path / label).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / label / "x.png")
    write(tmp_path / "Waves.tsv", *waves(8, 0))
    with pytest.raises(DataError, match=r"2 pictures and 1 file of series.*Waves\.tsv"):
        open_source(tmp_path)
    with pytest.raises(DataError, match="one kind"):
        open_source([tmp_path / "Waves.tsv", "digits"])


def test_series_are_learned_judged_and_predicted(waves_folder, tmp_path):
    run = sv.train(waves_folder, out=tmp_path / "run", **FAST)
    assert run.summary["test"]["accuracy"] > 0.9
    saved = json.loads((run.path / "recipe.json").read_text())
    assert saved["preprocess"]["kind"] == "series"
    assert (saved["recipe"]["jitter"], saved["recipe"]["lag"]) == (0.1, 0.05)
    assert "flip_horizontal" not in saved["recipe"]
    page = (run.path / "report.html").read_text()
    assert "data:image/svg+xml" in page
    judged = sv.evaluate(run.path, waves_folder)
    assert (judged.part, judged.result.accuracy.value) == ("test", run.summary["test"]["accuracy"])
    answers = sv.predict(run.path, [waves_folder / "Waves_TEST.tsv"])
    labels = waves(30, 1)[0]
    assert [a.path.rpartition("/")[2] for a in answers[:2]] == ["Waves_TEST.tsv#1", "Waves_TEST.tsv#2"]
    right = np.mean([a.label == str(k) for a, k in zip(answers, labels, strict=True)])
    assert right == judged.result.accuracy.value
    np.savetxt(tmp_path / "new.csv", waves(30, 1)[1], delimiter=",", fmt="%.5f")
    assert [a.label for a in sv.predict(run.path, [tmp_path / "new.csv"])] == [a.label for a in answers]
    with pytest.raises(DataError, match="knows series, and digits holds pictures"):
        sv.evaluate(run.path, "digits")


def test_check_finds_copies_and_series_that_never_change(waves_folder, tmp_path):
    labels, values = waves(24, 3)
    values[4] = values[2]  # the same twice, in two classes' rows of one part
    values[7] = 0.25
    write(tmp_path / "W_TRAIN.tsv", labels, values)
    found = sv.check(tmp_path / "W_TRAIN.tsv").to_dict()
    assert found["duplicates"] == [["W_TRAIN.tsv#3", "W_TRAIN.tsv#5"]]
    assert [(o["path"], o["kind"]) for o in found["oddities"]] == [("W_TRAIN.tsv#8", "flat")]


def test_settings_of_pictures_are_refused_for_series(waves_folder, tmp_path):
    with pytest.raises(sv.errors.UnknownName, match="augmentation of series"):
        sv.train(waves_folder, out=tmp_path / "run", rotate=10, **FAST)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(("name", "least"), [("GunPoint", 0.95), ("ECG200", 0.83)])
def test_sets_of_the_archive_are_learned(shared, tmp_path, name, least):
    run = sv.train(f"{shared / 'data' / 'ucr.zip'}/{name}", out=tmp_path / "run")
    assert run.summary["test"]["accuracy"] >= least


@pytest.mark.shared
def test_an_archive_of_several_sets_asks_for_one(shared):
    with pytest.raises(DataError, match=r"3 sets \(BasicMotions, ECG200, GunPoint\): name one"):
        open_source(shared / "data" / "ucr.zip")
    source = open_source(f"{shared / 'data' / 'ucr.zip'}/BasicMotions")
    assert (len(source), len(source.classes)) == (80, 4)
    assert np.load(__import__("io").BytesIO(source.read(0))).shape == (100, 6)
