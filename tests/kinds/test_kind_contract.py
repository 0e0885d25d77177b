"""What every kind of sample must do (kinds/base.py): each registered kind is held against it."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from svertka.errors import ReadError, RecipeError, UnknownName
from svertka.kinds import KINDS, augment_for, kind, kind_of_array, preprocess_from
from svertka.training.recipe import Recipe, parse_setting


def picture(seed):
    import io

    from PIL import Image

    g = np.random.default_rng(seed)
    values = np.kron(g.integers(0, 256, (4, 4)), np.ones((6, 6))).astype(np.uint8)  # 24 x 24
    file = io.BytesIO()
    Image.fromarray(values).save(file, "png")
    return file.getvalue(), values


def series(seed):
    from svertka.kinds.series.formats import to_bytes

    values = np.cumsum(np.random.default_rng(seed).normal(size=(40, 2)), 0).astype(np.float32)
    return to_bytes(values), values


MAKERS = {"image": picture, "series": series}


@pytest.fixture(params=KINDS)
def made(request):
    """A kind, the bytes and values of some samples, and how it prepares them by its own choice."""
    samples = [MAKERS[request.param](seed) for seed in range(12)]
    k = kind(request.param)
    files = [(f"{i}", data) for i, (data, _) in enumerate(samples)]
    facts = k.facts(k.survey(files), training=12, classes=2)
    recipe = Recipe().for_kind(k.name)
    chosen = recipe.replace(**{name: value for name, (value, _) in k.first_choices(facts, recipe.get).items()})
    return k, samples, facts, k.preprocess(facts, chosen.get)


def stored(k, samples, preprocess):
    return np.stack([k.read_sized(data, preprocess, str(i))[0] for i, (data, _) in enumerate(samples)])


def test_every_kind_is_tried_here():
    assert MAKERS.keys() == KINDS.keys()


def test_a_preprocess_survives_json_and_names_its_kind(made):
    k, _, facts, preprocess = made
    assert preprocess.kind == k.name == facts.kind
    assert preprocess_from(json.loads(json.dumps(preprocess.to_dict()))) == preprocess
    with pytest.raises(RecipeError):
        preprocess_from({**preprocess.to_dict(), "odd": 1})
    with pytest.raises(dataclasses.FrozenInstanceError):
        preprocess.channels = 7


def test_pictures_of_old_runs_name_no_kind_and_others_are_refused():
    assert "kind" not in kind("image").Preprocess(8, 8, 1).to_dict()
    with pytest.raises(RecipeError, match="no kind of sample 'sound'"):
        preprocess_from({"kind": "sound"})
    with pytest.raises(UnknownName):
        kind("sound")


def test_bytes_and_arrays_become_what_is_stored(made):
    k, samples, _, preprocess = made
    data, values = samples[0]
    sample, size = k.read_sized(data, preprocess, "a")
    assert (sample.shape, sample.dtype) == (preprocess.stored, preprocess.dtype)
    assert len(size) == 2
    assert min(size) > 0
    np.testing.assert_array_equal(k.fit(values, preprocess), sample)
    assert k.stores(sample)
    assert kind_of_array(sample) is k
    assert not any(kind(other).stores(sample) for other in KINDS if other != k.name)
    with pytest.raises(ReadError), k.quietly():
        k.read_sized(b"neither this nor that", preprocess, "b")


def test_formats_are_recognized_by_their_first_bytes(made):
    k, samples, *_ = made
    assert k.recognize(samples[0][0][:512])
    assert k.recognize(b"neither this nor that") is None
    assert k.extensions
    assert all(e == e.lower() and not e.startswith(".") for e in (*k.extensions, *k.row_extensions))
    assert not any(k.extensions & kind(other).extensions for other in KINDS if other != k.name)


def test_batches_become_input_of_the_network(made):
    k, samples, _, preprocess = made
    batch = stored(k, samples, preprocess)
    ready = preprocess.standardized(batch)
    x = ready.normalize(batch)
    assert (x.shape, x.dtype) == ((len(batch), *preprocess.shape), torch.float32)
    assert preprocess.shape == (preprocess.stored[-1], *preprocess.stored[:-1])
    assert x.mean().abs() < 0.05  # the mean of these very samples is taken off
    assert abs(x.std() - 1) < 0.05
    some = torch.tensor([5, 0, 5])
    assert torch.equal(ready.normalize(torch.from_numpy(batch), None, some), x[some])
    out = torch.empty((len(batch), *preprocess.stored)).movedim(-1, 1)
    assert ready.normalize(batch, out) is out
    assert torch.equal(out, x)
    assert ready.stored_by() == preprocess.stored_by()  # what matters to batches alone makes no other store


def test_statistics_tell_copies_from_others(made):
    k, samples, _, preprocess = made
    batch = stored(k, samples, preprocess)
    found = k.measure(batch)
    assert (found.dtype, found.shape) == (k.statistics, (len(batch),))
    prints = found["fingerprint"].astype(np.float64)
    assert ((lengths := np.linalg.norm(prints, axis=1)) > 0.8).all()
    assert (lengths < 1.01).all()
    assert set(k.measure_file(samples[0][0])) <= set(k.statistics.names)
    np.testing.assert_array_equal(k.measure(batch[3:4])["fingerprint"], found["fingerprint"][3:4])
    for level in k.levels(preprocess.stored):
        assert k.alike(batch, batch, level).all()
        assert not k.alike(batch[:-1], batch[1:], level).any()
        assert np.linalg.norm(prints[:, None] - prints[None], axis=2)[~np.eye(12, dtype=bool)].min() > level.radius
    assert len(k.measure(batch[:0])) == 0


class Columns:
    def __init__(self, found, sizes):
        self.found, self.sizes = found, sizes

    def __getitem__(self, name):
        return self.found[name]


def test_what_is_said_of_samples_is_a_column_for_each(made):
    k, samples, _, preprocess = made
    n = len(samples)
    sizes = np.array([k.read_sized(data, preprocess, "a")[1] for data, _ in samples])
    columns = Columns(k.measure(stored(k, samples, preprocess)), sizes)
    assert k.comparable(columns).shape == (n,)
    facts = k.shortcuts(columns, np.full(n, 100), preprocess.stored)
    assert all(len(column) == n for found in facts.values() for column in found)
    assert all(len(column) == n for column in k.slices(columns).values())
    for rule in k.rules:
        assert all(0 <= row < n and detail for row, detail in rule.find(columns))
        assert rule.one
        assert rule.several


def test_every_augmentation_is_keyed_by_sample_and_not_by_its_batch(made):
    k, samples, _, preprocess = made
    batch = torch.from_numpy(stored(k, samples, preprocess))
    ids = torch.arange(100, 100 + len(batch))
    for name, facts in k.Augment.settings().items():
        if name == "untouched" or facts["mixes"]:
            continue
        value = facts["strengths"][0] if facts["strengths"] else 0.5
        how = k.Augment(**{name: value})
        made_ = how(batch, ids, seed=3, epoch=4)
        assert (made_.shape, made_.dtype) == (batch.shape, batch.dtype), name
        order = torch.randperm(len(batch))
        parts = [how(batch[i : i + 1], ids[i : i + 1], seed=3, epoch=4) for i in order]
        assert torch.equal(torch.cat(parts), made_[order]), name
        if preprocess.channels >= facts["channels"]:
            passes = [how(batch, ids, seed=3, epoch=e) for e in range(4)]
            assert any(not torch.equal(one, batch) for one in passes), name
        assert torch.equal(k.Augment(untouched=1.0, **{name: value})(batch, ids, 3, 4), batch)
        if facts["bounds"]:
            with pytest.raises(RecipeError, match=f"{name} must lie between"):
                k.Augment(**{name: -1.0})
    assert torch.equal(k.Augment()(batch, ids, 3, 4), batch)


def test_every_setting_has_help_and_the_recipe_finds_it(made):
    k, *_ = made
    for name, facts in k.Augment.settings().items():
        assert facts["help"]
        assert parse_setting(f"{name}={'yes' if facts['bounds'] is None else '0.5'}")[0] == name
    assert augment_for(k.Augment.settings()) is k.Augment
    recipe = Recipe.from_dict(dict.fromkeys(k.Augment.settings(), None))
    assert recipe.augment == k.Augment()
    assert recipe.for_kind(k.name) is recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_choices_have_reasons_and_fill_the_recipe(made):
    k, _, facts, _ = made
    recipe = Recipe().for_kind(k.name)
    for choices in (k.first_choices(facts, recipe.get), k.choices(facts, recipe.get)):
        assert all(reason for _, reason in choices.values())
        recipe = recipe.replace(**{name: value for name, (value, _) in choices.items()})
    assert {"net", "epochs", "batch_size", "optimizer"} <= choices.keys()
    assert not recipe.open


def test_a_page_gets_a_picture_of_a_sample(made):
    k, samples, _, preprocess = made
    sample = k.read_sized(samples[0][0], preprocess, "a")[0]
    drawn = k.draw(sample)
    assert drawn["uri"].startswith("data:image/")
    assert drawn["tiny"] in (True, False)
    assert k.stores(k.thin(sample, 8))
