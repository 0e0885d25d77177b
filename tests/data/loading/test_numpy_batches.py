"""Batches by `next()`: every argument, against the pictures themselves."""

from itertools import islice

import numpy as np
import pytest
from make_pictures import fill

from svertka import data
from svertka.errors import DataError, UnknownName, UsageError
from svertka.kinds.image import Preprocess


@pytest.fixture
def pictures(tmp_path):
    return fill(tmp_path / "set", *(f"{'ab'[i % 2]}/{i:02}.png" for i in range(40)))


def test_batches_are_the_pictures_in_order(pictures):
    flow = data.batches(pictures, target_size=(4, 4), batch_size=16, class_mode="sparse", shuffle=False)
    assert flow.class_indices == {"a": 0, "b": 1}
    assert (len(flow), flow.samples, flow.batch_size) == (3, 40, 16)
    parts = list(islice(flow, 3))
    assert [x.shape for x, _ in parts] == [(16, 4, 4, 1), (16, 4, 4, 1), (8, 4, 4, 1)]
    values = np.concatenate([x for x, _ in parts])[:, 0, 0, 0]
    np.testing.assert_allclose(values, [*range(0, 40, 2), *range(1, 40, 2)], atol=1e-4)
    assert np.concatenate([y for _, y in parts]).tolist() == [0] * 20 + [1] * 20
    assert flow.filenames[20] == "b/01.png"
    again, _ = next(flow)  # for ever
    np.testing.assert_array_equal(again, parts[0][0])


def test_subsets_meet_nowhere_and_seeds_order_them(pictures):
    def of(subset, seed):
        flow = data.batches(
            pictures, target_size=(4, 4), batch_size=40, rescale=1 / 255, validation_split=0.3, subset=subset, seed=seed
        )
        x, y = next(flow)
        assert y.shape == (len(x), 2)
        return np.rint(x[:, 0, 0, 0] * 255).astype(int).tolist()

    train, validation = of("training", 1), of("validation", 1)
    assert sorted(train + validation) == list(range(40))
    assert of("training", 1) == train
    assert 4 <= len(validation) <= 16  # 12 in expectation
    source = data.open_source(pictures)
    store = data.begin_store(source, Preprocess(4, 4, 1)).finish()
    assert len(validation) == len(data.make_manifest(source, store, share=0.3).indices("validation"))
    other = of("training", 2)
    assert other != train
    assert sorted(other) == sorted(train)


def test_given_parts_are_subsets(tmp_path):
    root = fill(tmp_path / "s", *(f"{p}/{c}/{i}.png" for p in ("train", "val", "test") for c in "ab" for i in range(3)))
    for subset, part in (("training", "train"), ("validation", "val"), ("test", "test")):
        flow = data.batches(root, target_size=(4, 4), subset=subset, class_mode=None)
        assert {name.split("/")[0] for name in flow.filenames} == {part}
        assert next(flow).shape == (6, 4, 4, 1)
    with pytest.raises(DataError, match="holds parts, not classes"):
        data.batches(root)


def test_arguments_that_contradict_each_other(pictures):
    for options, error, words in (
        ({"subset": "training"}, UsageError, "needs validation_split"),
        ({"subset": "test", "validation_split": 0.2}, DataError, "no readable picture in its test part"),
        ({"subset": "all"}, UnknownName, "no subset called 'all'"),
        ({"color_mode": "cmyk"}, UnknownName, "no color_mode called 'cmyk'"),
        ({"class_mode": "dense"}, UnknownName, "no class_mode called 'dense'"),
        ({"shuffle": False, "augment": data.Augment(flip_horizontal=True)}, UsageError, "only in a shuffled flow"),
    ):
        with pytest.raises(error, match=words):
            data.batches(pictures, target_size=(4, 4), **options)


def test_what_cannot_be_read_is_named(pictures):
    (pictures / "a/00.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.warns(UserWarning, match=r"1 of 40 files cannot be read and are left out; the first is a/00.png"):
        flow = data.batches(pictures, target_size=(4, 4), color_mode="rgb")
    assert flow.samples == 39
    assert next(flow)[0].shape == (32, 4, 4, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target_size": 16}, "(height, width), such as"),
        ({"target_size": (8, 8, 3)}, "(height, width), such as"),
        ({"target_size": None}, "(height, width), such as"),
        ({"batch_size": 0}, "batch_size is a whole number from 1"),
        ({"batch_size": 2.5}, "batch_size is a whole number from 1"),
        ({"batch_size": None}, "batch_size is a whole number from 1"),
    ],
)
def test_arguments_of_another_form_are_sentences(pictures, arguments, words):
    with pytest.raises(UsageError) as found:
        data.batches(pictures, **arguments)
    assert words in str(found.value)


def test_binary_labels_are_for_two_classes(tmp_path):
    three = fill(tmp_path / "three", *(f"{'abc'[i % 3]}/{i}.png" for i in range(9)))
    with pytest.raises(UsageError, match=r"has 3; 'sparse' gives"):
        data.batches(three, target_size=(4, 4), class_mode="binary")
