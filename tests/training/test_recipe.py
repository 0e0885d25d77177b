"""The recipe refuses what cannot be meant, and says what would be taken."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from svertka.errors import RecipeError, UnknownName
from svertka.kinds.image.augment.augment import Augment
from svertka.kinds.image.defaults import Facts
from svertka.training.defaults.from_scratch import choose_rest, widen
from svertka.training.recipe import OPTIMIZERS, Recipe, parse_setting
from svertka.training.schedules.lr_schedule import SCHEDULES


def test_round_trip_through_json():
    recipe = Recipe.from_dict({"net": "lenet", "epochs": 3, "flip_horizontal": False, "learning_rate": 0.05})
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 0}, "epochs must lie between 1 and"),
        ({"learning_rate": -1.0}, "received -1"),
        ({"validation": 1.5}, "validation must lie"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
    ],
)
def test_values_out_of_range_are_refused_at_birth(values, words):
    with pytest.raises(RecipeError, match=words):
        Recipe(**values)


def test_a_near_name_is_offered():
    with pytest.raises(UnknownName, match="Did you mean adamw"):
        Recipe(optimizer="adamww")
    with pytest.raises(UnknownName, match="Did you mean schedule"):
        Recipe.from_dict({"shedule": "cosine"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs=7", ("epochs", 7)),
        ("flip_horizontal=no", ("flip_horizontal", False)),
        ("net=lenet", ("net", "lenet")),
        ("learning_rate=auto", ("learning_rate", None)),
    ],
)
def test_settings_take_the_type_of_their_field(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize("text", ["epochs", "epochs=many", "flip_horizontal=perhaps"])
def test_settings_that_cannot_be_read(text):
    with pytest.raises(RecipeError):
        parse_setting(text)


@pytest.mark.parametrize("name", ["weights", "freeze", "balance"])
def test_none_is_a_choice_where_the_field_says_so_and_auto_leaves_it_open(name):
    assert parse_setting(f"{name}=none") == (name, "none")
    assert parse_setting(f"{name}=None") == (name, "none" if name != "balance" else "None")
    assert parse_setting("head=none") == ("head", None)
    assert parse_setting("weights=auto") == ("weights", None)


def test_what_is_not_in_the_choices_is_refused_and_some_fields_are_never_open():
    with pytest.raises(UnknownName, match="Did you mean weights"):
        Recipe(balance="weight")
    with pytest.raises(RecipeError, match="takes a number"):
        parse_setting("blur=auto")


def test_every_augmentation_is_a_field_of_the_recipe_and_off_by_default():
    assert {f.name for f in dataclasses.fields(Augment)} - {"shift_down"} <= Recipe().to_dict().keys()
    assert Recipe().augment.none
    values = {"hue": 20, "trivial_augment": True, "flip_horizontal": True, "untouched": 0.3}
    how = Recipe.from_dict(values).augment
    assert (how.hue, how.trivial_augment, how.flip_horizontal, how.untouched) == (20, True, True, 0.3)
    assert not how.none
    assert how.off == Augment(untouched=0.3)


def test_what_is_chosen_from_the_data_is_open_until_it_is_set_even_to_nothing():
    chosen = ("flip_horizontal", "shift", "rotate", "scale", "random_erasing")
    assert [Recipe().get(name) for name in chosen] == [None] * 5
    assert Recipe().get("blur") == 0
    recipe = Recipe().replace(rotate=0.0, flip_horizontal=False, size=32)
    assert (recipe.get("rotate"), recipe.get("flip_horizontal"), recipe.get("shift")) == (0.0, False, None)
    assert recipe.replace(rotate=None).get("rotate") is None
    assert {k: recipe.to_dict()[k] for k in ("rotate", "shift", "size")} == {"rotate": 0.0, "shift": None, "size": 32}


def test_bounds_hold_for_augmentation_itself_and_a_pair_of_factors_is_in_order():
    for values in ({"sharpen": 99}, {"rotate": -1}, {"untouched": 1.5}, {"mixup": -0.1}):
        with pytest.raises(RecipeError, match=f"{next(iter(values))} must lie between"):
            Augment(**values)
    with pytest.raises(RecipeError, match="lower one first"):
        Augment(brightness=(1.2, 0.8))
    assert Augment(brightness=(0.8, 1.2)).brightness == (0.8, 1.2)


def test_augmentation_in_words_is_what_set_takes():
    recipe = Recipe.from_dict({"flip_horizontal": True, "rotate": 12.5, "noise": 0.05, "cutmix": 1.0})
    assert Recipe.from_dict(dict(map(parse_setting, recipe.augment.words.split()))) == recipe


def test_every_field_stands_in_the_documentation_and_has_help():
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    fields = {f.name: f.metadata["help"] for f in dataclasses.fields(Recipe) if f.name not in ("augment", "open")}
    fields |= {name: facts["help"] for name, facts in Augment.settings().items()}
    assert all(fields.values())
    assert [name for name in fields if f"`{name}`" not in text] == []
    for names in (OPTIMIZERS, SCHEDULES):
        assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("asked", "times"),
    [
        ({}, 1),
        ({"net": "medium"}, 1),
        ({"optimizer": "sgd"}, 2),
        ({"optimizer": "adamw", "net": "small"}, 2),
        ({"net": "lenet"}, 2),  # half of the passes is for the stock networks, by Muon
        ({"net": "conv3-8 relu gap fc"}, 2),
        ({"weights": "imagenet", "net": "resnet18"}, 1),
        ({"epochs": 7, "optimizer": "sgd"}, 0),
    ],
)
@pytest.mark.parametrize("color", [False, True])
def test_passes_fit_optimizer_and_network(asked, times, color):
    facts = Facts(training=2000, classes=5, side=96, aspect=1.3, color=color)
    recipe, reasons = choose_rest(Recipe(size=96, **asked), facts)
    assert recipe.epochs == (times * (22 if color else 12) or 7)
    assert ("epochs" in reasons) == (times > 0)


@pytest.mark.parametrize(
    ("net", "chosen", "fit", "found", "random_erasing"),
    [
        ("medium", {"net", "random_erasing"}, 130.0, "large", 0.4),
        ("medium", {"net"}, 130.0, "large", 0.0),  # random_erasing=0 was asked for
        ("medium", {"net", "random_erasing"}, 70.0, "medium", 0.0),
        ("medium", {"random_erasing"}, 130.0, "medium", 0.0),  # the network was asked for
        ("small", {"net", "random_erasing"}, 1000.0, "small", 0.0),
    ],
)
def test_much_time_is_worth_a_wider_network(net, chosen, fit, found, random_erasing):
    recipe, reasons = widen(Recipe(net=net).replace(random_erasing=0.0), chosen, fit)
    assert (recipe.net, recipe.get("random_erasing")) == (found, random_erasing)
    assert set(reasons) == ({"net"} if found != net else set()) | ({"random_erasing"} if random_erasing else set())
    assert all(reasons.values())


def test_few_photographs_are_not_seen_without_end():
    passes = {
        n: choose_rest(Recipe(size=96), Facts(n, 5, 96, 1.3, color=True))[0].epochs for n in (40, 250, 400, 5000, 50000)
    }
    assert passes == {40: 30, 250: 30, 400: 30, 5000: 15, 50000: 5}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("flip", "no", "flip_horizontal is True or False; received 'no'"),
        ("epochs", 1.5, "epochs takes a whole number; received 1.5"),
        ("epochs", "3", "epochs takes a whole number; received '3'"),
        ("epochs", True, "epochs takes a whole number; received True"),
        ("epochs", float("nan"), "epochs takes a whole number"),
        ("epochs", 0, "epochs must lie"),
        ("batch_size", [32], "batch_size takes a whole number"),
        ("learning_rate", "fast", "learning_rate takes a number"),
        ("learning_rate", float("nan"), "learning_rate must lie"),
        ("learning_rate", float("inf"), "learning_rate must lie"),
        ("lr", -1, "learning_rate must lie"),
        ("rotate", "5", "rotate takes a number"),
        ("rotate", True, "rotate takes a number"),
        ("rotate", 1e6, "rotate must lie"),
        ("seed", 1 + 1j, "seed takes a whole number"),
        ("optimizer", 3, "optimizer is a text"),
        ("net", ["small"], "net is a text"),
        ("freeze", 2, "freeze is a text"),
        ("test_flip", 1, "test_flip is True or False"),
        ("minutes", {}, "minutes takes a number"),
    ],
)
def test_fields_from_python_are_checked_as_those_of_the_command_line(field, value, words):
    with pytest.raises(RecipeError) as found:
        Recipe.from_dict({field: value})
    assert words in str(found.value)


def test_numbers_of_numpy_are_numbers():
    recipe = Recipe.from_dict(
        {"epochs": np.int64(3), "lr": np.float32(0.5), "flip": np.True_, "rotate": np.float64(5), "size": 32.0}
    )
    assert (recipe.epochs, recipe.learning_rate, recipe.get("flip_horizontal"), recipe.size) == (3, 0.5, True, 32)
    assert json.dumps(recipe.to_dict())
