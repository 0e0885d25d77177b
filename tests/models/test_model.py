"""What a saved model answers with."""

import json

import numpy as np
import pytest
import torch

from svertka import zoo
from svertka.errors import RunError, SvertkaError
from svertka.kinds.image import Preprocess
from svertka.models import Model, describe


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = zoo.make("small", (3, 20, 20), 4).eval()
    return Model(net, tuple("abcd"), Preprocess(20, 20, 3, "stretch"), describe(net, "small", (3, 20, 20)), 1.3)


def test_a_mirroring_model_answers_with_the_mean_of_both_looks(model, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 20, 20, 3), dtype=np.uint8)
    with torch.inference_mode():
        looks = [model.net(model.preprocess.normalize(p)) for p in (pixels, pixels[:, :, ::-1].copy())]
    plain, both = looks[0] / 1.3, (looks[0] + looks[1]) / 2 / 1.3
    assert torch.allclose(model.probabilities(pixels), plain.softmax(1))
    model.mirror = True
    model.save(tmp_path / "model")
    again = Model.load(tmp_path / "model")
    assert again.mirror
    assert torch.allclose(again.probabilities(pixels), both.softmax(1), atol=1e-6)
    assert not torch.allclose(plain.softmax(1), both.softmax(1), atol=1e-3)
    assert torch.allclose(again.probabilities(pixels), again.probabilities(pixels[:, :, ::-1].copy()), atol=1e-6)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda facts: facts.pop("weights"),
        lambda facts: facts.update(weights="none"),
        lambda facts: facts.update(preprocess=[]),
        lambda facts: facts["preprocess"].pop("height"),
        lambda facts: facts.update(classes=3),
        lambda facts: facts.pop("structure"),
        lambda facts: facts.update(network=None),
    ],
)
def test_facts_that_are_damaged_are_refused_in_a_sentence(model, tmp_path, spoil):
    model.save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    spoil(facts)
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match=r"model\.json"):
        Model.load(tmp_path)


def test_a_place_where_nothing_can_be_is_an_error_with_its_name(model, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SvertkaError, match=r"file.*cannot be written"):
        model.save(tmp_path / "file" / "model")
    assert (tmp_path / "file").read_text() == "mine"
