"""Every visible sentence of the report has its Russian form, with the same values and right plural forms."""

import ast
import re
import string
from pathlib import Path

import make_run
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes
from visible_words import english_in

import svertka.reporting
from svertka.errors import UnknownName
from svertka.reporting import write_report
from svertka.reporting.format import duration, label, percent
from svertka.reporting.i18n.russian import sentences
from svertka.reporting.i18n.translate import decimal, number, say, say_markup, speaking, told
from svertka.reporting.registry import CONTENTS
from svertka.reporting.templates import environment

FOLDER = Path(svertka.reporting.__file__).parent
SAYING = {"say", "to_say", "say_markup"}


# -- what is said where ----------------------------------------------------------------------------


def said_in_python():
    """(place, sentence) of every literal that is said or marked to be said."""
    for path in [p for p in FOLDER.rglob("*.py") if "russian" not in p.parts and p.name != "translate.py"]:
        yield from said_in(path)


def said_in(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYING:
            literal = node.args[0]
            if isinstance(literal, ast.Constant):
                yield f"{path.name}:{node.lineno}", literal.value
            else:
                assert not isinstance(literal, ast.JoinedStr), f"{path.name}:{node.lineno}: say takes no f-string"


def said_in_verbs():
    """What `svertka.api.report` adds to the page."""
    yield from said_in(FOLDER.parent / "analysis" / "training_report.py")


def templates():
    return [p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.html")]


def parsed(name):
    jinja = environment()
    return jinja.parse(jinja.loader.get_source(jinja, name)[0])


def said_in_templates():
    for name in templates():
        for call in parsed(name).find_all(nodes.Call):
            if getattr(call.node, "name", "") == "say" and isinstance(call.args[0], nodes.Const):
                yield f"{name}:{call.lineno}", call.args[0].value


def said():
    yield from said_in_python()
    yield from said_in_verbs()
    yield from said_in_templates()
    for section in CONTENTS:
        yield f"contents.py, {section.name}", section.menu
        yield f"contents.py, {section.name}", section.heading


def places(sentence):
    """Its places: {name: number of forms, 0 where it is no plural}."""
    found = string.Formatter().parse(sentence)
    return {name: spec.count("|") + 1 if "|" in spec else 0 for _, name, spec, _ in found if name}


def test_every_sentence_has_its_russian():
    known = sentences()
    missing = [f"{where}: {text!r}" for where, text in said() if text not in known]
    assert not missing, "\n".join(missing)


def test_the_russian_takes_the_same_values_in_three_forms():
    for english, russian in sentences().items():
        ours, theirs = places(english), places(russian)
        assert theirs.keys() <= ours.keys(), english
        assert all(n in (0, 2) for n in ours.values()), english
        assert all(n in (0, 3) for n in theirs.values()), russian
        assert all(theirs.get(name) for name, n in ours.items() if n), f"counted in English only: {english}"
        assert russian.count("<b") == english.count("<b"), russian


def test_nothing_is_translated_that_is_not_said():
    from svertka.reporting.i18n.russian import card, check, inside, map, network, page, preparation, results, sections

    used = {text for _, text in said()}
    for table in (card, check, inside, map, network, page, preparation, results, sections):
        kinds = {"placeholder", "empty", "dark", "bright", "blurred", "small", "long"}  # of oddities, said by name
        assert not set(table.SENTENCES) - used - kinds, table.__name__


@pytest.mark.parametrize("name", templates())
def test_templates_hold_no_bare_words(name):
    text = "".join(
        d.data for output in parsed(name).find_all(nodes.Output) for d in output.find_all(nodes.TemplateData)
    )
    text = re.sub(r"<style>.*?</style>|<bdi>.*?</bdi>|<[^>]*>|^[^<]*>|<[^>]*$|&#\d+;", " ", text, flags=re.DOTALL)
    assert not re.findall(r"(?<![\w=\"-])[A-Za-z]{3,}", text), name


@pytest.mark.parametrize("kind", ["digits", "many", "few", "unscored"])
def test_a_russian_page_holds_no_english(tmp_path, kind):
    run = {
        "digits": lambda p: make_run.digits_run(p, test_share=0.25, epochs=10),
        "many": lambda p: make_run.invented(p, classes=120, files=5000, scored=900, test=800, skill=3),
        "few": lambda p: make_run.invented(
            p, scored=30, skill=0.1, unreadable=[(500, "cut short")], skipped=[("a.txt", "no picture")]
        ),
        "unscored": lambda p: make_run.invented(p, scored=0, pixels=None, example_index=None, epochs=[]),
    }[kind](tmp_path / "run")
    page = write_report(run, lang="ru").read_text(encoding="utf-8")
    assert '<html lang="ru">' in page
    assert english_in(page) == set()
    assert len(re.findall(r"[а-яё]{3,}", page)) > 100


# -- how it is said --------------------------------------------------------------------------------

# Unicode CLDR 46, "Language Plural Rules", Russian, whole numbers: which form goes with which
CLDR = {
    0: [1, 21, 31, 41, 101, 1001],
    1: [2, 3, 4, 22, 24, 32, 102, 1002],
    2: [0, 5, 9, 10, 11, 12, 14, 19, 100, 111, 112],
}


@pytest.mark.parametrize(("form", "n"), [(form, n) for form, examples in CLDR.items() for n in examples])
def test_russian_plural_forms_are_those_of_cldr(form, n):
    with speaking("ru"):
        words = say("{n:# class|# classes}", n=n)
    assert words == f"{n} {('класс', 'класса', 'классов')[form]}"


def test_numbers_are_written_as_each_language_does():
    assert (number(1797), number(70_000), decimal(0.256, ".2f")) == ("1,797", "70,000", "0.26")
    assert (percent(0.98333, 360), duration(75)) == ("98.3\u202f%", "1 min 15 s")
    with speaking("ru"):
        assert (number(1797), number(70_000), decimal(0.256, ".2f")) == ("1797", "70\u202f000", "0,26")
        assert (percent(0.98333, 360), duration(75)) == ("98,3\u202f%", "1\u202fмин 15\u202fс")
    assert number(1797) == "1,797"


def test_a_language_that_is_not_there_lists_those_that_are():
    with pytest.raises(UnknownName, match="en, ru"), speaking("tlh"):
        pass


def test_every_field_of_the_recipe_has_its_russian():
    from svertka.training.recipe import Recipe

    with speaking("ru"):
        assert not [
            f
            for f in Recipe().to_dict()
            if re.search("[a-z]{3}", label(f)) and f not in ("mixup", "cutmix", "trivial_augment")
        ]


@settings(deadline=None)
@given(st.text())
def test_values_in_markup_are_escaped(text):
    page = say_markup("{n:# mistake|# mistakes} among {pictures}.", n=2, pictures=text)
    assert "<" not in page
    assert page.unescape() == f"2 mistakes among {text}."


@given(st.integers(2, 10**6), st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_a_sentence_of_the_run_folder_is_recognized_with_its_values(n, path):
    english = say("{n:# mistake|# mistakes} among {pictures}.", n=n, pictures=path)
    with speaking("ru"):
        assert told(english) == say("{n:# mistake|# mistakes} among {pictures}.", n=n, pictures=path)


def test_an_unknown_sentence_stays_english_and_says_so():
    assert told("Some <new> note.") == "Some &lt;new&gt; note."
    with speaking("ru"):
        assert told("Some <new> note.") == '<span lang="en">Some &lt;new&gt; note.</span>'
