"""What training wrote into the run folder in English has its Russian form: the sentences come from the code itself."""

import dataclasses
import itertools

import pytest

from svertka.audit.findings import _KINDS
from svertka.reporting.speech import recognised, speaking
from svertka.training import auto
from svertka.training.recipe import Recipe

SETS = itertools.product((60, 1_797, 6_000, 50_000), (8, 28, 90, 300), (1.0, 1.5, 3.0), (True, False))
RECIPES = [
    Recipe(weights=weights, optimiser=optimiser, flip=flip)
    for weights, optimiser, flip in itertools.product(
        ("none", "imagenet"), (None, "sgd", "rmsprop", "adam", "adamw", "adadelta", "muon"), (None, False)
    )
]


def reasons():
    """Every sentence that the choosers give over data sets and recipes of all kinds."""
    found = set()
    for (training, side, aspect, colour), recipe in itertools.product(SETS, RECIPES):
        facts = auto.Facts(training, 2, side, aspect, colour)
        sized, first = auto.choose_size(recipe, facts)
        _, rest = auto.choose_rest(sized, dataclasses.replace(facts, side=sized.size))
        found |= {*first.values(), *rest.values()}
    return found


def test_every_reason_of_a_choice_has_its_russian_form():
    found = reasons()
    assert len(found) > 50
    with speaking("ru"):
        assert [sentence for sentence in sorted(found) if recognised(sentence) is None] == []


@pytest.mark.parametrize("kind", _KINDS)
def test_every_kind_of_odd_picture_has_its_russian_form(kind):
    one, several = _KINDS[kind]
    with speaking("ru"):
        said = recognised(f"1 picture {one}: a/b.png (500 x 146 pixels).")
        many = recognised(f"1,200 pictures {several}, such as a/b.png (mean brightness 3 of 255, where 90 is usual).")
    assert said.endswith("a/b.png (500 x 146 пикс.).")
    assert "обычно 90" in many
    assert "1200" in many


@pytest.mark.parametrize(
    ("sentence", "part"),
    [
        ("from scratch on 50,000 pictures, detail beyond 96 pixels costs more than it gives", "свыше 96 пикселей"),
        ("as many as 1.5 minutes allow at 20.3 seconds a pass", "20.3 с на эпоху"),
        ("squeezenet1_0 learned from pictures of this size", "squeezenet1_0"),
        (
            "Pictures grow from 20 over 24 to 32 pixels during the first 50% of the steps; until then validation, on "
            "whole ones, lags behind.",
            "изображения растут: 20, 24, затем 32 пикс.",
        ),
        (
            "The rung 'whole network' was left out: one pass takes about 516 seconds. More --minutes allow it.",
            "около 516 с",
        ),
    ],
)
def test_values_go_over_into_the_russian_form(sentence, part):
    with speaking("ru"):
        assert part in recognised(sentence)
