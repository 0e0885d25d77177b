"""Several places as one source: patterns, lists, parts by name; the same pictures as from one folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from make_pictures import as_tar, as_zip, fill, png
from opened import left_aside, refusal, table

from svertka.data import begin_store, open_source, reopen_source
from svertka.data.sources.location import braces
from svertka.kinds.image import Preprocess


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a", ["a"]),
        ("s-{8..11}.tar", ["s-8.tar", "s-9.tar", "s-10.tar", "s-11.tar"]),
        ("s-{08..11}", ["s-08", "s-09", "s-10", "s-11"]),
        ("{3..1}", ["3", "2", "1"]),
        ("{a,b}-{0..1}", ["a-0", "a-1", "b-0", "b-1"]),
        ("{a,{b,c}}", ["a", "b", "a", "c"]),  # as written inside out; nobody nests them
        ("{x} {}", ["{x} {}"]),
    ],
)
def test_braces_mean_what_a_shell_means(pattern, words):
    assert braces(pattern) == words


def test_several_roots_are_one_source(tmp_path):
    one = fill(tmp_path / "site1" / "birds", "owl/1.png", "wren/2.png")
    (one / "owl/notes.md").write_text("about owls")
    two = as_zip(fill(tmp_path / "x", "owl/1.png", "crow/3.png", "crow/4.png"), tmp_path / "site2.zip")
    three = table(tmp_path / "t" / "birds.csv", ["path", "label"], [one / "wren/2.png", "wren"], ["no.png", "owl"])
    source = open_source([one, two, three])
    assert source.kind == "several"
    assert source.where == f"{one} and 2 more places"
    assert source.classes == ("crow", "owl", "wren")
    assert list(source.paths) == [
        "birds/owl/1.png", "birds/wren/2.png",
        "site2.zip/crow/3.png", "site2.zip/crow/4.png", "site2.zip/owl/1.png",
        f"birds.csv/{one}/wren/2.png",
    ]  # fmt: skip
    assert source.labels.tolist() == [1, 2, 0, 0, 1, 2]
    assert left_aside(source) == {
        "birds/owl/notes.md": "no picture: it is a text",
        "birds.csv/no.png": "there is no such file",
    }
    assert [source.read(i) for i in range(6)] == [png(0), png(1), png(1), png(2), png(0), png(1)]
    again = reopen_source(json.loads(json.dumps(source.to_dict())))
    assert again.identity() == source.identity()
    assert list(again.paths) == list(source.paths)
    store = begin_store(source, Preprocess(4, 4, 1)).finish()  # worker processes read them too
    assert store.readable.all()
    assert [int(p.max()) for p in store.pixels] == [0, 1, 1, 2, 0, 1]


def test_one_class_each_is_enough_and_the_same_twice_is_not(tmp_path):
    owls, crows = fill(tmp_path / "a", "owl/1.png"), fill(tmp_path / "b", "crow/2.png")
    assert open_source([owls, crows]).classes == ("crow", "owl")
    assert "is named twice" in refusal([owls, owls])
    assert "holds one class only ('owl')" in refusal([owls])
    assert "There is no place to read pictures from" in refusal([])
    assert "There is no folder or archive" in refusal([owls, tmp_path / "c"])


def test_patterns_wildcards_and_lists(tmp_path):
    for k in range(3):
        as_tar(fill(tmp_path / f"x{k}", f"a/{k}.png", f"b/{k}{k}.png"), tmp_path / f"part-{k:03}.tar")
    by_braces = open_source(f"{tmp_path}/part-{{000..002}}.tar")
    assert by_braces.name == "part"
    assert len(by_braces) == 6
    assert by_braces.where == f"{tmp_path}/part-{{000..002}}.tar"
    assert open_source(f"{tmp_path}/part-*.tar").identity() == by_braces.identity()
    (tmp_path / "all.txt").write_text("# shards\npart-{000..001}.tar\n\npart-002.tar\n")
    listed = open_source(tmp_path / "all.txt")
    assert listed.identity() == by_braces.identity()
    assert reopen_source(listed.to_dict()).identity() == by_braces.identity()
    (tmp_path / "bad.txt").write_text("part-000.tar\npart-009.tar\n")
    assert "bad.txt names part-009.tar, but there is no" in refusal(tmp_path / "bad.txt")
    (tmp_path / "bad.txt").write_text("all.txt\n")
    assert "names another list, all.txt" in refusal(tmp_path / "bad.txt")
    (tmp_path / "bad.txt").write_text("\n")
    assert "names no place" in refusal(tmp_path / "bad.txt")
    assert "nothing that" in refusal(f"{tmp_path}/z*.tar")
    assert "more than 100,000 places" in refusal("s-{0..10000000}.tar")
    odd = fill(tmp_path / "{a,b}", "a/1.png", "b/2.png")
    assert len(open_source(odd)) == 2  # a folder of that very name comes first


def test_names_that_speak_of_parts(tmp_path):
    names = ["birds-train-000", "birds-train-001", "birds_val", "birds-test"]
    made = [as_tar(fill(tmp_path / n, f"a/{i}.png", f"b/{i}.png"), tmp_path / f"{n}.tar") for i, n in enumerate(names)]
    source = open_source(made)
    assert source.parts.tolist() == [1] * 4 + [2] * 2 + [3] * 2
    assert source.name == "birds"
    assert not open_source(made[2:]).parts.any()  # nothing to learn from: all of it judges
    assert not open_source(fill(tmp_path / "train", "a/1.png", "b/2.png")).parts.any()  # as ever
    folders = [fill(tmp_path / "set" / n, f"a/{n}.png", f"b/{n}.png") for n in ("train", "val")]
    assert open_source(folders).parts.tolist() == [1, 1, 2, 2]
    assert "the validation part has the class 'c'" in refusal(
        [folders[0], as_zip(fill(tmp_path / "v", "c/1.png"), tmp_path / "val.zip")]
    )


def test_groups_reach_over_places(tmp_path):
    one = fill(tmp_path / "one", "a/p1_0.png", "b/p2_0.png")
    two = fill(tmp_path / "two", "a/p2_1.png", "b/x.png")
    source = open_source([one, two], group_by=r"p\d")
    assert source.groups.codes.tolist()[:3] == [0, 1, 1]
    rows = [["path", "label", "patient"], [one / "a/p1_0.png", "a", "7"], [one / "b/p2_0.png", "b", "8"]]
    tables = [table(tmp_path / "1.csv", *rows), table(tmp_path / "2.csv", rows[0], [two / "b/x.png", "b", "8"])]
    groups = open_source([*tables, two], group_by="patient").groups
    assert groups.number.tolist() == [0, 1, 1, -1, -1]


def test_many_archives_are_not_held_open(tmp_path):
    made = [as_tar(fill(tmp_path / f"{k}", f"a/{k}.png", f"b/{k}.png"), tmp_path / f"{k}.tar") for k in range(40)]
    source = open_source(made)
    open_files = Path("/proc/self/fd")
    before = len(list(open_files.iterdir())) if open_files.is_dir() else 0
    for i in np.random.default_rng(0).permutation(len(source)).tolist():
        assert source.read(i) == source.read(i)
    if open_files.is_dir():
        assert len(list(open_files.iterdir())) - before <= 32


def test_several_places_on_the_command_line(sv, tmp_path):
    from make_pictures import QUICK, shapes

    data = [shapes(tmp_path / name, seed=seed) for seed, name in enumerate(("one", "two"))]
    status, out, err = sv("train", *data, "--out", "run", "--json", *QUICK)
    assert status == 0, err
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert recipe["data"]["places"] == list(map(str, data))
    assert recipe["command"].endswith(f"train {data[0]} {data[1]} --out run --json --epochs 2 --set batch_size=8")
    assert json.loads(out)["validation"]["n"] < 48
    assert json.loads(sv("check", *data, "--json")[1])["files"] == 48
    assert json.loads(sv("evaluate", "run", *data, "--json")[1])["n"] == 48
    status, _, err = sv("train")
    assert status == 2
    assert "takes either DATA or --resume" in err
