"""Tables from other machines and programs: ids, other systems' paths, no header, columns of zeros and ones.

What a refusal advises is tried here, and works.
"""

import json
import re
import unicodedata

import pytest
from make_pictures import fill
from opened import left_aside, refusal, table

from svertka.data import open_source


@pytest.fixture
def birds(tmp_path):
    return fill(tmp_path / "data", *(f"img/{'ab'[i % 2]}/{i}.png" for i in range(6)), "img/a/Ä x.PNG")


def written(path, text: str, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


ROWS = [("0", "a"), ("1", "b"), ("2", "a"), ("3", "b")]
PATHS = {
    "ids": "{i}",
    "names below": "{i}.png",
    "backslashes": "img\\{l}\\{i}.png",
    "drive": "C:\\Users\\anna\\data\\img\\{l}\\{i}.png",
    "home": "/home/anna/birds/img/{l}/{i}.png",
    "url of a file": "file:///home/anna/img/{l}/{i}.png",
    "capitals": "IMG/{l}/{i}.PNG",
    "other extension": "img/{l}/{i}.jpg",
    "dot": "./img/{l}/{i}.png",
    "folder above": "data/img/{l}/{i}.png",
    "blanks": " img/{l}/{i}.png ",
    "parent": "../elsewhere/{l}/{i}.png",
}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "txt"])
@pytest.mark.parametrize("kind", PATHS)
def test_paths_that_are_not_quite_those_on_this_disk(birds, kind, form):
    rows = [(PATHS[kind].format(i=i, l=label), label) for i, label in ROWS]
    where = birds / f"t.{form}"
    if form == "csv":
        table(where, ("image", "label"), *rows)
    elif form == "jsonl":
        written(where, "".join(json.dumps({"file_name": p, "label": c}) + "\n" for p, c in rows))
    elif form == "parquet":
        pa = pytest.importorskip("pyarrow")
        pa.parquet = pytest.importorskip("pyarrow.parquet")
        pa.parquet.write_table(pa.table({"image": [p for p, _ in rows], "label": [c for _, c in rows]}), where)
    elif kind == "ids":
        return  # a text that names no picture is a list of places
    else:
        written(where, "".join(f"{p.strip()} {c}\n" for p, c in rows))
    source = open_source(where)
    assert source.classes == ("a", "b")
    assert source.labels.tolist() == [0, 1, 0, 1]
    assert [path.rpartition("/")[2] for path in source.paths] == [f"{i}.png" for i, _ in ROWS]
    assert any("under other names" in note for note in source.notes) == (kind not in ("dot", "blanks"))


def test_a_name_that_several_files_have_is_left_out(birds):
    fill(birds, "other/0.png")
    path = table(birds / "t.csv", ("id", "label"), *ROWS)
    source = open_source(path)
    assert left_aside(source) == {"0": "several files are called so (img/a/0.png and other/0.png)"}
    assert len(open_source(table(path, ("id", "label"), ("a/0", "a"), *ROWS[1:]))) == 4  # the folder decides


def test_composed_and_decomposed_names_of_files_and_labels(birds):
    rows = [(unicodedata.normalize("NFD", "img/a/ä x.png"), "é"), ("1", unicodedata.normalize("NFD", "é")), ("2", "b ")]
    source = open_source(table(birds / "t.csv", ("file", "label"), *rows))
    assert source.classes == ("b", "é")
    assert len(source) == 3


@pytest.mark.parametrize(
    "text",
    [
        "img/a/0.png,a\nimg/b/1.png,b\n",
        "a;img/a/0.png\nb;img/b/1.png\n",
        "img/a/0.png\ta\nimg/b/1.png\tb\n",
        "sep=;\r\npath;label\r\nimg/a/0.png;a\r\nimg/b/1.png;b\r\n",
        "\n\n,,\npath,label\nimg/a/0.png,a\nimg/b/1.png,b\n",
        '"path","note, of; all|sorts","label"\nimg/a/0.png,"x;y;z",a\nimg/b/1.png,"x,y",b\n',
        " File Name , Class Name \nimg/a/0.png,a\nimg/b/1.png,b\n",
        "image-path,LABEL\nimg/a/0.png,a\nimg/b/1.png,b\n",
        'path;"label;of|it"\nimg/a/0.png;a\nimg/b/1.png;b\n#label=label;of|it',
    ],
)
def test_first_lines_of_every_kind(birds, text):
    body, mark, columns = text.partition("\n#")
    source = open_source(f"{written(birds / 't.csv', body)}{'#' + columns if mark else ''}")
    assert source.classes == ("a", "b")
    assert list(source.paths) == ["img/a/0.png", "img/b/1.png"]


def test_columns_without_names_have_numbers(birds):
    path = written(birds / "t.csv", "0,x,a,p1\n1,y,b,p2\n")
    assert "Name it as in" in refusal(path)
    source = open_source(f"{path}#path=1,label=3,group=4")
    assert source.classes == ("a", "b")
    assert len(source.groups.names) == 2
    path = written(birds / "t.csv", "img/a/0.png,x,a\nimg/b/1.png,y,b\n")
    message = refusal(path)
    assert open_source(re.search(r"as in (\S+)\.$", message)[1]).classes == ("x", "y")


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "utf-16-le", "koi8-r"])
def test_encodings(birds, encoding):
    text = "path,label\n" + "".join(
        f"img/{label}/{i}.png,{'кошка' if label == 'a' else 'собака'}\n" for i, label in ROWS
    )
    path = written(birds / "t.csv", text, encoding)
    assert open_source(f"{path}#encoding={encoding}").classes == ("кошка", "собака")
    if encoding in ("cp1251", "cp866"):
        advised = re.search(r"as in (\S+)\.$", refusal(path))[1]
        assert open_source(advised).classes == ("кошка", "собака")
    assert "no encoding called 'klingon'" in refusal(f"{path}#encoding=klingon")


@pytest.mark.parametrize("ones", [("1", "0"), ("1.0", "0.0"), ("True", "False")])
def test_columns_of_zeros_and_ones_are_one_class(birds, ones):
    one, zero = ones
    rows = [(f"img/{label}/{i}.png", *(one if label == name else zero for name in "abc")) for i, label in ROWS]
    source = open_source(table(birds / "t.csv", ("image", "a", "b", "c"), *rows, ("4", zero, zero, zero)))
    assert source.classes == ("a", "b")
    assert source.labels.tolist() == [0, 1, 0, 1]
    assert left_aside(source) == {"img/a/4.png": "it has no label"}
    assert "hold zeros and ones" in source.notes[0]


def test_two_ones_in_a_row_are_refused_in_words(birds):
    path = table(birds / "t.csv", ("image", "cat", "wet"), ("0", 1, 1), ("1", 0, 1), ("2", 1, 0))
    message = refusal(path)
    assert "several labels to a picture, such as 'cat' and 'wet' to 0" in message
    assert open_source(re.search(r"as in (\S+),", message)[1]).classes == ("0", "1")


@pytest.mark.parametrize(
    "labels",
    [
        ["cat|wet", "dog", "dog"],
        ["cat;wet", "cat", "dog;wet"],
        ["cat, wet", "cat, dry", "dog, dry"],
        ["['cat', 'wet']", "['cat', 'dry']", "['dog', 'wet']"],
    ],
)
def test_several_labels_in_one_cell_are_refused_in_words(birds, labels):
    message = refusal(table(birds / "t.csv", ("image", "label"), *zip("012", labels, strict=True)))
    assert "gives several labels to a picture" in message
    first, whole = re.findall(r"'(\S+#class=.*?)' (?:takes|all)", message)
    assert len(open_source(first).classes) == 2
    assert len(open_source(whole).classes) == len(set(labels))


def test_labels_with_a_comma_of_their_own_are_classes(birds):
    names = ["tench, Tinca tinca", "goldfish, Carassius auratus", "shark"]
    source = open_source(table(birds / "t.csv", ("image", "label"), *zip("012", names, strict=True)))
    assert sorted(source.classes) == sorted(names)


def test_odd_words_of_parts_are_told_what_they_mean(birds):
    rows = [("0", "a", "Training"), ("1", "b", "Training"), ("2", "a", "PublicTest"), ("3", "b", "PrivateTest")]
    path = table(birds / "t.csv", ("image", "label", "Usage"), *rows)
    message = refusal(path)
    assert "'PublicTest'" in message or "'PrivateTest'" in message
    source = open_source(f"{path}#part=Usage:PublicTest=val:PrivateTest=test")
    assert source.parts.tolist() == [1, 1, 2, 3]
    advised = re.search(r"data; .*? (\S+) says what", message)[1]
    again = re.search(r"data; .*? (\S+) says what", refusal(advised))[1]
    assert sorted(open_source(again).parts.tolist()) == [1, 1, 2, 2]
    assert open_source(re.search(r"and (\S+) leaves", message)[1]).parts.tolist() == [0] * 4
    assert "'x=klingon' says no part" in refusal(f"{path}#part=Usage:x=klingon")


def test_lists_of_paths_and_labels(birds):
    fill(birds, "my pictures/a b.png", "my pictures/c d.png")
    source = open_source(written(birds / "l.txt", "my pictures/a b.png 0\nmy pictures/c d.png 1\n# note\n\n"))
    assert source.classes == ("0", "1")
    assert list(source.paths) == ["my pictures/a b.png", "my pictures/c d.png"]
    only = written(birds / "o.txt", "img/a/0.png\nimg/b/1.png\n")
    message = refusal(only)
    assert "no column that is known to hold classes" in message
    assert open_source(f"{only}#class=img/([^/]+)/").classes == ("a", "b")


def test_metadata_of_several_parts(birds):
    for part in ("train", "test"):
        fill(birds / part, f"{part}1.png", f"{part}2.png")
        lines = [{"file_name": f"{part}{k}.png", "label": "ab"[k - 1], "size": [1, 2], "box": {}} for k in (1, 2)]
        written(birds / part / "metadata.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    source = open_source([birds / "train/metadata.jsonl", birds / "test/metadata.jsonl"])
    assert source.classes == ("a", "b")
    assert source.parts.tolist() == [1, 1, 3, 3]


def test_broken_json_lines_are_told(birds):
    for text, words in (
        ("", "is empty"),
        ("[1]\n", "line 1 is no JSON object"),
        ('{"a": 1}\n{\n', "line 2 is no JSON"),
    ):
        assert words in refusal(written(birds / "t.jsonl", text))
    assert "line 1 is no JSON object" in refusal(written(birds / "t.jsonl", "[" * 100_000))


def test_training_csv_and_test_csv_are_parts(birds):
    rows = [("image", "label")]
    one = table(birds / "training.csv", *rows, *ROWS[:2])
    two = table(birds / "test.csv", *rows, *ROWS[2:])
    assert open_source([one, two]).parts.tolist() == [1, 1, 3, 3]


@pytest.mark.parametrize("names", [["0.png", "1.png", "2.png"], ["images/0.png", "images/1.png", "images/2.png"]])
def test_a_table_beside_pictures_is_named(tmp_path, names):
    root = fill(tmp_path / "d", *names)
    table(root / "labels.csv", ("id", "label"), ("0", "x"), ("1", "y"), ("2", "x"))
    (root / "notes.csv").write_text("a,b\n1,2\n")
    message = refusal(root)
    assert f"{root / 'labels.csv'} says the 2 classes of pictures: name that instead." in message
    assert open_source(root / "labels.csv").classes == ("x", "y")


def test_tables_of_parts_beside_pictures_are_named(tmp_path):
    root = tmp_path / "d"
    for part in ("train", "test"):
        fill(root / part, f"{part}1.png", f"{part}2.png")
        table(root / part / "metadata.csv", ("file_name", "label"), (f"{part}1.png", "a"), (f"{part}2.png", "b"))
    names = re.search(r"there\. (.*) say the", refusal(root))[1].split()
    assert sorted(open_source(names).parts.tolist()) == [1, 1, 3, 3]


def test_a_role_is_named_once_and_an_advice_keeps_the_others(birds):
    path = table(birds / "t.csv", ("file", "kind", "label"), ("none.png", "x", "y"))
    assert "root= stands there twice" in refusal(f"{path}#root=a,root=b")
    assert f"{path}#label=kind,root=FOLDER names another" in refusal(f"{path}#label=kind,root=img")
