"""The manifest and the split: what is given is kept, what is missing cut fairly, nothing lost on disk."""

import dataclasses
import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svertka.data import Manifest, Store, make_manifest, open_source
from svertka.data.path_array import Paths
from svertka.data.sources.readers import FolderReader
from svertka.data.sources.source import Source
from svertka.data.splitting.holdout import MOST, SHARE, cut, usual_share
from svertka.errors import DataError, RecipeError, RunError
from svertka.kinds.image import Preprocess


def digests_of(contents) -> np.ndarray:
    """One digest for each content, as if files had been hashed."""
    import hashlib

    rows = [hashlib.blake2b(str(c).encode(), digest_size=16).digest() for c in contents]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 16)


def pair(labels, parts=None, contents=None, unreadable=()) -> tuple[Source, Store]:
    """A source and its store, with nothing behind them."""
    labels = np.array(labels, np.int32)
    n = len(labels)
    classes = tuple(f"class {c}" for c in range(labels.max() + 1))
    source = Source(
        name="made",
        kind="folder",
        where="made",
        classes=classes,
        paths=Paths.of(f"{classes[c]}/{i}.png" for i, c in enumerate(labels)),
        labels=labels,
        parts=np.zeros(n, np.uint8) if parts is None else np.array(parts, np.uint8),
        sizes=np.full(n, 100),
        skipped=(),
        reader=FolderReader("made"),
        rows=np.zeros(n, FolderReader.row),
    )
    readable = np.ones(n, bool)
    readable[list(unreadable)] = False
    store = Store(
        pixels=np.zeros((n, 1, 1, 1), np.uint8),
        readable=readable,
        reasons=dict.fromkeys(unreadable, "the picture is damaged"),
        digests=digests_of(range(n) if contents is None else contents),
        sizes=np.ones((n, 2), np.int32),
        preprocess=Preprocess(1, 1, 1),
    )
    return source, store


# -- the cut -------------------------------------------------------------------------------------------------


@st.composite
def labeled(draw):
    """Labels of up to 5 classes, and contents of which some repeat."""
    n = draw(st.integers(1, 80))
    labels = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    contents = draw(st.lists(st.integers(0, draw(st.integers(0, 100))), min_size=n, max_size=n))
    return np.array(labels), np.array(contents)


@given(labeled(), st.floats(0.05, 0.6), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_the_cut_keeps_its_promises(case, share, seed):
    labels, contents = case
    chosen = cut(labels, digests_of(contents), share, seed)
    assert chosen.shape == labels.shape
    assert chosen.dtype == bool
    for content in np.unique(contents):  # identical files on one side, whatever their class
        assert len(set(chosen[contents == content].tolist())) == 1
    homes = {c: labels[contents == c].min() for c in contents.tolist()}
    for label in np.unique(labels):
        own = {c for c, home in homes.items() if home == label}  # contents that are drawn with this class
        if own:
            assert any(not chosen[contents == c].any() for c in own)  # something is left to learn from
        if len(own) >= 2:
            assert any(chosen[contents == c].any() for c in own)


@given(labeled(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_order_and_names_do_not_matter(case, seed):
    labels, contents = case
    order = np.random.default_rng(seed).permutation(len(labels))
    digests = digests_of(contents)
    np.testing.assert_array_equal(cut(labels, digests)[order], cut(labels[order], digests[order]))


@given(st.lists(st.integers(2, 400), min_size=1, max_size=6), st.sampled_from([None, 0.1, 0.25, 0.5]))
@settings(deadline=None)
def test_every_class_gives_its_share(counts, share):
    labels = np.repeat(np.arange(len(counts)), counts)
    chosen = cut(labels, digests_of(range(len(labels))), share)
    share, counts = share or SHARE, np.array(counts)
    given_ = np.bincount(labels[chosen], minlength=len(counts))
    assert (given_ >= 1).all()
    assert (given_ < counts).all()
    assert (np.abs(given_ - share * counts) <= 1 + 5 * np.sqrt(counts * share * (1 - share))).all()


@given(labeled(), labeled(), st.sampled_from([0.1, 0.2, 0.5]))
@settings(deadline=None, max_examples=60)
def test_files_that_come_later_leave_the_others_where_they_are(old, new, share):
    labels, contents = old
    more = np.concatenate([labels, new[0]]), np.concatenate([contents, new[1] + 1000])  # other contents
    before, after = cut(labels, digests_of(contents), share), cut(more[0], digests_of(more[1]), share)
    for label in range(5):
        own = {c: labels[contents == c].min() for c in contents.tolist()}
        groups = [c for c in own if own[c] == label]
        forced = {bool(before[contents == c].any()) for c in groups} == {False} or len(groups) < 12
        if not forced:  # a class with few groups may owe its one picture on either side to the rule
            moved = [c for c in groups if before[contents == c][0] != after[: len(labels)][contents == c][0]]
            assert len(moved) <= 1


def test_added_files_move_none_of_many():
    labels = np.repeat(np.arange(4), 200)
    digests = digests_of(range(1600))
    before = cut(labels, digests[:800])
    after = cut(np.concatenate([labels, labels]), digests)
    np.testing.assert_array_equal(before, after[:800])


@given(labeled(), st.integers(1, 12), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_groups_are_never_parted(case, groups, seed):
    labels, contents = case
    group = np.random.default_rng(len(labels)).integers(0, groups, len(labels))
    chosen = cut(labels, digests_of(contents), 0.3, seed, group)
    for column in (group, contents):
        for number in np.unique(column):
            assert len(set(chosen[column == number].tolist())) == 1


def test_large_sets_keep_their_pictures():
    labels = np.repeat(np.arange(10), 6000)
    digests = np.random.default_rng(0).integers(0, 256, (60000, 16), np.uint8)
    chosen = cut(labels, digests)
    assert usual_share(60000) == SHARE / 4
    assert 0.5 * MOST < chosen.sum() < MOST
    assert (np.abs(np.bincount(labels[chosen]) - 300) < 5 * np.sqrt(300)).all()


def test_seeds_draw_differently_and_alike():
    labels, digests = np.zeros(200, int), digests_of(range(200))
    draws = [cut(labels, digests, 0.5, seed) for seed in (0, 0, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert 60 < (draws[0] == draws[2]).sum() < 140  # independent draws agree in about half
    assert 60 < (draws[2] == draws[3]).sum() < 140


def test_a_share_is_a_share():
    for share in (0, 1, -0.5, 20):
        with pytest.raises(RecipeError, match="between 0 and 1"):
            cut(np.zeros(4, int), digests_of(range(4)), share)


# -- make_manifest -------------------------------------------------------------------------------------------


def test_given_parts_are_kept():
    parts = [1] * 6 + [2] * 2 + [3] * 2
    manifest = make_manifest(*pair([0, 1] * 5, parts))
    assert manifest.parts.tolist() == parts
    assert manifest.indices("train").tolist() == [0, 1, 2, 3, 4, 5]
    assert manifest.indices("validation").tolist() == [6, 7]
    assert manifest.indices("test").tolist() == [8, 9]
    assert manifest.indices("test").dtype == np.int64


@pytest.mark.parametrize("part", [0, 1])
def test_a_missing_validation_part_is_cut_and_test_is_not_touched(part):
    source, store = pair([0, 1] * 50, [part] * 80 + [3] * 20)
    manifest = make_manifest(source, store)
    assert 6 < len(manifest.indices("validation")) < 28  # 16 expected, deviation 3.6
    assert manifest.indices("test").tolist() == list(range(80, 100))
    assert (np.bincount(manifest.labels[manifest.indices("validation")]) > 0).all()
    assert 25 < len(make_manifest(source, store, share=0.5).indices("validation")) < 55
    assert (
        make_manifest(source, store, seed=1).indices("validation").tolist() != manifest.indices("validation").tolist()
    )


def test_groups_by_name_stay_together_and_may_span_copies():
    source, store = pair([0, 1] * 60)
    paths = Paths.of(f"{'ab'[i % 2]}/patient{i // 6:02}_{i}.png" for i in range(120))
    source = dataclasses.replace(source, paths=paths)
    copies = np.arange(120)
    copies[60] = copies[0]  # a copy joins patient 0 and patient 10
    manifest = make_manifest(source, store, group_by=r"(patient\d+)_", copies=copies)
    parts = manifest.parts.reshape(20, 6)
    assert (parts == parts[:, :1]).all()
    assert parts[0, 0] == parts[10, 0]
    assert 0 < (parts == 2).mean() < 0.6
    with pytest.raises(RecipeError, match="matches none of the files, such as a/patient00_0"):
        make_manifest(source, store, group_by="speaker")
    some = make_manifest(source, store, group_by="patient0[0-4]")
    assert "does not match 90 files, such as a/patient05_30.png" in some.notes[0]


def test_groups_that_the_folders_part_are_told():
    source, store = pair([0, 1] * 10, [1] * 14 + [2] * 6)
    source = dataclasses.replace(source, paths=Paths.of(f"{'ab'[i % 2]}/p{i % 5}.{i}.png" for i in range(20)))
    manifest = make_manifest(source, store, group_by=r"p\d")
    assert manifest.parts.tolist() == source.parts.tolist()
    assert manifest.notes[0].startswith("5 groups stand in more than one of the given parts, such as 'p0'")


def test_an_earlier_manifest_is_followed():
    source, store = pair([0, 1] * 50)
    first = make_manifest(source, store, seed=3)
    order = np.random.default_rng(0).permutation(90)  # ten files gone, the rest renamed and reordered, 30 new ones
    contents = [*order.tolist(), *range(200, 230)]
    later, stored = pair([*(order % 2).tolist(), *[0, 1] * 15], contents=contents)
    copies = np.arange(120)
    a_validation_file = int(np.flatnonzero(first.parts[order] == 2)[0])
    copies[119] = copies[a_validation_file]
    manifest = make_manifest(later, stored, seed=9, earlier=first, copies=copies)
    np.testing.assert_array_equal(manifest.parts[:90], first.parts[order])
    assert manifest.parts[119] == 2
    assert manifest.seed == first.seed
    notes = " ".join(manifest.notes)
    assert "10 files of the manifest have gone or changed, such as class 0/90.png" in notes
    assert "30 files are not in the manifest" in notes


def test_an_earlier_manifest_goes_before_the_folders():
    source, store = pair([0, 1] * 10)
    first = make_manifest(source, store)
    other = dataclasses.replace(source, parts=np.where(first.parts == 2, 1, first.parts).astype(np.uint8))
    manifest = make_manifest(other, store, earlier=first)
    np.testing.assert_array_equal(manifest.parts, first.parts)
    assert "elsewhere than the folder does" in manifest.notes[0]


def test_copies_that_folders_keep_in_several_parts_stay_where_each_was():
    """A manifest knows files by content; of copies, which stand in train and validation, the name tells."""
    source, store = pair([0, 1] * 10, [1, 1, 2, 2] * 5)
    digests = store.digests.copy()
    digests[2] = digests[0]
    store = dataclasses.replace(store, digests=digests)
    first = make_manifest(source, store)
    np.testing.assert_array_equal(make_manifest(source, store, earlier=first).parts, first.parts)


def test_unreadable_files_serve_nothing():
    manifest = make_manifest(*pair([0, 1] * 10, unreadable=(3, 4)))
    used = np.concatenate([manifest.indices("train"), manifest.indices("validation")])
    assert sorted(used.tolist()) == [i for i in range(20) if i not in (3, 4)]
    assert manifest.reasons == {3: "the picture is damaged", 4: "the picture is damaged"}


def test_a_class_without_a_readable_picture_is_named():
    with pytest.raises(DataError) as caught:
        make_manifest(*pair([0, 0, 0, 1, 1], unreadable=(3, 4)))
    assert str(caught.value) == (
        "made: none of the 2 training pictures of the class 'class 1' can be read "
        "(class 1/3.png: the picture is damaged)."
    )
    with pytest.raises(DataError, match="'class 1' has no training picture"):
        make_manifest(*pair([0, 0, 1], [1, 1, 3]))


def test_a_single_picture_is_noted():
    manifest = make_manifest(*pair([0] * 10 + [1]))
    assert manifest.parts[10] == 1
    (note,) = manifest.notes
    assert note.startswith("'class 1': there is a single picture, or only copies of one, so none could be held out")
    copies = make_manifest(*pair([0] * 10 + [1] * 3, contents=[*range(10), 99, 99, 99]))
    assert copies.parts[10:].tolist() == [1, 1, 1]
    assert len(copies.notes) == 1


def test_what_cannot_be_split_is_an_error():
    with pytest.raises(DataError, match=r"no class has two different pictures.* folder val beside train"):
        make_manifest(*pair([0, 1]))
    with pytest.raises(DataError, match="none of those given for it can be read"):
        make_manifest(*pair([0, 1, 0], [1, 1, 2], unreadable=(2,)))
    with pytest.raises(DataError, match="pictures for test only; there is nothing to learn from"):
        make_manifest(*pair([0, 1], [3, 3]))


# -- on disk -------------------------------------------------------------------------------------------------


@given(labeled(), st.data())
@settings(deadline=None, max_examples=40)
def test_save_and_load(tmp_path_factory, case, data):
    labels, contents = case
    n = len(labels)
    names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
    manifest = Manifest(
        classes=tuple(f"класс {c} \u2028" for c in range(5)),
        paths=data.draw(st.lists(names, min_size=n, max_size=n)),
        labels=labels.astype(np.int32),
        parts=np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), np.uint8),
        digests=digests_of(contents),
        seed=data.draw(st.integers(0, 2**31)),
        reasons={int(contents[0]) % n: "damaged"},
        notes=("one", "two"),
    )
    path = tmp_path_factory.mktemp("m", numbered=True) / "manifest.json"
    manifest.save(path)
    back = Manifest.load(path)
    assert list(back.paths) == list(manifest.paths)
    assert (back.classes, back.seed, back.reasons, back.notes) == (
        manifest.classes,
        manifest.seed,
        manifest.reasons,
        manifest.notes,
    )
    for column in ("labels", "parts", "digests"):
        ours, theirs = getattr(back, column), getattr(manifest, column)
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(back.indices(part), manifest.indices(part))
    assert [p.name for p in path.parent.iterdir()] == ["manifest.json"]


def test_names_that_are_no_unicode_survive(tmp_path):
    source, store = pair([0, 1] * 5)
    manifest = make_manifest(source, store)
    odd = Manifest(**{**vars(manifest), "paths": Paths.of([f"\udcff{i}" for i in range(10)])})
    odd.save(tmp_path / "m.json")
    assert list(Manifest.load(tmp_path / "m.json").paths) == list(odd.paths)


def test_a_large_manifest_is_saved_at_once(tmp_path):
    n = 70_000
    source, _ = pair([0, 1])
    rng = np.random.default_rng(0)
    manifest = Manifest(
        classes=source.classes,
        paths=Paths.of(f"train/{i % 10}/{i}.png" for i in range(n)),
        labels=(np.arange(n) % 2).astype(np.int32),
        parts=np.ones(n, np.uint8),
        digests=rng.integers(0, 256, (n, 16), np.uint8),
        seed=0,
        reasons={},
    )
    began = time.process_time()
    manifest.save(tmp_path / "m.json")
    assert time.process_time() - began < 1  # 0.1 s on a quiet machine
    assert (tmp_path / "m.json").stat().st_size < 70 * n


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"svertka": 99}, "of another version"),
        ({"labels": [0]}, "its columns differ in length"),
        ({"labels": [7] * 10}, "a label has no class"),
        ({"labels": [-1] * 10}, "a label has no class"),
        ({"parts": "xxxxxxxxxx"}, "damaged"),
        ({"digests": ["zz"] * 10}, "damaged"),
        ({"unreadable": {"99": "?"}}, "not listed"),
        ({"paths": None}, "damaged"),
    ],
)
def test_a_damaged_manifest_is_told(tmp_path, change, words):
    path = tmp_path / "manifest.json"
    make_manifest(*pair([0, 1] * 5)).save(path)
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, **change}))
    with pytest.raises(RunError, match=words):
        Manifest.load(path)


def test_a_missing_manifest_is_told(tmp_path):
    with pytest.raises(RunError, match="cannot be read"):
        Manifest.load(tmp_path / "none.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        Manifest.load(tmp_path / "x.json")
    with pytest.raises(RunError, match="cannot be written"):
        make_manifest(*pair([0, 1] * 5)).save(tmp_path / "no" / "such" / "m.json")


def test_the_built_in_digits_from_end_to_end(tmp_path):
    from svertka.data import begin_store

    source = open_source("digits")
    store = begin_store(source, Preprocess(8, 8, 1), tmp_path).finish()
    manifest = make_manifest(source, store)
    train, validation = manifest.indices("train"), manifest.indices("validation")
    assert len(train) + len(validation) == 1797
    assert abs(len(validation) - 0.2 * 1797) < 4 * np.sqrt(1797 * 0.2 * 0.8)
    assert not set(map(bytes, manifest.digests[train])) & set(map(bytes, manifest.digests[validation]))
