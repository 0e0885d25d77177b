"""Layouts as people have them, as a folder, a zip and a tar: the right classes and parts, or a way out.

Every advice of a refusal is followed here, and works.
"""

import re
import unicodedata
from pathlib import Path

import pytest
from make_pictures import as_tar, as_zip, fill
from opened import left_aside, refusal

from svertka.data import open_source
from svertka.data.folders.part_names import TEST, TRAIN, UNDECIDED, VALIDATION, part_of, part_within

FORMS = ("folder", "zip", "tar")


def made(tmp_path: Path, form: str, names, texts=()) -> Path:
    root = fill(tmp_path / "set" / "data", *names)
    for name in texts:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("about a picture")
    return packed(root, tmp_path, form)


def packed(root: Path, tmp_path: Path, form: str) -> Path:
    if form == "folder":
        return root
    return as_zip(root, tmp_path / "data.zip") if form == "zip" else as_tar(root, tmp_path / "data.tar")


def each(*folders: str, names=("1.png", "2.png")) -> list[str]:
    return [f"{folder}/{name}" for folder in folders for name in names]


def by_part(source) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for part, label in zip(source.parts.tolist(), source.labels.tolist(), strict=True):
        found.setdefault(part, set()).add(source.classes[label])
    return found


def advised(message: str) -> list[str]:
    """The addresses that a sentence names: what stands behind `name` or in quotes, or says so."""
    return [word.strip("'.,;") for word in re.findall(r"(?:name |as |'|, )(\S+?(?:\.zip|\.tar|/data)\S*)", message)]


# -- parts
# ----------------------------------------------------------------------------------------------------------

WORDS = {
    TRAIN: "train Training TRAIN train_set trainset training-data seg_train train2017 tr TrainImages обучение x_train",
    VALIDATION: "val valid Validation validation_set dev devset holdout hold-out val_set eval evaluation_data проверка",
    TEST: "test Testing test1 seg_test test_set testset testing_images te X_test тест TestData",
    UNDECIDED: "test_tube train_tracks evaluate_cats devices value trainer contest latest 10 cats tested_positive",
}


@pytest.mark.parametrize("part", WORDS)
def test_words_of_parts(part):
    assert {word: part_of(word) for word in WORDS[part].split()} == dict.fromkeys(WORDS[part].split(), part)


def test_words_within_longer_names():
    assert [part_within(name) for name in ("birds-train-000", "x_testing.v2", "valley", "train-val", "training")] == [
        TRAIN, TEST, UNDECIDED, UNDECIDED, TRAIN,
    ]  # fmt: skip


PARTED = {
    "mri": (["mri/Training", "mri/Testing"], {TRAIN, TEST}),
    "doubled": (["seg_train/seg_train", "seg_test/seg_test"], {TRAIN, TEST}),
    "dev": (["train", "dev"], {TRAIN, VALIDATION}),
    "holdout": (["train", "holdout"], {TRAIN, VALIDATION}),
    "val_set": (["train_set", "val_set"], {TRAIN, VALIDATION}),
    "three": (["Train", "Eval", "Test1"], {TRAIN, VALIDATION, TEST}),
    "images inside": (["training/images", "validation/images"], {TRAIN, VALIDATION}),
    "russian": (["обучение", "тест"], {TRAIN, TEST}),
    "around": (["archive/x/images/train2017", "archive/x/images/val2017"], {TRAIN, VALIDATION}),
    "uneven": (["train/train/images", "test"], {TRAIN, TEST}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PARTED)
def test_folders_that_are_parts(tmp_path, name, form):
    folders, parts = PARTED[name]
    names = [n for i, f in enumerate(folders) for n in each(f"{f}/cat", f"{f}/dog", names=(f"{i}.png", f"x{i}.png"))]
    source = open_source(made(tmp_path, form, names, ["readme.txt"]))
    assert by_part(source) == {part: {"cat", "dog"} for part in parts}
    assert any("taken for parts" in note for note in source.notes) == (name != "uneven")


def test_usual_names_of_parts_need_no_word(tmp_path):
    assert open_source(fill(tmp_path, *each("train/a", "train/b", "val/a", "val/b", "test/a", "test/b"))).notes == ()


@pytest.mark.parametrize("form", FORMS)
def test_parts_within_classes(tmp_path, form):
    source = open_source(made(tmp_path, form, each("cat/train", "cat/test", "dog/train", "dog/test")))
    assert by_part(source) == {TRAIN: {"cat", "dog"}, TEST: {"cat", "dog"}}
    assert "parts of its own" in source.notes[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("flat", ["val", "dev_set", "test1", "test/images", "testing/unknown"])
def test_a_part_that_cannot_be_used_is_a_warning_of_its_own(tmp_path, flat, form):
    source = open_source(made(tmp_path, form, each("train/cat", "train/dog", flat)))
    assert by_part(source) == {TRAIN: {"cat", "dog"}}
    folder = flat.partition("/")[0]
    assert any(f"The folder '{folder}' with 2 pictures cannot be used" in note for note in source.notes)


def test_a_folder_beside_the_parts_is_a_warning(tmp_path):
    source = open_source(fill(tmp_path, *each("train/cat", "train/dog", "val/cat", "val/dog", "more/cat", "more/dog")))
    assert by_part(source) == {TRAIN: {"cat", "dog"}, VALIDATION: {"cat", "dog"}}
    assert any("The folder 'more' with 4 pictures is not used" in note for note in source.notes)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "folders",
    [
        ["color/apple", "color/pear", "grayscale/apple", "grayscale/pear"],
        ["images/apple", "images/pear", "annotations/apple", "annotations/pear"],
        ["left/apple", "left/pear", "right/apple", "right/pear", "middle/apple", "middle/pear", "middle/plum"],
        ["site1/train/apple", "site1/train/pear", "site2/train/apple", "site2/train/pear"],
    ],
)
def test_versions_of_the_same_classes_are_refused(tmp_path, folders, form):
    where = made(tmp_path, form, each(*folders))
    message = refusal(where)
    places = advised(message)
    assert places, message
    for place in places:
        assert len(open_source(place).classes) > 1, place
    assert "train" in folders[0] or set(open_source(places[0]).classes) == {"apple", "pear"}


def test_one_name_of_a_part_among_classes_is_refused_where_it_could_be_either(tmp_path):
    where = fill(tmp_path / "data", *each("bus/old", "bus/new", "car/big", "car/odd", "train/old", "train/slow"))
    inner, whole = re.search(r"name (\S+); .* classes, (\S+) says", refusal(where)).groups()
    assert open_source(inner).classes == ("old", "slow")
    assert open_source(whole).classes == ("bus", "car", "train")


def test_languages_are_no_parts(tmp_path):
    source = open_source(fill(tmp_path, *each("tr/a", "tr/x", "de/b", "de/y", "fr/c", "fr/z")))
    assert source.classes == ("de", "fr", "tr")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("names", "classes", "parts"),
    [
        (
            ["train/cat.0.jpg", "train/cat.1.jpg", "train/dog.0.jpg", "train/dog.1.jpg", "test1/1.jpg", "test1/2.jpg"],
            ("cat", "dog"),
            {TRAIN},
        ),
        (
            ["Abyssinian_1.jpg", "Abyssinian_12.jpg", "great_dane_1.jpg", "great_dane_2.jpg", "x.txt"],
            ("Abyssinian", "great_dane"),
            {UNDECIDED},
        ),
        (["images/cat (1).jpg", "images/cat (2).jpg", "images/dog (1).jpg", "images/dog (2).jpg"], ("cat", "dog"), {0}),
        (["p/0001_cat.jpg", "p/0002_cat.jpg", "p/0003_dog.jpg", "p/0004_dog.jpg"], ("cat", "dog"), {UNDECIDED}),
        (["train/images/cat1.jpg", "train/images/cat2.jpg", "train/images/dog1.jpg", "train/images/dog2.jpg",
          "val/images/cat3.jpg", "val/images/dog4.jpg"], ("cat", "dog"), {TRAIN, VALIDATION}),
    ],
)  # fmt: skip
def test_classes_in_the_names_of_files(tmp_path, names, classes, parts, form):
    pictures = [n for n in names if not n.endswith("txt")]
    where = made(tmp_path, form, pictures, [n for n in names if n.endswith("txt")])
    message = refusal(where)
    place = re.search(r"'(\S*#class=.*)' makes", message)[1]
    source = open_source(place)
    assert source.classes == classes
    assert set(source.parts.tolist()) == parts
    again = open_source(source.where)
    assert list(again.paths) == list(source.paths)


def test_a_pattern_of_classes(tmp_path):
    where = fill(tmp_path / "d", "a/x-1.png", "b/y-2.png", "b/z.png")
    source = open_source(f"{where}#class=([a-z])-[0-9]")
    assert source.classes == ("x", "y")
    assert left_aside(source) == {"b/z.png": "the pattern of the class does not match its path"}
    assert "is no pattern" in refusal(f"{where}#class=(")
    assert "matches none of the paths, such as a/x-1.png" in refusal(f"{where}#class=Q+")
    assert "speaks of a column of a table" in refusal(f"{where}#label=x")
    assert f"name the folder itself, {where}/a" in refusal(f"{where}#root=a")


# -- well-known layouts
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("folders", "texts"),
    [
        (["images/cat", "images/dog"], ["meta/classes.txt", "meta/train.txt"]),
        (["101_ObjectCategories/cat", "101_ObjectCategories/dog"], ["Annotations/cat/1.mat", "Annotations/dog/1.mat"]),
        (["a/b/c/cat", "a/b/c/dog"], ["a/b/notes.txt", "license"]),
        (["set/cat", "set/dog"], ["labels/cat/1.txt", "labels/dog/1.txt", "set/list.csv"]),
    ],
)
def test_folders_without_a_picture_do_not_count(tmp_path, folders, texts, form):
    source = open_source(made(tmp_path, form, each(*folders), texts))
    assert source.classes == ("cat", "dog")


def test_a_logo_beside_the_classes_is_no_class(tmp_path):
    source = open_source(fill(tmp_path, *each("set/cat", "set/dog"), "set/logo.png", "cover.png"))
    assert source.classes == ("cat", "dog")
    assert set(left_aside(source)) == {"set/logo.png", "cover.png"}


@pytest.mark.parametrize("form", FORMS)
def test_class_folders_in_a_folder_beside_others_are_named(tmp_path, form):
    where = made(tmp_path, form, each("images/cat", "images/dog", "figures"))
    (place,) = advised(refusal(where))
    assert open_source(place).classes == ("cat", "dog")


def test_a_class_that_holds_folders_beside_others_that_do_not_is_told(tmp_path):
    source = open_source(fill(tmp_path, *each("animals/cat", "animals/dog", "cars")))
    assert source.classes == ("animals", "cars")
    assert "The class 'animals' holds 2 folders" in source.notes[0]


@pytest.mark.parametrize("form", FORMS)
def test_a_place_a_class(tmp_path, form):
    places = [made(tmp_path / name, form, ["x/1.png", "x/2.png"]) for name in ("cats", "dogs")]
    places = [place.rename(place.with_name(f"{name}{place.suffix}")) for name, place in zip("ab", places, strict=True)]
    source = open_source(places)
    assert source.classes == ("a", "b")
    assert source.labels.tolist() == [0, 0, 1, 1]


def test_places_of_two_forms_are_refused(tmp_path):
    fill(tmp_path / "d", *each("rose", "tulip/red", "tulip/white"))
    assert "'red'" in refusal([tmp_path / "d/rose", tmp_path / "d/tulip"])
    (tmp_path / "d/LICENSE.txt").write_text("free to use")
    message = refusal(sorted((tmp_path / "d").iterdir()))
    assert message.endswith(f"To learn from the folders of {tmp_path / 'd'} name it alone.")
    assert open_source(tmp_path / "d").classes == ("rose", "tulip")


def test_places_that_are_parts(tmp_path):
    for names in (("training", "testing"), ("a-train", "a-test"), ("train_set", "test_set")):
        folders = [fill(tmp_path / n, f"cat/{n}.png", f"dog/{n}.png") for n in names]
        for form in (folders, [as_zip(folder, tmp_path / f"{folder.name}.zip") for folder in folders]):
            source = open_source(form)
            assert by_part(source) == {TRAIN: {"cat", "dog"}, TEST: {"cat", "dog"}}
            assert source.notes[0].startswith("By their names these places are taken for parts of the data: ")


def test_one_place_written_in_two_ways(tmp_path, monkeypatch):
    fill(tmp_path / "d", *each("cat", "dog"))
    (tmp_path / "link").symlink_to(tmp_path / "d")
    monkeypatch.chdir(tmp_path)
    for other in ("./d", "d/", str(tmp_path / "d"), "link", "d/../d"):
        assert "are one place" in refusal(["d", other])
    assert "d/cat lies within d" in refusal(["d", "d/cat"])


# -- names
# ----------------------------------------------------------------------------------------------------------


def test_names_that_look_the_same_are_one_class(tmp_path):
    for i, name in enumerate((unicodedata.normalize("NFD", "é"), "é", "dog", "dog ", "dog\u00a0", "\ufeffdog")):
        fill(tmp_path / name, f"{i}.png")
    source = open_source(tmp_path)
    assert source.classes == ("dog", "é")
    assert len(source) == 6
    assert sum("folders are one class" in note for note in source.notes) == 2


def test_letters_that_look_alike_are_noted(tmp_path):
    source = open_source(fill(tmp_path, "cat/1.png", "сat/2.png", "dog/3.png"))
    assert len(source.classes) == 3
    assert "differ only by letters that look alike" in source.notes[0]


# -- what is lost
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_class_that_is_lost_is_a_warning(tmp_path, form):
    root = fill(tmp_path / "set/data", *each("cat", "dog"))
    (root / "fox").mkdir()
    for i in range(25):
        (root / f"fox/{i}.psd").write_bytes(b"8BPS" + bytes(60))
    where = (
        root
        if form == "folder"
        else as_zip(root, tmp_path / "d.zip")
        if form == "zip"
        else as_tar(root, tmp_path / "d.tar")
    )
    source = open_source(where)
    assert source.classes == ("cat", "dog")
    assert any("The class 'fox' is lost" in note and "25 .psd" in note for note in source.notes)
    assert sum(one.files for one in source.skipped) == 25


def test_a_class_that_a_part_lacks_is_told(tmp_path):
    source = open_source(fill(tmp_path, *each("train/a", "train/b", "train/c", "val/a", "val/b")))
    assert source.notes == ("The validation part holds no picture of 'c': how well that is recognized it cannot tell.",)


def test_pictures_without_extension_make_a_class(tmp_path):
    root = fill(tmp_path, *each("cat", "dog", names=("one", "two.jpg_large")))
    (root / "dog/notes.md").write_text("x")
    assert open_source(root).classes == ("cat", "dog")
