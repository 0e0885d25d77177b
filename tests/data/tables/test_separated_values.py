"""Tables of pictures: which columns are found, whose rows are left out and why, and groups that never part."""

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from make_pictures import fill, png
from opened import left_aside, refusal, table

from svertka.data import Manifest, open_source
from svertka.data.path_array import Paths
from svertka.data.sources.groups import Groups
from svertka.data.sources.location import Place
from svertka.errors import DataError, ReadError


@pytest.fixture
def birds(tmp_path):
    """Six different pictures beside where a table is going to be."""
    return fill(tmp_path / "data", *(f"img/{i}.png" for i in range(6)))


# -- columns -------------------------------------------------------------------------------------------------


def test_a_table_of_paths_and_labels(birds):
    source = open_source(
        table(birds / "birds.csv", ["path", "label"], *([f"img/{i}.png", ["10", "2"][i % 2]] for i in range(6)))
    )
    assert (source.name, source.kind, source.where) == ("birds", "table", str(birds / "birds.csv"))
    assert source.classes == ("2", "10")  # names, not numbers, in natural order
    assert source.labels.tolist() == [1, 0] * 3
    assert source.labels.dtype == np.int32
    assert list(source.paths) == [f"img/{i}.png" for i in range(6)]
    assert source.parts.tolist() == [0] * 6
    assert source.sizes.tolist() == [len(png(i)) for i in range(6)]
    assert source.skipped == source.notes == source.places == ()
    assert [source.read(i) for i in range(6)] == [png(i) for i in range(6)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_form_of_separated_values(birds, separator, encoding):
    rows = [[f"img/{i}.png", "ди,ч;ь"[i % 2 :], ["Train", "val"][i > 3], "x"] for i in range(6)]
    head = ["Image", " Class ", "Split", "note"]
    source = open_source(table(birds / "t.csv", head, *rows, separator=separator, encoding=encoding))
    assert source.classes == ("ди,ч;ь", "и,ч;ь")
    assert source.parts.tolist() == [1, 1, 1, 1, 2, 2]


def test_columns_are_named_after_a_mark(birds):
    rows = [["a", "species", "site", "label"], *([f"{i}.png", "xy"[i % 2], i // 2, "no"] for i in range(6))]
    path = table(birds / "t.csv", *rows)
    source = open_source(f"{path}#path=a,label=species,group=site,root=img")
    assert source.classes == ("x", "y")
    assert source.groups.codes.tolist() == [0, 0, 1, 1, 2, 2]
    assert source.name == "t"
    assert source.read(5) == png(5)
    assert open_source(source.where).identity() == source.identity()
    assert "names no column; after the # stands role=column" in refusal(f"{path}#species")
    assert "t.csv has no column 'breed'; it has 'a', 'species', 'site', 'label'." in refusal(f"{path}#label=breed")
    assert "no column that is known to hold pictures" in refusal(path)
    odd = table(birds / "odd#label=1.csv", ["path", "label"], ["img/0.png", "a"], ["img/1.png", "b"])
    assert len(open_source(odd)) == 2  # a file of that very name comes first


def test_parts_that_a_table_gives(birds):
    rows = [["file", "target", "set"]]
    rows += [[f"img/{i}.png", "ab"[i % 2], s] for i, s in enumerate(["training", "TRAIN", "dev", "", "test", "valid"])]
    path = table(birds / "t.tsv", *rows, separator="\t")
    assert open_source(path).parts.tolist() == [1, 1, 2, 0, 3, 2]
    rows[3][2] = "fold3"
    table(path, *rows, separator="\t")
    assert "the column 'set' holds 'fold3', which is no part" in refusal(path)
    assert open_source(f"{path}#part=").parts.tolist() == [0] * 6


def test_a_class_that_only_judges_is_refused(birds):
    path = table(birds / "t.csv", ["path", "label", "split"], ["img/0.png", "a", "train"], ["img/1.png", "A", "val"])
    assert "the validation part has the class 'A', which the train part lacks (it has 'a')" in refusal(path)
    path = table(birds / "t.csv", ["path", "label"], ["img/0.png", "a"], ["img/1.png", "A"])
    assert "'A' and 'a' differ only by case" in open_source(path).notes[0]
    path = table(birds / "t.csv", ["path", "label"], ["img/0.png", "a"], ["img/1.png", "a"])
    assert "one class only ('a'); a classifier needs at least two, each by its own name" in refusal(path)


# -- rows that are left out ----------------------------------------------------------------------------------


def test_rows_that_cannot_be_used_are_told(birds):
    rows = [["path", "label"], ["img/0.png", "a"], ["img/1.png", "b"], ["img/gone.png", "a"], ["img", "a"], ["", "b"]]
    rows += [["img/2.png", ""], ["img/3.png"], ["http://example.org/x.png", "a"], ["img/\0.png", "a"], []]
    source = open_source(table(birds / "t.csv", *rows))
    assert list(source.paths) == ["img/0.png", "img/1.png"]
    assert left_aside(source) == {
        "img/gone.png": "there is no such file",
        "img": "it is no file",
        "(no path)": "no path",
        "img/2.png": "it has no label",
        "img/3.png": "it has no label",
        "http://example.org/x.png": "an address in a table is not fetched",
        "img/\0.png": "there is no such file",
    }


def test_many_missing_files_are_counted(birds):
    rows = [["path", "label"], ["img/0.png", "a"], ["img/1.png", "b"], *([f"gone-{i}.png", "a"] for i in range(100))]
    source = open_source(table(birds / "t.csv", *rows))
    assert left_aside(source) == {"t.csv": "100 rows, such as gone-0.png: there is no such file"}
    path = table(birds / "t.csv", *rows[:1], *rows[3:])
    assert (
        "none of its 100 rows can be used, such as gone-0.png: there is no such file. Relative paths start"
        in refusal(path)
    )


def test_a_file_with_several_rows_counts_once_and_with_two_labels_never(birds):
    rows = [["path", "label", "split"], ["img/0.png", "a", "train"], ["img/0.png", "a", "train"]]
    rows += [["img/1.png", "a", "train"], ["img/1.png", "b", "train"], ["img/2.png", "b", "train"]]
    rows += [["img/2.png", "b", "test"], ["img/3.png", "a", "test"]]
    source = open_source(table(birds / "t.csv", *rows))
    assert list(source.paths) == ["img/0.png", "img/2.png", "img/3.png"]
    assert source.parts.tolist() == [1, 1, 3]
    assert [(one.path, one.reason) for one in source.skipped] == [
        ("img/0.png", "a second row for that file"),
        ("img/1.png", "it has several labels, 'a' and 'b', so none is believed"),
        ("img/2.png", "a second row for that file, and in another part (test)"),
    ]


def test_tables_that_are_none(birds):
    for data, words in (
        (b"", "t.csv is empty"),
        (b"path,label\n", "t.csv is empty: it holds no row"),
        ("путь,класс\n".encode("cp1251"), "not written in UTF-8 (line 1)"),
        (b"path,label\nimg/0.png,a\n" + "img/\xe9.png,b\n".encode("latin-1"), "not written in UTF-8 (line 3)"),
        (b'path,label\nimg/0.png,a\n"img/1.png,b\nimg/2.png,a\n', "unexpected end of data"),
        (b"path,path,label\n", "two columns named 'path'"),
        (b"img/0,a\nimg/1,b\n", "its first line names 'img/0', 'a'"),
        (b'path,label\n"' + b"x" * 200_000, "is no table of separated values"),
        (b"\x89PNG\r\n\x1a\n", "not written in UTF-8"),
    ):
        (birds / "t.csv").write_bytes(data)
        assert words in refusal(birds / "t.csv"), data[:40]


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_broken_tables_never_raise_anything_else(birds, data):
    rows = [["path", "label", "split", "group"], *([f"img/{i}.png", "ab"[i % 2], "train", i] for i in range(6))]
    whole = bytearray(table(birds / "t.csv", *rows).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (birds / "t.csv").write_bytes(bytes(whole))
    try:
        source = open_source(birds / "t.csv", least_classes=1)
        for i in range(len(source)):
            source.read(i)
    except DataError as why:
        assert str(why).endswith((".", "?"))  # noqa: PT017  both outcomes are right


def test_files_of_a_table_that_change_or_vanish(birds):
    path = table(birds / "t.csv", ["path", "label"], ["img/0.png", "a"], ["img/1.png", "b"], [birds / "img/2.png", "b"])
    source = open_source(path)
    (birds / "img/0.png").unlink()
    (birds / "img/1.png").write_bytes(png(7, (9, 9)))
    with pytest.raises(ReadError, match="vanished since"):
        source.read(0)
    with pytest.raises(ReadError, match="changed since"):
        source.read(1)
    assert source.read(2) == png(2)  # by an absolute path


def test_the_identity_is_that_of_the_files(birds):
    rows = [["path", "label"], *([f"img/{i}.png", "ab"[i % 2]] for i in range(6))]
    first = open_source(table(birds / "a.csv", *rows)).identity()
    rows[1][1] = "b"
    assert open_source(table(birds / "b.csv", *rows)).identity() == first  # other labels, but the same pixels
    assert open_source(table(birds / "b.csv", *rows[:-1])).identity() != first
    (birds / "img/5.png").write_bytes(png(7, (9, 9)))
    assert open_source(birds / "a.csv").identity() != first


# -- groups --------------------------------------------------------------------------------------------------


def test_groups_of_a_column_or_a_pattern(birds):
    rows = [["path", "label", "group", "nest"], *([f"img/{i}.png", "ab"[i % 2], "", "pqq"[i // 2]] for i in range(6))]
    rows[1][2] = rows[6][2] = "g"
    path = table(birds / "t.csv", *rows)
    assert open_source(path).groups.codes.tolist() == [0, 2, 3, 4, 5, 0]  # found by its name; empty is alone
    by_nest = open_source(path, group_by="nest").groups
    assert by_nest.codes.tolist() == [0, 0, 1, 1, 1, 1]
    assert by_nest.by == "nest"
    by_pattern = open_source(path, group_by=r"[0-2]").groups
    assert by_pattern.number.tolist() == [0, 1, 2, -1, -1, -1]
    assert open_source(f"{path}#group=nest").groups.codes.tolist() == by_nest.codes.tolist()
    assert open_source(f"{path}#group=").groups is None


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 3)), max_size=40))
def test_parted_groups_by_their_definition(files):
    number, parts = np.array([f[0] for f in files], np.int32), np.array([f[1] for f in files], np.uint8)
    groups = Groups("by", Paths.of(f"g{i}" for i in range(5)), number)
    truth = {g: {int(p) for n, p in files if n == g and p} for g in range(5)}
    found = {name: {int(parts[i]) for i in where} for name, where in groups.parted(parts)}
    assert found == {f"g{g}": p for g, p in truth.items() if len(p) > 1}
    for name, where in groups.parted(parts):
        assert {f"g{number[i]}" for i in where} == {name}


def test_digests_of_groups_are_those_of_their_names():
    paths = Paths.of(f"img/{i}.png" for i in range(6))
    one = Groups("x", paths.of(["p", "q"]), np.array([0, 1, 1, -1, 0, -1], np.int32)).digests(paths)
    other = Groups("x", paths.of(["q", "r", "p"]), np.array([2, 0, 0, -1, 2, 1], np.int32)).digests(paths)
    np.testing.assert_array_equal(one[:5], other[:5])  # by name and not by number
    assert len({bytes(d) for d in one}) == 4
    assert bytes(one[5]) != bytes(other[5])


def test_train_check_tune_and_preview_take_tables_and_groups(sv, tmp_path):
    from make_pictures import QUICK, shapes

    root = shapes(tmp_path / "data", each=24)
    rows = [["path", "label", "patient"]]
    rows += [[p.relative_to(root), p.parent.name, f"p{int(p.stem) // 4}"] for p in sorted(root.rglob("*.png"))]
    random.Random(0).shuffle(rows[1:])
    path = table(root / "t.csv", *rows)
    status, _, err = sv("train", path, "--group-by", "patient", "--out", "run", "--set", "validation=0.4", *QUICK)
    assert status == 0, err
    manifest = Manifest.load(tmp_path / "run" / "manifest.json")
    patient = {str(row[0]): row[2] for row in rows[1:]}
    sides = {}
    for name, part in zip(manifest.paths, manifest.parts.tolist(), strict=True):
        sides.setdefault(patient[name], set()).add(part)
    assert all(len(parts) == 1 for parts in sides.values())
    assert {p for parts in sides.values() for p in parts} == {1, 2}
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["data"]["kind"] == "table"
    rows = [[*row, "split" if not i else ["train", "val"][i % 2]] for i, row in enumerate(rows)]
    table(path, *rows)
    status, out, _ = sv("check", path, "--group-by", "patient", "--json")
    found = json.loads(out)
    assert status == 0
    assert sorted(g["group"] for g in found["parted_groups"]) == [f"p{i}" for i in range(6)]
    assert {f["part"] for f in found["parted_groups"][0]["files"]} == {"train", "validation"}
    assert any("6 groups stand in more than one of the given parts" in w for w in found["warnings"])
    assert sv("evaluate", "run", path, "--json")[0] == 0
    assert sv("preview", path)[0] == 0


@pytest.mark.slow
def test_a_million_rows_take_seconds_and_little_memory(tmp_path):
    """Rows of many files in many folders; time is that of the processor, memory the most beyond the start."""

    for k in range(20):
        first = fill(tmp_path / "data", f"{k:02}/first.png") / f"{k:02}/first.png"  # a file has 65,000 names at most
        for i in range(50_000):
            os.link(first, tmp_path / f"data/{k:02}/{i:05}.png")
    names = ((f"{k:02}/{i:05}.png", f"class {i % 100}", i // 10) for k in range(20) for i in range(50_000))
    table(tmp_path / "data" / "t.csv", ["path", "label", "group"], *names)
    code = (
        "import resource, sys, time; from svertka.data import open_source; import numpy\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; t = time.process_time()\n"
        "n = len(open_source(sys.argv[1])); m = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(n, time.process_time() - t, (m - before) / 1024)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "data" / "t.csv"], capture_output=True, text=True, check=True
    )
    n, seconds, megabytes = map(float, out.stdout.split())
    assert n == 1_000_000
    assert seconds < 30
    assert megabytes < 200


def test_places_print_as_they_are_written():
    assert str(Place("a.csv", (("label", "x"), ("group", "y")))) == "a.csv#label=x,group=y"
    assert str(Place("a")) == "a"
