"""Every visible sentence of the report has its Russian form, with the same values and right plural forms."""

import ast
import re
import string
from pathlib import Path

import make_run
import polib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes
from visible_words import english_in

import svertka.reporting
from svertka.errors import UnknownName
from svertka.kinds.image.oddities import RULES
from svertka.pipeline.ladder import rungs
from svertka.reporting import write_report
from svertka.reporting.format import duration, label, percent
from svertka.reporting.i18n.translate import decimal, number, say, say_markup, speaking, translated
from svertka.reporting.registry import CONTENTS
from svertka.reporting.templates import environment
from svertka.transfer import ladder

FOLDER = Path(svertka.reporting.__file__).parent
SAYING = {"say", "to_say", "say_markup"}


# -- what is said where ----------------------------------------------------------------------------


def said_in_python():
    """(place, forms) of every literal that is said or marked to be said: one, or those for one and for many."""
    for path in [p for p in FOLDER.rglob("*.py") if "russian" not in p.parts and p.name != "translate.py"]:
        yield from said_in(path)


def said_in(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYING:
            place = f"{path.relative_to(FOLDER.parent)}:{node.lineno}"
            assert not any(isinstance(form, ast.JoinedStr) for form in node.args), f"{place}: say takes no f-string"
            if isinstance(node.args[0], ast.Constant):
                yield place, tuple(form.value for form in node.args)


def said_in_analysis():
    """What `svertka.analysis` adds to the page."""
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
                yield f"{name}:{call.lineno}", tuple(form.value for form in call.args)


def said():
    yield from said_in_python()
    yield from said_in_analysis()
    yield from said_in_templates()
    for section in CONTENTS:
        yield f"registry.py, {section.name}", (section.menu,)
        yield f"registry.py, {section.name}", (section.heading,)


def catalogs():
    """(file, row) of every row of every Russian catalog."""
    return [(path, row) for path in sorted(FOLDER.rglob("ru.po")) for row in polib.pofile(str(path))]


def forms(row):
    return list(row.msgstr_plural.values()) or [row.msgstr]


def places(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_sentence_has_its_russian():
    rows = {(row.msgid, row.msgid_plural) if row.msgid_plural else (row.msgid,) for _, row in catalogs()}
    missing = [f"{where}: {text!r}" for where, text in said() if text not in rows]
    assert not missing, "\n".join(missing)


def test_the_russian_takes_the_same_values_in_three_forms():
    for path, row in catalogs():
        for russian in forms(row):
            assert russian, f"{path}: {row.msgid}"
            assert places(russian) <= places(row.msgid) | places(row.msgid_plural), russian
            assert russian.count("<b") == row.msgid.count("<b"), russian
        if row.msgid_plural:
            assert len(row.msgstr_plural) == 3, row.msgid
            assert places(row.msgid) == places(row.msgid_plural), row.msgid


def test_no_sentence_is_translated_twice():
    keys = [row.msgctxt or row.msgid for _, row in catalogs()]
    assert sorted(keys) == sorted(set(keys))


def slice_names():
    """What kinds of pictures are told apart by, as the code spells it."""
    house = FOLDER.parent
    files = (house / "evaluation" / "errors" / "slice_features.py", house / "kinds" / "image" / "confounders.py")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    words = [
        n.value for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    return {*words, *(f"border {word}" for word in words)}


def test_nothing_is_translated_that_is_not_said():
    used = {text[0] for _, text in said()}
    by_name = {*(rule.name for rule in RULES), *slice_names(), *ladder.RUNGS.values(), *rungs.SHARES}
    by_name |= {f"{name}, varied views" for name in ladder.RUNGS.values()}
    for path, row in catalogs():
        if "labels" not in path.parts and row.msgctxt is None:
            assert row.msgid in used | by_name, path


def test_the_catalogs_of_a_language_agree_on_its_plurals():
    assert len({polib.pofile(str(path)).metadata["Plural-Forms"] for path in FOLDER.rglob("ru.po")}) == 1


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
        words = say("{n} leak", "{n} leaks", n=n)
    assert words == f"{n} {('утечка', 'утечки', 'утечек')[form]}"


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
    from svertka import Recipe

    with speaking("ru"):
        assert not [
            f
            for f in Recipe().to_dict()
            if re.search("[a-z]{3}", label(f)) and f not in ("mixup", "cutmix", "trivial_augment")
        ]


@settings(deadline=None)
@given(st.text())
def test_values_in_markup_are_escaped(text):
    page = say_markup("{n} mistake among {pictures}.", "{n} mistakes among {pictures}.", n=2, pictures=text)
    assert "<" not in page
    assert page.unescape() == f"2 mistakes among {text}."


def test_an_unknown_sentence_stays_english_and_says_so():
    assert translated("Some <new> note.") == "Some &lt;new&gt; note."
    with speaking("ru"):
        assert translated("Some <new> note.") == '<span lang="en">Some &lt;new&gt; note.</span>'
