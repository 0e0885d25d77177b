"""A run that was made before settings had their names of today opens, and answers as it did then.

`format2/` is that run, and `answers.json` what the program of that day printed for it.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from svertka import Recipe
from svertka.runs.old_names import FIELDS, renew
from svertka.runs.results import read_results

KEPT = Path(__file__).parent / "format2"
ANSWERS = json.loads((KEPT / "answers.json").read_text())


@pytest.fixture
def old(tmp_path, own_cache):
    """The run and its data, where the commands of `sv` are run."""
    shutil.copytree(KEPT, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def close(found, then):
    """The same, number by number to the last digits that float32 has."""
    if isinstance(then, dict):
        assert found.keys() == then.keys()
        for name in then:
            close(found[name], then[name])
    elif isinstance(then, list):
        assert len(found) == len(then)
        for one, other in zip(found, then, strict=True):
            close(one, other)
    elif isinstance(then, float):
        assert found == pytest.approx(then, abs=2e-6)
    else:
        assert found == then


def test_predict_says_the_same(sv, old):
    status, out, err = sv("predict", "run", "shapes/disc/0.png", "shapes/cross/1.png", "--json")
    assert status == 0, err
    close(json.loads(out), ANSWERS["predict"])


def test_evaluate_says_the_same(sv, old):
    status, out, err = sv("evaluate", "run", "shapes", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found.pop("seconds") >= 0
    close(found, ANSWERS["evaluate"])


def test_embed_says_the_same(sv, old):
    status, _, err = sv("embed", "run", "shapes/disc/0.png", "--out", "e.npz", "--json")
    assert status == 0, err
    with np.load("e.npz") as found:
        np.testing.assert_allclose(found["vectors"], ANSWERS["embed"], atol=2e-6)


def test_its_report_shows_what_it_learned_with(sv, old):
    status, _, err = sv("report", "run", "--full", "--minutes", "0.2")
    assert status == 0, err
    page = (old / "report.html").read_text(encoding="utf-8")
    metrics = json.loads((old / "metrics.json").read_text())
    assert f"{100 * metrics['validation']['accuracy']:.0f}\u202f%" in page
    for name in ("learning rate", "random erasing", "flip horizontal"):
        assert name in page


def test_its_recipe_is_one_of_today(old):
    found = read_results(old).recipe
    recipe = Recipe.from_dict(found.recipe)
    assert (recipe.optimizer, recipe.learning_rate, recipe.batch_size) == ("adam", 0.01, 8)
    assert (recipe.augment.flip_horizontal, recipe.augment.random_erasing) == (True, 0.1)
    assert found.reasons.keys().isdisjoint(FIELDS)


def test_a_run_can_be_repeated_from_its_data(sv, old):
    status, out, err = sv("explain", "run", "shapes/disc/0.png", "--near", "2", "--json")
    assert status == 0, err
    assert json.loads(out)


def test_old_words_are_those_of_today_and_names_of_classes_stay():
    recipe = {"recipe": {"head": "neighbours", "average": 0.9}, "network": {"head": {"kind": "neighbours"}}}
    assert renew("recipe.json", recipe) == {
        "recipe": {"head": "neighbors", "ema_decay": 0.9}, "network": {"head": {"kind": "neighbors"}},
    }  # fmt: skip
    baselines = {"rows": [{"name": "nearest neighbours in colour"}]}
    assert renew("baselines.json", baselines) == {"rows": [{"name": "nearest neighbors in color"}]}
    failing = {"slices": {"shown": [{"fact": "border colour", "value": "border colour", "class": "neighbours"}]}}
    assert renew("failing.json", failing)["slices"]["shown"] == [
        {"fact": "border color", "value": "border colour", "class": "neighbours"}
    ]
    metrics = {"ladder": [{"rung": "nearest neighbours"}, {"rung": "linear head"}, 3]}
    assert renew("metrics.json", metrics) == {"ladder": [{"rung": "nearest neighbors"}, {"rung": "linear head"}, 3]}


def test_what_is_not_as_it_should_be_is_left_to_the_reader():
    for name in ("recipe.json", "metrics.json", "failing.json", "baselines.json", "model.json"):
        for content in ({}, {"recipe": 3, "network": [], "ladder": 1, "rows": {"name": 2}, "slices": []}):
            renew(name, dict(content))
