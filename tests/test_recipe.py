"""The recipe refuses what cannot be meant, and says what would be taken."""

import json

import pytest

from svertka.errors import RecipeError, UnknownName
from svertka.training.recipe import Recipe, parse_setting


def test_round_trip_through_json():
    recipe = Recipe(net="lenet", epochs=3, flip=False, rate=0.05)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 0}, "epochs must lie between 1 and"),
        ({"rate": -1.0}, "received -1"),
        ({"validation": 1.5}, "validation must lie"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
    ],
)
def test_values_out_of_range_are_refused_at_birth(values, words):
    with pytest.raises(RecipeError, match=words):
        Recipe(**values)


def test_a_near_name_is_offered():
    with pytest.raises(UnknownName, match="Did you mean adamw"):
        Recipe(optimiser="adamww")
    with pytest.raises(UnknownName, match="Did you mean schedule"):
        Recipe.from_dict({"shedule": "cosine"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("epochs=7", ("epochs", 7)), ("flip=no", ("flip", False)), ("net=lenet", ("net", "lenet")), ("rate=auto", ("rate", None))],
)
def test_settings_take_the_type_of_their_field(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize("text", ["epochs", "epochs=many", "flip=perhaps"])
def test_settings_that_cannot_be_read(text):
    with pytest.raises(RecipeError):
        parse_setting(text)
